"""Feature flags: who has them, what they switch, and that a change lasts and is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.events import FlagChanged
from engine.kernel.errors import BudgetRefused, CommandRefused, ErrorClass, ProviderError, Refusal
from engine.kernel.values import NanoUSD
from engine.orchestrator import CacheMode, Flag, Hit, Target, Task
from engine.orchestrator.flags import FLAGS, HYBRID, KEPT, place
from engine.providers import Message, Role
from engine.surface.commands import FlagSetting, SetFlags
from engine.surface.queries import ListFlags
from engine.surface.rows import FlagRow
from tests.rig import COST, SETTINGS, Rig, rig

USERS = st.text(max_size=20)


@pytest.fixture
async def play(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path) as made:
        yield made


def task(**changes: Any) -> Task:
    fields: dict[str, Any] = {"tool": "message", "messages": (Message(Role.USER, "hi"),), "trace_id": "t"}
    return Task(**{**fields, **changes})


async def change(play: Rig, name: str = HYBRID, **fields: Any) -> None:
    await play.desk.submit(SetFlags(flags=(FlagSetting(name=name, **fields),), actor="anna"))


async def rows(play: Rig) -> dict[str, FlagRow]:
    return {row.name: row for row in (await play.desk.query(ListFlags())).rows}


# ── who has it ──────────────────────────────────────────────────────────────────────────────────────────────────────


@given(USERS, st.integers(0, 100), st.integers(0, 100))
def test_raising_the_percentage_adds_users_and_takes_none_away(user: str, one: int, other: int) -> None:
    low, high = sorted((one, other))

    assert Flag(name="f", percentage=low).on(user) <= Flag(name="f", percentage=high).on(user)


@given(USERS)
def test_nobody_has_it_at_0_and_everybody_at_100(user: str) -> None:
    assert not Flag(name="f", percentage=0).on(user)
    assert Flag(name="f", percentage=100).on(user)


def test_the_share_of_users_is_the_percentage_and_each_flag_draws_its_own() -> None:
    users = [f"user_{number}" for number in range(20_000)]
    one = {user for user in users if Flag(name="one", percentage=30).on(user)}
    two = {user for user in users if Flag(name="two", percentage=30).on(user)}

    assert abs(len(one) / len(users) - 0.3) < 0.01
    assert abs(len(one & two) / len(users) - 0.09) < 0.01


def test_where_a_user_stands_never_changes() -> None:
    assert [place("use_hybrid_orchestrator", f"user_{number}") for number in range(4)] == [4471, 8239, 4381, 5195]


@given(USERS, st.integers(0, 100), st.booleans())
def test_the_lists_go_before_the_percentage_and_the_switch_before_both(user: str, share: int, enabled: bool) -> None:
    allowed = Flag(name="f", enabled=enabled, percentage=share, allow=(user,))
    denied = Flag(name="f", enabled=enabled, percentage=share, deny=(user,))

    assert allowed.on(user) is enabled
    assert denied.on(user) is False


# ── changes ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_every_flag_is_on_for_everybody_until_somebody_says_otherwise(play: Rig) -> None:
    found = await rows(play)

    assert set(found) == set(FLAGS)
    assert {(row.enabled, row.percentage, row.changed_at) for row in found.values()} == {(True, 100, 0)}


async def test_a_change_lasts_and_is_told_and_leaves_the_rest(tmp_path: Path) -> None:
    async with rig(tmp_path) as play:
        await change(play, percentage=30, allow=("u2", "u1", "u2"))
        await change(play, enabled=False)
    async with rig(tmp_path) as again:
        row = (await rows(again))[HYBRID]
        events = [one.event for one in await again.database.events_after(0)]

    assert (row.enabled, row.percentage, row.allow, row.deny, row.changed_by) == (False, 30, ("u1", "u2"), (), "anna")
    told = [(event.before, event.after, event.actor) for event in events if isinstance(event, FlagChanged)]
    assert told == [
        ("on, 100 %, 0 allowed, 0 denied", "on, 30 %, 2 allowed, 0 denied", "anna"),
        ("on, 30 %, 2 allowed, 0 denied", "off, 30 %, 2 allowed, 0 denied", "anna"),
    ]


async def test_a_change_to_what_it_is_already_is_not_told(play: Rig) -> None:
    await change(play, percentage=100)

    events = [one.event for one in await play.database.events_after(0)]
    assert not any(isinstance(event, FlagChanged) for event in events)


@pytest.mark.parametrize(
    ("settings", "reason", "words"),
    [
        ([FlagSetting(name="use_magic")], Refusal.NOT_FOUND, "use_hybrid_orchestrator, use_kept_answers"),
        ([FlagSetting(name=HYBRID, percentage=101)], Refusal.INVALID, "0 to 100"),
        ([FlagSetting(name=HYBRID, percentage=-1)], Refusal.INVALID, "0 to 100"),
        ([FlagSetting(name=HYBRID, allow=("a",), deny=("a",))], Refusal.INVALID, "a is allowed and denied"),
        ([FlagSetting(name=HYBRID, allow=("",))], Refusal.INVALID, "each with a name"),
        ([], Refusal.INVALID, "the flags are"),
        ([FlagSetting(name=HYBRID), FlagSetting(name=HYBRID)], Refusal.INVALID, "each once"),
        ([FlagSetting(name=KEPT, percentage=1), FlagSetting(name="x")], Refusal.NOT_FOUND, "no flag 'x'"),
    ],
)
async def test_a_change_that_makes_no_sense_changes_nothing(
    play: Rig, settings: list[FlagSetting], reason: Refusal, words: str
) -> None:
    before = await rows(play)
    with pytest.raises(CommandRefused, match=words) as refused:
        await play.desk.submit(SetFlags(flags=tuple(settings)))

    assert refused.value.reason is reason
    assert await rows(play) == before


# ── what they switch ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_without_the_orchestrator_the_first_model_is_asked_alone_on_the_books(play: Rig) -> None:
    cached = replace(SETTINGS.tools["message"], cache=CacheMode.EXACT)
    play.orchestrator.configure(replace(SETTINGS, tools={"message": cached}))
    await change(play, deny=("u1",))

    answers = [await play.orchestrator.complete(task(user_id="u1")) for _ in range(2)]
    await play.metered.drain()

    assert [(answer.cost, answer.hit, str(answer.target)) for answer in answers] == [(COST, Hit.MISS, "one/m")] * 2
    assert len(play.providers["one"].requests) == 2
    assert [row["cost"] for row in await play.rows("SELECT cost FROM ledger")] == [COST, COST]


async def test_without_the_orchestrator_nothing_stands_in(play: Rig) -> None:
    play.providers["one"].script.append(ProviderError("one", "m", ErrorClass.SERVER_ERROR, "down"))
    await change(play, enabled=False)

    with pytest.raises(ProviderError, match="down"):
        await play.orchestrator.complete(task())

    assert play.providers["two"].requests == []


async def test_without_the_orchestrator_budgets_hold_all_the_same(play: Rig) -> None:
    await change(play, enabled=False)
    await play.database.write(lambda tx: play.ledger.set_limit(tx, "campaign", "cmp_1", NanoUSD(1)))

    with pytest.raises(BudgetRefused):
        await play.orchestrator.complete(task(campaign_id="cmp_1"))

    assert play.providers["one"].requests == []


async def test_the_others_have_their_fallback(play: Rig) -> None:
    play.providers["one"].script += [ProviderError("one", "m", ErrorClass.AUTHENTICATION, "no")]
    await change(play, deny=("u1",))

    assert (await play.orchestrator.complete(task(user_id="u2"))).target == Target("two", "m")


async def test_without_kept_answers_every_task_has_a_call_of_its_own(play: Rig) -> None:
    cached = replace(SETTINGS.tools["message"], cache=CacheMode.EXACT)
    play.orchestrator.configure(replace(SETTINGS, tools={"message": cached}))
    await change(play, name=KEPT, deny=("u1",))

    for _ in range(2):
        assert (await play.orchestrator.complete(task(user_id="u1"))).hit is Hit.MISS
    assert (await play.orchestrator.complete(task(user_id="u2"))).hit is Hit.EXACT
