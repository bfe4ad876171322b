"""What an operator acts with, over the engine's core: what commands do, and that a preview does nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from engine.alerts import AlertSettings
from engine.kernel.errors import CommandRefused, Refusal
from engine.kernel.values import DAY, HOUR, MINUTE, usd
from engine.messaging import switch
from engine.runtime import Thresholds
from engine.surface import commands, queries
from engine.surface.commands import Audience, CampaignDraft, FlagSetting
from tests.rig import COST, Rig, answer, fans, rig


@pytest.fixture
async def play(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path) as made:
        yield made


async def one(play: Rig, query: queries.Query) -> Any:
    (row,) = (await play.desk.query(query)).rows
    return row


async def refusal(play: Rig, asking: commands.Command) -> Refusal:
    with pytest.raises(CommandRefused) as caught:
        await play.desk.submit(asking)
    return caught.value.reason


# ── schedules ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_scheduled_draft_starts_on_its_time_and_not_before(play: Rig) -> None:
    campaign_id = await play.create(start=False)
    at = play.clock.now() + HOUR

    await play.desk.submit(commands.ScheduleCampaign(campaign_id=campaign_id, starts_at=at))

    assert await play.state(campaign_id) == "scheduled"
    assert play.desk.snapshot().campaigns[campaign_id].starts_at == at
    assert (await one(play, queries.GetDraft(campaign_id=campaign_id))).starts_at == at
    assert await play.dispatch.start_due() == 0
    await play.clock.advance(HOUR)
    assert await play.dispatch.start_due() == 1
    assert await play.state(campaign_id) == "running"


async def test_a_start_is_moved_and_then_taken_back_to_now(play: Rig) -> None:
    campaign_id = await play.create(starts_at=play.clock.now() + HOUR)

    await play.desk.submit(commands.ScheduleCampaign(campaign_id=campaign_id, starts_at=play.clock.now() + DAY))
    await play.clock.advance(2 * HOUR)
    assert await play.dispatch.start_due() == 0
    await play.desk.submit(commands.ScheduleCampaign(campaign_id=campaign_id))
    await play.dispatch.start_due()

    assert await play.state(campaign_id) == "running"


async def test_texts_approved_early_wait_for_the_moved_start(play: Rig) -> None:
    campaign_id = await play.create(count=1, prompt="Say hello", approval="required")
    await play.write()
    await play.desk.submit(commands.ScheduleCampaign(campaign_id=campaign_id, starts_at=play.clock.now() + HOUR))

    await play.desk.submit(commands.ApproveDeliveries(campaign_id=campaign_id))

    assert await play.states(campaign_id) == {"approved": 1}
    await play.clock.advance(HOUR)
    await play.dispatch.start_due()
    assert await play.states(campaign_id) == {"queued": 1}


async def test_what_runs_is_paused_or_over_cannot_be_scheduled(play: Rig) -> None:
    campaign_id = await play.create()
    later = commands.ScheduleCampaign(campaign_id=campaign_id, starts_at=play.clock.now() + HOUR)

    assert await refusal(play, later) is Refusal.CONFLICT
    await play.desk.submit(commands.CancelCampaign(campaign_id=campaign_id))
    assert await refusal(play, later) is Refusal.CONFLICT
    assert play.desk.snapshot().campaigns[campaign_id].starts_at is None


async def test_a_start_in_the_past_changes_nothing(play: Rig) -> None:
    campaign_id = await play.create(start=False)

    past = commands.ScheduleCampaign(campaign_id=campaign_id, starts_at=play.clock.now() - DAY)

    assert await refusal(play, past) is Refusal.INVALID
    assert await play.state(campaign_id) == "draft"


# ── previews ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_lower_limit_names_the_campaigns_it_would_pause_and_they_do(play: Rig) -> None:
    campaign_id = await play.create(prompt="Say hello")
    await play.write(limit=1)
    await play.metered.drain()
    limit = COST + 1

    found = await one(play, queries.PreviewBudget(scope="global", window="day", limit=limit))

    assert (found.before, found.after, found.spent, found.left) == (None, limit, COST, 1)
    assert found.pauses == ("spring",)
    assert (await play.desk.query(queries.ListBudgets())).rows == ()
    await play.desk.submit(commands.SetBudget(scope="global", window="day", limit=limit))
    await play.write()
    await play.metered.drain()
    await play.send()
    assert await play.state(campaign_id) == "paused"
    raised = await one(play, queries.PreviewBudget(scope="global", window="day", limit=usd(5)))
    assert raised.goes_on == ("spring",)
    assert raised.pauses == ()


async def test_a_limit_with_room_or_of_somebody_else_pauses_nobody(play: Rig) -> None:
    await play.create(prompt="Say hello")

    roomy = await one(play, queries.PreviewBudget(scope="global", window="day", limit=usd(50)))
    others = await one(play, queries.PreviewBudget(scope="account", key="bella", window="day", limit=0))
    own = await one(play, queries.PreviewBudget(scope="account", key="anna", window="day", limit=0))

    assert roomy.pauses == others.pauses == ()
    assert own.pauses == ("spring",)


async def test_the_preview_of_no_limit_where_there_is_none_is_refused(play: Rig) -> None:
    with pytest.raises(CommandRefused) as caught:
        await play.desk.query(queries.PreviewBudget(scope="global", window="day"))

    assert caught.value.reason is Refusal.NOT_FOUND


async def test_a_route_is_previewed_as_it_then_decides(play: Rig) -> None:
    found = await one(play, queries.PreviewRoute(tool="message", chain=("two/m",)))

    assert (found.before, found.after, found.order) == ("one/m", "two/m", ("two/m",))
    assert found.cost_before == found.cost_after
    assert (await one(play, queries.ListRoutes(tool="message"))).chain == ("one/m", "two/m")
    await play.desk.submit(commands.SetRoute(tool="message", chain=("two/m",)))
    decided = (await play.desk.query(queries.ExplainRoute(tool="message"))).rows
    assert f"{decided[0].provider}/{decided[0].model}" == found.after
    back = await one(play, queries.PreviewRoute(tool="message", reset=True))
    assert (back.before, back.after) == ("two/m", "one/m")


async def test_a_breaker_is_previewed_without_being_touched(play: Rig) -> None:
    opened = await one(play, queries.PreviewBreaker(provider="one", model="m", state="open"))

    assert (opened.before, opened.after) == ("one/m", "two/m")
    assert {row.state for row in (await play.desk.query(queries.ListBreakers())).rows} == {"closed"}
    await play.desk.submit(commands.ForceBreaker(provider="one", model="m", state="open"))
    closed = await one(play, queries.PreviewBreaker(provider="one", model="m", state="closed"))
    assert (closed.before, closed.after) == ("two/m", "one/m")


async def test_a_flag_counts_the_users_it_would_be_on_for(play: Rig) -> None:
    await play.create(count=1, prompt="Say hello")
    await play.write()
    await play.metered.drain()

    name = "use_kept_answers"
    found = await one(play, queries.PreviewFlag(flag=FlagSetting(name=name, deny=("anna",))))

    assert (found.users, found.before, found.after) == (1, 1, 0)
    assert (await play.desk.query(queries.ListFlags())).rows[0].deny == ()


async def test_messages_are_previewed_fan_by_fan_without_those_left_out(play: Rig) -> None:
    play.platform.audience["anna"] = [*fans(4), *fans(1, opted_out=True)][1:]
    await play.desk.submit(commands.SuppressFan(account_id="anna", fan_id="f1", reason="by law"))
    draft = CampaignDraft(name="x", account_id="anna", audience=Audience(all=True), template="Hello {{name}} www.x.com")

    rows = (await play.desk.query(queries.PreviewMessages(draft=draft, skip=1, limit=5))).rows

    reached = [row.fan_id for row in rows]
    assert "f1" not in reached
    assert rows[0].number == 2
    assert all(row.text.startswith("Hello Zoë") and row.risk == "medium" for row in rows)
    assert play.providers["one"].requests == []


async def test_a_prompt_is_previewed_as_the_model_will_be_asked(play: Rig) -> None:
    play.platform.audience["anna"] = fans(1)
    draft = CampaignDraft(name="x", account_id="anna", audience=Audience(all=True), prompt="Greet {{first_name}}")

    row = await one(play, queries.PreviewMessages(draft=draft))
    await play.create(count=1, prompt="Greet {{first_name}}")
    await play.write()

    assert row.kind == "prompt"
    assert row.text == play.providers["one"].requests[0].messages[-1].text


# ── thresholds ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_threshold_holds_over_a_restart_and_over_a_reload_of_the_file(play: Rig) -> None:
    await play.desk.submit(commands.SetThreshold(day=usd(30), actor="mia"))
    again = Thresholds(play.database, play.clock, AlertSettings())
    heard: list[AlertSettings] = []
    again.join(play.desk.snapshot, heard.append)

    await again.load()
    again.configure(AlertSettings(early_percent=50))

    assert again.pair == (usd(30), AlertSettings().month_threshold)
    assert (heard[-1].day_threshold, heard[-1].early_percent) == (usd(30), 50)


async def test_no_threshold_is_none_and_the_file_comes_back(play: Rig) -> None:
    await play.desk.submit(commands.SetThreshold(day=0, month=0))
    assert play.desk.snapshot().money.day_threshold is None
    assert play.obeyed[-1].month_threshold is None

    await play.desk.submit(commands.ResetThreshold())

    assert play.desk.snapshot().money.day_threshold == AlertSettings().day_threshold
    assert {row.set_by for row in (await play.desk.query(queries.ListThresholds())).rows} == {""}


async def test_a_threshold_is_previewed_by_what_is_spent(play: Rig) -> None:
    await play.create(count=1, prompt="Say hello")
    await play.write()
    await play.metered.drain()

    found = await one(play, queries.PreviewThreshold(day=COST))

    assert (found.spent, found.severity_before, found.severity_after) == (COST, "", "critical")
    assert play.obeyed == []


@pytest.mark.parametrize("amount", [-1, usd(2_000_000_000)])
async def test_a_threshold_out_of_bounds_changes_nothing(play: Rig, amount: int) -> None:
    assert await refusal(play, commands.SetThreshold(day=usd(10), month=amount)) is Refusal.INVALID
    assert play.obeyed == []


# ── settling, and why ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_settling_several_is_all_or_nothing(play: Rig) -> None:
    campaign_id = await play.create(count=2)
    await play.write()
    await play.database.write(lambda tx: tx.execute("UPDATE deliveries SET state = 'uncertain' WHERE fan_id = 'f0'"))
    ids = tuple(row["delivery_id"] for row in await play.rows("SELECT delivery_id FROM deliveries"))

    wanted = commands.SettleDeliveries(campaign_id=campaign_id, outcome="sent", delivery_ids=ids)

    assert await refusal(play, wanted) is Refusal.CONFLICT
    assert await play.states(campaign_id) == {"uncertain": 1, "queued": 1}


async def test_a_text_that_is_blocked_by_now_is_told_before_its_send(play: Rig) -> None:
    await play.create(count=1, prompt="Say hello", approval="required")
    play.providers["one"].script += [answer("Hello you")]
    await play.write()
    (row,) = await play.rows("SELECT delivery_id FROM deliveries")
    await play.database.write(lambda tx: tx.execute("UPDATE deliveries SET text = 'kill yourself'"))

    found = await one(play, queries.ExplainDelivery(delivery_id=row["delivery_id"]))

    assert found.answer.startswith("It will not be sent: blocked: self_harm")
    assert "Nobody can lift a hard block" in found.helps


async def test_a_retry_says_when_and_after_what(play: Rig) -> None:
    await play.create(count=1)
    await play.write()
    (lease,) = await play.lease_sending()
    at = play.clock.now() + 5 * MINUTE
    await play.database.write(lambda tx: play.jobs.retry(tx, lease, at, "the platform answered 503"))
    (row,) = await play.rows("SELECT delivery_id FROM deliveries")

    found = await one(play, queries.ExplainDelivery(delivery_id=row["delivery_id"]))

    assert "tried again at 08:05:00: the platform answered 503" in found.answer


WHYS = {
    "halted": "It was not sent yet: all sending was stopped by mia",
    "paused": "It was not sent yet: paused: the token is wrong.",
    "window": "It was not sent yet: full until",
    "campaign": "It was not sent yet: paused by operator.",
    "opted out": "It was left out: opted out.",
    "nothing": "It was not sent yet: nothing stands in the way, it goes out with the next free slot.",
    "sent": "It was sent at 08:00:00: the platform took it.",
}


@pytest.mark.parametrize("why", sorted(WHYS))
async def test_a_message_says_in_one_sentence_why_it_was_not_sent(play: Rig, why: str) -> None:
    play.platform.audience["anna"] = fans(11, opted_out=why == "opted out")
    campaign_id = await play.create()
    await play.write()
    match why:
        case "halted":
            await play.desk.submit(commands.HaltSending(actor="mia"))
        case "paused":
            now = play.clock.now()
            await play.database.write(lambda tx: switch.pause_account(tx, "anna", "the token is wrong", now))
        case "campaign":
            await play.desk.submit(commands.PauseCampaign(campaign_id=campaign_id))
        case "window" | "sent":
            await play.send(limit=10)
    rows = await play.rows("SELECT delivery_id FROM deliveries ORDER BY delivery_id")

    found = await one(play, queries.ExplainDelivery(delivery_id=rows[-1 if why == "window" else 0]["delivery_id"]))

    assert found.answer.startswith(WHYS[why])
    assert found.facts[0].name == "campaign"
