"""The gateway of `/v1`: the engine's models for clients that speak OpenAI's interface."""

from __future__ import annotations

import random

from engine.accounts import Keyring
from huntaze_console.api.gateway import Catalogue, Gateway
from huntaze_console.bootstrap.answering import Answering
from huntaze_console.bootstrap.calls import Calls
from huntaze_console.bootstrap.start import Start
from huntaze_console.bootstrap.stores import Stores
from huntaze_console.joints import priced
from huntaze_console.serving import gateway_settings


def open_gateway(start: Start, stores: Stores, calls: Calls, answering: Answering, keyring: Keyring) -> Gateway:
    """Every provider that is ready, by its own names and by the aliases of the settings."""
    catalogue = Catalogue(
        answering.orchestrator,
        tuple(calls.serving),
        priced(stores.pricer, start.clock),
        lambda target: calls.models.of(target.provider, target.model).largest_output,
        start.settings.model_aliases,
    )
    traces = random.Random(random.SystemRandom().getrandbits(128))  # noqa: S311 - ids; a seed must not repeat them
    return Gateway(answering.orchestrator, keyring, catalogue, gateway_settings(start.settings), start.clock, traces)
