"""The campaign's workflow: what its steps say is what happened, and where items go next is what the graph says."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from importlib import resources
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.campaigns import QUEUE, campaign_graph, take_up
from engine.campaigns.path import AUTOMATIC, Move, passages
from engine.campaigns.workflow import (
    Edge,
    Graph,
    Passage,
    Step,
    StepState,
    Waits,
    advance,
    begin,
    dump,
    load,
    replay,
    states,
)
from engine.kernel.errors import CommandRefused, ErrorClass, ProviderError, Refusal
from engine.kernel.values import HOUR, SECOND
from engine.messaging import DeliveryState, SendingSettings
from engine.messaging.delivery import may_move
from engine.messaging.platform import NotSent, Refused, Uncertain
from engine.storage import connect
from engine.surface.commands import (
    ApproveDeliveries,
    CancelCampaign,
    PauseCampaign,
    RejectDeliveries,
    ResumeCampaign,
    SettleDelivery,
    StartCampaign,
)
from engine.surface.queries import GetWorkflow, ListWorkflows
from engine.surface.rows import WorkflowRow, WorkflowStep
from tests.fakes import MORNING
from tests.rig import Rig, answer, rig

PROMPT = "Say hello."
SENDING = SendingSettings()
GRAPH = campaign_graph(SENDING)


@pytest.fixture
async def play(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path) as made:
        yield made


async def workflow(play: Rig, campaign_id: str) -> WorkflowRow:
    (row,) = (await play.desk.query(GetWorkflow(workflow_id=campaign_id))).rows
    found: WorkflowRow = row
    return found


async def steps(play: Rig, campaign_id: str) -> dict[str, WorkflowStep]:
    return {step.step: step for step in (await workflow(play, campaign_id)).steps}


async def line(play: Rig, campaign_id: str) -> str:
    """The workflow in one line: each step with its state, and how many got through of those that came."""
    return " ".join(
        f"{one.step}:{one.state}:{one.passed}/{one.entered}" for one in (await steps(play, campaign_id)).values()
    )


# ── the graph ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "edges",
    [
        (Edge("a", "ok", "c"),),
        (Edge("b", "ok", "a"), Edge("a", "ok", "b")),
        (Edge("a", "ok", "a"),),
        (Edge("a", "ok"),),
    ],
    ids=["to nowhere", "in a circle", "to itself", "past a step"],
)
def test_a_graph_that_cannot_be_walked_is_refused(edges: tuple[Edge, ...]) -> None:
    with pytest.raises(ValueError, match="g: "):
        Graph("g", (Step(name="a"), Step(name="b")), edges)


def test_automatic_approval_leads_past_the_person() -> None:
    assert GRAPH.after("moderate", "passed", frozenset()) == "approve"
    assert GRAPH.after("moderate", "passed", frozenset({AUTOMATIC})) == "send"


def test_an_outcome_that_a_step_cannot_have_is_an_error() -> None:
    with pytest.raises(KeyError, match="approve cannot end with sent"):
        GRAPH.after("approve", "sent", frozenset())


def test_a_graph_is_kept_with_its_instance() -> None:
    again = load(dump(GRAPH))

    assert (again.name, again.steps, again.edges) == (GRAPH.name, GRAPH.steps, GRAPH.edges)


FACTS = st.sampled_from([frozenset(), frozenset({AUTOMATIC})])
STATES = st.sampled_from([str(state) for state in DeliveryState])


@st.composite
def histories(draw: st.DrawFn) -> tuple[frozenset[str], list[list[str]]]:
    """What the deliveries of a campaign went through, each along the state machine."""
    facts = draw(FACTS)
    lives = []
    for _ in range(draw(st.integers(0, 8))):
        life = [draw(st.sampled_from(["pending", "pending", "pending", "skipped"]))]
        for _ in range(draw(st.integers(0, 9))):
            options = [str(state) for state in DeliveryState if may_move(DeliveryState(life[-1]), state)]
            if not options:
                break
            life.append(draw(st.sampled_from(options)))
        lives.append(life)
    return facts, lives


def moves_of(lives: list[list[str]]) -> list[Move]:
    found: dict[tuple[str, str], int] = {}
    for life in lives:
        for before, after in zip(["", *life], life, strict=False):
            found[before, after] = found.get((before, after), 0) + 1
    return [
        Move(before=before, after=after, blocked=False, count=count, first_at=1, last_at=2)
        for (before, after), count in found.items()
    ]


AT = {
    "pending": "generate",
    "drafted": "approve",
    "approved": "send",
    "queued": "send",
    "sending": "send",
}


@given(histories())
def test_at_every_step_are_exactly_the_deliveries_whose_state_says_so(
    history: tuple[frozenset[str], list[list[str]]],
) -> None:
    facts, lives = history

    instance = replay(GRAPH, facts, passages(moves_of(lives), facts))

    at = {**AT, "drafted": "send"} if AUTOMATIC in facts else AT
    ends = [at.get(life[-1]) for life in lives]
    assert {name: place.open for name, place in instance.places.items()} == {
        step.name: ends.count(step.name) for step in GRAPH.steps
    }
    assert instance.places["plan"].entered == len(lives)


@given(histories())
def test_a_workflow_is_over_exactly_when_nothing_is_at_any_step(
    history: tuple[frozenset[str], list[list[str]]],
) -> None:
    facts, lives = history

    instance = replay(GRAPH, facts, passages(moves_of(lives), facts))

    found = states(GRAPH, instance)
    moving = any(place.open for place in instance.places.values())
    over = {StepState.DONE, StepState.FAILED, StepState.SKIPPED}
    if lives:
        assert (set(found.values()) <= over) == (not moving)
    assert all(found[name] not in over for name, place in instance.places.items() if place.open)


@given(histories(), st.randoms(use_true_random=False))
def test_the_order_of_passages_makes_no_difference(
    history: tuple[frozenset[str], list[list[str]]], chance: Any
) -> None:
    facts, lives = history
    found = passages(moves_of(lives), facts)
    shuffled = list(found)
    chance.shuffle(shuffled)

    assert replay(GRAPH, facts, shuffled) == replay(GRAPH, facts, found)


def test_a_step_that_let_nothing_through_has_failed_and_the_next_is_skipped() -> None:
    graph = Graph(
        "g",
        (Step(name="a"), Step(name="b", waits=Waits.PERSON)),
        (Edge("a", "ok", "b", passes=True), Edge("a", "no"), Edge("b", "yes", passes=True)),
    )

    instance = advance(graph, begin(graph, ()), Passage(step="a", outcome="no", count=2, first_at=1, last_at=2))

    assert states(graph, instance) == {"a": StepState.FAILED, "b": StepState.SKIPPED}


# ── a campaign on its way ───────────────────────────────────────────────────────────────────────────────────────────


async def test_a_campaign_with_approval_goes_step_by_step(play: Rig) -> None:
    campaign_id = await play.create(count=3, prompt=PROMPT, approval="required", start=False)
    assert await line(play, campaign_id) == (
        "plan:done:3/3 generate:waiting:0/3 moderate:waiting:0/0 approve:waiting:0/0 send:waiting:0/0"
    )
    assert (await workflow(play, campaign_id)).state == "waiting"

    await play.dispatch.start(StartCampaign(campaign_id=campaign_id))
    await play.write(limit=2)
    assert await line(play, campaign_id) == (
        "plan:done:3/3 generate:running:2/3 moderate:running:2/2 approve:waiting:0/2 send:waiting:0/0"
    )
    assert (await workflow(play, campaign_id)).state == "running"

    await play.write()
    assert await line(play, campaign_id) == (
        "plan:done:3/3 generate:done:3/3 moderate:done:3/3 approve:waiting:0/3 send:waiting:0/0"
    )
    assert (await workflow(play, campaign_id)).state == "waiting"  # for a person

    await play.dispatch.decisions.approve(ApproveDeliveries(campaign_id=campaign_id))
    assert (await line(play, campaign_id)).endswith("approve:done:3/3 send:running:0/3")

    await play.send()
    assert (await line(play, campaign_id)).endswith("send:done:3/3")
    row = await workflow(play, campaign_id)
    assert (row.state, row.ended_at) == ("done", play.clock.now())


async def test_automatic_approval_skips_the_step_and_sends_while_others_are_written(play: Rig) -> None:
    campaign_id = await play.create(count=4, prompt=PROMPT)

    await play.write(limit=2)
    await play.send()

    assert await line(play, campaign_id) == (
        "plan:done:4/4 generate:running:2/4 moderate:running:2/2 approve:skipped:0/0 send:running:2/2"
    )
    await play.write()
    await play.send()
    assert await line(play, campaign_id) == (
        "plan:done:4/4 generate:done:4/4 moderate:done:4/4 approve:skipped:0/0 send:done:4/4"
    )


async def test_the_branch_is_the_kept_graphs_and_not_the_codes(play: Rig) -> None:
    """A campaign's own graph may lead past the person although the campaign asks for one: the graph decides."""
    campaign_id = await play.create(count=1, prompt=PROMPT, approval="required")
    await play.database.write(lambda tx: tx.execute("UPDATE workflows SET facts = ?", (AUTOMATIC,)).close())

    await play.write()

    assert await play.states(campaign_id) == {"queued": 1}


