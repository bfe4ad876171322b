"""The listening sockets: a unix one in the state directory, a TCP one where it is wanted."""

from __future__ import annotations

import os
import socket
import ssl
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.kernel.errors import ConfigError, StateDirectoryBusy
from huntaze_console.api.settings import SOURCE, ApiSettings

_LONGEST = 107  # bytes of a unix socket's path that the kernel takes, without the closing zero
_BACKLOG = 1_024
_PRIVATE = 0o600


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """A name for a socket's path that is short enough to bind or connect to, for the length of the block.

    A deep state directory is reached through an open descriptor of it: the path is then as short as `/proc/self/fd/7`.
    """
    plain = os.fspath(path)
    if len(os.fsencode(plain)) <= _LONGEST:
        yield plain
        return
    descriptor = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{path.name}"
    finally:
        os.close(descriptor)


def listen_unix(path: Path) -> socket.socket:
    """Listen at a path, for its owner only. A socket left over by a killed engine is replaced.

    Raises StateDirectoryBusy when somebody answers there, ConfigError when the path cannot be used.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with reachable(path) as name:
            _clear(path, name)
            listener.bind(name)
        path.chmod(_PRIVATE)  # before it listens: until then a connection is refused
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigError("the state directory", "", f"cannot listen at {path}: {error.strerror}") from error
    except BaseException:
        listener.close()
        raise
    return listener


def listen_tcp(settings: ApiSettings) -> socket.socket:
    """Listen on the configured host and port. Raises ConfigError when that is not possible."""
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
        family, address = found[0][0], found[0][4]
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except socket.gaierror as error:
        raise ConfigError(SOURCE, "host", f"{settings.host} is not an address of this machine") from error
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        remedy = "Stop what listens there, or choose another with --port"
        raise ConfigError(SOURCE, "port", f"cannot listen on {where}: {error.strerror}", remedy=remedy) from error


def url_of(listener: socket.socket, settings: ApiSettings) -> str:
    """Where a TCP listener is reached."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{'https' if settings.tls else 'http'}://{host}:{listener.getsockname()[1]}"


def tls_context(settings: ApiSettings) -> ssl.SSLContext | None:
    """The TLS side of the settings, or None. Raises ConfigError for files that are no certificate and its key."""
    if settings.tls_certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    except (OSError, ssl.SSLError) as error:
        what = f"{settings.tls_certificate} and its key cannot be used: {error.strerror or error}"
        raise ConfigError(SOURCE, "tls_certificate", what) from error
    return context


def _clear(path: Path, name: str) -> None:
    """Remove a socket nobody listens at."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ConfigError("the state directory", "", f"{path} is in the way", remedy="Move it elsewhere")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        if probe.connect_ex(name) == 0:
            raise StateDirectoryBusy(os.fspath(path.parent), None, "process")
    path.unlink()
