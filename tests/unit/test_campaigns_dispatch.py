"""Campaigns from creation to their end, over the real queue, ledger and limiter."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from engine.campaigns import QUEUE, run_schedule
from engine.costs import BudgetRule
from engine.events import BudgetWarned
from engine.kernel.errors import CommandRefused, ErrorClass, PlatformError, ProviderError, Refusal
from engine.kernel.values import DAY, HOUR, MINUTE, SECOND, NanoUSD, usd
from engine.messaging import Outgoing
from engine.messaging.consent import suppress
from engine.messaging.platform import Outcome, Sent, Uncertain
from engine.providers import Completion, ModelRequest, Usage
from engine.surface.commands import (
    ApproveDeliveries,
    Audience,
    CampaignDraft,
    CancelCampaign,
    CreateCampaign,
    PauseCampaign,
    RejectDeliveries,
    ResumeCampaign,
    SettleDelivery,
    StartCampaign,
)
from engine.surface.queries import GetCampaign, ListDeliveries
from screens.events import event_lines
from screens.facts import budget_word
from screens.view import View
from tests.rig import COST, Rig, answer, fans, rig

PROMPT = "Say hello and ask about their day."


@pytest.fixture
async def play(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path) as made:
        yield made


async def drafted(play: Rig, count: int = 3, **changes: Any) -> str:
    """A campaign whose texts are written and wait for a yes."""
    campaign_id = await play.create(count=count, approval="required", **changes)
    await play.write()
    assert await play.states(campaign_id) == {"drafted": count}
    return campaign_id


async def digests(play: Rig) -> dict[str, str]:
    return {row["delivery_id"]: row["digest"] for row in await play.rows("SELECT delivery_id, digest FROM deliveries")}


# ── creation ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_same_key_and_content_is_the_same_campaign(play: Rig) -> None:
    first = await play.create(key="k")
    again = await play.create(key="k")

    assert again == first
    assert len(await play.rows("SELECT campaign_id FROM campaigns")) == 1


async def test_of_many_creations_at_once_under_one_key_one_is_made(play: Rig) -> None:
    play.platform.audience["anna"] = fans(3)

    made = await asyncio.gather(*(play.create(key="k") for _ in range(10)))

    assert len(set(made)) == 1
    assert len(await play.rows("SELECT delivery_id FROM deliveries")) == 3


async def test_the_same_key_with_other_content_is_a_conflict(play: Rig) -> None:
    await play.create(key="k")

    with pytest.raises(CommandRefused) as caught:
        await play.create(key="k", template="Something else")

    assert caught.value.reason is Refusal.CONFLICT


async def test_a_repeat_is_answered_even_when_its_start_has_passed_by_now(play: Rig) -> None:
    at = play.clock.now() + HOUR
    first = await play.create(key="k", starts_at=at)
    play.clock.jump(2 * HOUR)

    assert await play.create(key="k", starts_at=at) == first


async def test_whoever_gets_nothing_is_a_row_with_its_reason(play: Rig) -> None:
    play.platform.audience["anna"] = [*fans(2), *fans(3, opted_out=True)[2:]]
    await play.database.write(lambda tx: suppress(tx, "anna", "f1", "asked to stop", 0))

    campaign_id = await play.create(audience=Audience(fan_ids=("f0", "f1", "f2", "nobody", "f0")))

    rows = await play.rows("SELECT fan_id, state, reason FROM deliveries WHERE campaign_id = ?", campaign_id)
    assert [tuple(row.values()) for row in rows] == [
        ("f0", "pending", ""),
        ("f1", "skipped", "suppressed: asked to stop"),
        ("f2", "skipped", "opted out"),
        ("nobody", "skipped", "not a fan of the account"),
    ]


async def test_an_audience_of_nobody_is_finished_at_its_start(play: Rig) -> None:
    campaign_id = await play.create(audience=Audience(tag="nobody-has-this"))

    assert await play.state(campaign_id) == "finished"


async def test_without_the_platform_nothing_is_created(play: Rig) -> None:
    play.platform.audience["anna"] = PlatformError("away", remedy="Look at your gateway")

    with pytest.raises(CommandRefused) as caught:
        await play.create()

    assert caught.value.reason is Refusal.UNAVAILABLE
    assert await play.rows("SELECT campaign_id FROM campaigns") == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"budget": 0}, "budget_usd"),
        ({"budget": -1}, "budget_usd"),
        ({"budget": 1 << 63}, "budget_usd"),
        ({"budget": 10**40}, ""),
        ({"starts_at": 0}, "schedule_at"),
        ({"starts_at": -(1 << 70)}, ""),
        ({"starts_at": (1 << 63) - 1}, "schedule_at"),
        ({"audience": Audience()}, "audience"),
        ({"audience": Audience(all=True, tag="vip")}, "audience"),
        ({"audience": Audience(fan_ids=("a b",))}, "audience.fan_ids"),
        ({"account_id": "../x"}, "account_id"),
        ({"account_id": ""}, "account_id"),
        ({"name": "a\x1b[2J"}, "name"),
        ({"name": "a\u202eb"}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"name": "\ud800"}, ""),
        ({"tool": "poem"}, "tool"),
        ({"template": "", "prompt": " "}, "prompt"),
        ({"prompt": "both"}, "prompt"),
        ({"template": "{{password}}"}, "template"),
    ],
)
async def test_a_draft_that_means_nothing_is_refused_by_its_field(
    play: Rig, changes: dict[str, Any], field: str
) -> None:
    play.platform.audience["anna"] = fans(1)
    made = CampaignDraft(
        **{"name": "x", "account_id": "anna", "audience": Audience(all=True), "template": "Hi", **changes}
    )

    with pytest.raises(CommandRefused) as caught:
        await play.desk.submit(CreateCampaign(draft=made))

    assert caught.value.reason is Refusal.INVALID
    assert caught.value.field == field
    assert await play.rows("SELECT campaign_id FROM campaigns") == []


async def test_a_name_may_hold_emoji_that_are_joined(play: Rig) -> None:
    play.platform.audience["anna"] = fans(1)
    name = "👨‍👩‍👧 family ❤️"
    made = CampaignDraft(name=name, account_id="anna", audience=Audience(all=True), template="Hi")

    await play.desk.submit(CreateCampaign(draft=made))

    assert [row["name"] for row in await play.rows("SELECT name FROM campaigns")] == [name]


# ── writing and money ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_every_text_carries_what_its_call_cost_and_the_ledger_names_the_campaign(play: Rig) -> None:
    campaign_id = await play.create(count=3, prompt=PROMPT)
    await play.write()

    rows = await play.rows("SELECT cost, state FROM deliveries")
    assert [row["cost"] for row in rows] == [COST] * 3
    entries = await play.rows("SELECT campaign_id, account_id, job_id FROM ledger")
    assert {(row["campaign_id"], row["account_id"]) for row in entries} == {(campaign_id, "anna")}
    assert len({row["job_id"] for row in entries}) == 3
    (view,) = (await play.desk.query(GetCampaign(campaign_id=campaign_id))).rows
    assert view.cost == 3 * COST == play.projector.snapshot.campaigns[campaign_id].cost


async def test_a_campaign_that_no_model_can_write_is_not_started(play: Rig) -> None:
    play.providers.clear()

    with pytest.raises(CommandRefused, match="no model can write") as refused:
        await play.create(prompt=PROMPT)
    draft = await play.create(prompt=PROMPT, start=False)
    with pytest.raises(CommandRefused, match="no model can write"):
        await play.desk.submit(StartCampaign(campaign_id=draft))

    assert refused.value.reason is Refusal.UNAVAILABLE
    assert await play.state(draft) == "draft"
    assert await play.state(await play.create(template="Hello {name}")) == "running"


async def test_a_template_that_no_fan_may_get_is_refused_before_anything_is_made(play: Rig) -> None:
    with pytest.raises(CommandRefused, match="no fan may get this text") as refused:
        await play.create(template="Hi {{name}}, pay me on PayPal: paypal.me/anna")

    assert refused.value.field == "template"
    assert await play.rows("SELECT * FROM campaigns") == []


async def test_a_template_costs_nothing_and_asks_nobody(play: Rig) -> None:
    await play.create(count=3)
    await play.write()

    assert not play.providers["one"].requests


async def test_a_text_cancelled_while_it_was_written_is_booked_and_not_kept(play: Rig) -> None:
    campaign_id = await play.create(count=1, prompt=PROMPT)

    async def cancel(_: ModelRequest) -> Completion:
        await play.dispatch.cancel(CancelCampaign(campaign_id=campaign_id))
        return answer()

    play.providers["one"].script.append(cancel)
    await play.write()

    assert await play.states(campaign_id) == {"cancelled": 1}
    assert [row["cost"] for row in await play.rows("SELECT cost FROM ledger")] == [COST]
    assert await play.queue(QUEUE) == {}


async def test_a_text_that_every_model_refuses_is_rejected(play: Rig) -> None:
    campaign_id = await play.create(count=1, prompt=PROMPT)
    for name in ("one", "two"):
        play.providers[name].script.append(ProviderError(name, "m", ErrorClass.CONTENT_FILTER, "no"))

    await play.write()

    assert await play.states(campaign_id) == {"rejected": 1}
    assert await play.state(campaign_id) == "finished"


@pytest.mark.parametrize("error_class", [ErrorClass.RATE_LIMIT, ErrorClass.NETWORK_ERROR, ErrorClass.SERVER_ERROR])
async def test_an_outage_of_every_model_uses_up_no_text(play: Rig, error_class: ErrorClass) -> None:
    campaign_id = await play.create(count=1, prompt=PROMPT)
    for _ in range(20):  # far more often than a text has tries
        for name in ("one", "two"):
            failure = ProviderError(name, "m", error_class, "no", reached=False, retry_after=60.0)
            play.providers[name].script[:] = [failure] * 5
        (lease,) = await play.lease_writing()
        async with asyncio.TaskGroup() as group:
            work = group.create_task(play.writer.handle(lease))
            while not work.done():
                await asyncio.sleep(0)
                if play.clock.sleepers:
                    play.clock.jump(SECOND)
        await play.carry_out(lease, work.result())
        play.clock.jump(10 * MINUTE)
    for name in ("one", "two"):
        play.providers[name].script.clear()

    await play.write()

    assert await play.states(campaign_id) == {"queued": 1}


# ── budgets ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def starved(play: Rig, **changes: Any) -> str:
    """A campaign of four with room for one text, written and sent until nothing moves."""
    campaign_id = await play.create(count=4, prompt=PROMPT, budget=345_000, **changes)
    for _ in range(6):
        await play.write(limit=1)
        await play.send()
    return campaign_id


async def test_a_campaign_whose_budget_is_used_up_sends_what_it_paid_for_and_pauses(play: Rig) -> None:
    campaign_id = await starved(play)

    states = await play.states(campaign_id)
    assert states["pending"] + states["sent"] == 4
    assert states["sent"] >= 1
    (row,) = await play.rows("SELECT state, reason FROM campaigns")
    assert row == {"state": "paused", "reason": f"its budget is used up: {states['pending']} fans still without a text"}
    (spent,) = await play.rows("SELECT sum(cost) AS cost FROM ledger")
    assert spent["cost"] <= 345_000


async def test_a_campaigns_own_total_warns_at_each_threshold_and_is_shown_until_it_ends(play: Rig) -> None:
    dear = answer(usage=Usage(input_tokens=100, output_tokens=50))  # 200,000 nano-dollars
    play.providers["one"].script += [dear] * 12
    campaign_id = await play.create(count=12, prompt=PROMPT, budget=2_000_000)
    seen = []
    for _ in range(12):
        await play.write(limit=1)
        await play.metered.drain()
        snapshot = play.projector.snapshot
        seen.append(budget_word(snapshot.campaigns[campaign_id], View(snapshot=snapshot)))
    recent = [one for one in await play.database.events_after(0) if isinstance(one.event, BudgetWarned)]
    told = "".join(text for line in event_lines(View(snapshot=snapshot, recent=recent), 100, 9) for text, _ in line)
    restarted = (await play.first()).budgets
    running = play.projector.snapshot.budgets
    await play.dispatch.cancel(CancelCampaign(campaign_id=campaign_id))

    warned = [one.event for one in await play.database.events_after(0) if isinstance(one.event, BudgetWarned)]
    assert [(event.scope, event.key, event.window, event.percent) for event in warned] == [
        ("campaign", campaign_id, "total", percent) for percent in (50, 80, 100)
    ]
    assert list(dict.fromkeys(seen)) == [
        None,
        ("50 % of its budget spent", "plain"),
        ("80 % of its budget spent", "warn"),
        ("its budget is used up", "bad"),
    ]
    assert "budget campaign spring, total: 80 % reached" in told
    assert restarted == running
    assert play.projector.snapshot.budgets == (await play.first()).budgets == {}


async def test_with_more_budget_it_goes_on_where_it_stopped(play: Rig) -> None:
    campaign_id = await starved(play)
    await play.database.write(lambda tx: play.ledger.set_limit(tx, "campaign", campaign_id, NanoUSD(10**9)))

    await play.dispatch.resume(ResumeCampaign(campaign_id=campaign_id))
    await play.write()
    await play.send()

    assert await play.states(campaign_id) == {"sent": 4}
    assert await play.state(campaign_id) == "finished"


async def test_resumed_without_more_budget_it_pauses_again(play: Rig) -> None:
    campaign_id = await starved(play)

    await play.dispatch.resume(ResumeCampaign(campaign_id=campaign_id))
    await play.write()

    assert await play.state(campaign_id) == "paused"


# ── budgets of others ───────────────────────────────────────────────────────────────────────────────────────────────


async def starved_by(play: Rig, kind: str, key: str, window: str) -> str:
    """A campaign of four, stopped by another budget that has room for one text."""
    rule = BudgetRule(kind=kind, key=key, window=window, limit=NanoUSD(345_000))
    await play.database.write(lambda tx: play.ledger.set_budget(tx, rule))
    await play.feeding.feed()  # what a start does
    campaign_id = await play.create(count=4, prompt=PROMPT)
    for _ in range(6):
        await play.write(limit=1)
        await play.send()
    return campaign_id


async def reason_of(play: Rig, campaign_id: str) -> tuple[str, str]:
    (row,) = await play.rows("SELECT state, reason FROM campaigns WHERE campaign_id = ?", campaign_id)
    return row["state"], row["reason"]


@pytest.mark.parametrize(
    ("kind", "key", "whose"),
    [("global", "", "the global budget"), ("account", "anna", "the budget of account anna")],
)
async def test_a_campaign_that_anothers_budget_stops_says_whose_it_is_and_goes_on_in_its_next_window(
    play: Rig, kind: str, key: str, whose: str
) -> None:
    campaign_id = await starved_by(play, kind, key, "day")

    state, reason = await reason_of(play, campaign_id)
    assert (state, reason.partition(" is used up")[0]) == ("paused", whose)
    assert reason.endswith("it goes on when that begins anew or is raised")
    assert await play.feeding.feed() == 0
    due = await play.feeding.due()
    assert due is not None
    assert play.clock.now() < due <= play.clock.now() + DAY
    play.clock.jump(due - play.clock.now())
    assert await play.feeding.feed() == 1
    assert await play.state(campaign_id) == "running"
    assert await play.write(limit=1) == 1
    assert (await play.states(campaign_id))["pending"] < 3


@pytest.mark.parametrize("window", ["month", "total"])
async def test_a_campaign_goes_on_when_the_budget_that_stopped_it_is_raised(play: Rig, window: str) -> None:
    campaign_id = await starved_by(play, "global", "", window)
    rule = BudgetRule(kind="global", window=window, limit=usd(1))
    await play.database.write(lambda tx: play.ledger.set_budget(tx, rule))

    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(run_schedule(play.dispatch, play.feeding, play.clock, stop))
        await play.clock.advance(5 * SECOND)
        stop.set()
        await play.clock.advance(5 * SECOND)
    await play.write()
    await play.send()

    assert await play.states(campaign_id) == {"sent": 4}
    assert await play.state(campaign_id) == "finished"


async def test_stopped_by_a_budget_of_a_provider_it_tries_again_when_another_providers_is_raised(play: Rig) -> None:
    for name in ("one", "two"):
        rule = BudgetRule(kind="provider", key=name, window="total", limit=NanoUSD(1_000))
        await play.database.write(lambda tx, rule=rule: play.ledger.set_budget(tx, rule))
    await play.feeding.feed()
    campaign_id = await play.create(count=1, prompt=PROMPT)
    await play.write()
    stopped = await reason_of(play, campaign_id)
    raised = BudgetRule(kind="provider", key="one", window="total", limit=usd(1))
    await play.database.write(lambda tx: play.ledger.set_budget(tx, raised))

    await play.feeding.feed()
    await play.write()

    assert stopped[0] == "paused"
    assert stopped[1].startswith("the budget of provider ")
    assert "pending" not in await play.states(campaign_id)


async def test_nobody_but_a_person_resumes_what_its_own_total_or_a_person_stopped(play: Rig) -> None:
    own = await starved(play)
    by_hand = await play.create(count=4, prompt=PROMPT)
    await play.dispatch.pause(PauseCampaign(campaign_id=by_hand, actor="zoe"))
    rule = BudgetRule(kind="global", window="day", limit=usd(1))
    await play.database.write(lambda tx: play.ledger.set_budget(tx, rule))

    play.clock.jump(2 * DAY)
    assert await play.feeding.feed() == 0

    assert (await reason_of(play, own))[1].startswith("its budget is used up")
    assert await reason_of(play, by_hand) == ("paused", "paused by zoe")


async def test_a_person_who_pauses_a_starved_campaign_keeps_it_paused(play: Rig) -> None:
    rule = BudgetRule(kind="global", window="day", limit=NanoUSD(345_000))
    await play.database.write(lambda tx: play.ledger.set_budget(tx, rule))
    campaign_id = await play.create(count=4, prompt=PROMPT)
    for _ in range(4):
        await play.write(limit=1)  # what was written is not sent yet, so it still runs
    running = await reason_of(play, campaign_id)
    await play.dispatch.pause(PauseCampaign(campaign_id=campaign_id, actor="zoe"))

    play.clock.jump(2 * DAY)
    await play.feeding.feed()

    assert running[0] == "running"
    assert running[1].startswith("the global budget is used up")
    assert await reason_of(play, campaign_id) == ("paused", "paused by zoe")


# ── approval ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_nothing_is_sent_before_a_yes(play: Rig) -> None:
    campaign_id = await drafted(play)

    assert await play.state(campaign_id) == "awaiting_approval"
    assert await play.send() == 0


async def test_approving_part_sends_that_part(play: Rig) -> None:
    campaign_id = await drafted(play)
    chosen = dict(list((await digests(play)).items())[:1])

    await play.dispatch.decisions.approve(ApproveDeliveries(campaign_id=campaign_id, texts=chosen))
    await play.send()

    assert await play.states(campaign_id) == {"sent": 1, "drafted": 2}
    assert await play.state(campaign_id) == "awaiting_approval"
    await play.dispatch.decisions.approve(ApproveDeliveries(campaign_id=campaign_id))
    await play.send()
    assert await play.state(campaign_id) == "finished"


async def test_an_approval_of_another_text_approves_nothing(play: Rig) -> None:
    campaign_id = await drafted(play)
    found = await digests(play)
    wrong = {**found, list(found)[2]: "0" * 64}

    with pytest.raises(CommandRefused, match="not the one you read"):
        await play.dispatch.decisions.approve(ApproveDeliveries(campaign_id=campaign_id, texts=wrong))

    assert await play.states(campaign_id) == {"drafted": 3}


async def test_a_text_edited_after_its_approval_does_not_leave(play: Rig) -> None:
    campaign_id = await drafted(play, count=1)
    await play.dispatch.decisions.approve(ApproveDeliveries(campaign_id=campaign_id))
    await play.database.write(lambda tx: tx.execute("UPDATE deliveries SET text = 'edited', digest = 'other'"))

    await play.send()

    assert await play.states(campaign_id) == {"skipped": 1}


async def test_a_delivery_of_another_campaign_cannot_be_approved_or_rejected(play: Rig) -> None:
    await drafted(play, count=1)
    found = await digests(play)
    other = await play.create(start=False)

    for command in (
        play.dispatch.decisions.approve(ApproveDeliveries(campaign_id=other, texts=found)),
        play.dispatch.decisions.reject(RejectDeliveries(campaign_id=other, delivery_ids=tuple(found))),
    ):
        with pytest.raises(CommandRefused) as caught:
            await command
        assert caught.value.reason is Refusal.NOT_FOUND


async def test_rejected_texts_never_leave_and_the_campaign_ends_without_them(play: Rig) -> None:
    campaign_id = await drafted(play)
    found = tuple(await digests(play))

    await play.dispatch.decisions.reject(RejectDeliveries(campaign_id=campaign_id, delivery_ids=found[:2]))
    await play.dispatch.decisions.approve(ApproveDeliveries(campaign_id=campaign_id))
    await play.send()

    assert await play.states(campaign_id) == {"rejected": 2, "sent": 1}
    assert await play.state(campaign_id) == "finished"


async def test_a_rejection_that_cannot_be_whole_changes_nothing(play: Rig) -> None:
    campaign_id = await drafted(play)
    found = tuple(await digests(play))

    with pytest.raises(CommandRefused):
        await play.dispatch.decisions.reject(
            RejectDeliveries(campaign_id=campaign_id, delivery_ids=(*found, "dlv_nobody"))
        )

    assert await play.states(campaign_id) == {"drafted": 3}


# ── pause, resume, cancel ───────────────────────────────────────────────────────────────────────────────────────────


async def test_a_pause_parks_what_waits_and_a_resume_gives_it_back(play: Rig) -> None:
    campaign_id = await play.create(count=4)
    await play.write(limit=2)

    await play.dispatch.pause(PauseCampaign(campaign_id=campaign_id))
    assert (await play.queue(QUEUE), await play.queue()) == ({"parked": 2}, {"parked": 2})
    assert (await play.write(), await play.send()) == (0, 0)

    await play.dispatch.resume(ResumeCampaign(campaign_id=campaign_id))
    await play.write()
    await play.send()
    assert await play.state(campaign_id) == "finished"


async def test_a_text_that_was_being_written_at_the_pause_waits_too(play: Rig) -> None:
    campaign_id = await play.create(count=1, prompt=PROMPT)

    async def pause(_: ModelRequest) -> Completion:
        await play.dispatch.pause(PauseCampaign(campaign_id=campaign_id))
        return answer()

    play.providers["one"].script.append(pause)
    await play.write()

    assert await play.queue() == {"parked": 1}
    await play.dispatch.resume(ResumeCampaign(campaign_id=campaign_id))
    await play.send()
    assert await play.state(campaign_id) == "finished"


async def test_what_was_approved_during_a_pause_is_sent_after_it(play: Rig) -> None:
    campaign_id = await drafted(play)
    await play.dispatch.pause(PauseCampaign(campaign_id=campaign_id))
    await play.dispatch.decisions.approve(ApproveDeliveries(campaign_id=campaign_id))
    assert await play.send() == 0

    await play.dispatch.resume(ResumeCampaign(campaign_id=campaign_id))
    await play.send()

    assert await play.states(campaign_id) == {"sent": 3}
    assert await play.state(campaign_id) == "finished"


async def test_a_cancelled_campaign_leaves_no_job_and_no_open_row(play: Rig) -> None:
    campaign_id = await play.create(count=4)
    await play.write(limit=2)
    await play.dispatch.pause(PauseCampaign(campaign_id=campaign_id))

    done = await play.dispatch.cancel(CancelCampaign(campaign_id=campaign_id))

    assert done.data == {"stopped": 4}
    assert (await play.queue(QUEUE), await play.queue()) == ({}, {})
    assert await play.states(campaign_id) == {"cancelled": 4}


async def test_a_send_under_way_at_the_cancellation_is_still_entered(play: Rig) -> None:
    campaign_id = await play.create(count=1)
    await play.write()

    async def cancel(_: Outgoing) -> Outcome:
        await play.dispatch.cancel(CancelCampaign(campaign_id=campaign_id))
        return Sent("msg_1")

    play.platform.script.append(cancel)
    await play.send()

    assert await play.states(campaign_id) == {"sent": 1}
    assert await play.state(campaign_id) == "cancelled"


@pytest.mark.parametrize("command", [StartCampaign, PauseCampaign, ResumeCampaign, CancelCampaign])
async def test_a_refused_command_changes_nothing(play: Rig, command: type[Any]) -> None:
    campaign_id = await play.create(count=1)
    await play.write()
    await play.send()
    before = await play.rows("SELECT * FROM campaigns, events WHERE kind != 'ActionTaken'")

    with pytest.raises(CommandRefused):
        await play.desk.submit(command(campaign_id=campaign_id))
    with pytest.raises(CommandRefused):
        await play.desk.submit(command(campaign_id="cmp_nobody"))

    assert await play.rows("SELECT * FROM campaigns, events WHERE kind != 'ActionTaken'") == before


# ── the schedule ────────────────────────────────────────────────────────────────────────────────────────────────────


async def scheduled(play: Rig, **changes: Any) -> str:
    return await play.create(count=2, starts_at=play.clock.now() + HOUR, **changes)


async def test_a_scheduled_campaign_writes_and_sends_nothing_before_its_time(play: Rig) -> None:
    campaign_id = await scheduled(play)
    play.clock.jump(HOUR - 1)

    assert await play.dispatch.start_due() == 0
    assert await play.write() == 0
    assert await play.state(campaign_id) == "scheduled"


async def test_the_schedule_starts_it_on_its_time(play: Rig) -> None:
    campaign_id = await scheduled(play)
    stop = asyncio.Event()

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(run_schedule(play.dispatch, play.feeding, play.clock, stop))
        while await play.state(campaign_id) == "scheduled":
            await play.clock.advance(10 * MINUTE)
        assert play.clock.now() >= (await play.dispatch.next_start() or 0)
        stop.set()
    await play.write()
    await play.send()

    assert await play.state(campaign_id) == "finished"


async def test_texts_approved_early_leave_on_their_time(play: Rig) -> None:
    campaign_id = await drafted(play, count=2, starts_at=play.clock.now() + HOUR)
    await play.dispatch.decisions.approve(ApproveDeliveries(campaign_id=campaign_id))
    assert await play.state(campaign_id) == "scheduled"
    assert await play.send() == 0

    play.clock.jump(HOUR)
    await play.dispatch.start_due()
    await play.send()

    assert await play.state(campaign_id) == "finished"


@pytest.mark.parametrize("approval", ["automatic", "required"])
async def test_one_that_was_paused_over_its_start_goes_on_when_it_is_resumed(play: Rig, approval: str) -> None:
    campaign_id = await scheduled(play, approval=approval)
    await play.write()
    await play.dispatch.pause(PauseCampaign(campaign_id=campaign_id))
    if approval == "required":
        await play.dispatch.decisions.approve(ApproveDeliveries(campaign_id=campaign_id))
    play.clock.jump(2 * HOUR)
    await play.dispatch.start_due()

    await play.dispatch.resume(ResumeCampaign(campaign_id=campaign_id))
    await play.dispatch.start_due()
    await play.write()
    await play.send()

    assert await play.states(campaign_id) == {"sent": 2}


async def test_a_rejection_after_the_start_was_due_does_not_lose_the_rest(play: Rig) -> None:
    campaign_id = await drafted(play, count=2, starts_at=play.clock.now() + HOUR)
    first, second = (await digests(play)).items()
    await play.dispatch.decisions.approve(ApproveDeliveries(campaign_id=campaign_id, texts=dict([first])))
    play.clock.jump(HOUR)

    await play.dispatch.decisions.reject(RejectDeliveries(campaign_id=campaign_id, delivery_ids=(second[0],)))
    await play.dispatch.start_due()
    await play.send()

    assert await play.states(campaign_id) == {"sent": 1, "rejected": 1}


# ── uncertain sends, dead jobs, the end ─────────────────────────────────────────────────────────────────────────────


async def uncertain(play: Rig) -> tuple[str, str]:
    campaign_id = await play.create(count=1)
    await play.write()
    play.platform.script.append(Uncertain("reset"))
    await play.send()
    (row,) = (await play.desk.query(ListDeliveries(state="uncertain"))).rows
    return campaign_id, row.delivery_id


@pytest.mark.parametrize(("word", "state"), [("sent", "sent"), ("failed", "failed"), ("again", "queued")])
async def test_a_person_decides_an_uncertain_send(play: Rig, word: Any, state: str) -> None:
    campaign_id, delivery_id = await uncertain(play)

    await play.dispatch.decisions.settle(SettleDelivery(delivery_id=delivery_id, outcome=word))

    assert await play.states(campaign_id) == {state: 1}
    assert await play.state(campaign_id) == ("running" if word == "again" else "finished")
    with pytest.raises(CommandRefused):
        await play.dispatch.decisions.settle(SettleDelivery(delivery_id=delivery_id, outcome="sent"))
    if word == "again":
        play.clock.jump(2 * MINUTE)
        await play.send()
        assert await play.states(campaign_id) == {"sent": 1}
        assert {message.key for message in play.platform.sent} == {delivery_id}
        assert await play.state(campaign_id) == "finished"


async def test_nothing_of_a_cancelled_campaign_is_sent_again(play: Rig) -> None:
    campaign_id = await play.create(count=2)
    await play.write()
    play.platform.script.append(Uncertain("reset"))
    await play.send(limit=1)
    await play.dispatch.cancel(CancelCampaign(campaign_id=campaign_id))
    (row,) = (await play.desk.query(ListDeliveries(state="uncertain"))).rows

    with pytest.raises(CommandRefused) as caught:
        await play.dispatch.decisions.settle(SettleDelivery(delivery_id=row.delivery_id, outcome="again"))

    assert caught.value.reason is Refusal.CONFLICT
    assert await play.queue() == {}


async def test_a_campaign_is_not_finished_while_a_row_is_open(play: Rig) -> None:
    campaign_id = await play.create(count=12)
    await play.write()
    await play.send()

    assert await play.state(campaign_id) == "running"
    play.clock.jump(2 * MINUTE)
    await play.send()
    assert await play.state(campaign_id) == "finished"
