"""What one provider needs to be opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.kernel.errors import ConfigError
from engine.kernel.secret import Secret
from engine.providers.endpoints import ENDPOINTS, Dialect, Quirks
from engine.providers.port import Timeouts

AZURE_API_VERSION = "2024-10-21"  # the newest that Microsoft calls generally available for chat completions


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSettings:
    """One provider as configured. `of` fills in the row of a known endpoint."""

    name: str  # as errors, prices and the screens call it
    dialect: Dialect
    base_url: str
    # For Azure the base URL is the resource's endpoint, without `/openai`.
    api_key: Secret = field(default_factory=Secret)
    # Empty for an endpoint that wants none.
    organization: str = ""
    # Sent to the endpoints of the OpenAI dialect when set; never taken from the environment by the SDK.
    api_version: str = AZURE_API_VERSION
    # Azure only.
    deployments: Mapping[str, str] = field(default_factory=dict)
    # Azure only: deployment name -> model name. A deployment's name says nothing about its price, so it is explicit.
    quirks: Quirks = field(default_factory=Quirks)
    # Where this endpoint departs from its dialect.
    timeouts: Timeouts = field(default_factory=Timeouts)
    # What the orchestrator puts into its requests to this provider.
    max_connections: int = 100
    # Further calls wait for a connection, within `timeouts.connect`.
    max_answer_bytes: int = 64 * 1024 * 1024
    # A longer answer is broken off. Two thousand embeddings of the largest kind, or 100,000 tokens streamed each in an
    # event of its own, stay below it.

    @classmethod
    def of(
        cls,
        endpoint: str,
        *,
        name: str = "",
        base_url: str = "",
        api_key: Secret = Secret(),
        organization: str = "",
        api_version: str = "",
        deployments: Mapping[str, str] | None = None,
        timeouts: Timeouts | None = None,
        max_connections: int = 100,
    ) -> ProviderSettings:
        """The settings of a known endpoint. Raises ConfigError for an unknown one, or one without key or address."""
        row = ENDPOINTS.get(endpoint)
        if row is None:
            raise ConfigError("providers", endpoint, "is not a known endpoint", remedy=f"Known: {', '.join(ENDPOINTS)}")
        if not api_key and row.key_env:
            raise ConfigError("environment", row.key_env, "is not set", remedy="Set it, or leave this provider out")
        return cls(
            name=name or endpoint,
            dialect=row.dialect,
            base_url=base_url or row.base_url,
            api_key=api_key,
            organization=organization,
            api_version=api_version or AZURE_API_VERSION,
            deployments=dict(deployments or {}),
            quirks=row.quirks,
            timeouts=timeouts or Timeouts(),
            max_connections=max_connections,
        )

    def __post_init__(self) -> None:
        if not self.base_url.startswith(("http://", "https://")):
            raise ConfigError("providers", f"{self.name}.base_url", f"{self.base_url!r} is not an http(s) address")
        if any(not " " < letter < "\x7f" for letter in self.api_key.reveal()):
            raise ConfigError("providers", f"{self.name}.api_key", "holds a blank or a character no key can hold")

    def priced_model(self, model: str) -> str | None:
        """The model whose price a call to `model` has: on Azure what the map says of the deployment, or None."""
        return self.deployments.get(model) if self.dialect is Dialect.AZURE else model
