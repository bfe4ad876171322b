"""The state directory: who owns it, in which mode, and where its files are.

lock           flock; JSON of the owner: pid, kind, mode, version
endpoint.json  written atomically once the engine listens
api-token      one line, 0600
api-token-read-only  one line, 0600: who has it may look and change nothing; only where it was asked for
huntaze.db     the database, 0600
huntaze.sock   the engine's API for this host, 0600
"""

from __future__ import annotations

import fcntl
import json
import os
from enum import StrEnum
from pathlib import Path
from typing import Any

from engine.kernel.errors import StateDirectoryBusy, StorageError, WrongMode

_PRIVATE_DIRECTORY = 0o700
_PRIVATE_FILE = 0o600


class Mode(StrEnum):
    """Real or simulated; a directory is one of them for ever, so that play money and real money never mix."""

    REAL = "real"
    SIMULATED = "simulated"


class StateDirectory:
    """One engine's files. `acquire` makes this process the owner until `release` or its death."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock_path = path / "lock"
        self.endpoint_path = path / "endpoint.json"
        self.token_path = path / "api-token"
        self.read_only_token_path = path / "api-token-read-only"
        self.database_path = path / "huntaze.db"
        self.socket_path = path / "huntaze.sock"
        self._mode_path = path / "mode"
        self._lock: int | None = None

    def acquire(self, *, kind: str, mode: Mode, version: str) -> None:
        """Create the directory if need be, take its lock and check its mode.

        Raises StateDirectoryBusy while another process owns it, WrongMode for the other mode's directory.
        """
        self._create()
        descriptor = os.open(self.lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE_FILE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            owner = self.owner() or {}
            raise StateDirectoryBusy(str(self.path), owner.get("pid"), owner.get("kind", "process")) from None
        try:
            self._claim_mode(mode)
        except WrongMode:
            os.close(descriptor)
            raise
        owner = {"pid": os.getpid(), "kind": kind, "mode": mode.value, "version": version}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(owner).encode() + b"\n", 0)
        self._lock = descriptor
        self.endpoint_path.unlink(missing_ok=True)

    def release(self) -> None:
        """Give the directory up; its endpoint is gone with its owner."""
        if self._lock is not None:
            self.endpoint_path.unlink(missing_ok=True)
            self.socket_path.unlink(missing_ok=True)
            os.ftruncate(self._lock, 0)
            os.close(self._lock)
            self._lock = None

    def owner(self) -> dict[str, Any] | None:
        """Who the lock file names; it may be dead. None when it names nobody."""
        try:
            found = json.loads(self.lock_path.read_text())
        except (FileNotFoundError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def endpoint(self) -> dict[str, Any] | None:
        """Where the running engine listens, or None. The file may be left over from a killed process: try it."""
        try:
            found = json.loads(self.endpoint_path.read_text())
        except (FileNotFoundError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def mode(self) -> Mode | None:
        """The mode the directory was made in; None for a new one."""
        try:
            return Mode(self._mode_path.read_text().strip())
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise StorageError(f"{self._mode_path} says neither real nor simulated") from error

    def write_private(self, path: Path, text: str) -> None:
        """Write a file of this directory atomically, readable by its owner only."""
        temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE_FILE)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)

    def _create(self) -> None:
        try:
            self.path.mkdir(mode=_PRIVATE_DIRECTORY, parents=True, exist_ok=True)
        except OSError as error:
            remedy = "Choose another with --state-dir"
            raise StorageError(
                f"cannot create the state directory {self.path}: {error.strerror}", remedy=remedy
            ) from error

    def _claim_mode(self, mode: Mode) -> None:
        found = self.mode()
        if found is None:
            self.write_private(self._mode_path, mode.value + "\n")
        elif found is not mode:
            raise WrongMode(
                f"{self.path} holds {found.value} data and cannot be opened as {mode.value}",
                remedy="Choose another directory with --state-dir",
            )
