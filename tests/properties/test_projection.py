"""Folding the events over the first snapshot gives what the tables have: after any history, at every restart."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.alerts.alert import Firing, Rule, Severity
from engine.alerts.history import insert, read_state, resolve
from engine.events import Recorded
from engine.kernel.errors import CommandRefused, ErrorClass, ProviderError
from engine.kernel.values import HOUR, MINUTE, SECOND, new_id
from engine.messaging.platform import NotSent, Outcome, Refused, Throttled, Unauthorised, Uncertain
from engine.runtime import Sampler
from engine.surface import Snapshot, apply
from engine.surface.commands import (
    AcknowledgeAlert,
    ApproveDeliveries,
    Audience,
    CancelCampaign,
    HaltSending,
    PauseCampaign,
    ResumeAccount,
    ResumeCampaign,
    ResumeSending,
    SettleDelivery,
    StartCampaign,
)
from engine.surface.queries import ListDeliveries
from tests.rig import Rig, fans, rig

STEPS = (
    *("create", "create prompt", "create approval", "create later", "write", "write", "send", "send", "send"),
    *("approve", "pause", "resume", "cancel", "start", "settle", "halt", "unhalt", "account", "wait", "day", "due"),
    *("refused", "uncertain", "throttled", "unauthorised", "unsent", "provider", "alert", "acknowledge", "resolve"),
    "sample",
)
OUTCOMES: dict[str, Outcome] = {
    "refused": Refused("400", opted_out=True),
    "uncertain": Uncertain("reset"),
    "throttled": Throttled(SECOND),
    "unauthorised": Unauthorised("401"),
    "unsent": NotSent("away"),
}


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(STEPS), min_size=4, max_size=25))
def test_the_folded_events_say_what_the_tables_say(steps: list[str]) -> None:
    asyncio.run(_live(steps))


async def _live(steps: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with rig(Path(folder), messages=3) as play:
            begin = play.projector.snapshot
            play.platform.audience["anna"] = [*fans(4), *fans(6, opted_out=True)[4:]]
            for number, step in enumerate(steps):
                await _step(play, step, number)
            events = await play.database.events_after(0, limit=100_000)

            folded = _fold(begin, events)
            assert folded == play.projector.snapshot
            assert _fold(folded, events) == folded  # repeats change nothing
            assert _comparable(play, folded) == _comparable(play, await play.first())


def _fold(snapshot: Snapshot, events: list[Recorded]) -> Snapshot:
    for one in events:
        snapshot = apply(snapshot, one)
    return snapshot


def _comparable(play: Rig, snapshot: Snapshot) -> dict[str, Any]:
    """What both know: the tables keep no latencies, the events no queue depth between samples."""
    now = play.clock.now()
    money = replace(snapshot.money, minutes=())
    oldest = now - now % MINUTE - 59 * MINUTE
    return {
        "seq": snapshot.seq,
        "halted": (snapshot.engine.halted_by, snapshot.engine.halted_at),
        "money": money,
        "minutes": [entry for entry in snapshot.money.minutes if entry[0] >= oldest],
        "models": {
            key: (view.today, view.month, view.calls, view.failed, view.input_tokens, view.output_tokens)
            for key, view in snapshot.models.items()
        },
        "accounts": {
            key: (view.name, view.limit, view.paused, {slot for slot, end in view.slots.items() if end > now})
            for key, view in snapshot.accounts.items()
        },
        "campaigns": snapshot.campaigns,
        "alerts": snapshot.alerts,
    }


async def _step(play: Rig, step: str, number: int) -> None:
    with contextlib.suppress(CommandRefused):  # it changed nothing, which the comparison sees
        await _take(play, step, number)


async def _take(play: Rig, step: str, number: int) -> None:
    now = play.clock.now()
    latest = [
        row["campaign_id"] for row in await play.rows("SELECT campaign_id FROM campaigns ORDER BY created_at DESC")
    ]
    campaign_id = latest[number % len(latest)] if latest else "cmp_nobody"
    match step:
        case "create":
            await play.create(start=number % 3 > 0)
        case "create prompt":
            await play.create(prompt="Say hello.", budget=700_000)
        case "create approval":
            await play.create(approval="required", audience=Audience(fan_ids=("f0", "f4", "nobody")))
        case "create later":
            await play.create(starts_at=now + 10 * MINUTE)
        case "write":
            await play.write(limit=3)
        case "send":
            await play.send()
        case "approve":
            await play.desk.submit(ApproveDeliveries(campaign_id=campaign_id))
        case "pause":
            await play.desk.submit(PauseCampaign(campaign_id=campaign_id))
        case "resume":
            await play.desk.submit(ResumeCampaign(campaign_id=campaign_id))
        case "cancel":
            await play.desk.submit(CancelCampaign(campaign_id=campaign_id))
        case "start":
            await play.desk.submit(StartCampaign(campaign_id=campaign_id))
        case "due":
            await play.dispatch.start_due()
        case "settle":
            outcome: Any = ("sent", "failed", "again")[number % 3]
            for row in (await play.desk.query(ListDeliveries(state="uncertain"))).rows:
                await play.desk.submit(SettleDelivery(delivery_id=row.delivery_id, outcome=outcome))
        case "halt":
            await play.desk.submit(HaltSending(actor=f"me {number}"))
        case "unhalt":
            await play.desk.submit(ResumeSending())
        case "account":
            await play.desk.submit(ResumeAccount(account_id="anna"))
        case "wait":
            play.clock.jump(7 * MINUTE)
        case "day":
            play.clock.jump(17 * HOUR)
            await _sampler(play).sample()
        case "provider":
            play.providers["one"].script.append(ProviderError("one", "m", ErrorClass.AUTHENTICATION, "no"))
        case "refused" | "uncertain" | "throttled" | "unauthorised" | "unsent":
            play.platform.script.append(OUTCOMES[step])
        case "alert" | "acknowledge" | "resolve":
            await _alert(play, step, now)
        case "sample":
            await _sampler(play).sample()
        case _:
            raise AssertionError(step)


def _sampler(play: Rig) -> Sampler:
    return Sampler(play.database, play.jobs, play.projector, play.clock, ("huntaze-hybrid-workflows",))


async def _alert(play: Rig, step: str, now: int) -> None:
    if step == "alert":
        alert_id = new_id("alr", now, play.chance)
        firing = Firing(rule=Rule.DEAD_LETTERS, subject=alert_id, severity=Severity.WARNING, summary="dead", since=now)
        await play.database.write(lambda tx: insert(tx, alert_id, firing, None, now))
        return
    found = await play.database.write(lambda tx: read_state(tx, told_after=0, opened_after=0))
    for alert in found.alerts[:1]:
        if step == "acknowledge":
            await play.desk.submit(AcknowledgeAlert(alert_id=alert.alert_id))
        else:
            await play.database.write(lambda tx, alert=alert: resolve(tx, alert, now))
