"""Every question and every act that a face can send, over real HTTP: answered or refused in words, never an error."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from engine.kernel.errors import CommandRefused, EngineUnavailable
from engine.kernel.values import usd
from engine.surface import wire
from engine.surface.commands import COMMANDS, FlagSetting, SetBudget
from engine.surface.queries import (
    MOST_ROWS,
    QUERIES,
    ListAudit,
    Paged,
    PreviewBreaker,
    PreviewBudget,
    PreviewFlag,
    PreviewRoute,
    PreviewShadow,
    PreviewThreshold,
    Query,
)
from screens.sources.remote import RemoteSource
from tests.rig import Rig, fans, rig
from tests.screens.rig_source import attached
from tests.unit.test_runtime_desk import EITHER, body

PREVIEWS: tuple[Query, ...] = (
    *(PreviewBudget(scope="global", window="day", limit=limit) for limit in (None, *map(usd, (2, 10, 70, 50_000)))),
    PreviewThreshold(day=usd(30)),
    PreviewThreshold(month=usd(20_000)),
    PreviewRoute(tool="message", chain=("two/m", "one/m")),
    PreviewRoute(tool="message", reset=True),
    *(PreviewBreaker(provider="one", model="m", state=state) for state in ("open", "closed", "auto")),
    PreviewFlag(flag=FlagSetting(name="use_hybrid_orchestrator", percentage=50)),
    PreviewShadow(tool="message", target="two/m", percentage=5.0, budget=usd(2)),
)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[tuple[Rig, RemoteSource]]:
    async with rig(tmp_path) as play, attached(play, tmp_path) as source:
        play.platform.audience["anna"] = fans(1)
        yield play, source


async def refused(asking: Any) -> bool:
    """Whether it was refused in words; an error of the engine's raises EngineUnavailable."""
    try:
        await asking
    except CommandRefused:
        return True
    return False


@pytest.mark.parametrize("query", PREVIEWS, ids=lambda query: type(query).__name__)
async def test_every_preview_is_answered_with_the_sums_that_people_type(
    stage: tuple[Rig, RemoteSource], query: Query
) -> None:
    _, source = stage
    await source.submit(SetBudget(scope="global", window="day", limit=usd(50)))

    assert all(isinstance(row, type(query).row) for row in (await source.query(query)).rows)


async def test_every_question_is_answered_or_refused_in_words(stage: tuple[Rig, RemoteSource]) -> None:
    _, source = stage
    for name, kind in sorted(QUERIES.items()):
        query = wire.load_query(body("query", name, kind, **EITHER.get(name, {})))
        try:
            await refused(source.query(query))
        except EngineUnavailable as error:
            raise AssertionError(name) from error


async def test_every_act_is_carried_out_or_refused_in_words(stage: tuple[Rig, RemoteSource]) -> None:
    _, source = stage
    for name, kind in sorted(COMMANDS.items()):
        command = wire.load_command(body("command", name, kind, **EITHER.get(name, {})))
        try:
            await refused(source.submit(command))
        except EngineUnavailable as error:
            raise AssertionError(name) from error


async def test_a_page_is_bounded_and_nothing_else_is(stage: tuple[Rig, RemoteSource]) -> None:
    _, source = stage
    for limit in (0, -1, MOST_ROWS + 1):
        with pytest.raises(CommandRefused, match="limit must be 1 to 1000"):
            await source.query(ListAudit(limit=limit))

    counted = {name for name, kind in QUERIES.items() if isinstance(getattr(defaults(kind), "limit", None), int)}
    assert counted == {name for name, kind in QUERIES.items() if issubclass(kind, Paged)}


def defaults(kind: type[Query]) -> Query:
    """One of a kind with its own defaults."""
    return wire.load_query(body("query", kind.__name__, kind))
