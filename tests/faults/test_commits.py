"""Every command over a database that does not write: what is in memory is never ahead of what is on disk.

Each command is asked for while its commit fails, while its row of the audit fails, and while its events cannot be
recorded. Afterwards the engine must look exactly as before, from every side that a face or a call looks at it from.
What errs on the safe side instead, a halt and a revocation in doubt, has tests of its own below.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from engine.costs import Dimensions
from engine.kernel.errors import BudgetRefused, ErrorClass, ProviderError, StorageError
from engine.kernel.values import HOUR, MINUTE, usd
from engine.messaging import deliveries
from engine.messaging.delivery import DeliveryState
from engine.orchestrator import (
    Answer,
    BreakerSettings,
    BreakerState,
    Degraded,
    Guarded,
    Level,
    Target,
    Task,
)
from engine.providers import Completion, Finish, Message, ModelRequest, Role
from engine.queue import Bury
from engine.storage import Database, Tx
from engine.surface import commands, queries
from engine.surface.commands import Audience, CampaignDraft, Command, FlagSetting
from tests.failing import Refused, begins, commits, inserts_into, refusing
from tests.fakes import ManualClock
from tests.rig import COST, SETTINGS, Rig, answer, rig

FAULTS: dict[str, Refused] = {
    "the commit": commits,
    "the beginning": begins,
    "the audit's row": inserts_into("audit"),
    "the events": inserts_into("events"),
}
CALL = Dimensions(provider="one", model="m", tool="message")
FROM_MEMORY = (
    queries.ListFlags(),
    queries.ListRoutes(),
    queries.ListBreakers(),
    queries.ListThresholds(),
    queries.ListShadows(),
    queries.ListGauges(),
    queries.ListLimits(),
    queries.ListKeys(all=True),
    queries.GetCache(),
    queries.ExplainRoute(tool="message"),
)
FROM_DISK = (
    queries.ListCampaigns(),
    queries.ListAlerts(),
    queries.ListSilences(),
    queries.ListBudgets(campaigns=True),
    queries.ListJobs(queue=""),
    queries.ListAudit(limit=1000),
    queries.ListEvents(after=0, limit=1000),
    queries.ListSuppressed(account_id="anna"),
)


@pytest.fixture
async def play(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path, clock=ManualClock(auto=True)) as made:
        await made.ledger.adopt(())
        yield made


async def looked_at(play: Rig) -> dict[str, Any]:
    """The engine as faces and calls find it."""
    seen: dict[str, Any] = {repr(one): (await play.desk.query(one)).rows for one in (*FROM_MEMORY, *FROM_DISK)}
    for campaign_id in [row.campaign_id for row in (await play.desk.query(queries.ListCampaigns())).rows]:
        page = await play.desk.query(queries.ListDeliveries(campaign_id=campaign_id))
        seen[f"deliveries of {campaign_id}"] = page.rows
    return seen | {
        "snapshot": play.desk.snapshot(),
        "settings": play.orchestrator.settings,
        "room": play.ledger.room(CALL),
        "unspent": play.ledger.unspent(CALL),
        "holds": (play.holds.stopped, frozenset(play.holds.accounts)),
        "taught": tuple(play.ratings),
        "alerts go by": tuple(play.obeyed),
        "asked": [len(provider.requests) for provider in play.providers.values()],
    }


async def refuses(play: Rig, command: Command) -> None:
    """Ask for a command that the disk does not let through."""
    with pytest.raises((StorageError, sqlite3.Error)):
        await play.desk.submit(command)
    await asyncio.sleep(0)  # for whatever it may have set going


@asynccontextmanager
async def at_work(play: Rig) -> AsyncIterator[None]:
    """The service of the load tests, for as long as the block lasts."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(play.tests.run(stop))
        await asyncio.sleep(0)
        try:
            yield
        finally:
            stop.set()


async def walk(play: Rig, asked: Sequence[Command]) -> None:
    """Ask for each command under each fault, look, and then carry it out after all."""
    for command in asked:
        for name, fault in FAULTS.items():
            before = await looked_at(play)
            async with refusing(play.database, fault):
                await refuses(play, command)
            after = await looked_at(play)
            for side, then in before.items():
                assert after[side] == then, f"{type(command).__name__} while {name} fails: {side}"
        await play.desk.submit(command)


async def move(play: Rig, campaign_id: str, after: DeliveryState) -> list[str]:
    """Every delivery of a campaign in another state."""

    def move(tx: Tx) -> list[str]:
        rows = tx.execute("SELECT * FROM deliveries WHERE campaign_id = ?", (campaign_id,)).fetchall()
        for row in rows:
            deliveries.move(tx, deliveries.of_row(row), after, now=play.clock.now())
        return [row["delivery_id"] for row in rows]

    return await play.database.write(move)


