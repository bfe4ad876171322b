"""Killed at every step of its workflow, a campaign goes on at the step where it stopped, and nothing is done twice."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engine.surface.queries import GetWorkflow
from engine.surface.rows import WorkflowRow
from tests.acceptance.doomed_workflow import FANS, SENT, carry_on, create, later, log_sends, restart
from tests.rig import Rig, rig

KILLED = -9
ROOT = Path(__file__).parents[2]
DOOMS = (  # step, point, passing; and the steps that were over before, so that they must stay untouched
    ("plan", "before-commit", 1, ()),
    ("plan", "after-commit", 3, ()),
    ("generate", "before-commit", 1, ("plan",)),
    ("generate", "before-commit", 2, ("plan",)),
    ("generate", "under-way", 2, ("plan",)),
    ("generate", "after-commit", 2, ("plan",)),
    ("approve", "before-commit", 1, ("plan", "generate", "moderate")),
    ("approve", "after-commit", 1, ("plan", "generate", "moderate", "approve")),
    ("send", "before-commit", 2, ("plan", "generate", "moderate", "approve")),
    ("send", "under-way", 2, ("plan", "generate", "moderate", "approve")),
    ("send", "after-commit", 5, ("plan", "generate", "moderate", "approve")),
)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str, int], Path]:
    """The folder that each doomed process left behind; two at a time, for they take long to start."""
    folders = {(step, point, left): tmp_path_factory.mktemp(step) for step, point, left, _ in DOOMS}

    def run(doom: tuple[str, str, int]) -> int:
        command = [sys.executable, "-m", "tests.acceptance.doomed_workflow", str(folders[doom]), *map(str, doom)]
        return subprocess.run(command, cwd=ROOT, check=False, timeout=60).returncode

    with ThreadPoolExecutor(2) as pool:
        codes = dict(zip(folders, pool.map(run, folders), strict=True))
    assert set(codes.values()) == {KILLED}, codes
    return folders


@pytest.mark.parametrize(("step", "point", "left", "before"), DOOMS, ids=lambda value: str(value))
async def test_a_workflow_goes_on_where_it_was_killed_and_does_nothing_twice(
    killed: dict[tuple[str, str, int], Path], step: str, point: str, left: int, before: tuple[str, ...]
) -> None:
    folder = killed[step, point, left]
    async with rig(folder, clock=later()) as play:
        log_sends(play, folder)
        await restart(play)
        known = await play.rows("SELECT campaign_id FROM campaigns")
        if known:  # what was over is over still
            at_start = await _workflow(play, known[0]["campaign_id"])
            over = {one.step: one for one in at_start.steps if one.state == "done"}
            assert set(before) <= over.keys()
        campaign_id = await create(play)  # the client that got no answer asks again, with its key
        await carry_on(play, campaign_id)

        await _check(play, folder, campaign_id)
        if known:
            at_end = {one.step: one for one in (await _workflow(play, campaign_id)).steps}
            assert {name: at_end[name].ended_at for name in before} == {name: over[name].ended_at for name in before}


async def _check(play: Rig, folder: Path, campaign_id: str) -> None:
    assert len(await play.rows("SELECT campaign_id FROM campaigns")) == 1
    rows = await play.rows("SELECT delivery_id, state, attempts FROM deliveries")
    assert len(rows) == FANS
    assert {row["state"] for row in rows} <= {"sent", "uncertain"}
    taken = Counter((folder / SENT).read_text().split())
    assert set(taken.values()) == {1}, "a message went out twice"
    assert {row["delivery_id"] for row in rows if row["state"] == "sent"} <= taken.keys()

    written = await play.rows("SELECT job_id FROM ledger WHERE outcome = 'ok'")
    assert len(written) == len({row["job_id"] for row in written}) == FANS, "a text was stored twice"
    assert await play.rows("SELECT id FROM attempts") == []
    assert await play.queue() == {}

    workflow = await _workflow(play, campaign_id)
    assert workflow.state == "done"
    assert {one.step: (one.state, one.entered, one.open) for one in workflow.steps} == dict.fromkeys(
        ("plan", "generate", "moderate", "approve", "send"), ("done", FANS, 0)
    )


async def _workflow(play: Rig, campaign_id: str) -> WorkflowRow:
    (row,) = (await play.desk.query(GetWorkflow(workflow_id=campaign_id))).rows
    found: WorkflowRow = row
    return found
