"""Copies the ledger to DynamoDB: each entry once, under its id and timestamp, whatever the outage.

The outbox names the entries that DynamoDB has not acknowledged. They go in batches, oldest first; a row leaves the
outbox only after the acknowledgement. A batch that was put and not heard of is put again: the same key with the same
content, so nothing is doubled. Nothing in the outbox ever expires.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from engine.costs.settings import SyncSettings
from engine.events import LedgerSyncSampled
from engine.kernel.backoff import Backoff
from engine.kernel.clock import Clock, sleep
from engine.kernel.values import SECOND, Instant, Random, decimal_usd
from engine.storage import Database
from engine.storage.aws import AwsClient, AwsError, AwsSettings, open_client

_BATCH = 25  # the most that one BatchWriteItem takes
_ROUNDS = 4  # tries of one batch whose items DynamoDB handed back, before it counts as a failure
_SAMPLE_EVERY = SECOND  # nanoseconds between two reports of a number that moves while the state stays

_FORGET = "DELETE FROM ledger_outbox WHERE entry = ?"

_Item = dict[str, dict[str, str]]


class LedgerSync:
    """The service that empties the outbox. Needs a `Ledger` with `outbox=True`."""

    def __init__(
        self,
        database: Database,
        settings: SyncSettings,
        aws: AwsSettings,
        clock: Clock,
        chance: Random,
        *,
        backoff: Backoff | None = None,
    ) -> None:
        self._database = database
        self._settings = settings
        self._aws = aws
        self._clock = clock
        self._chance = chance
        self._backoff = backoff or Backoff()
        self._told: LedgerSyncSampled | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Sync until told to stop; the batches in flight are finished first."""
        failures = 0
        while not stop.is_set():
            try:
                async with open_client(self._aws, "dynamodb") as dynamodb:
                    failures = await self._sync(dynamodb, stop, failures)
            except AwsError as error:  # no client could be made: no credentials, no such region
                failures += 1
                await self._fail(error, failures, stop)

    async def _sync(self, dynamodb: AwsClient, stop: asyncio.Event, failures: int) -> int:
        """Pass after pass over the outbox. Returns the failures in a row."""
        while not stop.is_set():
            rows = await self._oldest()
            if error := await self._put_all(dynamodb, rows):
                failures += 1
                await self._fail(error, failures, stop)
                continue
            failures = 0
            await self._report("")
            if len(rows) < _BATCH:
                await self._rest(self._settings.idle_wait, stop)
        return failures

    async def _oldest(self) -> list[sqlite3.Row]:
        async with self._database.reader() as reader:
            return await reader.rows(
                "SELECT o.entry, l.* FROM ledger_outbox o JOIN ledger l ON l.number = o.entry ORDER BY o.entry LIMIT ?",
                (_BATCH * self._settings.parallel,),
            )

    async def _put_all(self, dynamodb: AwsClient, rows: Sequence[sqlite3.Row]) -> AwsError | None:
        """Put rows, a few batches at a time, and forget those acknowledged; returns the first failure."""
        batches = [rows[start : start + _BATCH] for start in range(0, len(rows), _BATCH)]
        results = await asyncio.gather(*(self._put(dynamodb, batch) for batch in batches))
        acknowledged = [(entry,) for entries, _ in results for entry in entries]
        if acknowledged:
            await self._database.write(lambda tx: tx.executemany(_FORGET, acknowledged).rowcount)
        return next((error for _, error in results if error), None)

    async def _put(self, dynamodb: AwsClient, batch: Sequence[sqlite3.Row]) -> tuple[list[int], AwsError | None]:
        """Put one batch until DynamoDB has taken all of it, or it fails; returns what was taken."""
        waiting = {row["id"]: row for row in batch}
        taken: list[int] = []
        for attempt in range(1, _ROUNDS + 1):
            try:
                left = await self._write(dynamodb, [item(row, self._settings.keep) for row in waiting.values()])
            except AwsError as error:
                return taken, error
            taken += [row["entry"] for id_, row in waiting.items() if id_ not in left]
            waiting = {id_: row for id_, row in waiting.items() if id_ in left}
            if not waiting:
                return taken, None
            if attempt < _ROUNDS:
                await sleep(self._clock, self._backoff.wait(attempt, self._chance))
        return taken, AwsError("dynamodb", "UnprocessedItems", f"{len(waiting)} rows were handed back", transient=True)

    async def _write(self, dynamodb: AwsClient, items: Sequence[_Item]) -> set[str]:
        """One request; returns the ids that DynamoDB handed back."""
        table = self._settings.table
        answer = await dynamodb.call(
            "batch_write_item",
            self._clock.socket_timeout(self._settings.timeout),
            RequestItems={table: [{"PutRequest": {"Item": entry}} for entry in items]},
        )
        return {
            request["PutRequest"]["Item"]["id"]["S"] for request in answer.get("UnprocessedItems", {}).get(table, ())
        }

    # ── telling ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _fail(self, error: AwsError, failures: int, stop: asyncio.Event) -> None:
        await self._report(str(error))
        await self._rest(self._backoff.wait(failures, self._chance), stop)

    async def _report(self, error: str) -> None:
        """Publish where the sync stands, if that is news."""
        async with self._database.reader() as reader:
            row = await reader.row(
                "SELECT (SELECT count(*) FROM ledger_outbox) AS unsynced,"
                " (SELECT at FROM entries WHERE number = (SELECT min(entry) FROM ledger_outbox)) AS oldest_at"
            )
        unsynced, oldest_at = (row["unsynced"], row["oldest_at"]) if row else (0, None)
        now = self._clock.now()
        sample = LedgerSyncSampled(
            at=now, state=self._state(now, oldest_at, error), unsynced=unsynced, oldest_at=oldest_at, error=error
        )
        if _is_news(self._told, sample):
            self._told = sample
            await self._database.write(lambda tx: tx.emit(sample))

    def _state(self, now: Instant, oldest_at: int | None, error: str) -> str:
        if error:
            return "failing"
        behind = oldest_at is not None and now - oldest_at > self._settings.behind_after
        return "behind" if behind else "ok"

    async def _rest(self, duration: int, stop: asyncio.Event) -> None:
        """Sleep, but not past the call to stop."""
        async with asyncio.TaskGroup() as group:
            nap = group.create_task(sleep(self._clock, duration))
            call = group.create_task(stop.wait())
            await asyncio.wait((nap, call), return_when=asyncio.FIRST_COMPLETED)
            nap.cancel()
            call.cancel()


