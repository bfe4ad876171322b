"""The ledger reaches DynamoDB once, whatever happens: against an AWS server over HTTP, and a bad line to it."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from engine.costs import Attempt, CostSettings, Dimensions, Ledger, Pricer, Settlement, SyncSettings
from engine.costs.dynamodb import LedgerSync
from engine.events import LedgerSyncSampled
from engine.kernel.backoff import Backoff
from engine.kernel.clock import SystemClock
from engine.kernel.secret import Secret
from engine.kernel.values import DAY, MILLISECOND, MINUTE, SECOND, AttemptId, Instant
from engine.providers.port import Usage
from engine.storage import Database
from engine.storage.aws import AwsClient, AwsError, AwsSettings, open_client
from tests.fakes import MORNING

TABLE = "huntaze-ai-costs-test"
QUICK = Backoff(base=20 * MILLISECOND, ceiling=50 * MILLISECOND, floor=5 * MILLISECOND)
PRICER = Pricer(CostSettings())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A DynamoDB over HTTP in a process of its own. Stopping and starting it again keeps nothing but the port."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        program = Path(sys.executable).with_name("moto_server")
        command = [str(program), "-H", "127.0.0.1", "-p", str(self.port)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._await_ready()

    def _await_ready(self) -> None:
        for _ in range(300):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=0.1):
                return
            try:
                self._process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
            raise AssertionError("the server did not start")
        raise AssertionError("the server did not answer")

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


class Line:
    """A proxy before the server whose behaviour a test sets.

    ok; refuse: a reset at once; throttle: 400; partial: half of the rows handed back; cut: the rows are written and the
    answer breaks off; hang: they are written and after `answers_left` more there is no answer.
    """

    def __init__(self, target: str) -> None:
        self.target = target
        self.mode = "ok"
        self.seen = 0
        self.answered = 0
        self.answers_left = 0
        self.hung = asyncio.Event()
        self._end = asyncio.Event()
        self.url = ""

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[Line]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app)
        await runner.setup()
        port = free_port()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        self.url = f"http://127.0.0.1:{port}"
        async with aiohttp.ClientSession() as self._session:
            yield self
            self._end.set()
            await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.seen += 1
        body = await request.json()
        held: list[Any] = []
        if self.mode == "refuse":
            return _drop(request)
        if self.mode == "throttle":
            told = {"__type": "com.amazonaws.dynamodb#ProvisionedThroughputExceededException", "message": "slow down"}
            return web.json_response(told, status=400, content_type="application/x-amz-json-1.0")
        if self.mode == "partial" and len(body["RequestItems"][TABLE]) > 1:
            held = body["RequestItems"][TABLE][::2]
            body["RequestItems"][TABLE] = body["RequestItems"][TABLE][1::2]
        headers = {name: request.headers[name] for name in ("X-Amz-Target", "Authorization", "Content-Type")}
        async with self._session.post(self.target, json=body, headers=headers) as answer:
            result = await answer.json(content_type=None)
        if self.mode == "cut":
            return await _cut(request)
        if self.mode == "hang" and not self.answers_left:
            self.hung.set()
            await self._end.wait()
        self.answers_left = max(0, self.answers_left - 1)
        self.answered += 1
        if held:
            result["UnprocessedItems"] = {TABLE: held}
        return web.json_response(result, status=answer.status, content_type="application/x-amz-json-1.0")


def _drop(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def _cut(request: web.Request) -> web.StreamResponse:
    """Half an answer, then a reset: the write has happened and nobody was told."""
    response = web.StreamResponse(headers={"Content-Length": "500", "Content-Type": "application/x-amz-json-1.0"})
    await response.prepare(request)
    await response.write(b'{"Unproc')
    assert request.transport is not None
    request.transport.abort()
    return response


@pytest.fixture
async def line(server: Server) -> AsyncIterator[Line]:
    async with Line(server.url).open() as opened:
        yield opened


@pytest.fixture
async def dynamodb(server: Server) -> AsyncIterator[AwsClient]:
    """A straight line to the server, with an empty table."""
    async with open_client(aws(server.url), "dynamodb") as client:
        with contextlib.suppress(AwsError):
            await client.call("delete_table", 10, TableName=TABLE)
        await client.call(
            "create_table",
            10,
            TableName=TABLE,
            KeySchema=[
                {"AttributeName": "id", "KeyType": "HASH"},
                {"AttributeName": "timestamp", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "id", "AttributeType": "S"},
                {"AttributeName": "timestamp", "AttributeType": "S"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        yield client


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database.open(tmp_path / "huntaze.db", readers=2) as opened:
        yield opened


def aws(url: str) -> AwsSettings:
    return AwsSettings(endpoint_url=url, access_key_id="test", secret_access_key=Secret("test"))


def sync(database: Database, url: str, clock: SystemClock | None = None) -> LedgerSync:
    settings = SyncSettings(table=TABLE, idle_wait=10 * MILLISECOND, timeout=2 * SECOND, keep=7 * DAY)
    return LedgerSync(database, settings, aws(url), clock or SystemClock(), random.Random(7), backoff=QUICK)


async def book(database: Database, numbers: range, *, model: str = "gpt-4o-mini", at: int = MORNING) -> None:
    ledger = Ledger(database, PRICER, SystemClock(), outbox=True)

    async def call(number: int) -> None:
        worst = PRICER.worst_case("openai", model, input_tokens=2_000, max_output_tokens=300, at=Instant(at))
        attempt = Attempt(
            id=AttemptId(f"att_{number:05d}"),
            dimensions=Dimensions("openai", model, "message", "cmp_1", "acc_1", "ten_1", "usr_1"),
            opened_at=Instant(at),
            worst_case=worst,
            input_tokens_bound=2_000,
            max_output_tokens=300,
        )
        settlement = Settlement(
            outcome="ok", ended_at=Instant(at + number), usage=Usage(input_tokens=1_001 + number, output_tokens=99)
        )
        await ledger.open(attempt)
        await database.write(lambda tx: ledger.settle(tx, attempt, settlement))

    await asyncio.gather(*(call(number) for number in numbers))


async def stored(dynamodb: AwsClient) -> dict[tuple[str, str], dict[str, Any]]:
    """Every item of the table, by its whole key. Fails on a doubled id."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    start: dict[str, Any] = {}
    while True:
        answer = await dynamodb.call("scan", 10, TableName=TABLE, **start)
        for entry in answer["Items"]:
            found[entry["id"]["S"], entry["timestamp"]["S"]] = entry
        if "LastEvaluatedKey" not in answer:
            break
        start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
    assert len({id_ for id_, _ in found}) == len(found)
    return found