async def test_a_start_of_its_own_is_waited_for_at_the_step_that_needs_it(play: Rig) -> None:
    later = MORNING + HOUR
    by_itself = await play.create(count=2, prompt=PROMPT, starts_at=later)
    by_person = await play.create(count=2, prompt=PROMPT, starts_at=later, approval="required")
    await play.write()
    await play.dispatch.decisions.approve(ApproveDeliveries(campaign_id=by_person))

    one, other = await steps(play, by_itself), await steps(play, by_person)
    assert (one["generate"].state, one["generate"].waits_for) == ("waiting", "time")
    assert (other["generate"].state, other["generate"].waits_for) == ("done", "engine")
    assert (other["send"].state, other["send"].waits_for) == ("waiting", "time")

    await play.clock.advance(HOUR)
    await play.dispatch.start_due()
    assert (await steps(play, by_itself))["generate"].state == "running"
    assert (await steps(play, by_person))["send"].state == "running"


async def test_what_moderation_blocks_and_what_no_model_writes_are_told_apart(play: Rig) -> None:
    campaign_id = await play.create(count=3, prompt=PROMPT, approval="required")
    refused = ProviderError("one", "m", ErrorClass.CONTENT_FILTER, "no")
    play.providers["one"].script = [answer("Hi, you are 15 years old, right?"), refused]
    play.providers["two"].script = [ProviderError("two", "m", ErrorClass.CONTENT_FILTER, "no")]

    await play.write()

    found = await steps(play, campaign_id)
    assert found["generate"].outcomes == {"written": 2, "refused": 1}
    assert found["moderate"].outcomes == {"passed": 1, "blocked": 1}
    assert found["approve"].entered == 1


