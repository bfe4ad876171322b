"""How a token of the API is made."""

from __future__ import annotations

import secrets

_BYTES = 32  # 256 bits


def make_token() -> str:
    """A new token, from the system's own chance: a seed must not repeat it."""
    return secrets.token_urlsafe(_BYTES)