async def booked(database: Database) -> set[tuple[str, str]]:
    async with database.reader() as reader:
        return {(row["id"], row["timestamp"]) for row in await reader.rows("SELECT id, timestamp FROM ledger")}


async def unsynced(database: Database) -> int:
    async with database.reader() as reader:
        row = await reader.row("SELECT count(*) AS n FROM ledger_outbox")
    assert row is not None
    return int(row["n"])


async def samples(database: Database) -> list[LedgerSyncSampled]:
    return [r.event for r in await database.events_after(0, limit=100_000) if isinstance(r.event, LedgerSyncSampled)]


async def until(condition: Any) -> None:
    async with asyncio.timeout(15):
        while not await condition():
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def running(service: LedgerSync) -> AsyncIterator[None]:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(service.run(stop))
        try:
            yield
        finally:
            stop.set()


async def empty(database: Database) -> bool:
    return await unsynced(database) == 0


async def test_every_entry_arrives_once_exact_and_with_its_time_to_live(
    database: Database, dynamodb: AwsClient, server: Server
) -> None:
    await book(database, range(130))
    await book(database, range(130, 131), model="unknown")

    async with running(sync(database, server.url)):
        await until(lambda: empty(database))

    table = await stored(dynamodb)
    assert table.keys() == await booked(database)
    entry = table["att_00007", "2026-11-20T08:00:00.000000007Z"]
    assert Decimal(entry["cost_usd"]["N"]) == Decimal("0.0002106") == Decimal(entry["cost_nanos"]["N"]) / 10**9
    assert int(entry["ttl"]["N"]) == (MORNING + 7 * DAY) // SECOND
    assert (entry["provider"]["S"], entry["user_id"]["S"], entry["basis"]["S"]) == ("openai", "usr_1", "measured")
    assert entry["input_tokens"]["N"] == "1008"
    unpriced = table["att_00130", "2026-11-20T08:00:00.000000130Z"]
    assert unpriced["basis"]["S"] == "unpriced"
    assert "cost_usd" not in unpriced


async def test_an_outage_is_told_and_caught_up(database: Database, dynamodb: AwsClient, line: Line) -> None:
    await book(database, range(40))
    line.mode = "refuse"

    async def failing() -> bool:
        return any(sample.state == "failing" for sample in await samples(database))

    async with running(sync(database, line.url)):
        await until(failing)
        await book(database, range(40, 300))
        line.mode = "ok"
        await until(lambda: empty(database))

    assert (await stored(dynamodb)).keys() == await booked(database)
    told = await samples(database)
    assert told[0].state == "failing"
    assert told[0].unsynced == 40
    assert told[0].oldest_at == MORNING
    assert told[0].error.startswith("dynamodb: ")
    assert (told[-1].unsynced, told[-1].oldest_at, told[-1].error) == (0, None, "")


