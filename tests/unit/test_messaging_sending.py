"""The sender over a fake platform: what each outcome becomes, and what keeps a message from leaving."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from engine.kernel.errors import CommandRefused, PlatformError
from engine.kernel.values import MINUTE, SECOND
from engine.messaging import BEFORE_SENDING, DeliveryState, Fan, Outgoing, Ruling, Verdict, deliveries, recover, switch
from engine.messaging.consent import suppress
from engine.messaging.platform import NotSent, Outcome, Refused, Sent, Throttled, Unauthorised, Uncertain
from engine.messaging.recheck import recheck
from engine.queue import Defer
from engine.storage import Tx
from engine.surface.commands import PauseCampaign
from tests.rig import Rig, fans, rig, screened


@pytest.fixture
async def play(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path) as made:
        yield made


async def queued(play: Rig, count: int = 1) -> str:
    """A running campaign with its messages queued."""
    campaign_id = await play.create(count=count)
    await play.write()
    assert await play.states(campaign_id) == {"queued": count}
    return campaign_id


async def delivery(play: Rig) -> dict[str, Any]:
    (row,) = await play.rows("SELECT state, reason, platform_id, attempts FROM deliveries")
    return row


# ── outcomes ────────────────────────────────────────────────────────────────────────────────────────────────────────

REPEATED = ("queued", {"delayed": 1})
ENDED: dict[str, int] = {}


@pytest.mark.parametrize(
    ("outcome", "idempotent", "state", "jobs", "free"),
    [
        (Sent("msg_9"), False, "sent", ENDED, 9),
        (NotSent("no connection"), False, *REPEATED, 10),
        (Throttled(0), False, *REPEATED, 4),
        (Unauthorised("401"), False, "queued", {"ready": 1}, 9),
        (Refused("400 too long"), False, "failed", ENDED, 9),
        (Uncertain("reset"), False, "uncertain", ENDED, 9),
        (Uncertain("reset"), True, *REPEATED, 9),
        (Uncertain("late", timed_out=True), False, "uncertain", ENDED, 9),
    ],
)
async def test_each_outcome_becomes_what_the_contract_says(
    play: Rig, outcome: Outcome, idempotent: bool, state: str, jobs: dict[str, int], free: int
) -> None:
    await queued(play)
    play.platform.idempotent = idempotent
    play.platform.script.append(outcome)

    await play.send()

    assert (await delivery(play))["state"] == state
    assert await play.queue() == jobs
    assert play.limiter.free("anna") == free


async def test_a_sent_message_keeps_the_platforms_id(play: Rig) -> None:
    await queued(play)

    await play.send()

    assert await delivery(play) == {"state": "sent", "reason": "", "platform_id": "msg_1", "attempts": 1}


async def test_a_fan_whom_the_platform_calls_opted_out_is_suppressed(play: Rig) -> None:
    await queued(play)
    play.platform.script.append(Refused("422 gone", opted_out=True))

    await play.send()

    assert await play.rows("SELECT fan_id, reason FROM suppressions") == [{"fan_id": "f0", "reason": "opted out"}]


async def test_a_throttled_account_is_left_alone_for_as_long_as_it_asks(play: Rig) -> None:
    await queued(play, count=2)
    play.platform.script.append(Throttled(40 * SECOND))
    (first, second) = await play.lease_sending()
    await play.carry_out(first, await play.sender.handle(first))
    await play.carry_out(second, Defer(play.clock.now()))

    assert await play.send() == 0
    play.clock.jump(40 * SECOND)
    assert await play.send() == 2


async def test_a_throttled_account_sends_half_as_much_for_a_while_and_the_faces_say_so(play: Rig) -> None:
    await queued(play, count=30)
    play.platform.script += [Throttled(0)]
    (first,) = await play.lease_sending(1)
    await play.carry_out(first, await play.sender.handle(first))
    play.clock.jump(2 * MINUTE)

    assert await play.send() == 6  # half of ten, and a twentieth of ten for each minute since
    shown = play.projector.snapshot.accounts["anna"]
    assert (shown.allowed(play.clock.now()), shown.free(play.clock.now()), shown.limit) == (6, 0, 10)
    play.clock.jump(20 * MINUTE)
    assert await play.send() == 10
    assert play.projector.snapshot.accounts["anna"].allowed(play.clock.now()) == 10


async def test_an_unauthorised_account_is_paused_and_its_messages_wait(play: Rig) -> None:
    campaign_id = await queued(play, count=3)
    play.platform.script.append(Unauthorised("the platform answered 401"))

    await play.send()

    assert len(play.platform.sent) == 1
    assert await play.states(campaign_id) == {"queued": 3}
    assert play.projector.snapshot.accounts["anna"].paused == "the platform answered 401"
    assert await play.send() == 0
    await play.database.write(lambda tx: switch.resume_account(tx, "anna", "me", play.clock.now()))
    play.clock.jump(MINUTE)
    await play.send()
    assert await play.states(campaign_id) == {"sent": 3}


async def test_a_time_out_holds_its_slot_one_send_time_out_longer(play: Rig) -> None:
    await queued(play)
    play.platform.script.append(Uncertain("late", timed_out=True))

    await play.send()

    play.clock.jump(89 * SECOND)
    assert play.limiter.free("anna") == 9
    play.clock.jump(2 * SECOND)
    assert play.limiter.free("anna") == 10


async def test_a_send_cancelled_in_its_middle_is_uncertain(play: Rig) -> None:
    await queued(play)
    begun = asyncio.Event()

    async def hang(_: Outgoing) -> Outcome:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    play.platform.script.append(hang)
    (lease,) = await play.lease_sending()
    async with asyncio.TaskGroup() as group:
        sending = group.create_task(play.sender.handle(lease))
        await begun.wait()
        sending.cancel()

    assert (await delivery(play))["state"] == "uncertain"
    assert play.limiter.free("anna") == 9
    assert await play.queue() == {}


async def test_an_adapters_defect_leaves_the_message_uncertain(play: Rig) -> None:
    campaign_id = await queued(play)
    play.platform.script.append(ValueError("a defect"))
    (lease,) = await play.lease_sending()

    with pytest.raises(ValueError):
        await play.sender.handle(lease)

    assert (await delivery(play))["state"] == "uncertain"
    assert play.limiter.opens_at("anna") is not None
    assert await play.state(campaign_id) == "finished"


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Sent("msg_9"), "sent"),
        (Refused("400"), "failed"),
        (Uncertain("reset"), "uncertain"),
        (NotSent("away"), "queued"),
        (Throttled(0), "queued"),
        (Unauthorised("401"), "queued"),
    ],
)
async def test_a_lost_lease_does_not_lose_what_the_platform_said(play: Rig, outcome: Outcome, state: str) -> None:
    """While the send runs its lease ends, and whoever has the job then finds it under way and drops it."""
    campaign_id = await queued(play)
    (lease,) = await play.lease_sending()

    async def lose(_: Outgoing) -> Outcome:
        play.clock.jump(301 * SECOND)
        (taken,) = await play.jobs.lease(
            lease.queue, now=play.clock.now(), until=play.clock.now() + MINUTE, lane="anna"
        )
        await play.carry_out(taken, await play.sender.handle(taken))
        return outcome

    play.platform.script.append(lose)

    await play.sender.handle(lease)

    assert (await delivery(play))["state"] == state
    assert len(play.platform.sent) == 1
    if state == "queued":
        await play.database.write(lambda tx: switch.resume_account(tx, "anna", "me", 0) if _paused(tx) else None)
        play.clock.jump(10 * MINUTE)
        await play.send()
        assert (await delivery(play))["state"] == "sent"
    assert await play.state(campaign_id) == "finished"
    assert await play.queue() == {}


def _paused(tx: Tx) -> bool:
    return bool(switch.paused(tx, "anna"))


async def test_an_outcome_is_written_even_if_the_slots_end_cannot_be(play: Rig) -> None:
    await queued(play)
    await play.database.write(lambda tx: tx.execute(_BREAK_SLOTS))

    with pytest.raises(Exception, match="slots are broken"):
        await play.send()

    assert (await delivery(play))["state"] == "sent"


_BREAK_SLOTS = """
CREATE TRIGGER broken BEFORE INSERT ON slots WHEN EXISTS (SELECT 1 FROM slots WHERE slot_id = new.slot_id)
BEGIN SELECT RAISE(ABORT, 'slots are broken'); END
"""


# ── what keeps a message from leaving ───────────────────────────────────────────────────────────────────────────────


async def test_the_intent_is_durable_before_the_platform_is_called(play: Rig) -> None:
    await queued(play)
    seen: list[str] = []

    async def look(_: Outgoing) -> Outcome:
        seen.append((await delivery(play))["state"])
        return Sent("msg_1")

    play.platform.script.append(look)

    await play.send()

    assert seen == ["sending"]


async def test_a_pause_takes_effect_within_one_message(play: Rig) -> None:
    campaign_id = await queued(play, count=3)

    async def pause(_: Outgoing) -> Outcome:
        await play.dispatch.pause(PauseCampaign(campaign_id=campaign_id))
        return Sent("msg_1")

    play.platform.script.append(pause)

    await play.send()

    assert len(play.platform.sent) == 1
    assert await play.states(campaign_id) == {"sent": 1, "queued": 2}
    assert await play.queue() == {"parked": 2}
    assert play.limiter.free("anna") == 9


async def test_a_halt_takes_effect_within_one_message_and_lasts(play: Rig) -> None:
    campaign_id = await queued(play, count=3)

    async def halt(_: Outgoing) -> Outcome:
        await play.database.write(lambda tx: switch.halt(tx, "me", play.clock.now()))
        return Sent("msg_1")

    play.platform.script.append(halt)

    await play.send()
    play.clock.jump(MINUTE)

    assert await play.send() == 0
    assert await play.states(campaign_id) == {"sent": 1, "queued": 2}
    await play.database.write(lambda tx: switch.resume(tx, "me", play.clock.now()))
    await play.send()
    assert await play.states(campaign_id) == {"sent": 3}


async def test_a_fan_who_opted_out_since_is_skipped(play: Rig) -> None:
    campaign_id = await queued(play)
    play.platform.audience["anna"] = fans(1, opted_out=True)
    play.clock.jump(2 * MINUTE)

    await play.send()

    assert (await delivery(play))["reason"] == "opted out"
    assert await play.state(campaign_id) == "finished"
    assert play.limiter.free("anna") == 10


async def test_nothing_leaves_while_nobody_knows_who_opted_out(play: Rig) -> None:
    await queued(play)
    play.platform.audience["anna"] = PlatformError("the platform is away")

    for _ in range(30):  # far more often than a job has tries
        play.clock.jump(2 * MINUTE)
        await play.send()
    assert not play.platform.sent
    assert await play.queue() == {"delayed": 1}

    play.platform.audience["anna"] = fans(1)
    play.clock.jump(2 * MINUTE)
    await play.send()
    assert (await delivery(play))["state"] == "sent"


@pytest.mark.parametrize("status", [401, 403])
async def test_an_account_that_may_not_even_be_read_is_paused(play: Rig, status: int) -> None:
    await queued(play)
    play.platform.audience["anna"] = PlatformError("no", status=status)
    play.clock.jump(2 * MINUTE)

    await play.send()

    assert f"answered {status}" in play.projector.snapshot.accounts["anna"].paused


async def test_a_slot_is_given_back_when_its_intent_fails(play: Rig) -> None:
    await queued(play)
    (lease,) = await play.lease_sending()
    await play.database.write(lambda tx: tx.execute("DELETE FROM deliveries"))

    with pytest.raises(CommandRefused):
        await play.sender.handle(lease)

    assert play.limiter.free("anna") == 10


async def test_a_send_cancelled_at_its_intent_never_left(play: Rig) -> None:
    """Wherever before the send the cancellation hits, the message is queued still and no slot is lost."""
    await queued(play)
    for passes in (*range(40), *(2**power for power in range(6, 20))):  # a busy machine needs more of them
        (lease,) = await play.lease_sending()
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(play.sender.handle(lease))
            for _ in range(passes):
                await asyncio.sleep(0)
            if play.platform.sent:
                break
            sending.cancel()
        assert (await delivery(play))["state"] == "queued", passes
        play.clock.jump(10 * MINUTE)
        assert play.limiter.free("anna") == 10, passes
        await play.database.write(lambda tx: play.jobs.expire(tx, play.clock.now()))
        await play.database.write(lambda tx: tx.execute("UPDATE jobs SET attempt = 0"))
    else:
        pytest.fail("the send was never reached")


def rewrite(column: str, value: str) -> str:
    return f"UPDATE deliveries SET {column} = '{value}'"


@pytest.mark.parametrize(
    ("change", "ruling"),
    [
        ("SELECT 1", Ruling(Verdict.GO)),
        (rewrite("state", "cancelled"), Ruling(Verdict.DROP, "the delivery is cancelled")),
        ("INSERT INTO meta VALUES ('halted', '{}')", Ruling(Verdict.WAIT, "all sending is halted")),
        ("UPDATE accounts SET paused = '401'", Ruling(Verdict.WAIT, "the account is paused: 401")),
        ("UPDATE campaigns SET state = 'paused'", Ruling(Verdict.WAIT, "the campaign is paused")),
        ("UPDATE campaigns SET state = 'scheduled'", Ruling(Verdict.WAIT, "the campaign is scheduled")),
        ("UPDATE campaigns SET state = 'cancelled'", Ruling(Verdict.SKIP, "the campaign is cancelled")),
        (rewrite("text", "other"), Ruling(Verdict.SKIP, "the text is not the one that was approved")),
        (rewrite("digest", "other"), Ruling(Verdict.SKIP, "the text is not the one that was approved")),
        (rewrite("approved_digest", ""), Ruling(Verdict.SKIP, "the text is not the one that was approved")),
        ("INSERT INTO suppressions VALUES ('anna', 'f0', 'a wish', 0)", Ruling(Verdict.SKIP, "suppressed: a wish")),
        ("INSERT INTO suppressions VALUES ('bella', 'f0', 'a wish', 0)", Ruling(Verdict.GO)),
    ],
)
async def test_the_last_look_sees_whatever_changed(play: Rig, change: str, ruling: Ruling) -> None:
    await queued(play)
    (row,) = await play.rows("SELECT delivery_id FROM deliveries")

    def look(tx: Tx) -> Ruling:
        tx.execute(change)
        return recheck(tx, deliveries.get(tx, row["delivery_id"]), play.progress, screened)

    assert await play.database.write(look) == ruling


async def test_a_text_that_the_hard_blocks_refuse_now_is_skipped(play: Rig) -> None:
    await play.create(count=1, template="this is forbidden")
    await play.write()

    await play.send()

    assert (await delivery(play))["reason"] == "blocked: banned: a word"
    assert not play.platform.sent


async def test_a_text_changed_after_its_approval_is_skipped(play: Rig) -> None:
    await queued(play)
    await play.database.write(lambda tx: tx.execute(rewrite("text", "something else")))

    await play.send()

    assert (await delivery(play))["state"] == "skipped"
    assert not play.platform.sent


async def test_a_message_returned_to_a_cancelled_campaign_is_skipped(play: Rig) -> None:
    from engine.surface.commands import CancelCampaign

    campaign_id = await queued(play)

    async def cancel(_: Outgoing) -> Outcome:
        await play.dispatch.cancel(CancelCampaign(campaign_id=campaign_id))
        return NotSent("no connection")

    play.platform.script.append(cancel)
    await play.send()
    play.clock.jump(MINUTE)

    await play.send()

    assert await play.states(campaign_id) == {"skipped": 1}
    assert len(play.platform.sent) == 1


# ── pace ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_no_more_is_taken_of_an_account_than_it_has_slots(play: Rig) -> None:
    await queued(play, count=25)

    first, again = await play.source.take(100, now=play.clock.now(), until=play.clock.now() + MINUTE)
    more, _ = await play.source.take(100, now=play.clock.now(), until=play.clock.now() + MINUTE)

    assert (len(first), len(more), again) == (10, 0, None)


async def test_a_full_account_holds_up_nobody(play: Rig) -> None:
    await queued(play, count=25)
    await play.send()
    play.platform.audience["bella"] = fans(3)
    await play.database.write(lambda tx: _move_to_bella(tx))

    leases = await play.lease_sending()

    assert {lease.lane for lease in leases} == {"bella"}
    assert len(leases) == 3


def _move_to_bella(tx: Tx) -> None:
    tx.execute(
        "UPDATE jobs SET lane = 'bella' WHERE id IN (SELECT id FROM jobs WHERE lane = 'anna' ORDER BY id LIMIT 3)"
    )


async def test_the_source_says_when_the_next_slot_opens(play: Rig) -> None:
    await queued(play, count=25)
    await play.send()

    _, again = await play.source.take(100, now=play.clock.now(), until=play.clock.now() + MINUTE)

    assert again == play.clock.now() + MINUTE + 1


async def test_a_lease_that_ended_without_a_word_does_not_take_a_slot_for_ever(play: Rig) -> None:
    await queued(play, count=25)
    await play.lease_sending()
    play.clock.jump(301 * SECOND)

    assert len(await play.lease_sending()) == 10


# ── what a killed process leaves ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("idempotent", "state"), [(False, "uncertain"), (True, "sent")])
async def test_what_was_left_in_the_middle_of_a_send_is_uncertain_or_repeated(
    tmp_path: Path, idempotent: bool, state: str
) -> None:
    async with rig(tmp_path) as play:
        campaign_id = await queued(play)
        (lease,) = await play.lease_sending()
        await play.sender._intend(lease, await _only(play), "", "slot")  # killed here

    async with rig(tmp_path, clock=play.clock) as play:
        play.platform.audience["anna"] = fans(1)
        await play.jobs.recover(play.clock.now())
        await play.database.write(lambda tx: recover(tx, play.clock.now(), idempotent=idempotent))
        await play.send()

        assert (await delivery(play))["state"] == state
        assert len(play.platform.sent) == int(idempotent)
        assert await play.state(campaign_id) == "finished"
        assert await play.queue() == {}


async def _only(play: Rig) -> str:
    (row,) = await play.rows("SELECT delivery_id FROM deliveries")
    return str(row["delivery_id"])


# ── the ledger's moves ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_illegal_move_is_refused_and_changes_nothing(play: Rig) -> None:
    await queued(play)
    before = await play.rows("SELECT * FROM deliveries")

    with pytest.raises(CommandRefused):
        await play.database.write(lambda tx: deliveries.move(tx, _first(tx), DeliveryState.SENT, now=0))
    with pytest.raises(CommandRefused):
        await play.database.write(
            lambda tx: deliveries.move_all(
                tx, before[0]["campaign_id"], (*BEFORE_SENDING, DeliveryState.SENT), DeliveryState.CANCELLED, now=0
            )
        )

    assert await play.rows("SELECT * FROM deliveries") == before


def _first(tx: Tx) -> deliveries.Delivery:
    return deliveries.of_row(tx.execute("SELECT * FROM deliveries").fetchone())


async def test_a_move_from_a_state_it_has_left_is_refused(play: Rig) -> None:
    await queued(play)

    def twice(tx: Tx) -> None:
        stale = _first(tx)
        deliveries.move(tx, stale, DeliveryState.SENDING, now=0)
        deliveries.move(tx, stale, DeliveryState.FAILED, now=0)

    with pytest.raises(CommandRefused, match="no longer queued"):
        await play.database.write(twice)


# ── who opted out ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_one_reading_serves_all_who_come_meanwhile(play: Rig) -> None:
    play.platform.audience["anna"] = fans(3)
    play.platform.gate = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(play.fans.fans("anna", max_age=MINUTE)) for _ in range(20)]
        await asyncio.sleep(0)
        play.platform.gate.set()

    assert play.platform.readings == 1
    assert all(set(task.result()) == {"f0", "f1", "f2"} for task in asked)


async def test_a_failed_reading_serves_all_who_waited_for_it_too(play: Rig) -> None:
    play.platform.audience["anna"] = PlatformError("away", status=503)
    play.platform.gate = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(_refused(play)) for _ in range(20)]
        await asyncio.sleep(0)
        play.platform.gate.set()
    assert {task.result() for task in asked} == {503}
    assert play.platform.readings == 1

    play.platform.audience["anna"] = fans(1)
    assert set(await play.fans.fans("anna", max_age=MINUTE)) == {"f0"}


async def _refused(play: Rig) -> int | None:
    with pytest.raises(PlatformError) as caught:
        await play.fans.fans("anna", max_age=MINUTE)
    return caught.value.status


async def test_a_reading_is_believed_for_its_age_and_no_longer(play: Rig) -> None:
    play.platform.audience["anna"] = [Fan(fan_id="f0", name="Zoë")]
    assert await play.fans.objection("anna", "f0", max_age=MINUTE) == ""
    play.platform.audience["anna"] = fans(1, opted_out=True)

    play.clock.jump(MINUTE - 1)
    assert await play.fans.objection("anna", "f0", max_age=MINUTE) == ""
    play.clock.jump(1)
    assert await play.fans.objection("anna", "f0", max_age=MINUTE) == "opted out"


async def test_who_cannot_know_does_not_guess(play: Rig) -> None:
    await play.fans.fans("anna", max_age=MINUTE)
    play.clock.jump(MINUTE)
    play.platform.audience["anna"] = PlatformError("away")

    with pytest.raises(PlatformError):
        await play.fans.objection("anna", "f0", max_age=MINUTE)


async def test_accounts_in_use_are_read_again_before_their_time(play: Rig) -> None:
    play.platform.audience["anna"] = fans(1)
    await play.fans.objection("anna", "f0", max_age=MINUTE)
    stop = asyncio.Event()

    async with asyncio.TaskGroup() as group:
        group.create_task(play.fans.run(stop, max_age=MINUTE))
        await play.clock.advance(45 * SECOND)
        assert play.platform.readings == 2
        await play.clock.advance(10 * MINUTE)  # nobody asks any more
        readings = play.platform.readings
        await play.clock.advance(10 * MINUTE)
        stop.set()

    assert play.platform.readings == readings <= 4


async def test_the_first_reason_of_a_suppression_stays(play: Rig) -> None:
    await play.database.write(lambda tx: suppress(tx, "anna", "f0", "first", 0))
    await play.database.write(lambda tx: suppress(tx, "anna", "f0", "second", 1))

    assert await play.rows("SELECT reason FROM suppressions") == [{"reason": "first"}]
