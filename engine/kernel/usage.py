"""Tokens of one call to a model, as its provider counts them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Tier(StrEnum):
    """At which of its prices a provider served a call."""

    STANDARD = "standard"
    BATCH = "batch"  # with time to spare (a batch, or OpenAI's flex): half of every rate
    PRIORITY = "priority"  # ahead of the others: dearer, by a rate of its own for each model


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens as the provider reported them. Cached ones are part of the input, reasoning ones part of the output."""

    input_tokens: int = 0
    cached_tokens: int = 0  # read from the provider's prompt cache
    cache_write_tokens: int = 0  # written to it (Anthropic bills these apart)
    hour_write_tokens: int = 0  # those of the written ones that are kept for an hour, not five minutes: dearer still
    output_tokens: int = 0
    reasoning_tokens: int = 0
    tier: Tier = Tier.STANDARD
