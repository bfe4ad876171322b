"""One task against one behaviour: the real adapters and the real orchestrator, over a real ledger, by the real clock.

Each case has a tool and a provider of its own, so that neither breakers nor levels of one touch another; all share one
database and a healthy provider that stands in. What came of a task is put into words, which the table is written in.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from engine.costs import CostSettings, Ledger, PriceOverride, Pricer
from engine.events import BreakerChanged, Event, FallbackTaken, Recorded
from engine.kernel.backoff import Backoff
from engine.kernel.clock import SystemClock
from engine.kernel.errors import ProviderError
from engine.kernel.secret import Secret
from engine.kernel.values import MILLISECOND, SECOND, usd
from engine.orchestrator import (
    Answer,
    BreakerSettings,
    Metered,
    Orchestrator,
    OrchestratorSettings,
    RetrySettings,
    Task,
    ToolRoute,
)
from engine.providers import (
    Chunk,
    Completion,
    Message,
    ModelRequest,
    Provider,
    ProviderSettings,
    Role,
    Timeouts,
    open_provider,
)
from engine.storage import Database
from huntaze_console.joints import LedgerMeter
from tests.faults.server import CACHED, INPUT, MOST_BYTES, OUTPUT, FaultServer
from tests.rig import join_orchestrator

PROMPT = "Write to Zoë, please."
TENANT = "acme"
CAP = 100  # tokens a tool may write
EXACT = (INPUT - CACHED) * 1_000 + CACHED * 500 + OUTPUT * 2_000  # nano-dollars of a healthy answer
HARD_LIMIT = 20.0  # real seconds; a task that takes longer hangs
SCHEMA = {"type": "object", "properties": {"title": {"type": "string"}}}
TIMEOUTS = Timeouts(connect=5 * SECOND, first_byte=10 * SECOND, idle=10 * SECOND, total=12 * SECOND)
"""So long that a busy machine does not let a quick behaviour run into them."""

HURRIED = replace(TIMEOUTS, first_byte=2_500 * MILLISECOND, idle=1_500 * MILLISECOND, total=4_000 * MILLISECOND)
"""What the behaviours that do run into them are given."""

SLOW = frozenset({"silence", "slow_headers", "headers_then_silence", "slow_body", "stalled_stream", "keepalives_only"})
"""Behaviours that last as long as they are let."""


class Hurried:
    """A provider whose every call has the time that a slow behaviour is given."""

    def __init__(self, inner: Provider) -> None:
        self.name = inner.name
        self.close = inner.close
        self._inner = inner

    async def complete(self, model: str, request: ModelRequest) -> Completion:
        return await self._inner.complete(model, _hurry(request))

    def stream(self, model: str, request: ModelRequest) -> AsyncIterator[Chunk]:
        return self._inner.stream(model, _hurry(request))


def _hurry(request: ModelRequest) -> ModelRequest:
    return replace(request, timeouts=replace(HURRIED, total=min(HURRIED.total, request.timeouts.total)))


@dataclass(frozen=True)
class Case:
    """`chain` names behaviours in their order; `streamed` asks for a stream, `body` as a gateway's client does."""

    name: str
    dialect: str
    chain: tuple[str, ...]
    streamed: bool = False
    body: bool = False
    schema: bool = False
    models: tuple[str, ...] = ("m",)  # of every provider of the chain

    @property
    def providers(self) -> tuple[str, ...]:
        suffix = f"{'-streamed' if self.streamed else ''}{'-body' if self.body else ''}"
        return tuple(f"{behaviour}.{self.name}{suffix}" for behaviour in self.chain)

    @property
    def tool(self) -> str:
        return self.providers[0]

    @property
    def targets(self) -> tuple[str, ...]:
        return tuple(f"{provider}/{model}" for provider in self.providers for model in self.models)


@dataclass
class Seen:
    """What came of one task, in the table's words."""

    given: str  # whose answer, or which error
    tries: tuple[str, ...]  # of the first provider: outcome and bill
    told: str  # the reason of the takeover that was published
    error: ProviderError | None = None
    answer: Answer | None = None
    pieces: str = ""


