"""Each rule: when it fires, how long it waits, when it lets go, and what it says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.alerts import AlertSettings, Firing, Rule, Severity
from engine.alerts.rules import Memory, evaluate, observe
from engine.kernel.values import HOUR, MINUTE, SECOND, usd
from engine.surface.snapshot import (
    AccountView,
    CampaignView,
    EngineView,
    LevelView,
    ModelView,
    MoneyView,
    QueueView,
    Snapshot,
    SyncView,
)
from tests.fakes import MORNING

SETTINGS = AlertSettings()
QUIET = Snapshot(
    engine=EngineView(state="running"),
    money=MoneyView(day="2026-11-20", day_ends=MORNING + 16 * HOUR, month_ends=MORNING + 256 * HOUR),
)
PACED = "huntaze-rate-limiter-queue"


def fires(snapshot: Snapshot, *, after: int = 0, settings: AlertSettings = SETTINGS) -> dict[Rule, Firing]:
    """What fires when a snapshot was seen twice, so long apart."""
    memory = observe(snapshot, settings, MORNING, Memory())
    return {firing.rule: firing for firing in evaluate(snapshot, settings, MORNING + after, memory)}


def spending(*, today: str = "0", month: str = "0", unpriced: int = 0) -> Snapshot:
    money = replace(QUIET.money, today=usd(today), month=usd(month), today_unpriced=unpriced)
    return replace(QUIET, money=money)


def calling(*, failed: int, of: int, last_error_at: int = MORNING) -> Snapshot:
    outcomes = (False,) * failed + (True,) * (of - failed)
    model = ModelView(
        provider="azure",
        model="gpt-4",
        calls=of,
        outcomes=outcomes,
        last_error="timeout",
        last_error_at=last_error_at,
    )
    return replace(QUIET, models={"azure/gpt-4": model})


def breaking(**breakers: str) -> Snapshot:
    models = {
        name: ModelView(provider=name, model="m", calls=1, breaker=state, breaker_reason="8 of 10 calls failed")
        for name, state in breakers.items()
    }
    return replace(QUIET, models=models)


def queueing(
    queue: QueueView, *, taken: int = 0, waiting: int = 0, paused: str = "", halted_by: str = "", name: str = "Ada"
) -> Snapshot:
    slots = {f"slot_{index}": MORNING + HOUR for index in range(taken)}
    campaign = CampaignView(
        campaign_id="cmp_1",
        name="c",
        account_id="acc_1",
        tool="message",
        state="running",
        counts={"queued": waiting},
    )
    return replace(
        QUIET,
        engine=replace(QUIET.engine, halted_by=halted_by),
        queues={queue.queue: queue},
        accounts={"acc_1": AccountView(account_id="acc_1", name=name, slots=slots, paused=paused)},
        campaigns={"cmp_1": campaign},
    )


def test_a_quiet_engine_fires_nothing() -> None:
    assert fires(QUIET, after=HOUR) == {}


# ── money ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("today", "severity"),
    [("39.99", None), ("40", Severity.WARNING), ("49.99", Severity.WARNING), ("50", Severity.CRITICAL)],
)
def test_day_cost_warns_at_80_percent_and_is_critical_at_the_threshold(today: str, severity: Severity | None) -> None:
    found = fires(spending(today=today)).get(Rule.DAY_COST)

    assert (found.severity if found else None) == severity


def test_day_cost_says_figures_and_what_is_left() -> None:
    found = fires(spending(today="42.50"))[Rule.DAY_COST]

    assert found.summary == (
        "42.50 USD were spent today, 85 % of the threshold of 50.00 USD: 7.50 USD are left before it is reached."
    )


def test_day_cost_ends_with_the_day_even_before_its_event_came() -> None:
    snapshot = spending(today="60", month="60")
    memory = observe(snapshot, SETTINGS, MORNING, Memory())

    assert evaluate(snapshot, SETTINGS, snapshot.money.day_ends, memory) == ()


def test_no_threshold_means_no_alert() -> None:
    settings = AlertSettings(day_threshold=None, month_threshold=None)

    assert fires(spending(today="5000", month="5000"), settings=settings) == {}


def test_month_cost_has_a_threshold_of_its_own() -> None:
    found = fires(spending(today="1", month="1000"))

    assert set(found) == {Rule.MONTH_COST}
    assert found[Rule.MONTH_COST].severity is Severity.CRITICAL


def test_one_more_dollar_is_no_news_but_ten_percent_are() -> None:
    gists = [fires(spending(today=today))[Rule.DAY_COST].gist for today in ("51", "52", "56", "300", "390", "410")]

    assert gists[0] == gists[1]
    assert gists[1] != gists[2]
    assert gists[3] == gists[4]
    assert gists[4] != gists[5]


def test_unpriced_calls_name_the_models() -> None:
    model = ModelView(provider="azure", model="my-deployment", calls=3, unpriced=3)

    found = fires(replace(spending(unpriced=3), models={"azure/my-deployment": model}))[Rule.UNPRICED_CALLS]

    assert "3 calls" in found.summary
    assert "azure/my-deployment" in found.summary


# ── providers ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("failed", "of", "severity"),
    [
        (2, 19, None),  # too few calls
        (1, 20, None),  # one failure is an accident
        (4, 100, None),
        (5, 100, Severity.WARNING),
        (19, 100, Severity.WARNING),
        (20, 100, Severity.CRITICAL),
    ],
)
def test_error_rate_needs_calls_and_grades_the_share(failed: int, of: int, severity: Severity | None) -> None:
    found = fires(calling(failed=failed, of=of)).get(Rule.ERROR_RATE)

    assert (found.severity if found else None) == severity


def test_error_rate_lets_go_when_the_last_failure_is_long_past() -> None:
    failing = calling(failed=30, of=100)
    memory = observe(failing, SETTINGS, MORNING, Memory())

    instants = (SETTINGS.error_window - 1, SETTINGS.error_window, 2 * SETTINGS.error_window)
    seen = []
    for after in instants:
        memory = observe(failing, SETTINGS, MORNING + after, memory)
        seen.append(len(memory.firings))

    assert seen == [1, 1, 0]


def test_breaker_fires_at_once_and_while_half_open() -> None:
    for state in ("open", "half_open"):
        found = fires(breaking(azure=state, openai="closed"))[Rule.BREAKER_OPEN]
        assert (found.subject, found.severity) == ("azure/m", Severity.WARNING)


def test_no_breaker_left_closed_is_critical() -> None:
    assert fires(breaking(azure="open", openai="open"))[Rule.BREAKER_OPEN].severity is Severity.CRITICAL


def test_breaker_lets_go_a_minute_after_it_closed() -> None:
    memory = observe(breaking(azure="open"), SETTINGS, MORNING, Memory())
    closed = breaking(azure="closed")

    memory = observe(closed, SETTINGS, MORNING + SECOND, memory)
    still = observe(closed, SETTINGS, MORNING + 60 * SECOND, memory)
    gone = observe(closed, SETTINGS, MORNING + 61 * SECOND, memory)

    assert (len(still.firings), len(gone.firings)) == (1, 0)


# ── queues ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_old_job_in_a_worked_queue_fires_after_the_hold() -> None:
    queue = QueueView(queue="workflows", ready=5, leased=2, oldest_at=MORNING - 5 * MINUTE)

    assert Rule.QUEUE_AGE not in fires(queueing(queue), after=59 * SECOND)
    assert fires(queueing(queue), after=60 * SECOND)[Rule.QUEUE_AGE].severity is Severity.WARNING


def test_an_old_job_nobody_works_on_is_critical() -> None:
    queue = QueueView(queue="workflows", ready=5, oldest_at=MORNING - 10 * MINUTE)

    assert fires(queueing(queue), after=MINUTE)[Rule.QUEUE_AGE].severity is Severity.CRITICAL


def test_the_sending_queue_may_wait_for_hours_while_the_window_is_full() -> None:
    queue = QueueView(queue=PACED, ready=900, oldest_at=MORNING - 5 * HOUR)

    assert Rule.QUEUE_AGE not in fires(queueing(queue, taken=10, waiting=900), after=HOUR)


@pytest.mark.parametrize(("paused", "halted_by"), [("the platform refused", ""), ("", "eve")])
def test_the_sending_queue_is_not_stalled_where_nothing_may_go_out(paused: str, halted_by: str) -> None:
    queue = QueueView(queue=PACED, ready=900, oldest_at=MORNING - 5 * HOUR)

    assert Rule.QUEUE_AGE not in fires(queueing(queue, waiting=900, paused=paused, halted_by=halted_by), after=HOUR)


def test_the_sending_queue_stalls_when_a_free_slot_stays_unused() -> None:
    snapshot = queueing(QueueView(queue=PACED, ready=900, oldest_at=MORNING), taken=9, waiting=900)

    assert Rule.QUEUE_AGE not in fires(snapshot, after=5 * MINUTE - 1)
    assert fires(snapshot, after=5 * MINUTE)[Rule.QUEUE_AGE].severity is Severity.CRITICAL


def test_one_send_in_between_is_progress() -> None:
    stalled = queueing(QueueView(queue=PACED, ready=900, oldest_at=MORNING), waiting=900)
    moving = queueing(QueueView(queue=PACED, ready=899, leased=1, oldest_at=MORNING), waiting=900)
    memory = observe(stalled, SETTINGS, MORNING, Memory())
    memory = observe(moving, SETTINGS, MORNING + 4 * MINUTE, memory)
    memory = observe(stalled, SETTINGS, MORNING + 4 * MINUTE + SECOND, memory)

    assert evaluate(stalled, SETTINGS, MORNING + 6 * MINUTE, memory) == ()


def test_uncertain_sends_fire_until_they_are_settled_however_the_campaign_ended() -> None:
    ended = CampaignView(
        campaign_id="cmp_1", name="Spring", account_id="a", tool="message", state="finished", counts={"uncertain": 88}
    )
    unsure = replace(QUIET, campaigns={"cmp_1": ended})
    memory = observe(unsure, SETTINGS, MORNING, Memory())

    (firing,) = memory.firings

    assert (firing.rule, firing.subject, firing.severity) == (Rule.UNCERTAIN_SENDS, "cmp_1", Severity.WARNING)
    assert "88 messages of Spring may have arrived or not" in firing.summary
    assert observe(QUIET, SETTINGS, MORNING, memory).firings == ()


def test_dead_letters_fire_until_they_are_gone() -> None:
    dead = queueing(QueueView(queue="workflows", dead=1))
    memory = observe(dead, SETTINGS, MORNING, Memory())
    gone = queueing(QueueView(queue="workflows"))

    assert [firing.rule for firing in memory.firings] == [Rule.DEAD_LETTERS]
    assert evaluate(gone, SETTINGS, MORNING + 1, memory) == ()


# ── accounts ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_full_window_is_information_with_the_time_the_last_message_leaves() -> None:
    full = queueing(QueueView(queue=PACED, ready=400), taken=10, waiting=400)

    found = fires(full, after=5 * MINUTE)[Rule.LIMITER_SATURATED]

    assert Rule.LIMITER_SATURATED not in fires(full, after=5 * MINUTE - 1)
    assert found.severity is Severity.INFO
    assert "400 messages wait" in found.summary


def test_a_full_window_with_half_a_day_of_messages_is_a_warning() -> None:
    full = queueing(QueueView(queue=PACED, ready=8000), taken=10, waiting=8000)

    assert fires(full, after=5 * MINUTE)[Rule.LIMITER_SATURATED].severity is Severity.WARNING


def test_a_slot_seen_free_for_a_moment_does_not_begin_saturation_anew() -> None:
    full = queueing(QueueView(queue=PACED, ready=400), taken=10, waiting=400)
    one_free = queueing(QueueView(queue=PACED, ready=400), taken=9, waiting=400)
    memory = observe(full, SETTINGS, MORNING, Memory())
    memory = observe(one_free, SETTINGS, MORNING + MINUTE, memory)
    blinked = observe(full, SETTINGS, MORNING + MINUTE + SECOND, memory)
    stayed_free = observe(one_free, SETTINGS, MORNING + MINUTE + 6 * SECOND, memory)
    anew = observe(full, SETTINGS, MORNING + MINUTE + 7 * SECOND, stayed_free)

    assert len(evaluate(full, SETTINGS, MORNING + 5 * MINUTE, blinked)) == 1
    assert len(evaluate(full, SETTINGS, MORNING + 5 * MINUTE, anew)) == 0


def test_a_paused_account_is_critical_only_while_messages_wait() -> None:
    idle = fires(queueing(QueueView(queue=PACED), paused="403 from the platform"))[Rule.ACCOUNT_PAUSED]
    waiting = fires(queueing(QueueView(queue=PACED), paused="403 from the platform", waiting=7))[Rule.ACCOUNT_PAUSED]

    assert (idle.severity, waiting.severity) == (Severity.WARNING, Severity.CRITICAL)
    assert "403 from the platform" in waiting.summary


# ── the engine itself ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("sync", "severity"),
    [
        (SyncView(state="off", oldest_at=MORNING - HOUR), None),
        (SyncView(state="behind", unsynced=9, oldest_at=MORNING - 10 * MINUTE), None),
        (SyncView(state="behind", unsynced=9, oldest_at=MORNING - 20 * MINUTE), Severity.WARNING),
        (SyncView(state="failing", unsynced=9, oldest_at=MORNING, error="no route"), Severity.WARNING),
        (SyncView(state="failing", unsynced=9, oldest_at=MORNING - 20 * MINUTE), Severity.CRITICAL),
    ],
)
def test_sync_is_judged_by_its_lag_and_its_failure(sync: SyncView, severity: Severity | None) -> None:
    snapshot = replace(QUIET, sync=sync)

    found = fires(snapshot, after=MINUTE).get(Rule.SYNC_BEHIND)

    assert Rule.SYNC_BEHIND not in fires(snapshot, after=59 * SECOND)
    assert (found.severity if found else None) == severity


@pytest.mark.parametrize(
    ("level", "severity", "after"),
    [("cached", Severity.WARNING, MINUTE), ("cheaper", Severity.WARNING, MINUTE), ("template", Severity.CRITICAL, 0)],
)
def test_a_tool_served_worse_is_told_by_name(level: str, severity: Severity, after: int) -> None:
    view = LevelView(level=level, reason="40% of the tasks went unanswered", since=MORNING)

    found = fires(replace(QUIET, levels={"message": view}), after=after)[Rule.SERVICE_LEVEL]

    assert (found.subject, found.severity) == ("message", severity)
    assert "40%" in found.summary


def test_rejected_settings_quote_the_error_until_good_ones_come() -> None:
    found = fires(replace(QUIET, engine=EngineView(settings_error="config.toml: costs.day: not a number")))

    assert "costs.day: not a number" in found[Rule.SETTINGS_REJECTED].summary


def test_halted_sending_is_information() -> None:
    found = fires(queueing(QueueView(queue=PACED), halted_by="eve", waiting=3))[Rule.SENDING_HALTED]

    assert found.severity is Severity.INFO
    assert "eve" in found.summary
    assert "3 messages" in found.summary


# ── over time ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_flapping_condition_is_kept_open_until_it_was_quiet_for_long() -> None:
    memory, now = Memory(), int(MORNING)
    for _ in range(SETTINGS.flaps):
        memory = observe(breaking(azure="open"), SETTINGS, now, memory)
        memory = observe(breaking(azure="closed"), SETTINGS, now + SECOND, memory)
        now += 2 * MINUTE
        memory = observe(breaking(azure="closed"), SETTINGS, now, memory)

    assert len(memory.firings) == 1
    assert observe(breaking(azure="closed"), SETTINGS, now + SETTINGS.flap_clear, memory).firings == ()


def test_what_a_person_ends_is_never_held_open_as_flapping() -> None:
    halted, memory, now = queueing(QueueView(queue=PACED), halted_by="eve"), Memory(), int(MORNING)
    for _ in range(5):
        memory = observe(halted, SETTINGS, now, memory)
        memory = observe(QUIET, SETTINGS, now + SECOND, memory)
        assert memory.firings == ()
        now += MINUTE


def test_hostile_names_reach_no_summary_unclean() -> None:
    hostile = "Ada\x1b]52;c;x\x07\r\nBcc: a@b\u202e\u200b"
    snapshot = queueing(QueueView(queue="q\x1b[2J", dead=1), paused=hostile, name=hostile)

    for found in fires(snapshot).values():
        assert found.summary.isprintable()
        assert found.subject.isprintable()
