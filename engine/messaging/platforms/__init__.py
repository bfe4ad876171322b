"""Adapters to message platforms; only the bootstrap imports them."""
