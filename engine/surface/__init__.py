"""What a face may see and say: the snapshot and its projection, queries, commands.

The console, the HTTP API and the command line know the engine by this package, by `engine.events` and by
`engine.kernel` alone.
"""

from engine.surface.commands import Command, Done
from engine.surface.projection import apply, fold
from engine.surface.queries import Page, Query
from engine.surface.snapshot import Snapshot

__all__ = ["Command", "Done", "Page", "Query", "Snapshot", "apply", "fold"]
