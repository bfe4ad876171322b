"""Whatever is asked in whatever order: one row each, and undone from the end back everything stands as it stood."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.kernel.errors import CommandRefused
from engine.kernel.values import HOUR, usd
from engine.runtime.actions import named
from engine.runtime.grounds import GROUNDS, State
from engine.surface.commands import (
    Command,
    FlagSetting,
    ForceBreaker,
    HaltSending,
    PauseCampaign,
    RemoveBudget,
    ResetRoute,
    ResumeSending,
    SetBudget,
    SetFlags,
    SetRoute,
    SetShadow,
    SuppressFan,
    UndoAction,
    UnsuppressFan,
)
from engine.surface.queries import ListAudit
from engine.surface.rows import AuditRow
from tests.rig import Rig, rig

FLAGS = ("use_kept_answers", "use_hybrid_orchestrator")
WATCHED = (
    ("sending", ()),
    ("fan", ("anna", "f0")),
    ("budget", ("global", "", "day")),
    ("route", ("message",)),
    ("shadow", ("message",)),
    ("breaker", ("one", "m")),
    ("flags", FLAGS),
)

maybe = st.none() | st.integers(0, 100)
users = st.none() | st.lists(st.sampled_from(["u1", "u2", "ü"]), max_size=2).map(tuple)
settings_of_flags = st.builds(
    FlagSetting,
    name=st.sampled_from(FLAGS),
    enabled=st.none() | st.booleans(),
    percentage=maybe,
    allow=users,
    deny=users,
)
actors = st.sampled_from(["anna", "bert", "\x1b[31m", ""])
asked: st.SearchStrategy[Command] = st.one_of(
    st.builds(HaltSending, actor=actors),
    st.builds(ResumeSending, actor=actors),
    st.builds(SuppressFan, account_id=st.just("anna"), fan_id=st.just("f0"), reason=st.sampled_from(["a", "b"])),
    st.builds(UnsuppressFan, account_id=st.just("anna"), fan_id=st.just("f0")),
    st.builds(
        SetBudget,
        scope=st.just("global"),
        window=st.just("day"),
        limit=st.sampled_from([usd(5), usd(8), -1]),
        actions=st.none() | st.sampled_from([("stop",), ("clamp", "stop"), ("dance",)]),
        time_zone=st.none() | st.sampled_from(["", "Asia/Tokyo"]),
    ),
    st.builds(RemoveBudget, scope=st.just("global"), window=st.just("day")),
    st.builds(
        SetRoute,
        tool=st.just("message"),
        strategy=st.sampled_from(["", "cheapest", "fixed", "none_such"]),
        chain=st.none() | st.sampled_from([("two/m",), ("two/m", "one/m")]),
        too_slow=st.sampled_from([None, 0, HOUR]),
    ),
    st.builds(ResetRoute, tool=st.just("message")),
    st.builds(
        SetShadow,
        tool=st.just("message"),
        target=st.just("two/m"),
        percentage=st.sampled_from([0.0, 5.0]),
        budget=st.just(1),
    ),
    st.builds(
        ForceBreaker, provider=st.just("one"), model=st.just("m"), state=st.sampled_from(["open", "closed", "auto"])
    ),
    st.builds(SetFlags, flags=st.lists(settings_of_flags, min_size=1, max_size=2).map(tuple)),
    st.builds(PauseCampaign, campaign_id=st.just("cmp_nobody")),
)


async def standing(play: Rig) -> list[State]:
    return await play.database.write(lambda tx: [GROUNDS[kind].read(tx, parts) for kind, parts in WATCHED])


async def tried(play: Rig, command: Command) -> str:
    try:
        await play.desk.submit(command)
    except CommandRefused:
        return "refused"
    return "done"


async def rows(play: Rig) -> list[AuditRow]:
    """Oldest first."""
    return list(reversed((await play.desk.query(ListAudit(limit=1000))).rows))


async def lived(folder: Path, commands: list[Command]) -> None:
    async with rig(folder) as play:
        before, outcomes = await standing(play), []
        for command in commands:
            was = await standing(play)
            outcomes.append(await tried(play, command))
            if outcomes[-1] == "refused":
                assert await standing(play) == was

        found = await rows(play)
        assert [(row.action, row.outcome) for row in found] == [
            (named(type(command)), outcome) for command, outcome in zip(commands, outcomes, strict=True)
        ]
        for row in reversed(found):
            if row.undoable:
                assert await tried(play, UndoAction(audit_id=row.audit_id)) == "done", row
        assert await standing(play) == before
        after = await rows(play)
        assert len(after) == len(found) + sum(row.undoable for row in found)
        assert not any(row.undoable for row in after[: len(found)])


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(asked, min_size=1, max_size=12))
def test_one_row_each_and_undone_from_the_end_all_is_as_it_was(commands: list[Command]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(lived(Path(folder), commands))
