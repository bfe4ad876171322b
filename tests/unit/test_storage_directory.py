"""Who owns a state directory, and in which mode."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from engine.kernel.errors import StateDirectoryBusy, StorageError, WrongMode
from engine.storage import Mode, StateDirectory


def owned(path: Path, mode: Mode = Mode.REAL) -> StateDirectory:
    directory = StateDirectory(path)
    directory.acquire(kind="daemon", mode=mode, version="1")
    return directory


def test_one_owner_at_a_time_and_the_second_learns_who_it_is(tmp_path: Path) -> None:
    first = owned(tmp_path / "state")

    with pytest.raises(StateDirectoryBusy) as busy:
        owned(tmp_path / "state")

    assert (busy.value.pid, busy.value.kind) == (os.getpid(), "daemon")
    first.release()
    owned(tmp_path / "state").release()


def test_a_directory_keeps_its_mode_for_ever(tmp_path: Path) -> None:
    owned(tmp_path, Mode.SIMULATED).release()

    with pytest.raises(WrongMode):
        owned(tmp_path, Mode.REAL)

    owned(tmp_path, Mode.SIMULATED).release()


def test_the_directory_and_its_files_are_their_owners_only(tmp_path: Path) -> None:
    directory = owned(tmp_path / "state")
    directory.write_private(directory.token_path, "secret\n")

    assert stat.S_IMODE(directory.path.stat().st_mode) == 0o700
    for path in (directory.lock_path, directory.token_path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    directory.release()


def test_releasing_takes_the_endpoint_away(tmp_path: Path) -> None:
    directory = owned(tmp_path)
    directory.write_private(directory.endpoint_path, '{"url": "http://127.0.0.1:1"}')
    assert directory.endpoint() == {"url": "http://127.0.0.1:1"}

    directory.release()

    assert directory.endpoint() is None


def test_an_endpoint_left_by_a_killed_process_is_gone_with_the_next_owner(tmp_path: Path) -> None:
    (tmp_path / "endpoint.json").write_text('{"url": "http://127.0.0.1:1"}')

    directory = owned(tmp_path)

    assert directory.endpoint() is None
    directory.release()


def test_a_path_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StorageError, match="cannot create the state directory"):
        owned(tmp_path / "file" / "state")
