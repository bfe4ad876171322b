"""What a face may see and say: the snapshot and its projection, queries, commands.

The console, the HTTP API and the command line know the engine by this package, by `engine.events` and by
`engine.kernel` alone. The names of this face are loaded when they are used: who only draws the snapshot need not know
all that can be asked.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.surface.commands import Command, Done
    from engine.surface.projection import apply, fold
    from engine.surface.queries import Page, Query
    from engine.surface.snapshot import Snapshot

__all__ = ["Command", "Done", "Page", "Query", "Snapshot", "apply", "fold"]

_HOMES = {
    "Command": "commands",
    "Done": "commands",
    "Page": "queries",
    "Query": "queries",
    "Snapshot": "snapshot",
    "apply": "projection",
    "fold": "projection",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(name)
    return getattr(import_module(f"engine.surface.{_HOMES[name]}"), name)
