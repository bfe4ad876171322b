"""A delivery list of 100,000 rows: from a key to the painted change, scrolling, sorting and filtering.

    python -m benchmarks.listing [--rows 100000] [--rounds 12] [--json]

The rows stand in a real database, asked on a loop and a thread of its own as an embedded engine's are. The console is
the real one at 120×40 over a driver that writes nowhere: what is measured is from the key's arrival until the rows that
it asked for stand in the painted lines, none of them on its way. A filter counts by the letter, the rarest match last.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from textual.events import Key
from textual.pilot import Pilot

from engine.kernel.values import Instant
from engine.messaging import deliveries
from engine.storage import Database, Tx
from engine.surface.commands import Command, Done
from engine.surface.queries import ListDeliveries, Page, Query
from engine.surface.snapshot import CampaignView, EngineView, Snapshot
from screens.app import ConsoleApp
from screens.campaigns import CampaignScreen
from screens.source import ConsoleOptions, Link
from screens.sources.crossing import cross

BAR = 100.0  # milliseconds from a key to what it asked for, the 95th of 100
_CAMPAIGN = "cmp_0001"
_NAMES = ("Ann", "Bea", "Cleo", "Dora", "Eve", "Fay", "Gina", "Hal", "Ida", "Jo")
_STATES = ("sent",) * 7 + ("queued", "failed", "skipped")


class Engine:
    """A database on a loop of its own, seen as the console sees an embedded engine."""

    def __init__(self, database: Database, loop: asyncio.AbstractEventLoop, rows: int) -> None:
        self._database, self._loop = database, loop
        self._now = Instant(time.time_ns())
        view = CampaignView(
            campaign_id=_CAMPAIGN, name="spring", account_id="acc_anna", tool="message", state="running",
            counts={"sent": rows},
        )  # fmt: skip
        self._snapshot = Snapshot(
            epoch="e", seq=1, at=self._now, engine=EngineView(state="running"), campaigns={_CAMPAIGN: view}
        )

    def snapshot(self) -> Snapshot:
        return self._snapshot

    def link(self) -> Link:
        return Link(attached=False, up=True, since=self._now, now=self._now)

    def recent(self, after: int) -> Sequence[Any]:
        return ()

    async def query(self, query: Query) -> Page[Any]:
        return await cross(self._listed(query), self._loop) if isinstance(query, ListDeliveries) else Page(())

    async def _listed(self, query: ListDeliveries) -> Page[Any]:
        async with self._database.reader() as reader:
            return await deliveries.listing(reader, query)

    async def submit(self, command: Command) -> Done:
        raise NotImplementedError


class Keys:
    """Presses a key and waits for what it asked for."""

    def __init__(self, app: ConsoleApp, pilot: Pilot[Any]) -> None:
        self._app, self._pilot = app, pilot

    async def answer(self, key: str, character: str | None, there: Callable[[str], bool]) -> float:
        """Milliseconds from the key until the painted lines are what it asked for."""
        began = time.perf_counter()
        self._app.post_message(Key(key, character))
        while not there(self.text()):
            await asyncio.sleep(0.001)
            if time.perf_counter() - began > 10:
                raise TimeoutError(f"{key} was not answered:\n{self.text()}")
        return (time.perf_counter() - began) * 1e3

    def text(self) -> str:
        return "\n".join(strip.text.rstrip() for strip in self._app.screen._compositor.render_strips())


def changed(before: str) -> Callable[[str], bool]:
    """Something else is painted, and no row of it is on its way."""
    return lambda text: text != before and "\n  …" not in text


async def measure(
    database: Database, loop: asyncio.AbstractEventLoop, rows: int, rounds: int
) -> dict[str, list[float]]:
    engine = Engine(database, loop, rows)
    app = ConsoleApp(engine, options=ConsoleOptions())
    found: dict[str, list[float]] = {"scroll": [], "jump": [], "sort": [], "filter": []}
    chance = random.Random(7)
    async with app.run_test(size=(120, 40)) as pilot:
        keys = Keys(app, pilot)
        (view,) = engine.snapshot().campaigns.values()
        await app.push_screen(CampaignScreen(view))
        while "fan_" not in keys.text() and "Ann" not in keys.text():
            await pilot.pause(0.01)
        for _ in range(rounds):
            await _scrolled(keys, found)
            await _sorted(keys, found)
            await _filtered(keys, found, chance.randrange(rows))
    return found


async def _scrolled(keys: Keys, found: dict[str, list[float]]) -> None:
    for key in ("end", "home"):
        found["jump"].append(await keys.answer(key, None, changed(keys.text())))
    for _ in range(10):
        found["scroll"].append(await keys.answer("pagedown", None, changed(keys.text())))
    for _ in range(5):
        found["scroll"].append(await keys.answer("down", None, lambda _text: True))
    await keys.answer("home", None, lambda _text: True)


async def _sorted(keys: Keys, found: dict[str, list[float]]) -> None:
    """By every column, then as they came."""
    for _ in range(8):
        before = _rows_of(keys.text())
        found["sort"].append(await keys.answer("o", "o", lambda text, old=before: _rows_of(text) != old))


async def _filtered(keys: Keys, found: dict[str, list[float]], row: int) -> None:
    """A fan's number, letter by letter: from a tenth of all rows down to one."""
    whole = _fans_of(keys.text())
    await keys.answer("slash", "/", lambda text: "clear the filter" in text)
    typed = ""
    for letter in f"n{row:06}":
        typed += letter
        wanted = f" match {typed}"
        found["filter"].append(
            await keys.answer(letter, letter, lambda text, words=wanted: words in text and _agrees(text, words))
        )
    await keys.answer("escape", None, lambda text: " match " not in text and _fans_of(text) == whole)