@dataclass
class Stage:
    database: Database
    orchestrator: Orchestrator
    server: FaultServer
    dialect: str
    drain: Callable[[], Awaitable[None]]  # returns when every call that has ended is settled
    published: list[Event] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)  # that the task begun last has handed over

    async def ask(self, case: Case, trace: str) -> Seen:
        """One task, and what the caller got, what was booked and what was published."""
        pieces = self.pieces = list[str]()

        async def take(chunk: Chunk) -> None:
            pieces.append(chunk.text)

        task = Task(
            tool=case.tool,
            messages=() if case.body else (Message(Role.USER, PROMPT),),
            body={"model": "m", "messages": [{"role": "user", "content": PROMPT}]} if case.body else None,
            trace_id=trace,
            tenant_id=TENANT,
            fresh=True,
            schema=SCHEMA if case.schema else None,
            emit=take if case.streamed else None,
        )
        answer: Answer | None = None
        error: ProviderError | None = None
        try:
            async with asyncio.timeout(HARD_LIMIT):
                answer = await self.orchestrator.complete(task)
        except ProviderError as raised:
            error = raised
        text = "".join(pieces)
        return Seen(
            given=self._given(case, answer, error),
            tries=await self.tries(case, trace, text),
            told=self._told(case),
            error=error,
            answer=answer,
            pieces=text,
        )

    def _given(self, case: Case, answer: Answer | None, error: ProviderError | None) -> str:
        if error is not None:
            return f"{error.error_class}{' after pieces' if error.begun else ''}"
        assert answer is not None
        return "its answer" if answer.target.provider == case.providers[0] else "the stand-in's answer"

    async def tries(self, case: Case, trace: str, text: str) -> tuple[str, ...]:
        """What a task's calls to its first provider are booked as. `text` is what the caller got of it."""
        await self.drain()
        rows = await self.rows(
            "SELECT outcome, basis, cost, input_tokens, output_tokens FROM ledger"
            " WHERE provider = ? AND trace_id = ? ORDER BY number",
            case.providers[0],
            trace,
        )
        return tuple(f"{row['outcome']}: {_bill(row, text)}" for row in rows)

    def _told(self, case: Case) -> str:
        told = [one.reason for one in self.published if isinstance(one, FallbackTaken) and one.tool == case.tool]
        return told[0] if told else ""

    def opened(self, provider: str) -> bool:
        """Whether its breaker was published to be open."""
        return any(
            isinstance(one, BreakerChanged) and one.provider == provider and one.state == "open"
            for one in self.published
        )

    def observe(self, recorded: Sequence[Recorded]) -> None:
        self.published += [one.event for one in recorded]

    async def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        async with self.database.reader() as reader:
            return [dict(row) for row in await reader.rows(sql, values)]

    async def misbooked(self, cases: Iterable[Case]) -> list[str]:
        """Where the books differ from what arrived: open attempts, calls booked twice or not at all, holds."""
        found = [f"open attempt {row['id']}" for row in await self.rows("SELECT id FROM attempts")]
        (budget,) = await self.rows("SELECT spent, held, (SELECT sum(cost) FROM ledger) AS booked FROM budgets")
        if (budget["spent"], budget["held"]) != (budget["booked"], 0):
            found.append(f"the budget differs from the books: {budget}")
        booked = Counter(
            {
                row["provider"]: row["n"]
                for row in await self.rows("SELECT provider, count(*) AS n FROM ledger GROUP BY 1")
            }
        )
        for provider in {name for case in cases for name in case.providers}:
            arrived = self.server.arrived[f"{self.dialect}/{provider}"]
            if provider.startswith(("refused", "tls_")):
                if arrived:
                    found.append(f"{provider}: {arrived} requests arrived where none can")
            elif arrived != booked[provider]:
                found.append(f"{provider}: {arrived} requests arrived, {booked[provider]} are booked")
        return found


def _bill(row: dict[str, Any], text: str) -> str:
    """How a call was billed: exactly, at what it could cost at most, at the text that came, or not at all."""
    if row["basis"] == "measured":
        return {0: "nothing", EXACT: "exact"}.get(row["cost"], f"measured {row['cost']}")
    assert row["basis"] == "estimated"
    assert row["input_tokens"] >= len(PROMPT.encode())
    if row["cost"] != row["input_tokens"] * 1_000 + row["output_tokens"] * 2_000:
        return f"estimated {row['cost']}"
    if row["output_tokens"] == CAP:
        return "at most"
    return "as received" if row["output_tokens"] == len(text.encode()) else f"estimated {row['output_tokens']}"


def _prices(targets: Iterable[tuple[str, ...]]) -> CostSettings:
    return CostSettings(
        overrides=tuple(
            PriceOverride(
                provider=name,
                model=model,
                from_day=date(2020, 1, 1),
                input=Decimal(1),
                output=Decimal(2),
                cached=Decimal("0.5"),
            )
            for name, model in targets
        )
    )


def _settings(cases: Iterable[Case]) -> OrchestratorSettings:
    """Two tries on a model, no long waits, and a breaker that opens at the second failure."""
    return OrchestratorSettings(
        tools={case.tool: ToolRoute(chain=case.targets, max_output_tokens=CAP) for case in cases},
        timeouts=TIMEOUTS,
        total=15 * SECOND,
        retry=RetrySettings(
            attempts=2, backoff=Backoff(base=20 * MILLISECOND, ceiling=40 * MILLISECOND), patience=3 * SECOND
        ),
        breaker=BreakerSettings(least_calls=2, open_for=60 * SECOND),
    )


@asynccontextmanager
async def staged(server: FaultServer, folder: Path, dialect: str, cases: Iterable[Case]) -> AsyncIterator[Stage]:
    """Everything from the database up, with a provider for each behaviour of each case."""
    cases = tuple(cases)
    names = {name for case in cases for name in case.providers}
    settings = _settings(cases)
    clock, chance = SystemClock(), random.Random(7)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database.open(folder / "huntaze.db", readers=2, synchronous="OFF"))
        providers: dict[str, Provider] = {}
        for name in names:
            row = ProviderSettings.of(
                dialect, name=name, base_url=server.url(dialect, name), api_key=Secret("sk-not-to-be-shown")
            )
            opened = open_provider(replace(row, max_answer_bytes=MOST_BYTES), clock)
            providers[name] = Hurried(opened) if name.partition(".")[0] in SLOW | {"brown_out"} else opened
            stack.push_async_callback(opened.close)
        pricer = await asyncio.to_thread(
            Pricer, _prices({tuple(one.split("/")) for case in cases for one in case.targets})
        )
        ledger = Ledger(database, pricer, clock)
        await database.write(lambda tx: ledger.set_limit(tx, "tenant", TENANT, usd(1)))  # so that every call is held
        metered = Metered(providers, LedgerMeter(ledger, pricer), database, clock, chance, settings)
        _, orchestrator = join_orchestrator(metered, database, clock, chance, None, settings, pricer)
        stage = Stage(database, orchestrator, server, dialect, metered.drain)
        database.on_commit(stage.observe)
        yield stage
