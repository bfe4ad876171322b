"""OpenAI itself, and every endpoint that speaks its dialect at a URL of its own."""

from __future__ import annotations

import openai

from engine.kernel.clock import Clock
from engine.providers.calling import SdkProvider
from engine.providers.openai_sdk import ChatFormat, OpenAIWire
from engine.providers.settings import ProviderSettings
from engine.providers.transport import client_options

_NO_KEY = "none"  # the SDK insists on one; endpoints that want none ignore it


def open_openai(settings: ProviderSettings, clock: Clock) -> SdkProvider:
    """A provider of the OpenAI dialect.

    Everything the SDK would otherwise take from its own environment variables is given, so that neither an
    organization nor a key of one provider can go to another.
    """
    key = settings.api_key.reveal() or _NO_KEY
    client = openai.AsyncOpenAI(
        api_key=key,
        base_url=settings.base_url,
        organization=settings.organization,
        project="",
        default_headers={"Authorization": f"Bearer {key}"},
        max_retries=0,
        http_client=openai.DefaultAioHttpClient(**client_options(settings)),
    )
    return SdkProvider(settings, clock, OpenAIWire(client, settings.quirks), ChatFormat(settings.quirks))
