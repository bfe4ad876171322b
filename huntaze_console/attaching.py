"""What a console needs to reach an engine elsewhere: an address it may use, and a token that nobody else saw.

A token comes from a file of the operator's own, from HUNTAZE_TOKEN, or from the keyboard without an echo; it is never a
flag or a part of the address, because other users can read a command line, and it is never logged.
"""

from __future__ import annotations

import ipaddress
import os
import stat
from collections.abc import Callable, MutableMapping
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from engine.kernel.errors import ConfigError
from engine.kernel.secret import Secret
from huntaze_console.options import Remote
from screens.sources.line import Address

TOKEN = "HUNTAZE_TOKEN"  # noqa: S105 - the variable's name
_LONGEST_TOKEN = 4_096  # bytes
_PORTS = {"http": 80, "https": 443}


def address_of(remote: Remote) -> Address:
    """Where to connect. Raises ConfigError for an address that is none, or would show the token to a network."""
    parts = urlsplit(remote.url)
    port = _checked(parts)
    host, tls = parts.hostname or "", parts.scheme == "https"
    if not tls and not remote.insecure and not _is_loopback(host):
        remedy = (
            f"Use https, or a tunnel (ssh -L {port}:127.0.0.1:{port} {host}, then --connect http://127.0.0.1:{port}), "
            "or say --insecure"
        )
        raise _wrong(f"plain http to {host} would show the token to the network", remedy)
    if remote.ca_file is not None and not tls:
        raise ConfigError("--ca-file", "", "means something with https only", remedy="Leave it out, or use https")
    return Address(host=host, port=port, tls=tls, ca_file=remote.ca_file, path=parts.path.rstrip("/"))


def token_of(remote: Remote, environ: MutableMapping[str, str], ask: Callable[[str], str]) -> Secret:
    """The token, from where there is one; `ask` prompts without an echo. The variable is taken out of `environ`.

    Raises ConfigError for a file that others may read, and for what is no token.
    """
    said = environ.pop(TOKEN, "")
    if remote.token_file is not None:
        return _token(_private(remote.token_file), f"--token-file {remote.token_file}")
    return _token(said, TOKEN) if said else _token(ask(f"Token for {remote.url}"), "the prompt")


def _checked(parts: SplitResult) -> int:
    """The port of a well-formed address."""
    if parts.scheme not in _PORTS or not parts.hostname:
        raise _wrong("is not an address", "Say https://host:8642, or http://127.0.0.1:8642")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise _wrong("holds more than an address", "Give the token by --token-file or HUNTAZE_TOKEN, never in the URL")
    try:
        return parts.port or _PORTS[parts.scheme]
    except ValueError:
        raise _wrong("names no port of 1 to 65535", "Say https://host:8642") from None


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _private(path: Path) -> str:
    """The text of a file that belongs to this user and that nobody else may read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise ConfigError("--token-file", "", f"{path} cannot be read: {error.strerror}") from None
    with os.fdopen(descriptor, "rb") as file:
        state = os.fstat(file.fileno())
        if not stat.S_ISREG(state.st_mode):
            raise ConfigError("--token-file", "", f"{path} is not a file")
        if state.st_uid != os.geteuid():
            raise ConfigError("--token-file", "", f"{path} belongs to another user", remedy="Make a copy of your own")
        if state.st_mode & 0o077:
            words = f"{path} is open to others ({stat.S_IMODE(state.st_mode):04o})"
            raise ConfigError("--token-file", "", words, remedy=f"chmod 600 {path}, and think of the token as known")
        return file.read(_LONGEST_TOKEN).decode("ascii", "replace")


def _token(text: str, source: str) -> Secret:
    found = text.strip()
    if not found:
        raise ConfigError(
            source, "", "holds no token", remedy="The engine's stands in api-token in its state directory"
        )
    if not found.isascii() or not found.isprintable() or " " in found:
        raise ConfigError(source, "", "holds no token: one line of letters and digits was expected")
    return Secret(found)


def _wrong(words: str, remedy: str) -> ConfigError:
    return ConfigError("--connect", "", words, remedy=remedy)
