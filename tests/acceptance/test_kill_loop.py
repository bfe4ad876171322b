"""Killed at every named point, again and again: nothing acknowledged is lost, sent twice, or vanishes."""

from __future__ import annotations

import json
import random
import urllib.request
from collections import Counter
from pathlib import Path

import pytest

from engine.kernel.errors import HuntazeError
from tests.acceptance.doomed import POINTS
from tests.acceptance.stage import ONE_PROVIDER, Daemon, Stage, scenario_file, stage

SPEED = 120.0
FANS = 400
AT_ONCE = 20  # fans of one campaign: each run gets a new one, so that there are always texts to write
SCENARIO = f"""
name = "kills"
[platform]
latency = ["PT0.2S", "PT2S"]
opted_out_share = 0.0
new_fans_per_hour = 0.0
accounts = [{{ id = "anna", fans = {FANS} }}, {{ id = "bella", fans = {FANS} }}, {{ id = "carla", fans = {FANS} }}]
"""
ACCOUNTS = ("anna", "bella", "carla")
KILLED = -9


@pytest.mark.parametrize("kills", [22, pytest.param(200, marks=pytest.mark.soak)])
def test_no_message_is_lost_or_sent_twice(tmp_path: Path, kills: int) -> None:
    chance = random.Random(kills)
    acknowledged: dict[str, set[str]] = {}  # campaign id to its fans
    with stage(tmp_path, speed=SPEED, scenario=scenario_file(tmp_path, SCENARIO), config=ONE_PROVIDER) as play:
        fans = {account: _fans(play, account) for account in ACCOUNTS}
        for number in range(kills):
            point = POINTS[number % len(POINTS)]
            daemon = play.start(doom=f"{point}:{_moment(point, chance)}")
            while daemon.alive:
                _give_work(play, daemon, fans, acknowledged, chance)
                play.wait(lambda daemon=daemon: not daemon.alive or _idle(play), within=60)
            assert daemon.gone() == KILLED, point
        daemon = play.start()
        play.wait(lambda: _idle(play), within=240)

        _check(play, acknowledged)
        assert daemon.stop() == 0


def _moment(point: str, chance: random.Random) -> int:
    """How often a point is passed before the doom; commits are far more frequent than sends."""
    return chance.randint(30, 150) if point.endswith("-commit") or point == "checkpoint" else chance.randint(1, 6)


def _give_work(
    play: Stage, daemon: Daemon, fans: dict[str, list[str]], acknowledged: dict[str, set[str]], chance: random.Random
) -> None:
    """One more campaign; remembered only once the engine has acknowledged it."""
    account = ACCOUNTS[len(acknowledged) % len(ACCOUNTS)]
    chosen = tuple(chance.sample(fans[account], AT_ONCE))
    try:
        campaign_id = play.create(f"{account}-{len(acknowledged)}-{chance.random()}", account, fans=chosen, patience=2)
    except HuntazeError:
        assert not daemon.alive or daemon.process.wait(10) == KILLED
        return
    acknowledged[campaign_id] = set(chosen)


def _idle(play: Stage) -> bool:
    """Nothing is left that goes out by itself."""
    try:
        return all(campaign.state == "finished" for campaign in play.campaigns(patience=0))
    except HuntazeError:
        return False


def _check(play: Stage, acknowledged: dict[str, set[str]]) -> None:
    known = {campaign.campaign_id for campaign in play.campaigns()}
    assert acknowledged.keys() <= known
    deliveries = [row for campaign_id in known for row in play.deliveries(campaign_id)]
    for campaign_id, fans in acknowledged.items():
        assert {row.fan_id for row in deliveries if row.campaign_id == campaign_id} == fans
    states = Counter(row.state for row in deliveries)
    assert states.keys() <= {"sent", "uncertain"}, states
    assert states["sent"] > states["uncertain"] > 0, states

    taken = Counter(
        record["idempotency_key"]
        for record in play.records("message")
        if not record.get("repeat") and record["status"] in (0, 200)
    )
    assert max(taken.values()) == 1, "the platform took a message twice"
    assert {row.delivery_id for row in deliveries if row.state == "sent"} <= taken.keys()
    assert taken.keys() <= {row.delivery_id for row in deliveries}


def _fans(play: Stage, account: str) -> list[str]:
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        request = urllib.request.Request(
            f"{play.world.url}/platform/accounts/{account}/fans?cursor={cursor}", headers={"Authorization": "Bearer x"}
        )
        with urllib.request.urlopen(request) as response:
            page = json.load(response)
        found += [fan["id"] for fan in page["fans"]]
        cursor = page["next"]
    return found
