"""What an operator wants most often, by the very keys and commands of docs/operating.md: five keys or one command.

The keys are read from its table, so that neither can change without the other. Over the real engine, but for a failing
provider, which is written down.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from engine.kernel.values import DAY, HOUR, MINUTE, SECOND, usd
from engine.runtime import Keyframes
from engine.surface import commands, queries
from huntaze_console.cli.root import huntaze
from screens.reading import Reading
from screens.widgets.asking import Ask
from tests.fakes import ManualClock
from tests.rig import Rig, answer, rig
from tests.screens.harness import Console, console
from tests.screens.rig_source import LINKS, acting, looking, until

PAGE = Path(__file__).parents[2] / "docs" / "operating.md"
MOST = 5
NAMES = {":": "colon", "/": "slash"}


@dataclass(frozen=True, slots=True)
class Task:
    """A row of the table. A key is its name; typed words stand as (words,)."""

    name: str
    keys: tuple[str | tuple[str], ...]
    count: int
    command: str


def tasks() -> dict[str, Task]:
    section = PAGE.read_text(encoding="utf-8").partition("## A dozen tasks")[2].partition("\n## ")[0]
    found = {}
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and cells[0] != "task":
            name, pressed, count, command = cells
            keys = tuple(key or (words,) for key, words in re.findall(r"`([^`]+)`|\*([^*]+)\*", pressed))
            found[name] = Task(name, keys, int(count), command.strip("`"))
    return found


TASKS = tasks()
Before = Callable[[Rig], Awaitable[None]]
After = Callable[[Console, Rig], Awaitable[None]]
SCENES: dict[str, tuple[Before, After]] = {}


def scene(name: str, before: Before) -> Callable[[After], After]:
    """What stands before a task, and what must be so after its keys."""

    def kept(after: After) -> After:
        SCENES[name] = (before, after)
        return after

    return kept


async def come(running: Console) -> None:
    """Until what the screen asked the engine has come."""
    for _ in range(200):
        await running.settle()
        screen = running.app.screen
        if not isinstance(screen, Reading) or screen.question() is None or screen.done:
            return
        await running.pilot.pause(0.02)


async def press(running: Console, keys: tuple[str | tuple[str], ...]) -> None:
    """As a person does: the next key once the screen shows what came of the one before."""
    for key in keys:
        if isinstance(key, tuple):
            await running.type(key[0])
            if isinstance(running.app.screen, Ask):
                await running.pilot.pause(0.4)  # its effect is reckoned once nothing was typed for a moment
        else:
            await running.press(NAMES.get(key, key))
        await come(running)


def test_each_task_takes_few_keys_and_every_key_is_counted() -> None:
    assert set(TASKS) == {*SCENES, FAILING}
    for task in TASKS.values():
        assert task.count == len(task.keys) <= MOST, task.name


@pytest.mark.parametrize("name", TASKS)
def test_the_command_beside_it_is_one_there_is(name: str) -> None:
    """Parsed to the last flag, and not run."""
    program, *words = shlex.split(TASKS[name].command.replace("NUMBER", "17"))
    command: click.Command = huntaze
    context = click.Context(command)
    assert program == "huntaze"
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        _, found, words = command.resolve_command(context, words)
        assert found is not None
        command, context = found, click.Context(found, parent=context)
    command.make_context(command.name, list(words), parent=context.parent)


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("name", SCENES)
async def test_a_task_is_done_by_the_keys_that_are_written_down(name: str, link: str, tmp_path: Path) -> None:
    """The engine starts again in between: what an operator finds is what it knows by itself."""
    before, after = SCENES[name]
    clock = ManualClock()
    async with rig(tmp_path, clock=clock) as play:
        await before(play)
    await clock.advance(SECOND)
    async with acting(tmp_path, link, clock=clock) as (play, source), looking(source) as running:
        await press(running, TASKS[name].keys)
        await after(running, play)


FAILING = "see which provider fails, and why its breaker is as it is"


async def test_a_failing_provider_is_seen_with_the_reason() -> None:
    async with console() as running:
        await press(running, TASKS[FAILING].keys)
        shown = running.text()

    (line,) = (line for line in shown.splitlines() if "azure gpt-4-turbo" in line and "open" in line and "%" in line)
    assert "✖ open" in line
    assert "52 % of 100 calls failed" in shown


# ── what stands before, and after ───────────────────────────────────────────────────────────────────────────────────


async def drafted(play: Rig, *texts: str) -> str:
    campaign_id = await play.create(count=len(texts), prompt="Say hello", approval="required")
    play.providers["one"].script += [answer(text) for text in texts]
    await play.write()
    await play.metered.drain()
    return campaign_id


async def alert(play: Rig) -> None:
    await play.database.write(
        lambda tx: tx.execute(
            "INSERT INTO alerts (alert_id, rule, subject, severity, summary, gist, opened_at, changed_at)"
            " VALUES ('alr_1', 'queue_age', 'q', 'warning', 'the oldest waits', '', 1, 1)"
        )
    )


async def nothing(_play: Rig) -> None: ...


async def before_dearest(play: Rig) -> None:
    """One campaign of three texts, called autumn, and after it a spring that has one so far."""
    await play.create(count=3, prompt="Say hello")
    await play.write()
    await play.database.write(lambda tx: tx.execute("UPDATE campaigns SET name = 'autumn'"))
    await play.create(count=3, prompt="Say good night")
    await play.write(limit=1)
    await play.metered.drain()


@scene("find today's dearest campaign", before_dearest)
async def dearest(running: Console, play: Rig) -> None:
    first, second = (line for line in running.lines() if line[1:8] in ("autumn ", "spring "))
    assert first.startswith("▌autumn"), (first, second)
    assert "today" in running.lines()[1]


async def before_why(play: Rig) -> None:
    await play.create()
    await play.write()
    await play.desk.submit(commands.SuppressFan(account_id="anna", fan_id="f0", reason="by law"))


@scene("know why a fan got nothing", before_why)
async def why(running: Console, play: Rig) -> None:
    await until(running, "It will not be sent: suppressed here: by law.")


@scene("stop everything", nothing)
async def stopped(running: Console, play: Rig) -> None:
    await until(running, "HALTED by")


async def before_going_on(play: Rig) -> None:
    await play.desk.submit(commands.HaltSending(actor="anna"))


@scene("let it go on", before_going_on)
async def going_on(running: Console, play: Rig) -> None:
    await until(running, "Messages go out again")
    assert "HALTED" not in running.lines()[0]


async def before_raised(play: Rig) -> None:
    await play.desk.submit(commands.SetBudget(scope="global", window="day", limit=usd(50)))


@scene("raise a budget", before_raised)
async def raised(running: Console, play: Rig) -> None:
    await until(running, "may spend 80")
    (row,) = (await play.desk.query(queries.ListBudgets())).rows
    assert row.limit == usd(80)


async def before_approved(play: Rig) -> None:
    await drafted(play, "Good morning you", "Come find me at www.example.com")


@scene("approve the texts that wait, the riskiest first", before_approved)
async def approved(running: Console, play: Rig) -> None:
    await until(running, "2 texts of spring are approved")
    rows = await play.rows("SELECT count(*) AS n FROM deliveries WHERE state = 'queued'")
    assert rows == [{"n": 2}]


async def before_redriven(play: Rig) -> None:
    await play.create(count=1, prompt="Say hello")
    (lease,) = await play.lease_writing()
    await play.database.write(lambda tx: play.jobs.bury(tx, lease, "the model never answered"))


@scene("give dead letters another chance", before_redriven)
async def redriven(running: Console, play: Rig) -> None:
    await until(running, "no dead job here")
    assert await play.queue("huntaze-hybrid-workflows") == {"ready": 1}


async def before_call(play: Rig) -> None:
    await play.create(count=1, prompt="Say hello")
    await play.write()
    await play.metered.drain()


@scene("see what one call cost, who answered it, and its attempts", before_call)
async def call(running: Console, play: Rig) -> None:
    await until(running, "1 attempt, $0.00002 together · answered by one m")


@scene("acknowledge an alert", alert)
async def acknowledged(running: Console, play: Rig) -> None:
    (row,) = await play.rows("SELECT acknowledged_by FROM alerts")
    assert row["acknowledged_by"]
    await until(running, f"seen by {row['acknowledged_by']}")


@scene("silence an alert for an hour", alert)
async def silenced(running: Console, play: Rig) -> None:
    await until(running, "Silenced")
    (row,) = (await play.desk.query(queries.ListSilences())).rows
    assert (row.rule, row.subject, row.reason) == ("queue_age", "q", "known")
    assert 0 <= row.ends_at - play.clock.now() - HOUR < MINUTE  # an attached console's clock runs on


async def before_done(play: Rig) -> None:
    await play.desk.submit(commands.HaltSending(actor="bella"))


@scene("see what was done in the last hour", before_done)
async def done(running: Console, play: Rig) -> None:
    shown = await until(running, "halt-sending")
    assert "bella" in shown
    assert "false → true" in shown


async def before_undone(play: Rig) -> None:
    await play.desk.submit(commands.SetBudget(scope="global", window="day", limit=usd(50)))
    await play.desk.submit(commands.SetBudget(scope="global", window="day", limit=usd(20)))


@scene("undo the last act", before_undone)
async def undone(running: Console, play: Rig) -> None:
    await until(running, "is undone")
    (row,) = (await play.desk.query(queries.ListBudgets())).rows
    assert row.limit == usd(50)


async def before_past(play: Rig) -> None:
    await Keyframes(play.database, lambda: play.projector.snapshot).keep(play.projector.snapshot)
    await play.clock.advance((14 * HOUR + 5 * MINUTE - play.clock.now()) % DAY)
    await play.create(count=1, prompt="Say hello")
    await play.write()
    await play.metered.drain()
    await play.clock.advance(2 * HOUR)


@scene("look at 14:00 to 15:00 again", before_past)
async def past(running: Console, play: Rig) -> None:
    for _turn in range(200):
        if "RECORDING" in running.lines()[0]:
            break
        await running.pilot.pause(0.02)
        await running.settle()
    assert " 14:0" in running.lines()[0], list(running.notices)


@scene("send a tool's tasks to a cheaper model", nothing)
async def routed(running: Console, play: Rig) -> None:
    shown = await until(running, "cheapest")
    assert "cheapest" in shown
    (row,) = (await play.desk.query(queries.ListRoutes())).rows
    assert row.strategy == "cheapest"
