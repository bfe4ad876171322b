"""What the gateway takes, and what it assumes where a client says nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """`[gateway]` of the configuration."""

    body_limit: int = 32 << 20
    """Bytes of one request; a handful of photographs fits."""

    largest_output_tokens: int = 131_072
    """The most a client may ask for in one answer; no model in use writes more."""

    model_aliases: Mapping[str, str] = field(default_factory=dict)
    """Other names of models, each for a provider/model."""
