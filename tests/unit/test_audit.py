"""The audit: one row a command, in the transaction of its change, never changed again; and the way back from it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from engine.accounts import audit
from engine.kernel.errors import CommandRefused, CommitUnknown, Refusal
from engine.kernel.values import DAY, HOUR, usd
from engine.providers import Completion, ModelRequest
from engine.runtime.actions import actions, named
from engine.runtime.grounds import GROUNDS, State
from engine.surface.commands import (
    COMMANDS,
    AcknowledgeAlert,
    ApproveDeliveries,
    Audience,
    CampaignDraft,
    CancelCampaign,
    Command,
    CreateCampaign,
    CreateKey,
    EndSilence,
    FlagSetting,
    ForceBreaker,
    HaltSending,
    PauseCampaign,
    PurgeJobs,
    RemoveBudget,
    ResetRoute,
    ResumeCampaign,
    ResumeSending,
    RevokeKey,
    RunDrill,
    ScheduleCampaign,
    SetBudget,
    SetFlags,
    SetRoute,
    SetShadow,
    SilenceAlerts,
    SuppressFan,
    UndoAction,
    UnsuppressFan,
)
from engine.surface.queries import ListAudit, ListFlags
from engine.surface.rows import AuditRow
from tests.fakes import MORNING, ManualClock
from tests.rig import Rig, answer, rig

FLAG = "use_kept_answers"
OTHER = FlagSetting(name=FLAG, percentage=30, allow=("u1", "u2"))


@pytest.fixture
async def play(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path) as made:
        yield made


async def rows(play: Rig, **query: Any) -> list[AuditRow]:
    """Oldest first."""
    return list(reversed((await play.desk.query(ListAudit(**query))).rows))


async def newest(play: Rig) -> AuditRow:
    return (await play.desk.query(ListAudit(limit=1))).rows[0]


async def refused(play: Rig, command: Command) -> CommandRefused:
    with pytest.raises(CommandRefused) as caught:
        await play.desk.submit(command)
    return caught.value


async def state(play: Rig, kind: str, *parts: str) -> State:
    return await play.database.write(lambda tx: GROUNDS[kind].read(tx, parts))


async def open_alert(play: Rig, alert_id: str = "alr_1") -> None:
    await play.database.write(
        lambda tx: tx.execute(
            "INSERT INTO alerts (alert_id, rule, subject, severity, summary, gist, opened_at, changed_at)"
            " VALUES (?, 'queue_age', 'q', 'warning', 'old', '', 1, 1)",
            (alert_id,),
        )
    )


def test_every_command_has_a_name_and_a_ground_or_a_reason() -> None:
    known = actions(str)

    assert set(known) == set(COMMANDS.values())
    assert len({named(kind) for kind in known}) == len(known)
    assert named(PauseCampaign) == "pause-campaign"


# ── one row a command ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_command_leaves_who_what_before_and_after(play: Rig) -> None:
    campaign_id = await play.create(count=2)

    await play.desk.submit(PauseCampaign(campaign_id=campaign_id, actor="anna", via="console"))

    row = await newest(play)
    assert (row.actor, row.via, row.action, row.subject) == ("anna", "console", "pause-campaign", campaign_id)
    assert (row.outcome, row.undoable, row.undone_by, row.at) == ("done", True, None, play.clock.now())
    assert orjson.loads(row.before) == {"state": "running"}
    assert orjson.loads(row.after) == {"state": "paused"}
    assert row.summary == f"Pause campaign {campaign_id}: state running → paused"


async def test_a_refused_command_leaves_why(play: Rig) -> None:
    await refused(play, PauseCampaign(campaign_id="cmp_nobody", actor="anna"))

    (row,) = await rows(play)
    assert (row.outcome, row.action, row.subject, row.undoable) == ("refused", "pause-campaign", "cmp_nobody", False)
    assert "there is no campaign" in row.summary


async def test_a_command_that_changes_nothing_leaves_a_row_and_no_way_back(play: Rig) -> None:
    await play.desk.submit(ResumeSending())

    (row,) = await rows(play)
    assert (row.outcome, row.undoable, row.why_not) == ("done", False, "it changed nothing")


async def test_commands_at_once_have_a_row_each(play: Rig) -> None:
    fans = [f"f{number}" for number in range(40)]

    await asyncio.gather(*(play.desk.submit(SuppressFan(account_id="anna", fan_id=fan, reason="x")) for fan in fans))

    assert sorted(row.subject for row in await rows(play)) == sorted(f"anna/{fan}" for fan in fans)


async def test_a_repeated_creation_has_one_row_for_each_time_it_was_asked(play: Rig) -> None:
    first = await play.create(count=1)
    found = await rows(play)
    assert found == []  # past the desk

    draft = CampaignDraft(
        name="x", account_id="anna", audience=Audience(all=True), template="Hello", approval="automatic"
    )
    made = await play.desk.submit(CreateCampaign(draft=draft, key="k", start=True))
    again = await play.desk.submit(CreateCampaign(draft=draft, key="k", start=True))

    assert made.data["campaign_id"] == again.data["campaign_id"] != first
    one, two = await rows(play)
    assert one.subject == two.subject == made.data["campaign_id"]
    assert orjson.loads(one.after) == {"state": "running"}
    assert two.before == two.after == ""


async def test_a_creation_and_its_row_stand_in_one_transaction(play: Rig) -> None:
    """Making an account known, and looking for a repetition, are writes of their own that must not take the row."""
    await play.create(count=1)
    draft = CampaignDraft(name="x", account_id="anna", audience=Audience(all=True), template="Hello")
    await broken(play)

    with pytest.raises(sqlite3.Error):
        await play.desk.submit(CreateCampaign(draft=draft, key="k"))

    (row,) = await play.rows("SELECT count(*) AS n FROM campaigns")
    assert row["n"] == 1


async def test_a_drill_stands_in_the_audit_before_it_asks_anybody(tmp_path: Path) -> None:
    async with rig(tmp_path, clock=ManualClock(auto=True)) as play:
        seen: list[int] = []

        async def look(_: ModelRequest) -> Completion:
            seen.append(len(await rows(play)))
            return answer()

        play.providers["two"].script = [look]

        await play.desk.submit(RunDrill(down="one", actor="anna"))

        assert seen == [1]
        assert [row.action for row in await rows(play)] == ["run-drill"]


async def test_somebody_who_hangs_up_leaves_a_row_with_the_change(play: Rig) -> None:
    task = asyncio.get_running_loop().create_task(play.desk.submit(HaltSending(actor="anna")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await play.database.write(lambda tx: None)

    (row,) = await rows(play)
    halted = await state(play, "sending")
    assert (row.outcome == "done") == halted["halted"]


# ── the change and its row ──────────────────────────────────────────────────────────────────────────────────────────


async def broken(play: Rig) -> None:
    """From now on no row of the audit can be written."""
    sql = "CREATE TRIGGER broken BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no room'); END"
    await play.database.write(lambda tx: tx.execute(sql))


CHANGES: list[tuple[Command, tuple[str, ...]]] = [
    (HaltSending(), ("sending",)),
    (SuppressFan(account_id="anna", fan_id="f0", reason="asked"), ("fan", "anna", "f0")),
    (SetBudget(scope="global", window="day", limit=usd(5)), ("budget", "global", "", "day")),
    (SetRoute(tool="message", chain=("two/m",)), ("route", "message")),
    (SetFlags(flags=(OTHER,)), ("flags", FLAG)),
    (SetShadow(tool="message", target="two/m", percentage=5.0, budget=usd(1)), ("shadow", "message")),
    (ForceBreaker(provider="one", model="m", state="open"), ("breaker", "one", "m")),
    (AcknowledgeAlert(alert_id="alr_1"), ("alert", "alr_1")),
]
NAMES = [named(type(command)) for command, _ in CHANGES]


@pytest.mark.parametrize(("command", "ground"), CHANGES, ids=NAMES)
async def test_without_its_row_no_change_is_made(play: Rig, command: Command, ground: tuple[str, ...]) -> None:
    await open_alert(play)
    before, seq = await state(play, *ground), play.projector.snapshot.seq
    await broken(play)

    with pytest.raises((sqlite3.Error, CommitUnknown)):  # a halt says that it holds back sending all the same
        await play.desk.submit(command)

    assert await state(play, *ground) == before
    assert play.projector.snapshot.seq == seq


async def test_without_its_change_a_command_has_no_row_that_says_it_was_done(play: Rig) -> None:
    sql = "CREATE TRIGGER broken BEFORE INSERT ON suppressions BEGIN SELECT RAISE(ABORT, 'no room'); END"
    await play.database.write(lambda tx: tx.execute(sql))

    with pytest.raises(sqlite3.Error):
        await play.desk.submit(SuppressFan(account_id="anna", fan_id="f0", reason="x"))

    assert await rows(play) == []


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE audit SET actor = 'nobody'",
        "UPDATE audit SET audit_id = audit_id + 1",
        "DELETE FROM audit",
        "DELETE FROM audit WHERE at < 9e18",
        "INSERT OR REPLACE INTO audit SELECT * FROM audit",
        "INSERT INTO audit SELECT * FROM audit WHERE true ON CONFLICT DO UPDATE SET actor = 'nobody'",
    ],
)
async def test_a_row_is_never_changed_and_never_removed(play: Rig, sql: str) -> None:
    await play.desk.submit(HaltSending(actor="anna"))
    before = await rows(play)

    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        await play.database.write(lambda tx: tx.execute(sql))

    assert await rows(play) == before


async def test_only_what_is_past_its_time_is_removed(play: Rig) -> None:
    await play.desk.submit(HaltSending())
    play.clock.jump(audit.KEPT - HOUR)
    await play.desk.submit(ResumeSending())
    await play.database.write(lambda tx: audit.prune(tx, play.clock.now()))
    assert len(await rows(play)) == 2

    play.clock.jump(2 * HOUR)
    gone = await play.database.write(lambda tx: audit.prune(tx, play.clock.now()))

    assert (gone, [row.action for row in await rows(play)]) == (1, ["resume-sending"])
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        await play.database.write(lambda tx: tx.execute("DELETE FROM audit"))


async def test_among_too_many_rows_refused_ones_give_way(play: Rig) -> None:
    await play.desk.submit(HaltSending())
    for number in range(5):
        await refused(play, PauseCampaign(campaign_id=f"cmp_{number}"))
    await play.desk.submit(ResumeSending())

    await play.database.write(lambda tx: audit.prune(tx, play.clock.now(), most=4))

    assert [row.subject for row in await rows(play)] == ["", "cmp_3", "cmp_4", ""]


# ── the way back ────────────────────────────────────────────────────────────────────────────────────────────────────

BACK: list[tuple[list[Command], Command, tuple[str, ...]]] = [
    ([], HaltSending(), ("sending",)),
    ([HaltSending()], ResumeSending(), ("sending",)),
    ([], SuppressFan(account_id="anna", fan_id="f0", reason="asked"), ("fan", "anna", "f0")),
    (
        [SuppressFan(account_id="anna", fan_id="f0", reason="asked")],
        UnsuppressFan(account_id="anna", fan_id="f0"),
        ("fan", "anna", "f0"),
    ),
    ([], SetBudget(scope="global", window="day", limit=usd(5)), ("budget", "global", "", "day")),
    (
        [
            SetBudget(
                scope="user", key="u", window="month", limit=usd(5), actions=("clamp", "stop"), time_zone="Asia/Tokyo"
            )
        ],
        SetBudget(scope="user", key="u", window="month", limit=usd(9), actions=("stop",), time_zone=""),
        ("budget", "user", "u", "month"),
    ),
    (
        [SetBudget(scope="user", key="u", window="month", limit=usd(5), actions=("throttle",))],
        RemoveBudget(scope="user", key="u", window="month"),
        ("budget", "user", "u", "month"),
    ),
    ([], SetRoute(tool="message", chain=("two/m",)), ("route", "message")),
    (
        [SetRoute(tool="message", strategy="weighted", chain=("two/m", "one/m"), weights=(1, 3))],
        SetRoute(tool="message", strategy="cheapest", too_slow=HOUR),
        ("route", "message"),
    ),
    ([SetRoute(tool="message", chain=("two/m",), too_slow=HOUR)], ResetRoute(tool="message"), ("route", "message")),
    ([], SetFlags(flags=(OTHER,)), ("flags", FLAG)),
    ([SetFlags(flags=(OTHER,))], SetFlags(flags=(FlagSetting(name=FLAG, enabled=False, allow=()),)), ("flags", FLAG)),
    ([], SetShadow(tool="message", target="two/m", percentage=5.0, budget=usd(1)), ("shadow", "message")),
    (
        [SetShadow(tool="message", target="two/m", percentage=5.0, budget=usd(1), fans=True)],
        SetShadow(tool="message"),
        ("shadow", "message"),
    ),
    ([], ForceBreaker(provider="one", model="m", state="open"), ("breaker", "one", "m")),
    (
        [ForceBreaker(provider="one", model="m", state="open")],
        ForceBreaker(provider="one", model="m", state="auto"),
        ("breaker", "one", "m"),
    ),
    (
        [ForceBreaker(provider="one", model="m", state="open")],
        ForceBreaker(provider="one", model="m", state="closed"),
        ("breaker", "one", "m"),
    ),
    ([], AcknowledgeAlert(alert_id="alr_1"), ("alert", "alr_1")),
]


@pytest.mark.parametrize(
    ("first", "command", "ground"), BACK, ids=[f"{named(type(one[1]))}-{number}" for number, one in enumerate(BACK)]
)
async def test_an_undo_restores_what_stood_and_can_be_undone(
    play: Rig, first: list[Command], command: Command, ground: tuple[str, ...]
) -> None:
    await open_alert(play)
    for one in first:
        await play.desk.submit(one)
    before = await state(play, *ground)
    await play.desk.submit(command)
    after, row = await state(play, *ground), await newest(play)
    assert before != after
    assert (row.undoable, row.why_not) == (True, "")

    done = await play.desk.submit(UndoAction(audit_id=row.audit_id, actor="bert", via="cli"))

    assert await state(play, *ground) == before
    undoing = await newest(play)
    assert (undoing.audit_id, undoing.action, undoing.actor, undoing.via) == (
        done.data["audit_id"],
        "undo-action",
        "bert",
        "cli",
    )
    assert (undoing.before, undoing.after, undoing.subject) == (row.after, row.before, row.subject)
    assert [one.undone_by for one in await rows(play) if one.audit_id == row.audit_id] == [undoing.audit_id]

    await play.desk.submit(UndoAction(audit_id=undoing.audit_id))
    assert await state(play, *ground) == after
    assert len(await rows(play)) == len(first) + 3


async def test_another_action_under_the_number_that_was_meant_is_not_undone(play: Rig) -> None:
    await play.desk.submit(SetBudget(scope="global", window="day", limit=usd(5)))
    row = await newest(play)
    for action, at in (("pause-campaign", row.at), (row.action, row.at + 1)):
        error = await refused(play, UndoAction(audit_id=row.audit_id, action=action, at=at))
        assert "is another action than the one that was meant: set-budget of operator" in error.message
    assert (await state(play, "budget", "global", "", "day"))["limit"] == usd(5)

    await play.desk.submit(UndoAction(audit_id=row.audit_id, action=row.action, at=row.at))
    assert await state(play, "budget", "global", "", "day") == {}


async def test_a_pause_is_undone_by_going_on_and_the_other_way_round(play: Rig) -> None:
    campaign_id = await play.create(count=2)
    await play.desk.submit(PauseCampaign(campaign_id=campaign_id))
    await play.desk.submit(UndoAction(audit_id=1))
    assert await play.state(campaign_id) == "running"

    await play.desk.submit(PauseCampaign(campaign_id=campaign_id))
    await play.desk.submit(ResumeCampaign(campaign_id=campaign_id))
    await play.desk.submit(UndoAction(audit_id=4))

    assert await play.state(campaign_id) == "paused"


async def test_a_start_that_was_moved_is_moved_back(play: Rig) -> None:
    at = MORNING + DAY
    campaign_id = await play.create(count=2, starts_at=at)
    await play.desk.submit(ScheduleCampaign(campaign_id=campaign_id, starts_at=at + HOUR))

    await play.desk.submit(UndoAction(audit_id=1))

    assert await state(play, "campaign", campaign_id) == {"state": "scheduled", "starts_at": at}


async def test_what_changed_again_since_is_not_undone(play: Rig) -> None:
    await play.desk.submit(SetBudget(scope="global", window="day", limit=usd(5)))
    await play.desk.submit(SetBudget(scope="global", window="day", limit=usd(8)))

    error = await refused(play, UndoAction(audit_id=1))

    assert error.reason is Refusal.CONFLICT
    assert "changed again since" in error.message
    assert (await state(play, "budget", "global", "", "day"))["limit"] == usd(8)
    assert (await newest(play)).outcome == "refused"


async def test_a_breaker_that_was_held_anew_stays_held_in_memory_too(play: Rig) -> None:
    await play.desk.submit(ForceBreaker(provider="one", model="m", state="open"))
    await play.desk.submit(ForceBreaker(provider="one", model="m", state="closed"))

    await refused(play, UndoAction(audit_id=1))

    (one,) = [standing for standing in play.guarded.standings() if standing.target.provider == "one"]
    assert (str(one.state), one.held_by) == ("closed", "operator")


@pytest.mark.parametrize("command", [SetBudget(scope="global", window="day", limit=usd(5)), SetFlags(flags=(OTHER,))])
async def test_an_action_is_undone_once_however_many_ask_at_once(play: Rig, command: Command) -> None:
    await play.desk.submit(command)

    found = await asyncio.gather(*(play.desk.submit(UndoAction(audit_id=1)) for _ in range(5)), return_exceptions=True)

    assert sorted(isinstance(one, CommandRefused) for one in found) == [False, True, True, True, True]
    assert [row.outcome for row in await rows(play)].count("done") == 2
    assert len(await rows(play)) == 6


async def test_what_changes_while_an_undo_is_on_its_way_is_not_undone(play: Rig) -> None:
    await play.desk.submit(SetFlags(flags=(OTHER,)))
    newer = SetFlags(flags=(FlagSetting(name=FLAG, percentage=77),))

    undone, _ = await asyncio.gather(
        play.desk.submit(UndoAction(audit_id=1)), play.desk.submit(newer), return_exceptions=True
    )

    assert isinstance(undone, CommandRefused)
    assert (await state(play, "flags", FLAG))[FLAG]["percentage"] == 77


@pytest.mark.parametrize("number", [0, -1, 2, 2**62, 2**63, 2**70])
async def test_what_the_audit_does_not_have_is_not_undone(play: Rig, number: int) -> None:
    await refused(play, UndoAction(audit_id=1))

    assert (await refused(play, UndoAction(audit_id=number))).reason in (Refusal.NOT_FOUND, Refusal.CONFLICT)


async def test_what_cannot_be_undone_says_why(play: Rig) -> None:
    campaign_id = await play.create(count=2, approval="required")
    await play.write()
    for command, words in (
        (ApproveDeliveries(campaign_id=campaign_id), "approved texts go out"),
        (CancelCampaign(campaign_id=campaign_id), "create it again"),
        (PurgeJobs(queue="q"), "deleted jobs are gone"),
        (CreateKey(), "revoke it"),
    ):
        await play.desk.submit(command)
        row = await newest(play)
        assert words in row.why_not

        error = await refused(play, UndoAction(audit_id=row.audit_id))
        assert words in error.message


async def test_what_cannot_be_undone_is_refused_with_the_newest_that_can(play: Rig) -> None:
    await play.desk.submit(HaltSending(actor="anna"))
    await play.desk.submit(PurgeJobs(queue="q"))

    assert (await refused(play, UndoAction(audit_id=2))).remedy == (
        "The newest that can be is 1, by anna: Halt sending: halted no → yes"
    )
    await play.desk.submit(UndoAction(audit_id=1, actor="mia"))
    assert (await refused(play, UndoAction(audit_id=2))).remedy.startswith("The newest that can be is 4, by mia: ")


async def test_where_nothing_can_be_undone_a_refusal_says_so(play: Rig) -> None:
    assert (await refused(play, UndoAction(audit_id=9))).remedy == "Nothing that was done lately can be undone"


async def test_what_may_be_undone_is_listed_without_the_rest(play: Rig) -> None:
    await play.desk.submit(HaltSending())
    await play.desk.submit(SetBudget(scope="global", window="day", limit=usd(50)))
    await play.desk.submit(PurgeJobs(queue="q"))
    await play.desk.submit(UndoAction(audit_id=1))

    assert [row.audit_id for row in await rows(play, undoable=True)] == [2, 4]


async def test_a_row_carries_the_names_of_the_ids_it_is_about(play: Rig) -> None:
    campaign_id = await play.create(count=2)
    await play.desk.submit(PauseCampaign(campaign_id=campaign_id))
    await play.desk.submit(SetBudget(scope="campaign", key=campaign_id, window="total", limit=usd(5)))
    await play.desk.submit(HaltSending())

    *_, paused, budget, halted = await rows(play)

    assert paused.names == budget.names == {campaign_id: "spring"}
    assert halted.names == {}


async def test_an_undo_of_too_long_a_list_is_refused_beforehand(play: Rig) -> None:
    users = tuple(f"user-{number:06d}" for number in range(9_000))
    await play.desk.submit(SetFlags(flags=(FlagSetting(name=FLAG, allow=users),)))

    row = await newest(play)

    assert (row.undoable, row.why_not) == (False, "what stood before is too long to be kept")
    assert len(row.after) < 200


async def test_a_silence_is_ended_by_undoing_it_and_made_again_by_undoing_its_end(play: Rig) -> None:
    until = MORNING + HOUR
    await play.desk.submit(SilenceAlerts(severity="info", ends_at=until, reason="deploying"))
    await play.desk.submit(UndoAction(audit_id=1))
    assert play.projector.snapshot.silences == {}

    done = await play.desk.submit(SilenceAlerts(rule="queue_*", ends_at=until, reason="deploying"))
    await play.desk.submit(EndSilence(silence_id=done.data["silence_id"]))
    await play.desk.submit(UndoAction(audit_id=4))

    (view,) = play.projector.snapshot.silences.values()
    assert (view.rule, view.ends_at, view.reason) == ("queue_*", until, "deploying")


async def test_a_restart_shows_the_silences_as_before(play: Rig) -> None:
    await open_alert(play)
    done = await play.desk.submit(SilenceAlerts(rule="queue_age", ends_at=MORNING + 2 * HOUR, reason="deploying"))
    await play.desk.submit(SilenceAlerts(rule="queue*", ends_at=MORNING + HOUR, reason="deploying"))
    await play.desk.submit(EndSilence(silence_id=done.data["silence_id"]))

    restarted = await play.first()

    assert restarted.silences == play.projector.snapshot.silences
    assert len(restarted.silences) == 1
    assert [one.silenced_until for one in restarted.alerts.values()] == [MORNING + HOUR]


# ── what must not be in it ──────────────────────────────────────────────────────────────────────────────────────────


async def everything(play: Rig) -> str:
    return (
        orjson.dumps(await play.rows("SELECT * FROM audit")).decode()
        + orjson.dumps(
            [row["data"].decode() for row in await play.rows("SELECT data FROM events WHERE kind = 'ActionTaken'")]
        ).decode()
    )


async def test_no_secret_and_no_text_of_a_message_is_written_down(play: Rig) -> None:
    await play.create(count=1)
    secret = (await play.desk.submit(CreateKey(name="app", limit=usd(5)))).data["secret"]
    await refused(play, RevokeKey(key=f"hz-wrong-{secret[3:]}"))
    await play.desk.submit(RevokeKey(key=secret))
    await refused(play, RevokeKey(key="not-even-a-key-but-a-password"))
    draft = CampaignDraft(name="x", account_id="anna", audience=Audience(all=True), template="Psst {{kompromat}}")
    await refused(play, CreateCampaign(draft=draft))
    await play.desk.submit(CreateCampaign(draft=CampaignDraft(
        name="x", account_id="anna", audience=Audience(all=True), prompt="Write of the kompromat")))  # fmt: skip

    found = await everything(play)
    assert len(await rows(play)) == 6
    for word in (secret, secret[3:], "kompromat", "Psst", "password"):
        assert word not in found


HOSTILE = "\x1b]0;owned\x07[red]\u202eevil\u200b\n\nsecond line\ud800" + "x" * 5_000


async def test_hostile_words_are_made_harmless_and_short(play: Rig) -> None:
    await play.desk.submit(HaltSending(actor=HOSTILE))
    await refused(play, PauseCampaign(campaign_id=HOSTILE, actor=HOSTILE))

    for row in await rows(play):
        for text in (row.actor, row.subject, row.summary, row.before, row.after):
            assert len(text) <= 600
            assert not set(text) & set("\x1b\x07\u202e\u200b\n\ud800")


async def test_who_is_on_a_list_is_not_told(play: Rig) -> None:
    await play.desk.submit(SetFlags(flags=(FlagSetting(name=FLAG, allow=("miriam",)),)))

    row = await newest(play)

    assert "miriam" not in f"{row.summary} {row.before} {row.after}"


# ── asking ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_audit_is_asked_by_who_what_and_when(play: Rig) -> None:
    await play.desk.submit(HaltSending(actor="anna@host"))
    play.clock.jump(HOUR)
    await play.desk.submit(ResumeSending(actor="bert"))
    await refused(play, PauseCampaign(campaign_id="cmp_1", actor="anna"))

    async def actions_of(**query: Any) -> list[str]:
        return [row.action for row in await rows(play, **query)]

    assert await actions_of(actor="anna") == ["halt-sending", "pause-campaign"]  # wherever she is
    assert await actions_of(actor="anna@host") == ["halt-sending"]
    assert await actions_of(actor="ann") == []
    assert await actions_of(actor="anna*") == ["halt-sending", "pause-campaign"]
    assert await actions_of(action="*-sending") == []
    assert await actions_of(action="resume-*") == ["resume-sending"]
    assert await actions_of(subject="cmp_1") == ["pause-campaign"]
    assert await actions_of(since=play.clock.now()) == ["resume-sending", "pause-campaign"]
    assert await actions_of(actor="' OR 1=1 --") == []


async def test_the_audit_is_read_page_by_page(play: Rig) -> None:
    for _ in range(5):
        await play.desk.submit(HaltSending())

    found, cursor = [], ""
    while True:
        page = await play.desk.query(ListAudit(limit=2, cursor=cursor))
        found += [row.audit_id for row in page.rows]
        if page.next is None:
            break
        cursor = page.next

    assert found == [5, 4, 3, 2, 1]


# ── of two changes at once neither is lost ──────────────────────────────────────────────────────────────────────────


async def test_two_changes_of_one_flag_at_once_both_hold(play: Rig) -> None:
    await asyncio.gather(
        play.desk.submit(SetFlags(flags=(FlagSetting(name=FLAG, percentage=30),))),
        play.desk.submit(SetFlags(flags=(FlagSetting(name=FLAG, allow=("u1",)),))),
        play.desk.submit(SetFlags(flags=(FlagSetting(name=FLAG, deny=("u2",)),))),
    )

    (flag,) = [row for row in (await play.desk.query(ListFlags())).rows if row.name == FLAG]
    assert (flag.percentage, flag.allow, flag.deny) == (30, ("u1",), ("u2",))
    assert (await state(play, "flags", FLAG))[FLAG]["percentage"] == 30


async def test_two_changes_of_one_route_or_budget_at_once_both_hold(play: Rig) -> None:
    await play.desk.submit(SetBudget(scope="global", window="day", limit=usd(5)))
    await asyncio.gather(
        play.desk.submit(SetRoute(tool="message", chain=("two/m",))),
        play.desk.submit(SetRoute(tool="message", too_slow=HOUR)),
        play.desk.submit(SetBudget(scope="global", window="day", limit=usd(5), actions=("throttle",))),
        play.desk.submit(SetBudget(scope="global", window="day", limit=usd(9))),
    )

    route = await state(play, "route", "message")
    assert (route["chain"], route["too_slow"]) == (["two/m"], HOUR)
    assert (await state(play, "budget", "global", "", "day"))["actions"] == "throttle"