def _rows_of(text: str) -> list[str]:
    lines = text.splitlines()
    at = next((number for number, line in enumerate(lines) if line.startswith(" state")), 0)
    return [line[1:] for line in lines[at + 1 : at + 10]]


def _fans_of(text: str) -> list[str]:
    """Who stands in the rows; how wide their columns are does not matter."""
    return re.findall(r"[A-Z][a-z]+n\d{6}", "\n".join(_rows_of(text)))


def _agrees(text: str, words: str) -> bool:
    """Does every row in sight hold what was typed? Those of the letter before mostly do not."""
    typed = words.removeprefix(" match ")
    shown = [line for line in _rows_of(text) if line.strip()]
    return bool(shown) and all(typed in line for line in shown)


def fill(tx: Tx, rows: int) -> None:
    """One campaign's deliveries, as a run of it would leave them."""
    chance = random.Random(1)
    tx.execute(
        "INSERT INTO campaigns (campaign_id, name, account_id, tenant_id, tool, draft, approval, state, created_at)"
        " VALUES (?, 'spring', 'acc_anna', '', 'message', x'7b7d', 'automatic', 'running', 0)",
        (_CAMPAIGN,),
    )
    for at in range(rows):
        text = f"Hey {_NAMES[at % 10]}, the new set is up and I thought of you. Want a first look tonight? {at % 97}"
        tx.execute(
            "INSERT INTO deliveries (delivery_id, campaign_id, account_id, fan_id, fan_name, state, reason, text,"
            " digest, attempts, cost, changed_at) VALUES (?, ?, 'acc_anna', ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                f"dlv_{at:08}", _CAMPAIGN, f"fan_{at:06}", f"{_NAMES[at % 10]}n{at:06}", chance.choice(_STATES),
                chance.choice(("", "", "opted out", "the platform refused the message")), text, f"{at:064x}",
                at % 3, chance.randrange(10**6), chance.randrange(10**9),
            ),
        )  # fmt: skip


@contextmanager
def engine_loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="engine")
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def run(rows: int, rounds: int) -> dict[str, list[float]]:
    with tempfile.TemporaryDirectory() as directory, engine_loop() as loop:
        path = Path(directory) / "huntaze.db"

        def on_engine(work: Any) -> Any:
            return asyncio.run_coroutine_threadsafe(work, loop).result()

        context = Database.open(path, synchronous="OFF")
        database = on_engine(context.__aenter__())
        try:
            on_engine(database.write(lambda tx: fill(tx, rows)))
            return asyncio.run(measure(database, loop, rows, rounds))
        finally:
            on_engine(context.__aexit__(None, None, None))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    found = run(options.rows, options.rounds)
    rows = {
        name: {"n": len(values), "p50": statistics.median(values), "p95": statistics.quantiles(values, n=20)[-1]}
        for name, values in found.items()
    }
    met = all(row["p95"] <= BAR for row in rows.values())
    if options.json:
        print(json.dumps({"rows": options.rows, "milliseconds": rows, "bar": BAR, "met": met}))
        return 0 if met else 1
    print(f"{options.rows:,} rows; milliseconds from a key to what it asked for")
    for name, row in rows.items():
        print(f"{name:<8}  n {row['n']:>4}   p50 {row['p50']:>7.1f}   p95 {row['p95']:>7.1f}")
    print(f"bar: p95 {BAR:g} ms: {'met' if met else 'MISSED'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
