"""The console in a real GNU screen: it is drawn right, works by its keys, and copies through it."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest

from tests.system.embedded import HUNTAZE, Demo, started
from tests.system.running import daemon
from tests.system.terminal import terminal

pytestmark = pytest.mark.system


def test_the_console_works_inside_gnu_screen(tmp_path: Path) -> None:
    demo = Demo(tmp_path)
    sockets = tmp_path / "screens"
    sockets.mkdir(mode=0o700)
    settings = tmp_path / "screenrc"
    settings.write_text("startup_message off\ndefutf8 on\nterm screen-256color\nvbell off\n")
    environment = {**demo.environment, "SCREENDIR": str(sockets)}
    command = ["screen", "-U", "-c", str(settings), "-S", "console", HUNTAZE, "--state-dir", str(demo.state.path)]
    with daemon(demo), terminal(command, environment=environment) as shown:
        started(shown)
        assert "attached" in shown.text
        assert shown.text.splitlines()[0].startswith(" HUNTAZE overview")

        shown.type("6")
        shown.wait("HUNTAZE campaigns")
        shown.written.clear()
        shown.press("y")
        shown.wait("Copied cmp_")
        found = re.search(rb"\x1b\]52;c;([A-Za-z0-9+/=]+)", bytes(shown.written))  # the outer terminal got it
        assert found
        assert base64.b64decode(found[1]).startswith(b"cmp_")

        shown.type("q")
        assert shown.finish() == 0
