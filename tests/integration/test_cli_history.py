"""`huntaze history` and `huntaze trace`: on the files of an engine that is not running."""

from __future__ import annotations

import json
import random
import sqlite3
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from engine.kernel.values import DAY, HOUR, MINUTE, SECOND, new_id, usd
from engine.storage import Mode, StateDirectory, connect, migrate
from huntaze_console.cli.history import course
from huntaze_console.cli.root import huntaze


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """What an engine left: two calls of one task a moment ago, and a minute of depth."""
    directory = StateDirectory(tmp_path)
    directory.acquire(kind="daemon", mode=Mode.REAL, version="1.0")
    now = time.time_ns()
    connection = connect(directory.database_path)
    migrate(connection)
    connection.execute("INSERT INTO combinations VALUES (1, 'openai', 'gpt-4o', 'message', '', 'anna', '', '')")
    _book(connection, "att_1", now - 20 * SECOND, "timeout", 0)
    _book(connection, "att_2", now - 10 * SECOND, "ok", usd("0.25"))
    connection.execute(
        "INSERT INTO queue_minutes VALUES (?, 'sending', 12, 3, 2, 0, 1, ?)", (now // MINUTE - 1, 90 * SECOND)
    )
    connection.close()
    directory.release()
    return tmp_path


def _book(connection: sqlite3.Connection, id_: str, at: int, outcome: str, cost: int, *, trace: str = "trc_1") -> None:
    connection.execute(
        "INSERT INTO entries (id, at, timestamp, combination, trace_id, job_id, outcome, basis, cost, input_tokens,"
        " cached_tokens, cache_write_tokens, output_tokens, reasoning_tokens, price_source, price_date,"
        " model_reported, duration) VALUES (?, ?, '', 1, ?, '', ?, 'measured', ?, 1, 0, 0, 1, 0, '', '', '', ?)",
        (id_, at, trace, outcome, cost, SECOND),
    )


def run(directory: Path, *arguments: str) -> Result:
    return CliRunner(env={"HUNTAZE_CONFIG": ""}).invoke(huntaze, [*arguments, "--state-dir", str(directory)])


def test_spend_is_told_in_a_line_a_group(state: Path) -> None:
    answer = run(state, "history", "--over", "1h")

    assert answer.exit_code == 0, answer.output
    everything, openai = answer.output.splitlines()[-2:]
    assert everything.split()[:4] == ["everything", "$0.25", "2", "1"]
    assert openai.startswith("openai")
    assert "█" in openai
    steps = json.loads(run(state, "history", "--over", "15m", "--by", "model", "--json").output)["rows"]
    assert steps[1]["dimensions"] == {"model": "gpt-4o"}
    assert steps[1]["step_seconds"] == 60
    assert "0.25" in steps[1]["cost_usd"]


def test_queues_are_told_by_their_highest(state: Path) -> None:
    answer = run(state, "history", "queue", "--over", "1h")

    assert answer.exit_code == 0, answer.output
    assert answer.output.splitlines()[-1].split()[:4] == ["sending", "12", "2", "1"]


def test_a_trace_lists_its_attempts(state: Path) -> None:
    answer = run(state, "trace", "trc_1")

    assert answer.exit_code == 0, answer.output
    assert [line.split()[-1] for line in answer.output.splitlines()[1:]] == ["att_1", "att_2"]


def test_a_trace_is_found_however_long_ago_it_ran(state: Path) -> None:
    then = time.time_ns() - 9 * HOUR
    trace, call = new_id("trc", then, random.Random(1)), new_id("att", then + SECOND, random.Random(2))
    connection = connect(state / "huntaze.db")
    _book(connection, call, then + 2 * SECOND, "ok", usd("0.25"), trace=trace)
    _book(connection, "att_old", then - DAY, "ok", 0, trace="d5a1c41a0c0bd02b")  # an id that tells no time
    connection.close()

    for wanted in (trace, call, "d5a1c41a0c0bd02b", "att_old"):
        answer = run(state, "trace", wanted)

        assert answer.exit_code == 0, answer.output
        assert answer.output.splitlines()[-1].split()[-1] == (call if wanted in (trace, call) else "att_old")


def test_a_trace_that_is_not_kept_is_told_from_one_that_never_was(state: Path) -> None:
    older = new_id("trc", time.time_ns() - 9 * DAY, random.Random(1))

    unknown, gone = run(state, "trace", "trc_9"), run(state, "trace", older)

    assert (unknown.exit_code, gone.exit_code) == (3, 3)
    assert "the ledger holds no attempt of 'trc_9'" in unknown.output
    assert "it is not kept" in gone.output


@pytest.mark.parametrize("over", ["", "7", "d", "7w", "-1h", "1.5h", "99999999d"])
def test_a_time_without_a_unit_is_refused(state: Path, over: str) -> None:
    answer = run(state, "history", "--over", over)

    assert answer.exit_code == 2
    assert "no time such as 30m" in answer.output


def test_a_course_keeps_its_peak_and_says_what_is_not_known() -> None:
    assert course((None, 0, 1, 8)) == "· ▁█"
    assert course((1, 9, 1, 1), 2) == "█▁"
    assert course(()) == ""
