"""The desk: every command and query of the surface is served, and nothing a face can say is an internal error."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import orjson
import pytest

from engine.events import AlertAcknowledged
from engine.kernel.errors import CommandRefused, Refusal
from engine.kernel.values import MINUTE, JobId
from engine.messaging import QUEUE as SENDING
from engine.queue import Bury, NewJob
from engine.surface import wire
from engine.surface.commands import COMMANDS, HaltSending, PurgeJobs, RedriveJobs, ResumeSending
from engine.surface.queries import (
    QUERIES,
    CheckHealth,
    CostBreakdown,
    GetJob,
    ListCalls,
    ListCampaigns,
    ListDeliveries,
    ListEvents,
    ListJobs,
)
from tests.fakes import MORNING
from tests.rig import Rig, fans, rig


@pytest.fixture
async def play(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path) as made:
        yield made


REQUIRED: dict[str, Any] = {
    "campaign_id": "cmp_nobody",
    "delivery_id": "dlv_nobody",
    "delivery_ids": ["dlv_nobody"],
    "account_id": "anna",
    "fan_id": "f0",
    "alert_id": "alr_nobody",
    "job_id": "job_nobody",
    "queue": SENDING,
    "outcome": "sent",
    "scope": "global",
    "limit": 100,  # of rows, or nano-dollars
    "call_id": "att_nobody",
    "trace_id": "trc_nobody",
    "workflow_id": "wf_nobody",
    "key": "hz-nobody",
    "score": 3,
    "provider": "one",
    "model": "m",
    "state": "auto",
    "down": "two",
    "tool": "message",
    "flags": [{"name": "use_hybrid_orchestrator", "percentage": 50}],
    "flag": {"name": "use_hybrid_orchestrator", "percentage": 50},
    "test_id": "tst_nobody",
    "silence_id": "sil_nobody",
    "audit_id": 1,
    "after": 0,  # events, by sequence number
    "to": 2**31,
    "ends_at": MORNING + MINUTE,
    "reason": "a test",
    "draft": {"name": "x", "account_id": "anna", "audience": {"all": True}, "template": "Hello"},
}
EITHER: dict[str, dict[str, Any]] = {  # what has a default, but not all of it may keep it
    "SilenceAlerts": {"severity": "info"},
    "EventHistory": {"after": 0},
}
HUGE = [2**63, -(2**63) - 1, 2**64, 10**30]


def body(tag: str, name: str, kind: type, **changes: Any) -> bytes:
    """A request for that kind, its required fields filled in."""
    needed = [one.name for one in dataclasses.fields(kind) if one.default is one.default_factory is dataclasses.MISSING]
    fields = {key: REQUIRED[key] for key in needed if key in REQUIRED}
    text = orjson.dumps({tag: name, "fields": {**fields, **{k: "@" + k for k in changes}}})
    for key, value in changes.items():
        text = text.replace(
            f'"@{key}"'.encode(), str(value).encode() if isinstance(value, int) else orjson.dumps(value)
        )
    return text


async def asked(play: Rig, data: bytes) -> Any:
    return await play.desk.query(wire.load_query(data))


async def told(play: Rig, data: bytes) -> Any:
    return await play.desk.submit(wire.load_command(data))


async def tried(asking: Awaitable[Any]) -> Any:
    """What came of it, or why it was refused; anything else is an internal error, and raises."""
    try:
        return await asking
    except CommandRefused as error:
        return error.reason


@pytest.mark.parametrize("name", sorted(COMMANDS))
async def test_every_command_is_carried_out_or_refused(play: Rig, name: str) -> None:
    play.platform.audience["anna"] = fans(1)
    command = wire.load_command(body("command", name, COMMANDS[name], **EITHER.get(name, {})))

    found = await tried(play.desk.submit(command))

    assert found in (Refusal.NOT_FOUND, Refusal.CONFLICT, Refusal.UNAVAILABLE) or found.summary


@pytest.mark.parametrize("name", sorted(QUERIES))
async def test_every_query_is_answered_or_refused(play: Rig, name: str) -> None:
    play.platform.audience["anna"] = fans(1)
    query = wire.load_query(body("query", name, QUERIES[name], **EITHER.get(name, {})))

    found = await tried(play.desk.query(query))

    if found is not Refusal.NOT_FOUND:
        assert found.as_of == play.desk.snapshot().event_id
        assert all(isinstance(row, type(query).row) for row in found.rows)


INTEGERS = [
    (name, key)
    for name, kind in sorted(QUERIES.items())
    for key in ("limit", "after", "from_", "to")
    if key in kind.__dataclass_fields__
]


@pytest.mark.parametrize(("name", "key"), INTEGERS)
async def test_no_integer_of_a_query_is_an_internal_error(play: Rig, name: str, key: str) -> None:
    for value in [*HUGE, -1, 0, 2**63 - 1, -(2**63)]:
        found = await tried(asked(play, body("query", name, QUERIES[name], **{key: value})))
        assert found is Refusal.INVALID or len(found.rows) <= 1000, value


CURSORS = [name for name, kind in sorted(QUERIES.items()) if "cursor" in kind.__dataclass_fields__]


@pytest.mark.parametrize("name", CURSORS)
@pytest.mark.parametrize(
    "cursor", ["x", "9" * 30 + ".1", "1." + "9" * 30, "0:1:2", "'; DROP TABLE jobs", "é\u0000", "."]
)
async def test_no_cursor_is_an_internal_error(play: Rig, name: str, cursor: str) -> None:
    await play.create(count=2)
    changes = {"cursor": cursor, **({"queue": SENDING} if name == "ListJobs" else {})}

    found = await tried(asked(play, body("query", name, QUERIES[name], **changes)))

    assert found is Refusal.INVALID or found.rows is not None


@pytest.mark.parametrize("query", [ListJobs(state="gone"), ListCampaigns(state="gone"), ListDeliveries(state="gone")])
async def test_an_unknown_state_is_refused_with_the_known_ones(play: Rig, query: Any) -> None:
    with pytest.raises(CommandRefused, match="state is one of"):
        await play.desk.query(query)


@pytest.mark.parametrize(
    "query",
    [
        CostBreakdown(by=("planet",)),
        ListCalls(where={"planet": "mars"}),
        CostBreakdown(from_=5, to=5),
        GetJob(job_id="\ud800"),
    ],
)
async def test_a_question_that_means_nothing_is_refused(play: Rig, query: Any) -> None:
    with pytest.raises(CommandRefused) as caught:
        await play.desk.query(query)

    assert caught.value.reason is Refusal.INVALID


@pytest.mark.parametrize("key", ["budget", "starts_at"])
@pytest.mark.parametrize("value", [*HUGE, 2**63 - 1, -1])
async def test_no_figure_of_a_draft_is_an_internal_error(play: Rig, key: str, value: int) -> None:
    play.platform.audience["anna"] = fans(1)
    for tag, name in (("command", "CreateCampaign"), ("query", "EstimateCampaign")):
        text = orjson.dumps({tag: name, "fields": {"draft": {**REQUIRED["draft"], key: "@"}}})
        data = text.replace(b'"@"', str(value).encode())
        assert await tried(asked(play, data) if tag == "query" else told(play, data)) is Refusal.INVALID


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b'{"command": "Nothing"}', b'{"command": ["x"]}', b"\xff", b"{"])
def test_no_body_is_an_internal_error(data: bytes) -> None:
    for load in (wire.load_command, wire.load_query):
        with pytest.raises(CommandRefused):
            load(data)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_survives_the_wire(name: str) -> None:
    command = wire.load_command(body("command", name, COMMANDS[name]))

    assert wire.load_command(wire.dump_command(command)) == command


# ── jobs ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def put(play: Rig, queue: str, count: int) -> None:
    now = play.clock.now()
    for number in range(count):
        job = NewJob(id=JobId(f"{queue}_{number}"), queue=queue, payload=b"{}", ready_at=now)
        await play.database.write(lambda tx, job=job: play.jobs.put(tx, job, now))


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
async def test_without_a_queue_the_jobs_of_all_are_listed_page_by_page(play: Rig, limit: int) -> None:
    await put(play, "a", 3)
    await put(play, "b", 2)

    found, cursor = [], ""
    while True:
        page = await play.desk.query(ListJobs(limit=limit, cursor=cursor))
        assert len(page.rows) <= limit
        found += [row.job_id for row in page.rows]
        if page.next is None:
            break
        cursor = page.next

    assert found == ["a_0", "a_1", "a_2", "b_0", "b_1"]


async def dead(play: Rig) -> str:
    campaign_id = await play.create(count=2)
    await play.write()
    for lease in await play.lease_sending():
        await play.carry_out(lease, Bury("it cannot be"))
    return campaign_id


async def test_purged_jobs_fail_their_deliveries_and_the_campaign_ends(play: Rig) -> None:
    campaign_id = await dead(play)

    done = await play.desk.submit(PurgeJobs(queue=SENDING))

    assert done.data == {"count": 2}
    assert await play.states(campaign_id) == {"failed": 2}
    assert await play.state(campaign_id) == "finished"
    (row,) = await play.rows("SELECT DISTINCT reason FROM deliveries")
    assert row["reason"] == "its job was deleted by operator: it cannot be"


async def test_purging_one_job_leaves_the_others(play: Rig) -> None:
    campaign_id = await dead(play)
    (first, _) = (await play.desk.query(ListJobs(queue=SENDING, state="dead"))).rows

    await play.desk.submit(PurgeJobs(queue=SENDING, job_ids=(first.job_id, "job_nobody")))

    assert await play.states(campaign_id) == {"failed": 1, "queued": 1}


async def test_redriven_jobs_go_out(play: Rig) -> None:
    campaign_id = await dead(play)

    assert (await play.desk.submit(RedriveJobs(queue=SENDING))).data == {"count": 2}
    play.clock.jump(6 * MINUTE)
    await play.send()

    assert await play.state(campaign_id) == "finished"


# ── the rest ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_halting_twice_says_so_and_keeps_who_did_it_first(play: Rig) -> None:
    await play.desk.submit(HaltSending(actor="first"))

    assert "already" in (await play.desk.submit(HaltSending(actor="second"))).summary
    assert play.desk.snapshot().engine.halted_by == "first"
    await play.desk.submit(ResumeSending())
    assert play.desk.snapshot().engine.halted_by == ""


async def test_events_are_read_from_a_number_on(play: Rig) -> None:
    await play.create(count=1)
    seq = play.desk.snapshot().seq

    page = await play.desk.query(ListEvents(after=seq - 2))

    assert [row.event_id for row in page.rows] == [f"e:{seq - 1}", f"e:{seq}"]
    assert [one.seq for one in await play.desk.events_after(seq - 1)] == [seq]
    assert AlertAcknowledged.__name__ not in {row.kind for row in page.rows}


async def test_the_health_of_a_working_engine_is_good(play: Rig) -> None:
    page = await play.desk.query(CheckHealth())

    assert {row.name: row.state for row in page.rows} == {
        "database": "ok",
        "platform": "ok",
        "tools": "ok",
        "dynamodb": "off",
        "mqtt": "off",
    }


async def test_the_events_of_one_campaign_are_found_behind_any_number_of_others(play: Rig) -> None:
    campaign_id = await play.create(count=2)
    for _ in range(60):
        await play.create(count=1)

    found = (await play.desk.query(ListEvents(about=campaign_id, limit=20))).rows

    assert found
    assert all(campaign_id in row.fields.values() for row in found)
    assert [row.at for row in found] == sorted(row.at for row in found)
    assert len((await play.desk.query(ListEvents(about=campaign_id, limit=1))).rows) == 1
    assert (await play.desk.query(ListEvents(about=campaign_id[:-1]))).rows == ()