def item(row: Mapping[str, Any] | sqlite3.Row, keep: int) -> _Item:
    """A row of `ledger` as DynamoDB keeps it. An unpriced call has no amount; `ttl`, `keep` after it, is in seconds."""
    found: _Item = {name: {"S": row[name]} for name in _TEXTS} | {name: {"N": str(row[name])} for name in _NUMBERS}
    found["ttl"] = {"N": str((row["at"] + keep) // SECOND)}
    if row["cost"] is not None:
        found["cost_usd"] = {"N": decimal_usd(row["cost"])}
        found["cost_nanos"] = {"N": str(row["cost"])}
    return found


_TEXTS = (
    "id",
    "timestamp",
    "provider",
    "model",
    "tool",
    "campaign_id",
    "account_id",
    "tenant_id",
    "user_id",
    "trace_id",
    "job_id",
    "outcome",
    "basis",
    "price_source",
    "price_date",
    "model_reported",
)
_NUMBERS = (
    "at",
    "input_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "duration",
)


def _is_news(told: LedgerSyncSampled | None, sample: LedgerSyncSampled) -> bool:
    if told is None or (told.state, told.error) != (sample.state, sample.error):
        return True
    moved = (told.unsynced, told.oldest_at) != (sample.unsynced, sample.oldest_at)
    return moved and (sample.at - told.at >= _SAMPLE_EVERY or sample.unsynced == 0)