async def test_rows_handed_back_are_put_again(database: Database, dynamodb: AwsClient, line: Line) -> None:
    await book(database, range(60))
    line.mode = "partial"

    async with running(sync(database, line.url)):
        await until(lambda: empty(database))

    assert (await stored(dynamodb)).keys() == await booked(database)
    assert line.seen > 3


async def test_throttling_is_waited_out(database: Database, dynamodb: AwsClient, line: Line) -> None:
    await book(database, range(30))
    line.mode = "throttle"

    async def throttled() -> bool:
        return line.seen >= 6

    async with running(sync(database, line.url)):
        await until(throttled)
        still = await unsynced(database)
        line.mode = "ok"
        await until(lambda: empty(database))

    assert still == 30
    assert (await stored(dynamodb)).keys() == await booked(database)
    assert "ProvisionedThroughputExceeded" in (await samples(database))[0].error


async def test_an_answer_cut_in_the_middle_doubles_nothing(database: Database, dynamodb: AwsClient, line: Line) -> None:
    await book(database, range(60))
    line.mode = "cut"

    async def written_unheard() -> bool:
        return len(await stored(dynamodb)) == 60

    async with running(sync(database, line.url)):
        await until(written_unheard)
        still = await unsynced(database)
        line.mode = "ok"
        await until(lambda: empty(database))

    assert still == 60
    assert (await stored(dynamodb)).keys() == await booked(database)


async def test_a_long_outage_loses_nothing_to_age(database: Database, dynamodb: AwsClient, server: Server) -> None:
    await book(database, range(30), at=MORNING - 90 * DAY)

    async with running(sync(database, server.url)):
        await until(lambda: empty(database))

    assert (await stored(dynamodb)).keys() == await booked(database)


async def test_old_unsynced_rows_show_as_behind(database: Database, dynamodb: AwsClient, server: Server) -> None:
    class Later(SystemClock):
        def now(self) -> Instant:
            return Instant(MORNING + 10 * MINUTE)

    await book(database, range(150))
    service = sync(database, server.url, Later())

    async with running(service):
        await until(lambda: empty(database))

    told = await samples(database)
    assert told[0].state == "behind"
    assert told[-1].state == "ok"


_SYNCER = """
    import asyncio, random, sys
    from pathlib import Path
    from engine.costs import SyncSettings
    from engine.costs.dynamodb import LedgerSync
    from engine.kernel.clock import SystemClock
    from engine.kernel.secret import Secret
    from engine.storage import Database
    from engine.storage.aws import AwsSettings

    async def main(path, url, table):
        aws = AwsSettings(endpoint_url=url, access_key_id="test", secret_access_key=Secret("test"))
        async with Database.open(Path(path), readers=1) as database:
            sync = LedgerSync(database, SyncSettings(table=table, parallel=2), aws, SystemClock(), random.Random(7))
            await sync.run(asyncio.Event())

    asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize("point", ["before the answer", "before its acknowledgement is noted"])
async def test_kill_9_in_the_middle_leaves_each_row_exactly_once(
    tmp_path: Path, dynamodb: AwsClient, line: Line, point: str
) -> None:
    path = tmp_path / "killed.db"
    async with Database.open(path, readers=1) as database:
        await book(database, range(300))
    doubtful = 0

    for kill in range(2):
        line.mode, line.answers_left = "hang" if point == "before the answer" else "ok", 1 + 2 * kill
        line.hung.clear()
        answered = line.answered
        syncer = await asyncio.create_subprocess_exec(
            sys.executable, "-c", textwrap.dedent(_SYNCER), str(path), line.url, TABLE
        )
        async with asyncio.timeout(20):
            while not line.hung.is_set() and (line.mode == "hang" or line.answered <= answered + 1 + 2 * kill):
                await asyncio.sleep(0)
        syncer.send_signal(signal.SIGKILL)
        await syncer.wait()
        async with Database.open(path, readers=1) as database:
            doubtful += await unsynced(database) - (300 - len(await stored(dynamodb)))
    line.mode = "ok"

    async with Database.open(path, readers=2) as database:
        left = await unsynced(database)
        async with running(sync(database, line.url)):
            await until(lambda: empty(database))
        assert (await stored(dynamodb)).keys() == await booked(database)
    assert left > 0
    assert doubtful > 0  # rows that DynamoDB had and the outbox still named, at the moment of a kill
