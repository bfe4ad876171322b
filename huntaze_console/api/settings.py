"""How the API listens, and what it lets a client cost."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from engine.kernel.errors import ConfigError

SOURCE = "[api]"  # how an error names this part of the configuration


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """`[api]` of the configuration. Times are real seconds: they belong to sockets, not to the engine's clock."""

    host: str = "127.0.0.1"  # any other than loopback needs TLS: the token would cross the network in the clear
    port: int = 8642  # 0 takes any free one
    tls_certificate: Path | None = None  # PEM, with the chain
    tls_key: Path | None = None  # PEM
    body_limit: int = 2 << 20  # bytes of one request; a list of 50,000 fans fits
    body_timeout: float = 30.0  # seconds for a whole body to arrive
    header_timeout: float = 30.0  # seconds for the next request's headers, and so for an idle connection
    sse_heartbeat: float = 15.0  # seconds of silence before a comment shows that the stream lives
    sse_patience: float = 20.0  # seconds a client may leave its stream unread before it is dropped
    sse_streams: int = 64  # open at once, a quarter for the read-only token; by the unix socket as many again
    watch_every: float = 0.2  # seconds between two changes of a watched snapshot, however many events lie between
    watch_beat: float = 0.25  # seconds of silence before a watcher is shown that the link lives

    def check(self) -> None:
        """Raises ConfigError for what cannot or must not be served."""
        if (self.tls_certificate is None) != (self.tls_key is None):
            missing = "tls_key" if self.tls_key is None else "tls_certificate"
            raise ConfigError(SOURCE, missing, "TLS needs a certificate and its key", remedy=f"Set {missing} too")
        if not self.loopback and not self.tls:
            remedy = "Set tls_certificate and tls_key, or serve 127.0.0.1 and reach it through SSH"
            raise ConfigError(SOURCE, "host", f"{self.host} is reached from other machines: TLS needed", remedy=remedy)
        if not 0 <= self.port <= 65_535:
            raise ConfigError(SOURCE, "port", f"{self.port} is not a port", remedy="Choose 1 to 65535, or 0 for any")

    @property
    def tls(self) -> bool:
        return self.tls_certificate is not None

    @property
    def loopback(self) -> bool:
        """Only this machine reaches the host."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False