async def uncertain(play: Rig) -> tuple[str, list[str]]:
    """A campaign whose every send is uncertain."""
    campaign_id = await play.create(count=3)
    await play.write()
    await move(play, campaign_id, DeliveryState.SENDING)
    return campaign_id, await move(play, campaign_id, DeliveryState.UNCERTAIN)


async def alert(play: Rig) -> str:
    await play.database.write(
        lambda tx: tx.execute(
            "INSERT INTO alerts (alert_id, rule, subject, severity, summary, gist, opened_at, changed_at)"
            " VALUES ('alr_1', 'queue_age', 'q', 'warning', 'old', '', 1, 1)"
        )
    )
    return "alr_1"


async def dead_jobs(play: Rig) -> str:
    """Two jobs of the writing queue that failed for good."""
    await play.create(count=2)
    for lease in await play.lease_writing():
        await play.carry_out(lease, Bury("it cannot be done"))
    return "huntaze-hybrid-workflows"


async def answered(play: Rig) -> str:
    task = Task(tool="message", messages=(Message(Role.USER, "Hi"),), trace_id="trc_1")
    attempt_id = (await play.orchestrator.complete(task)).attempt_id
    await play.metered.drain()
    return attempt_id


# ── the walk ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def campaigns(play: Rig) -> list[Command]:
    draft = CampaignDraft(
        name="y", account_id="anna", audience=Audience(all=True), template="Hello", budget=usd(3), approval="automatic"
    )
    first, second = await play.create(start=False), await play.create(start=False)
    texts = await play.create(prompt="Say hello", approval="required")
    await play.write()
    (one, *_), (settling, (sent, *_)) = await texts_of(play, texts), await uncertain(play)
    return [
        commands.CreateCampaign(draft=draft, start=True, key="k"),
        commands.ScheduleCampaign(campaign_id=first, starts_at=play.clock.now() + HOUR),
        commands.StartCampaign(campaign_id=second),
        commands.PauseCampaign(campaign_id=second),
        commands.ResumeCampaign(campaign_id=second),
        commands.CancelCampaign(campaign_id=second),
        commands.RejectDeliveries(campaign_id=texts, delivery_ids=(one,)),
        commands.ApproveDeliveries(campaign_id=texts),
        commands.SettleDelivery(delivery_id=sent, outcome="again"),
        commands.SettleDeliveries(campaign_id=settling, outcome="sent"),
    ]


async def texts_of(play: Rig, campaign_id: str) -> list[str]:
    page = await play.desk.query(queries.ListDeliveries(campaign_id=campaign_id))
    return [row.delivery_id for row in page.rows]


async def sending(play: Rig) -> list[Command]:
    await play.limiter.see("anna")
    await play.database.write(lambda tx: tx.execute("UPDATE accounts SET paused = 'it answered 401'"))
    await play.holds.load(play.database)
    await play.desk.submit(commands.HaltSending())
    queue, alert_id = await dead_jobs(play), await alert(play)
    (first, *_) = [job.job_id for job in (await play.desk.query(queries.ListJobs(queue=queue, state="dead"))).rows]
    return [
        commands.ResumeSending(),
        commands.ResumeAccount(account_id="anna"),
        commands.SuppressFan(account_id="anna", fan_id="f0"),
        commands.UnsuppressFan(account_id="anna", fan_id="f0"),
        commands.RedriveJobs(queue=queue, job_ids=(first,)),
        commands.PurgeJobs(queue=queue),
        commands.AcknowledgeAlert(alert_id=alert_id),
        commands.UnacknowledgeAlert(alert_id=alert_id),
        commands.SilenceAlerts(rule="queue_age", ends_at=play.clock.now() + HOUR, reason="known"),
    ]


async def money(play: Rig) -> list[Command]:
    await play.desk.submit(commands.SetBudget(scope="provider", key="one", limit=usd(9)))
    (undone,) = (await play.desk.query(queries.ListAudit(limit=1))).rows
    return [
        commands.SetBudget(scope="global", window="day", limit=usd(5)),
        commands.SetBudget(scope="global", window="day", limit=usd(2), time_zone="Asia/Tokyo"),
        commands.RemoveBudget(scope="global", window="day"),
        commands.SetThreshold(day=usd(7), month=usd(70)),
        commands.ResetThreshold(),
        commands.UndoAction(audit_id=undone.audit_id),
    ]


async def models(play: Rig) -> list[Command]:
    attempt_id = await answered(play)
    await play.database.write(lambda tx: None)  # what the answer kept stands
    return [
        commands.RateCall(call_id=attempt_id, score=2),
        commands.ClearCache(),
        commands.SetRoute(tool="message", strategy="cheapest", chain=("two/m", "one/m")),
        commands.ResetRoute(tool="message"),
        commands.SetFlags(flags=(FlagSetting(name="use_kept_answers", percentage=30),)),
        commands.SetShadow(tool="message", target="two/m", percentage=10.0, budget=usd(1)),
        commands.SetShadow(tool="message"),
        commands.ForceBreaker(provider="one", model="m", state="open"),
        commands.ForceBreaker(provider="one", model="m", state="closed"),
        commands.ForceBreaker(provider="one", model="m", state="auto"),
        commands.RunDrill(down="one"),
    ]


