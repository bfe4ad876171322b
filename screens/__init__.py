"""The console: shows what the engine does and says what the operator wants. Knows the engine by its surface alone."""

from screens.source import ConsoleOptions, Link, Source

__all__ = ["ConsoleOptions", "Link", "Source"]
