"""The console in a real tmux, at the sizes people have: it shows what matters, and works by its keys."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.screens.grid import by_code_point
from tests.system.embedded import HUNTAZE, Demo, alive

pytestmark = pytest.mark.system


@dataclass
class Tmux:
    """A tmux server of the test's own, with one window that runs one command."""

    socket: Path
    environment: dict[str, str]

    def run(self, *arguments: str) -> str:
        return subprocess.run(
            ["tmux", "-S", str(self.socket), "-f", "/dev/null", *arguments],
            capture_output=True,
            text=True,
            check=True,
            env=self.environment,
        ).stdout

    @property
    def text(self) -> str:
        return self.run("capture-pane", "-p")

    def wait(self, told: str | Callable[[str], bool], *, within: float = 30) -> str:
        holds = told if callable(told) else lambda shown: told in shown
        give_up = time.monotonic() + within
        while not holds(shown := self.text):
            assert time.monotonic() < give_up, f"not shown in time: {told}\n{shown}"
            time.sleep(0.1)
        return shown

    def press(self, *keys: str) -> None:
        for key in keys:
            self.run("send-keys", key)
            time.sleep(0.3)

    def type(self, text: str) -> None:
        self.run("send-keys", "-l", text)
        time.sleep(0.3)


@contextmanager
def tmux(demo: Demo, columns: int, lines: int, *flags: str) -> Iterator[Tmux]:
    window = Tmux(demo.home / "tmux", demo.environment)
    command = " ".join([*demo.command(*flags), "; echo left with $?; sleep 600"])
    window.run("new-session", "-d", "-x", str(columns), "-y", str(lines), command)
    try:
        yield window
    finally:
        window.run("kill-server")
        give_up = time.monotonic() + 30
        while demo.processes() and time.monotonic() < give_up:
            time.sleep(0.1)


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (120, 40), (200, 60)])
def test_the_overview_shows_what_matters_at_every_size(tmp_path: Path, columns: int, lines: int) -> None:
    demo = Demo(tmp_path)
    with tmux(demo, columns, lines) as window:
        window.wait(alive)
        window.wait(lambda _: demo.sent() >= 10)
        shown = window.wait(lambda text: "free" in text and "hybrid" in text and "gpt-4o" in text)

        for words in ("HUNTAZE overview", "today", "month", "of $50", "gpt-4o", "rate-limiter", "anna"):
            assert words in shown, words
        rows = shown.splitlines()
        assert all(len(row) <= columns for row in rows)
        assert "? help" in "".join(rows[-2:])

        window.press("q")
        window.wait("Leave and stop the engine?")
        window.press("y")
        window.wait("left with 0")
        assert not demo.locked()


def test_a_campaign_is_made_started_and_paused_by_keys(tmp_path: Path) -> None:
    demo = Demo(tmp_path)
    with tmux(demo, 120, 40) as window:
        window.wait(alive)
        window.wait(lambda _: demo.sent() >= 1)
        window.press("c")
        window.wait("WHAT IT WILL DO")
        window.type("by-keys")
        window.press("Tab", "Tab", "Tab", "Tab", "Tab")
        window.type("Say hello and ask about the weekend.")
        window.press("Tab", "Right")  # approval: none
        window.wait(lambda text: "fans" in text and "$" in text.split("WHAT IT WILL DO")[1])
        while "Send to" not in window.text:  # refused while what it would do is still being reckoned
            window.press("C-g")
        window.press("y")
        window.wait(lambda _: _state(demo) == "running")

        window.press("6")
        window.wait("by-keys")
        window.press("/")
        window.type("by-keys")
        window.press("Enter", "p")

        window.wait(lambda _: _state(demo) == "paused")
        window.wait("paused")


def _state(demo: Demo) -> str:
    """The campaign's state, asked of the same engine from another shell."""
    command = [HUNTAZE, "campaign", "list", "--json", "--state-dir", str(demo.state.path)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, env=demo.environment).stdout
    states = {row["name"]: row["state"] for row in json.loads(answer)["rows"]}
    return str(states.get("by-keys", ""))


def test_names_in_any_script_leave_the_columns_where_they_are(tmp_path: Path) -> None:
    demo = Demo(tmp_path)
    names = ("कि" * 20, "प्रिया கவின் 👍🏽👍🏽", "❤️" * 10, "👨‍👩‍👧 family", "plain")
    with tmux(demo, 80, 24) as window:
        window.wait(alive)
        for name in names:
            _create(demo, name)
        window.press("6")
        window.wait("plain")
        shown = window.wait(lambda text: text.count("not started") == len(names))

        rows = [line for line in shown.splitlines() if "not started" in line]
        stands = {_columns(line, "anna", "0/", "not started") for line in rows}
        assert len(stands) == 1, shown


def _create(demo: Demo, name: str) -> None:
    command = [HUNTAZE, "campaign", "create", "--account", "anna", "--all", "--template", "Hello", "--name", name]
    subprocess.run([*command, "--state-dir", str(demo.state.path)], check=True, env=demo.environment)


def _columns(line: str, *words: str) -> tuple[int, ...]:
    """Where words begin, in cells as tmux counts them: by code point."""
    return tuple(sum(cells for _, cells in by_code_point(line[: line.rindex(word)])) for word in words)
