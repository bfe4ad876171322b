"""Adapters of the Source port. Only the composition root imports them, by path."""
