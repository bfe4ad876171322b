"""Tokens of one call to a model, as its provider counts them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens as the provider reported them. Cached ones are part of the input, reasoning ones part of the output."""

    input_tokens: int = 0
    cached_tokens: int = 0  # read from the provider's prompt cache
    cache_write_tokens: int = 0  # written to it (Anthropic bills these apart)
    output_tokens: int = 0
    reasoning_tokens: int = 0