async def test_a_failed_try_is_counted_with_its_cause_and_waits_as_the_step_says(play: Rig) -> None:
    campaign_id = await play.create(count=1, prompt=PROMPT)
    away = [ProviderError(name, "m", ErrorClass.UNKNOWN, "nonsense") for name in ("one", "two") for _ in range(2)]
    play.providers["one"].script = [*away[:2]]
    play.providers["two"].script = [*away[2:]]

    leases = await play.lease_writing()
    task = play.writer.handle(leases[0])
    handling = asyncio.ensure_future(task)
    while not handling.done():
        await play.clock.advance(SECOND)
        await asyncio.sleep(0.001)
    await play.carry_out(leases[0], await handling)

    generate = (await steps(play, campaign_id))["generate"]
    assert (generate.state, generate.retries, generate.open) == ("running", 1, 1)
    assert "nonsense" in generate.cause
    (job,) = await play.rows("SELECT max_attempts FROM jobs")
    assert job["max_attempts"] == generate.tries


async def test_a_send_that_came_back_is_a_retry_of_its_step(play: Rig) -> None:
    campaign_id = await play.create(count=1)
    play.platform.script = [NotSent("no connection")]
    await play.write()

    await play.send()

    send = (await steps(play, campaign_id))["send"]
    assert (send.state, send.retries, send.open) == ("running", 1, 1)
    await play.clock.advance(HOUR)
    await play.send()
    send = (await steps(play, campaign_id))["send"]
    assert (send.state, send.retries, send.cause) == ("done", 1, "no connection")


async def test_pause_resume_and_cancel_reach_the_workflow(play: Rig) -> None:
    campaign_id = await play.create(count=3)
    await play.write(limit=1)

    await play.dispatch.pause(PauseCampaign(campaign_id=campaign_id))
    assert (await workflow(play, campaign_id)).state == "paused"
    await play.dispatch.resume(ResumeCampaign(campaign_id=campaign_id))
    assert (await workflow(play, campaign_id)).state == "running"
    await play.send()
    await play.dispatch.cancel(CancelCampaign(campaign_id=campaign_id))

    row = await workflow(play, campaign_id)
    found = await steps(play, campaign_id)
    assert row.state == "cancelled"
    assert found["generate"].outcomes == {"written": 1, "stopped": 2}
    assert all(step.open == 0 and step.state in ("done", "skipped") for step in row.steps)


