"""The console over a real SSH connection, attached to a daemon that outlives every link."""

from __future__ import annotations

import getpass
import os
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.surface.queries import ListCampaigns
from huntaze_console.client import connect
from tests.system.embedded import HUNTAZE, Demo, started
from tests.system.terminal import Terminal, terminal

pytestmark = pytest.mark.system
SSHD = "/usr/sbin/sshd"  # it insists on an absolute path


def test_a_console_over_ssh_shows_the_spend_and_leaves_the_daemon_running(tmp_path: Path) -> None:
    demo = Demo(tmp_path)
    with daemon(demo) as engine, sshd(tmp_path) as port:
        with link(demo, port) as shown:
            started(shown)
            assert "today" in shown.text
            assert "attached" in shown.text

            shown.type("q")

            assert shown.finish() == 0
        assert engine.poll() is None
        assert len(demo.processes()) == 2  # the daemon and its world


def test_cutting_the_link_ends_the_console_and_not_the_daemon(tmp_path: Path) -> None:
    demo = Demo(tmp_path)
    with daemon(demo) as engine, sshd(tmp_path) as port:
        with link(demo, port) as shown:
            started(shown)
            assert len(demo.processes()) > 2

            shown.process.send_signal(signal.SIGKILL)
            shown.process.wait()
            _until(lambda: len(demo.processes()) == 2)

        sent = demo.sent()
        _until(lambda: demo.sent() > sent)
        assert engine.poll() is None
        with connect(demo.state) as client:
            assert client.query(ListCampaigns()).rows
        with link(demo, port) as again:  # and the next one finds it
            started(again)
            again.type("q")
            assert again.finish() == 0


@contextmanager
def daemon(demo: Demo) -> Iterator[subprocess.Popen[str]]:
    flags = ["--simulate", "--port", "0", "--speed", "20", "--state-dir", str(demo.state.path)]
    with subprocess.Popen(
        [HUNTAZE, "daemon", *flags], stdout=subprocess.PIPE, text=True, env=demo.environment
    ) as running:
        assert running.stdout is not None
        assert "ready at" in running.stdout.readline()
        try:
            yield running
            running.send_signal(signal.SIGTERM)
            assert running.wait(30) == 0
        finally:
            running.kill()


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
def link(demo: Demo, port: int) -> Iterator[Terminal]:
    """A console at the far end of `ssh -tt`."""
    console = shlex.join([HUNTAZE, "--state-dir", str(demo.state.path)])
    options = {
        "UserKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "no",
        "IdentitiesOnly": "yes",
        "LogLevel": "ERROR",
    }
    command = ["ssh", "-tt", "-F", "none", "-p", str(port), "-i", str(demo.home / "key")]
    command += [part for key, value in options.items() for part in ("-o", f"{key}={value}")]
    command += [f"{getpass.getuser()}@127.0.0.1", console]
    with terminal(command, columns=100, lines=30, environment=demo.environment) as shown:
        yield shown


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _until(holds: Callable[[], bool], *, within: float = 20) -> None:
    give_up = time.monotonic() + within
    while not holds():
        assert time.monotonic() < give_up, "it did not happen in time"
        time.sleep(0.1)
