"""The API's settings out of the whole configuration."""

from __future__ import annotations

from pathlib import Path

from huntaze_console.api import ApiSettings
from huntaze_console.api.gateway import GatewaySettings
from huntaze_console.config import Settings


def api_settings(settings: Settings) -> ApiSettings:
    """Where and how the daemon's API listens."""
    daemon = settings.daemon
    return ApiSettings(
        host=daemon.host,
        port=daemon.port,
        tls_certificate=Path(daemon.tls_cert) if daemon.tls_cert else None,
        tls_key=Path(daemon.tls_key) if daemon.tls_key else None,
    )


def gateway_settings(settings: Settings) -> GatewaySettings:
    """What the gateway takes and assumes."""
    return GatewaySettings(
        body_limit=settings.gateway.body_bytes,
        largest_output_tokens=settings.gateway.largest_output_tokens,
        model_aliases=settings.model_aliases,
    )