async def test_an_uncertain_send_that_goes_out_again_reopens_its_step(play: Rig) -> None:
    campaign_id = await play.create(count=1)
    play.platform.script = [Uncertain("reset")]
    await play.write()
    await play.send()
    assert (await steps(play, campaign_id))["send"].outcomes == {"uncertain": 1}
    (row,) = await play.rows("SELECT delivery_id FROM deliveries")

    await play.dispatch.decisions.settle(SettleDelivery(delivery_id=row["delivery_id"], outcome="again"))
    send = (await steps(play, campaign_id))["send"]
    assert (send.state, send.open, send.outcomes, send.ended_at) == ("running", 1, {}, None)

    await play.send()
    assert (await steps(play, campaign_id))["send"].outcomes == {"sent": 1}
    assert (await workflow(play, campaign_id)).state == "done"


async def test_every_step_tells_when_it_took_another_state(play: Rig) -> None:
    campaign_id = await play.create(count=1)
    await play.write()
    await play.send()

    rows = await play.rows("SELECT data FROM events WHERE kind = 'WorkflowStepMoved' ORDER BY seq")
    told = [(event["step"], event["before"], event["after"]) for event in (orjson.loads(row["data"]) for row in rows)]
    assert told == [
        ("generate", "waiting", "running"),
        ("generate", "running", "done"),
        ("moderate", "waiting", "done"),
        ("send", "waiting", "running"),
        ("send", "running", "done"),
    ]
    assert (await workflow(play, campaign_id)).campaign_id == campaign_id


async def test_what_is_kept_and_what_the_deliveries_say_agree_after_anything(play: Rig) -> None:
    campaign_id = await play.create(count=8, prompt=PROMPT, approval="required")
    await play.write(limit=6)
    rows = await play.rows("SELECT delivery_id FROM deliveries WHERE state = 'drafted'")
    await play.dispatch.decisions.reject(
        RejectDeliveries(campaign_id=campaign_id, delivery_ids=(rows[0]["delivery_id"],))
    )
    await play.dispatch.decisions.approve(ApproveDeliveries(campaign_id=campaign_id))
    play.platform.script = [Refused("400"), Uncertain("reset")]
    await play.send()

    found, counted = await steps(play, campaign_id), await play.states(campaign_id)

    assert counted == {"pending": 2, "rejected": 1, "failed": 1, "uncertain": 1, "sent": 3}
    assert {name: one.open for name, one in found.items() if one.open} == {"generate": 2}
    assert found["approve"].outcomes == {"rejected": 1, "approved": 5}
    assert found["send"].outcomes == {"failed": 1, "uncertain": 1, "sent": 3}


# ── looking at them ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_workflow_is_found_by_its_id_and_by_its_campaigns(play: Rig) -> None:
    campaign_id = await play.create()
    by_campaign = await workflow(play, campaign_id)

    assert await workflow(play, by_campaign.workflow_id) == by_campaign
    with pytest.raises(CommandRefused) as refused:
        await workflow(play, "wf_nobody")
    assert refused.value.reason is Refusal.NOT_FOUND


async def test_workflows_are_listed_newest_first_by_pages_and_by_state(play: Rig) -> None:
    made = []
    for _ in range(3):
        made.append(await play.create(start=False))
        await play.clock.advance(SECOND)
    await play.dispatch.cancel(CancelCampaign(campaign_id=made[1]))

    first = await play.desk.query(ListWorkflows(limit=2))
    rest = await play.desk.query(ListWorkflows(limit=2, cursor=first.next or ""))
    cancelled = await play.desk.query(ListWorkflows(state="cancelled"))

    assert [row.campaign_id for row in (*first.rows, *rest.rows)] == made[::-1]
    assert [row.campaign_id for row in cancelled.rows] == [made[1]]
    with pytest.raises(CommandRefused):
        await play.desk.query(ListWorkflows(state="lost"))


