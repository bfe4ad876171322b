"""The main job on real traffic, killed ten times on the way: every request answered and booked exactly once."""

from __future__ import annotations

import sqlite3
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

import pytest

from engine.simulation import read_trace
from engine.surface.queries import CostBreakdown
from tests.acceptance.stage import ONE_PROVIDER, Stage, stage

SPEED = 20.0
KILLS = 10
PRICES = {"gpt-4o-mini": (Decimal("0.15"), Decimal("0.60"))}  # dollars per million tokens, as OpenAI publishes them


@pytest.mark.parametrize("requests", [2_000, pytest.param(19_366, marks=pytest.mark.soak)])
def test_every_request_is_answered_and_booked_once_through_ten_kills(tmp_path: Path, requests: int) -> None:
    trace = _first(tmp_path, requests)
    with stage(tmp_path, speed=SPEED, config=ONE_PROVIDER) as play:
        for kill in range(1, KILLS + 1):
            daemon = play.start("--trace", str(trace))
            play.wait(lambda kill=kill: _answered(play) >= requests * kill // (KILLS + 2), within=requests / 10 + 30)
            daemon.kill()
        play.start("--trace", str(trace))
        play.wait(lambda: _answered(play) == requests, within=requests / 10 + 60)
        month = _everything(play)
        play.daemons[-1].stop()

        _check(play, trace, month, requests)


def _check(play: Stage, trace: Path, booked: dict[str, int], requests: int) -> None:
    wanted = read_trace(trace)
    entries = _entries(play)
    measured = [entry for entry in entries if entry["basis"] == "measured" and entry["outcome"] == "ok"]
    served = {call["id"]: call for call in play.records("call") if call["complete"] and call["status"] == 200}

    assert sorted(entry["job_id"] for entry in measured) == sorted(f"trace_{index}" for index in range(requests))
    assert booked["measured_input"] == sum(request.context_tokens for request in wanted)
    assert booked["measured_output"] == sum(request.generated_tokens for request in wanted)
    by_tokens: dict[tuple[int, int], int] = {}
    for call in served.values():
        by_tokens[call["input_tokens"], call["output_tokens"]] = _price(call)
    expected = sum(by_tokens[entry["input_tokens"], entry["output_tokens"]] for entry in measured)
    assert booked["measured"] == expected
    interrupted = [entry for entry in entries if entry["outcome"] == "interrupted"]
    assert interrupted, "no kill met a call under way: the test proves nothing"
    assert {entry["basis"] for entry in interrupted} == {"estimated"}
    assert len(entries) == len(measured) + len([entry for entry in entries if entry["outcome"] != "ok"])


def _price(call: dict[str, object]) -> int:
    """Nano-dollars of a call by the published price, worked out from the world's own record."""
    per_input, per_output = PRICES[str(call["model"])]
    dollars = (
        Decimal(str(call["input_tokens"])) * per_input + Decimal(str(call["output_tokens"])) * per_output
    ) / 10**6
    return int((dollars * 10**9).to_integral_value(ROUND_HALF_EVEN))


def _first(folder: Path, requests: int) -> Path:
    """The packaged trace's first requests, as a file of its own."""
    import gzip
    from importlib import resources

    packed = (resources.files("engine.simulation") / "data/azure_llm_2023_conversation.csv.gz").read_bytes()
    lines = gzip.decompress(packed).decode().splitlines()[: requests + 1]
    path = folder / "trace.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def _answered(play: Stage) -> int:
    return int(_rows(play, "SELECT count(*) AS answered FROM answers")[0]["answered"])


def _entries(play: Stage) -> list[sqlite3.Row]:
    return _rows(play, "SELECT * FROM ledger")


def _rows(play: Stage, sql: str) -> list[sqlite3.Row]:
    """Read the database from outside, without writing to it or checkpointing."""
    connection = sqlite3.connect(f"file:{play.state / 'huntaze.db'}?mode=ro", uri=True)
    try:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA wal_autocheckpoint=0")
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def _everything(play: Stage) -> dict[str, int]:
    """The ledger's sums over all time, as a face gets them."""
    page = play.ask(lambda client: client.query(CostBreakdown(by=("provider",), from_=0)))
    return {
        "measured": sum(row.measured for row in page.rows),
        "measured_input": sum(row.measured_input_tokens for row in page.rows),
        "measured_output": sum(row.measured_output_tokens for row in page.rows),
    }
