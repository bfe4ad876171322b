"""Where secrets come from: the environment, or a file that only its owner can read. Never a configuration file."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path as File
from typing import Any

from engine.kernel.errors import ConfigError
from engine.kernel.secret import Secret
from huntaze_console.configuration.environment import FIXED, spelled
from huntaze_console.configuration.layers import Layer
from huntaze_console.configuration.problems import dotted, problem, secret_in_file
from huntaze_console.configuration.shape import Path, is_secret

_LARGEST = 64 * 1024  # bytes; no key is longer, and a wrong path should not be read whole

_KEY = re.compile(r"(sk-|xai-|AIza|AKIA|xox[bp]-|https://hooks\.slack\.com/)[A-Za-z0-9_/-]{12,}$")

_PLACES: tuple[Path, ...] = (
    ("platform", "token"),
    ("smtp", "password"),
    ("mqtt", "password"),
    ("backends", "redis_url"),
    ("alerts", "slack_webhook_url"),
)
_VARIABLES: Mapping[Path, str] = {path: name for name, path in FIXED.items()}


def gather(layer: Layer, environ: Mapping[str, str], *, simulated: bool) -> tuple[Layer, list[ConfigError]]:
    """The layer with every secret in its place, and what was wrong with where they were looked for.

    In a simulation no secret is looked for, and none is read.
    """
    values = _copied(layer.values)
    places = dict(layer.places)
    problems = [secret_in_file(layer, path, spelled(path)) for path in _literal(values) if not is_secret(path)]
    for path in _paths(values):
        variable = _variable(values, path)
        table, key = _table(values, path), str(path[-1])
        if key in table and not isinstance(table[key], Secret):
            problems.append(secret_in_file(layer, path, variable))
            del table[key]
        if simulated:
            table.pop(key, None)
            continue
        try:
            secret, place = _look(table, path, variable, environ)
        except (OSError, ValueError) as error:
            problems.append(_unreadable(layer, (*path[:-1], f"{key}_file"), error))
            continue
        if any(not "!" <= letter <= "~" for letter in secret.reveal()):
            problems.append(ConfigError(place, dotted(path), "holds a blank or a character no key can hold"))
        elif secret:
            table[key], places[path] = secret, place
    return Layer(values=values, places=places, source=layer.source), problems


def read_private(file: File) -> Secret:
    """The secret in a file that only its owner may read. Raises OSError, or ValueError saying what to do."""
    status = file.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("is not a file")
    if status.st_mode & 0o077:
        raise ValueError(f"can be read by others (mode {status.st_mode & 0o777:04o}); run: chmod 600 {file}")
    if status.st_size > _LARGEST:
        raise ValueError("is too large to hold a key")
    return Secret(file.read_text("utf-8").strip())


def _literal(values: Any, path: Path = ()) -> Iterator[Path]:
    """Texts that have the shape of a well-known key, wherever they stand."""
    if isinstance(values, dict):
        for name, value in values.items():
            yield from _literal(value, (*path, name))
    elif isinstance(values, list):
        for value in values:
            yield from _literal(value, path)
    elif isinstance(values, str) and _KEY.match(values):
        yield path


def _look(table: Mapping[str, Any], path: Path, variable: str, environ: Mapping[str, str]) -> tuple[Secret, str]:
    """The variable of its own, then the HUNTAZE_ one (already in the table), then the file."""
    if text := environ.get(variable, "").strip():
        return Secret(text), variable
    present = table.get(str(path[-1]))
    if isinstance(present, Secret) and present:
        return present, spelled(path)
    named = table.get(f"{path[-1]}_file")
    if isinstance(named, str) and named:
        file = File(named).expanduser()
        return read_private(file), str(file)
    return Secret(), ""


def _unreadable(layer: Layer, path: Path, error: OSError | ValueError) -> ConfigError:
    if isinstance(error, UnicodeDecodeError):
        return problem(layer, path, "is not text")
    if isinstance(error, OSError):
        return problem(layer, path, f"cannot be read: {error.strerror}")
    message, _, remedy = str(error).partition("; ")
    return problem(layer, path, message, remedy=remedy[:1].upper() + remedy[1:])


def _paths(values: dict[str, Any]) -> Iterator[Path]:
    """Every place that takes a secret."""
    yield from (path for path in _PLACES if isinstance(values.setdefault(str(path[0]), {}), dict))
    providers = values.get("providers")
    for name, row in providers.items() if isinstance(providers, dict) else ():
        if isinstance(row, dict):
            yield ("providers", name, "api_key")


def _variable(values: Mapping[str, Any], path: Path) -> str:
    """The variable that an operator would put a secret into."""
    if path[0] == "providers":
        named = _table(values, path).get("api_key_env")
        return named if isinstance(named, str) and named else spelled(path)
    return _VARIABLES.get(path) or spelled(path)


def _table(values: Mapping[str, Any], path: Path) -> dict[str, Any]:
    table: Any = values
    for part in path[:-1]:
        table = table[part]
    found: dict[str, Any] = table
    return found


def _copied(values: Any) -> Any:
    return {key: _copied(value) for key, value in values.items()} if isinstance(values, dict) else values