async def accounts(play: Rig) -> list[Command]:
    return [commands.CreateKey(name="ci", tenant_id="acme", limit=usd(4), window="day", expires_at=None)]


async def load_tests(play: Rig) -> list[Command]:
    return [commands.StartLoadTest(tool="message", count=2, concurrency=1)]


WALKS = (campaigns, sending, money, models, accounts, load_tests)
APART = {commands.HaltSending, commands.RevokeKey, commands.CancelLoadTest, commands.EndSilence}
"""Those that stop something, and err on the safe side, and the end of a silence: they have tests of their own."""


@pytest.mark.parametrize("asked", WALKS, ids=lambda walk: walk.__name__)
async def test_a_command_that_is_not_written_changes_nothing_in_memory(play: Rig, asked: Any) -> None:
    async with at_work(play):
        await walk(play, await asked(play))


async def test_no_command_is_left_out(tmp_path: Path) -> None:
    walked: set[type[Command]] = set()
    for number, asked in enumerate(WALKS):
        folder = tmp_path / str(number)
        folder.mkdir()
        async with rig(folder) as play:
            walked |= {type(command) for command in await asked(play)}

    assert walked | APART == set(commands.COMMANDS.values())
    assert not walked & APART


async def test_the_end_of_a_silence_that_is_not_written_leaves_it_quiet(play: Rig) -> None:
    ends_at = play.clock.now() + HOUR
    done = await play.desk.submit(commands.SilenceAlerts(rule="queue_age", ends_at=ends_at, reason="known"))

    await walk(play, [commands.EndSilence(silence_id=done.data["silence_id"])])


# ── in doubt ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_a_key_whose_revocation_is_in_doubt_opens_nothing_and_can_be_revoked_again(
    tmp_path: Path, fault: Refused
) -> None:
    async with rig(tmp_path) as play:
        made = await play.desk.submit(commands.CreateKey(name="ci"))
        revoke, secret = commands.RevokeKey(key=made.data["key_id"]), made.data["secret"]

        async with refusing(play.database, fault):
            await refuses(play, revoke)

        assert play.keyring.find(secret) is None
        (row,) = (await play.desk.query(queries.ListKeys(all=True))).rows
        assert row.state == "active"  # as it is on disk
        await play.desk.submit(revoke)
        (row,) = (await play.desk.query(queries.ListKeys(all=True))).rows
        assert row.state == "revoked"
        assert play.keyring.find(secret) is None
    async with rig(tmp_path) as restarted:
        assert restarted.keyring.find(secret) is None


async def test_a_key_is_shut_before_its_revocation_is_written(play: Rig) -> None:
    made = await play.desk.submit(commands.CreateKey(name="ci"))
    written = asyncio.Event()

    revoking = asyncio.ensure_future(play.desk.submit(commands.RevokeKey(key=made.data["key_id"])))
    revoking.add_done_callback(lambda _: written.set())
    await asyncio.sleep(0)

    assert not written.is_set()
    assert play.keyring.find(made.data["secret"]) is None
    await revoking


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_a_halt_in_doubt_stops_what_is_ready_and_what_is_leased_until_sending_is_resumed(
    play: Rig, fault: Refused
) -> None:
    await play.create(count=4)
    await play.write()
    leased = await play.lease_sending(limit=2)

    async with refusing(play.database, fault):
        await refuses(play, commands.HaltSending())
    for lease in leased:
        await play.carry_out(lease, await play.sender.handle(lease))

    assert await play.send() == 0
    assert play.platform.sent == []
    await play.desk.submit(commands.ResumeSending())
    await play.clock.advance(MINUTE)
    while await play.send():
        pass
    assert len(play.platform.sent) == 4


async def test_a_resumption_that_is_not_written_leaves_sending_stopped(play: Rig) -> None:
    await play.create(count=1)
    await play.write()
    async with refusing(play.database, commits):
        await refuses(play, commands.HaltSending())
        await refuses(play, commands.ResumeSending())

    assert await play.send() == 0
    await play.desk.submit(commands.HaltSending())
    assert (play.holds.halted, play.holds.braked) == (True, False)  # it stands on disk now
    assert await play.send() == 0


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_a_load_test_stops_costing_whether_or_not_its_end_is_written(play: Rig, fault: Refused) -> None:
    async def never(request: ModelRequest) -> Completion:
        await asyncio.Event().wait()
        return answer()

    play.providers["one"].script = [never]
    async with at_work(play):
        done = await play.desk.submit(commands.StartLoadTest(tool="message", count=5, concurrency=1))
        while not play.providers["one"].requests:
            await asyncio.sleep(0.005)
        async with refusing(play.database, fault):
            await refuses(play, commands.CancelLoadTest(test_id=done.data["test_id"]))
            while (await state_of(play, done.data["test_id"])) == "running":
                await asyncio.sleep(0.005)

    assert len(play.providers["one"].requests) == 1


