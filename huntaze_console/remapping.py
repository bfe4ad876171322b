"""`[console.keys]`: refused with the file and the line where it cannot work, and what there is to remap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.kernel.errors import ConfigError
from huntaze_console.configuration.problems import InvalidSettings
from screens.keys import actions, spelled, wrongs

if TYPE_CHECKING:
    from huntaze_console.configuration.settings import Settings
    from huntaze_console.options import SettingsSource

_TABLE = "console.keys"


@dataclass(frozen=True, slots=True)
class Listed:
    """One action that a key can be given to."""

    action: str
    keys: str
    does: str
    where: str


def check(keys: Mapping[str, tuple[str, ...]], settings: Settings | SettingsSource) -> None:
    """Raises InvalidSettings with everything that is wrong. The settings are asked only then who said it."""
    found = wrongs(keys)
    if not found:
        return
    read = settings if hasattr(settings, "shown") else settings.load()
    places = {row.key: row.place for row in read.shown}
    raise InvalidSettings(
        [
            ConfigError(
                places.get(f"{_TABLE}.{each.action}", ""), f"{_TABLE}.{each.action}", each.message, remedy=each.remedy
            )
            for each in found
        ]
    )


def listed(keys: Mapping[str, tuple[str, ...]]) -> list[Listed]:
    """Every action with the keys it has with this remapping."""
    rows = []
    for name, (does, usual, where) in sorted(actions().items()):
        used = keys.get(name) or tuple(usual.split(", "))
        rows.append(Listed(name, " ".join(spelled(key) for key in used), does, where))
    return rows
