"""The limiter on Redis as an operator meets it: configured, examined, and under a whole engine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.kernel.errors import CommandRefused
from engine.limiter.redis_slots import RedisLimiter
from engine.storage import Mode, StateDirectory
from engine.surface.queries import ListLimits
from huntaze_console.bootstrap import open_engine
from huntaze_console.config import InvalidSettings, load_settings
from tests.integration.test_cli_settings import run
from tests.redis_server import RedisServer

ON_REDIS = {"HUNTAZE_BACKENDS__LIMITER": "redis"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    (tmp_path / "redis").mkdir()
    server = RedisServer(tmp_path / "redis")
    server.start()
    yield server
    server.kill()


def redis_finding(tmp_path: Path, url: str) -> dict[str, str]:
    answer = run(tmp_path, "doctor", "--json", environ={**ON_REDIS, "REDIS_URL": url})
    assert "hunter2" not in answer.output
    (found,) = [each for each in json.loads(answer.stdout) if each["name"] == "redis"]
    return dict(found)


def test_redis_without_an_address_is_a_problem_with_a_remedy() -> None:
    with pytest.raises(InvalidSettings) as refused:
        load_settings(None, ON_REDIS)

    (problem,) = refused.value.problems
    assert problem.key == "backends.limiter"
    assert "REDIS_URL" in problem.remedy


def test_a_simulation_wants_no_redis_and_uses_none() -> None:
    settings = load_settings(None, {**ON_REDIS, "REDIS_URL": "redis://:hunter2@far/0"}, simulated=True)

    assert settings.for_world("http://127.0.0.1:1").backends.limiter == "local"


def test_the_address_of_redis_is_not_shown() -> None:
    settings = load_settings(None, {**ON_REDIS, "REDIS_URL": "redis://:hunter2@far/0"})

    assert "hunter2" not in repr(settings)
    assert [(line.value, line.place) for line in settings.shown if line.key == "backends.redis_url"] == [
        ("(set)", "REDIS_URL")
    ]


def test_the_doctor_asks_redis_and_warns_of_one_that_forgets(tmp_path: Path, server: RedisServer) -> None:
    assert redis_finding(tmp_path, server.url.reveal())["state"] == "warn"

    server.ask("CONFIG", "SET", "appendonly", "yes")
    assert redis_finding(tmp_path, server.url.reveal())["state"] == "ok"

    server.ask("CONFIG", "SET", "maxmemory", "100mb")
    server.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    found = redis_finding(tmp_path, server.url.reveal())
    assert (found["state"], "noeviction" in found["remedy"]) == ("fail", True)


def test_the_doctor_fails_for_a_redis_that_is_not_there(tmp_path: Path) -> None:
    found = redis_finding(tmp_path, "redis://:hunter2@127.0.0.1:1/0")

    assert (found["state"], "127.0.0.1:1" in found["message"]) == ("fail", True)


async def test_an_engine_counts_in_redis_and_says_when_it_cannot(tmp_path: Path, server: RedisServer) -> None:
    settings = load_settings(
        None,
        {**ON_REDIS, "REDIS_URL": server.url.reveal(), "HUNTAZE_LIMITS__GLOBAL__REQUESTS_MINUTE": "7"},
    )
    directory = StateDirectory(tmp_path / "state")
    directory.acquire(kind="test", mode=Mode.REAL, version="1")
    try:
        async with open_engine(settings, directory, kind="test") as built:
            (row,) = (await built.desk.query(ListLimits())).rows
            assert (row.layer, row.used, row.limit) == ("global", 0, 7)
            server.freeze()
            with pytest.raises(CommandRefused, match="Redis: no answer in time"):
                await built.desk.query(ListLimits())
            server.thaw()
    finally:
        directory.release()


def test_the_redis_stores_are_no_part_of_an_engine_without_redis() -> None:
    """The client is heavy: whoever does not share their limits does not load it."""
    import subprocess
    import sys

    code = "import sys, huntaze_console.bootstrap; sys.exit('redis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert RedisLimiter.__module__ == "engine.limiter.redis_slots"