async def state_of(play: Rig, test_id: str) -> str:
    (row,) = (await play.desk.query(queries.GetLoadTest(test_id=test_id))).rows
    return str(row.state)


# ── another request between ─────────────────────────────────────────────────────────────────────────────────────────


async def test_a_call_in_the_very_commit_that_gives_a_budget_is_held_in_it(play: Rig) -> None:
    budget = commands.SetBudget(scope="global", window="day", limit=1)
    task = Task(tool="message", messages=(Message(Role.USER, "Hi"),), trace_id="trc_1")
    commits_before = play.database.commits

    _, called = await asyncio.gather(play.desk.submit(budget), play.orchestrator.complete(task), return_exceptions=True)

    assert isinstance(called, BudgetRefused)
    assert play.ledger.room(CALL) == 1
    assert play.database.commits > commits_before


async def test_a_budget_that_was_not_written_leaves_the_calls_beside_it_their_room(play: Rig) -> None:
    await play.desk.submit(commands.SetBudget(scope="global", window="day", limit=usd(5)))
    task = Task(tool="message", messages=(Message(Role.USER, "Hi"),), trace_id="trc_1")

    async with refusing(play.database, inserts_into("audit")):
        refused, answered = await asyncio.gather(
            play.desk.submit(commands.SetBudget(scope="global", window="day", limit=1)),
            play.orchestrator.complete(task),
            return_exceptions=True,
        )
    await play.metered.drain()

    assert isinstance(refused, sqlite3.Error)
    assert isinstance(answered, Answer)
    assert play.ledger.room(CALL) == usd(5) - COST


async def test_what_an_operator_says_of_a_breaker_stands_against_what_calls_say_meanwhile(tmp_path: Path) -> None:
    target, chance = Target("one", "m"), random.Random(7)
    async with Database.open(tmp_path / "huntaze.db", synchronous="OFF") as database:
        inner = FailingHop()
        settings = BreakerSettings(least_calls=1)
        guarded = Guarded(inner, database, ManualClock(), chance, settings)
        task = Task(tool="message", messages=(), trace_id="trc_1")

        _, failed = await asyncio.gather(
            guarded.hold(target, BreakerState.CLOSED, "anna"), guarded.complete(task, target), return_exceptions=True
        )

        assert isinstance(failed, ProviderError)
        (standing,) = guarded.standings()
        assert (standing.state, standing.held_by) == (BreakerState.CLOSED, "anna")
        restarted = Guarded(inner, database, ManualClock(), chance, settings)
        await restarted.load()
        (kept,) = restarted.standings()
        assert (kept.state, kept.held_by) == (BreakerState.CLOSED, "anna")


class FailingHop:
    """A model that is down."""

    async def complete(self, task: Task, target: Target) -> Answer:
        raise ProviderError(target.provider, target.model, ErrorClass.SERVER_ERROR, "it is down", status=500)


# ── what goes on by itself ──────────────────────────────────────────────────────────────────────────────────────────


async def test_an_answer_is_not_lost_because_a_service_level_cannot_be_told(play: Rig) -> None:
    slow = SETTINGS.degradation.slow
    degraded = Degraded(Slow(slow), play.database, play.clock, play.chance, SETTINGS)

    async with refusing(play.database, commits):
        for _ in range(SETTINGS.degradation.least_tasks):
            answer = await degraded.complete(Task(tool="message", messages=(), trace_id="trc_1"))

    assert answer.text == "late"
    assert degraded.level("message") is not Level.FULL


async def test_a_budget_that_changed_while_the_disk_was_full_sets_its_campaigns_going_after(play: Rig) -> None:
    budget = commands.SetBudget(scope="global", window="day", limit=usd(5))
    await play.feeding.feed()  # what a start does
    await play.desk.submit(budget)

    async with refusing(play.database, commits):
        with pytest.raises(StorageError):
            await play.feeding.feed()

    assert await play.feeding.due() == play.clock.now()  # at once: it is not forgotten


class Slow:
    """A stage that answers late."""

    def __init__(self, takes: int) -> None:
        self._takes = takes

    async def complete(self, task: Task) -> Answer:
        answer = Answer(text="late", target=Target("one", "m"), finish=Finish.STOP, usage=None, attempt_id="a")
        return answer._replace(duration=self._takes)