# ── after a start ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_start_sets_going_what_no_job_would_take_further(play: Rig) -> None:
    campaign_id = await play.create(count=4)
    await play.write(limit=2)
    await play.database.write(lambda tx: tx.execute("DELETE FROM jobs").close())

    found = await play.database.write(lambda tx: take_up(tx, play.jobs, play.progress, SENDING, play.clock.now()))
    again = await play.database.write(lambda tx: take_up(tx, play.jobs, play.progress, SENDING, play.clock.now()))

    assert (found, again) == (4, 0)
    await play.write()
    await play.send()
    assert await play.states(campaign_id) == {"sent": 4}
    assert len(play.platform.sent) == 4


async def test_a_start_puts_no_job_for_what_waits_on_purpose(play: Rig) -> None:
    await play.create(start=False)
    scheduled = await play.create(starts_at=MORNING + HOUR)
    held = await play.create(count=3, prompt=PROMPT, approval="required")
    await play.write()
    assert await play.queue(QUEUE) == {}

    found = await play.database.write(lambda tx: take_up(tx, play.jobs, play.progress, SENDING, play.clock.now()))

    assert found == 0
    assert await play.state(scheduled) == "scheduled"
    assert await play.state(held) == "awaiting_approval"


async def test_a_dead_job_stays_a_persons_matter(play: Rig) -> None:
    await play.create(count=1)
    (lease,) = await play.lease_writing()
    await play.database.write(lambda tx: play.jobs.bury(tx, lease, "hopeless"))

    found = await play.database.write(lambda tx: take_up(tx, play.jobs, play.progress, SENDING, play.clock.now()))

    assert found == 0
    assert await play.queue(QUEUE) == {"dead": 1}


def test_campaigns_from_before_get_the_counts_of_the_straight_way(tmp_path: Path) -> None:
    """The migration, over a database of the version before it."""
    connection = connect(tmp_path / "old.db", synchronous="OFF")
    scripts = sorted(resources.files("engine.storage").joinpath("migrations").iterdir(), key=lambda one: one.name)
    for script in scripts:
        if script.name.endswith(".sql") and script.name < "0015":
            connection.executescript(script.read_text())
    connection.execute(
        "INSERT INTO campaigns (campaign_id, name, account_id, tenant_id, tool, draft, approval, state, created_at)"
        " VALUES ('cmp_1', 'old', 'anna', '', 'message', x'7b7d', 'required', 'running', 1)"
    )
    lives = {
        "pending": ("pending", "", "", ""),
        "left out": ("skipped", "", "", "opted out"),
        "drafted": ("drafted", "d", "", ""),
        "blocked": ("rejected", "", "", "blocked: minors: age"),
        "refused": ("rejected", "", "", "every model refused to write it"),
        "no": ("rejected", "d", "", "rejected by the operator"),
        "approved": ("approved", "d", "d", ""),
        "queued": ("queued", "d", "d", ""),
        "sent": ("sent", "d", "d", ""),
        "uncertain": ("uncertain", "d", "d", ""),
        "cancelled": ("cancelled", "d", "d", ""),
        "early": ("cancelled", "", "", "cancelled by operator"),
    }
    connection.executemany(
        "INSERT INTO deliveries (delivery_id, campaign_id, account_id, fan_id, fan_name, state, digest,"
        " approved_digest, reason, changed_at) VALUES (?, 'cmp_1', 'anna', ?, '', ?, ?, ?, ?, 5)",
        [(name, name, *life) for name, life in lives.items()],
    )
    (newest,) = [script for script in scripts if script.name.startswith("0015")]
    connection.executescript(newest.read_text())

    found = replay(GRAPH, (), passages(_moves(connection), frozenset()))
    connection.close()

    assert found.places["plan"].left == {"chosen": 11, "left out": 1}
    assert found.places["generate"].left == {"written": 8, "refused": 1, "stopped": 1}
    assert found.places["moderate"].left == {"passed": 7, "blocked": 1}
    assert found.places["approve"].left == {"approved": 5, "rejected": 1}
    assert found.places["send"].left == {"sent": 1, "uncertain": 1, "stopped": 1}
    assert {name: place.open for name, place in found.places.items() if place.open} == {
        "generate": 1,
        "approve": 1,
        "send": 2,
    }


def _moves(connection: sqlite3.Connection) -> list[Move]:
    rows = connection.execute("SELECT * FROM delivery_moves").fetchall()
    return [
        Move(
            before=row["before"],
            after=row["after"],
            blocked=bool(row["blocked"]),
            count=row["count"],
            first_at=row["first_at"],
            last_at=row["last_at"],
        )
        for row in rows
    ]
