"""The console over a real SSH connection, attached to a daemon that outlives every link."""

from __future__ import annotations

import getpass
import os
import re
import shlex
import signal
import socket
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.surface.queries import ListCampaigns
from huntaze_console.client import connect
from tests.system.embedded import HUNTAZE, Demo, started
from tests.system.running import daemon
from tests.system.terminal import Terminal, terminal

pytestmark = pytest.mark.system
SSHD = "/usr/sbin/sshd"  # it insists on an absolute path


@pytest.mark.parametrize("name", ["xterm-256color", "screen-256color", "linux", "vt100"])
def test_an_operator_works_over_ssh_and_leaves_the_daemon_running(tmp_path: Path, name: str) -> None:
    demo = Demo(tmp_path)
    with daemon(demo) as engine, sshd(tmp_path) as port:
        with link(demo, port, TERM=name) as shown:
            started(shown)
            shown.wait(lambda text: bool(re.search(r"today +<?\$\d+\.\d\d +of \$50", text)))
            assert "attached" in shown.text
            _start_campaign(shown)
            _until(lambda: _campaigns(demo)["over-ssh"] == "running")
            shown.type("6")
            shown.wait(lambda text: "HUNTAZE campaigns" in text and "over-ssh" in text)
            shown.press("/", "over-ssh", "\r", "p")
            _until(lambda: _campaigns(demo)["over-ssh"] == "paused")
            shown.wait("paused")

            shown.press("q")

            assert shown.finish() == 0
            told = bytes(shown.written)
        assert engine.poll() is None
        assert len(demo.processes()) == 2  # the daemon and its world
    left = told.decode()
    if name in ("linux", "vt100"):
        assert all(letter <= "~" for letter in left)
    styles = {code for style in re.findall(r"\x1b\[([0-9;]*)m", left) for code in _codes(style)}
    assert ("38;5" in styles) is ("256color" in name)  # what the far end is told of colours is the terminal's name
    assert bool(styles & {str(code) for code in (*range(30, 38), *range(90, 98))}) is (name == "linux")


def _codes(style: str) -> list[str]:
    """The codes of one style, a colour of the 256 as one."""
    return re.findall(r"[34]8;5(?=;)|\d+", re.sub(r"([34]8;5);\d+", r"\1;", style))


def test_cutting_the_link_ends_the_console_within_a_second_and_not_the_daemon(tmp_path: Path) -> None:
    demo = Demo(tmp_path)
    with daemon(demo) as engine, sshd(tmp_path) as port:
        with link(demo, port) as shown:
            started(shown)
            _start_campaign(shown)
            _until(lambda: _campaigns(demo)["over-ssh"] == "running")
            assert len(demo.processes()) > 2

            shown.process.send_signal(signal.SIGKILL)
            shown.process.wait()
            cut = time.monotonic()
            _until(lambda: len(demo.processes()) == 2, every=0.02)
            assert time.monotonic() - cut < 1.5  # the server takes a moment to see it

        sent = demo.sent()
        _until(lambda: demo.sent() > sent)
        assert engine.poll() is None
        assert _campaigns(demo)["over-ssh"] == "running"
        with link(demo, port) as again:  # and the next one finds it
            started(again)
            again.type("q")
            assert again.finish() == 0


def _start_campaign(shown: Terminal) -> None:
    """As a person does, key by key, and reading what is asked."""
    shown.type("c")
    shown.wait("WHAT IT WILL DO")
    shown.press("over-ssh", *"\t" * 5, "Say hello and ask about the weekend.", "\t", "\x1b[C")
    shown.wait(lambda text: "fans" in text and "$" in text.split("WHAT IT WILL DO")[1])
    while "Send to" not in shown.text:  # an estimate may just be on its way
        shown.press("\x07")
        shown.read(1)
    shown.press("y")


def _campaigns(demo: Demo) -> Mapping[str, str]:
    """Each campaign's state, asked of the engine itself."""
    with connect(demo.state) as client:
        return defaultdict(str, {row.name: row.state for row in client.query(ListCampaigns()).rows})


@contextmanager
def sshd(folder: Path) -> Iterator[int]:
    """An SSH server on loopback that lets in this test's key as this user, and nothing else. Yields its port."""
    for name in ("host", "key"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "throw-away", "-f", str(folder / name)], check=True
        )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # the root-run server separates its privileges there
    port = _free_port()
    settings = {
        "Port": port,
        "ListenAddress": "127.0.0.1",
        "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "key.pub",
        "PidFile": "none",
        "UsePAM": "no",
        "StrictModes": "no",  # the key lies in a temporary directory
        "PasswordAuthentication": "no",
        "AcceptEnv": "LANG",  # as Debian's does
        "PermitRootLogin": "prohibit-password",
    }
    (folder / "sshd_config").write_text("".join(f"{key} {value}\n" for key, value in settings.items()))
    with (folder / "sshd.log").open("wb") as log:
        server = subprocess.Popen([SSHD, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=log)
    try:
        _until(lambda: _listens(port))
        yield port
    finally:
        server.terminate()
        server.wait(10)


@contextmanager
def link(demo: Demo, port: int, **environment: str) -> Iterator[Terminal]:
    """A console at the far end of `ssh -tt`. COLORTERM does not travel, as it never does."""
    console = shlex.join([HUNTAZE, "--state-dir", str(demo.state.path)])
    options = {
        "UserKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "no",
        "IdentitiesOnly": "yes",
        "LogLevel": "ERROR",
        "SendEnv": "LANG",
    }
    command = ["ssh", "-tt", "-F", "none", "-p", str(port), "-i", str(demo.home / "key")]
    command += [part for key, value in options.items() for part in ("-o", f"{key}={value}")]
    command += [f"{getpass.getuser()}@127.0.0.1", console]
    with terminal(command, columns=120, lines=40, environment={**demo.environment, **environment}) as shown:
        yield shown


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _until(holds: Callable[[], bool], *, within: float = 20, every: float = 0.1) -> None:
    give_up = time.monotonic() + within
    while not holds():
        assert time.monotonic() < give_up, "it did not happen in time"
        time.sleep(every)
