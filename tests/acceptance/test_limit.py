"""The platform's own record of arrivals: never more than ten an account in any minute, and nearly ten in each."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from engine.kernel.values import SECOND
from tests.acceptance.stage import Stage, most_in_any_window, scenario_file, stage

MINUTE = 60 * SECOND
SLOW_SENDS = """
name = "slow-sends"
[platform]
latency = ["PT0S", "PT5S"]
opted_out_share = 0.0
new_fans_per_hour = 0.0
accounts = [
    { id = "anna", fans = 160 },
    { id = "bella", fans = 160 },
    { id = "carla", fans = 160 },
]
"""


def test_ten_an_account_in_any_minute_through_five_kills(tmp_path: Path) -> None:
    with stage(tmp_path, speed=20, scenario=scenario_file(tmp_path, SLOW_SENDS)) as play:
        play.start()
        _two_campaigns_each(play)
        for round_ in range(5):
            wanted = 30 * (round_ + 1)
            play.wait(lambda wanted=wanted: len(play.records("message")) >= wanted, within=60)
            play.daemons[-1].kill()
            play.start()
        play.wait(lambda: len(play.records("message")) >= 240, within=120)

        arrivals = _arrivals(play)

    assert len(arrivals) == 3
    assert {account: most_in_any_window(at, MINUTE) for account, at in arrivals.items()} == dict.fromkeys(arrivals, 10)


def test_the_limit_is_used(tmp_path: Path) -> None:
    """Without restarts: at least 97 % of ten messages in each window plus the mean time of a send."""
    with stage(tmp_path, speed=10, scenario=scenario_file(tmp_path, SLOW_SENDS)) as play:
        play.start()
        _two_campaigns_each(play)
        play.wait(lambda: len(play.records("message")) >= 3 * 80, within=120)
        sends = play.records("message")

    spans = []
    for account in ("anna", "bella", "carla"):
        own = [send for send in sends if send["account_id"] == account]
        mean = sum(send["completed_at"] - send["at"] for send in own) / len(own)
        first, last = min(send["at"] for send in own), max(send["at"] for send in own)
        possible = 10 * ((last - first) / (MINUTE + mean)) + 10  # the first ten go at once
        spans.append(len(own) / possible)
        assert most_in_any_window([send["at"] for send in own], MINUTE) <= 10
    assert min(spans) >= 0.97, spans


def _two_campaigns_each(play: Stage) -> None:
    for account in ("anna", "bella", "carla"):
        for number in (1, 2):
            play.create(f"{account}-{number}", account, template="Hello {{name}}, how was your day?", prompt="")


def _arrivals(play: Stage) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for send in play.records("message"):
        found[send["account_id"]].append(send["at"])
    return found
