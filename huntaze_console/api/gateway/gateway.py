"""A client's request as a task of the orchestrator: who asks, which models may be asked, and what it may cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.accounts import Key, Keyring
from engine.kernel.clock import Clock
from engine.kernel.values import Random, new_hex_id
from engine.orchestrator import Answer, Emit, Orchestrator, Task
from engine.providers import Operation
from huntaze_console.api.gateway.catalogue import Catalogue, Choice
from huntaze_console.api.gateway.errors import forbidden_model, invalid, unknown_model
from huntaze_console.api.gateway.reading import Asked
from huntaze_console.api.gateway.settings import GatewaySettings

_FRESH = "x-huntaze-cache"
_NO_STORE = "no-store"


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks: the holder of a key, or with None the operator, who may ask for everything."""

    key: Key | None

    def may_use(self, names: tuple[str, ...]) -> bool:
        return self.key is None or self.key.may_use(*names)


OPERATOR = Client(None)


class Gateway:
    """What the endpoints under /v1 are given. Built by the bootstrap."""

    def __init__(
        self,
        orchestrator: Orchestrator,
        keyring: Keyring,
        catalogue: Catalogue,
        settings: GatewaySettings,
        clock: Clock,
        chance: Random,
    ) -> None:
        self._orchestrator = orchestrator
        self._keyring = keyring
        self.catalogue = catalogue
        self.settings = settings
        self.clock = clock
        self._chance = chance
        self.opened_at = clock.now()

    def configure(self, settings: GatewaySettings) -> None:
        """Take new limits and names over."""
        self.settings = settings
        self.catalogue.configure(settings.model_aliases)

    def client(self, secret: str) -> Client | None:
        """Whose secret it is, or None where nobody's."""
        key = self._keyring.find(secret)
        return None if key is None else Client(key)

    def trace_id(self) -> str:
        return new_hex_id(self.clock.now(), self._chance)

    def choose(self, client: Client, asked: Asked) -> Choice:
        """What the model's name stands for. Raises GatewayError for one unknown, or not for this client."""
        choice = self.catalogue.find(asked.model)
        if choice is None:
            raise unknown_model(asked.model)
        if not client.may_use(choice.names):
            raise forbidden_model(asked.model)
        if asked.operation is Operation.EMBEDDINGS and choice.pinned is None:
            raise invalid("Embeddings need a real model: vectors of two models cannot be compared.", "model")
        return choice

    async def complete(
        self, client: Client, asked: Asked, choice: Choice, trace_id: str, headers: Mapping[str, str], emit: Emit | None
    ) -> Answer:
        """Raises what the orchestrator raises."""
        key = client.key
        return await self._orchestrator.complete(
            Task(
                tool=choice.tool,
                messages=(),
                trace_id=trace_id,
                tenant_id=key.tenant_id if key else "",
                user_id=key.key_id if key else "",
                max_output_tokens=self._cap(asked, choice),
                fresh=headers.get(_FRESH, "").strip().lower() == _NO_STORE,
                needs=asked.needs,
                pinned=choice.pinned,
                strategy=choice.strategy,
                operation=asked.operation,
                body=asked.body,
                emit=emit,
            )
        )

    def _cap(self, asked: Asked, choice: Choice) -> int | None:
        """The most all choices of the answer may have together."""
        if asked.operation is Operation.EMBEDDINGS:
            return None
        most = min(choice.most or self.settings.largest_output_tokens, self.settings.largest_output_tokens)
        return min(asked.cap or choice.cap, most) * asked.choices
