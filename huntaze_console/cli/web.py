"""`huntaze web`: the console in a browser."""

from __future__ import annotations

from pathlib import Path

import click

from huntaze_console.cli.flags import FILE, running, shared, where
from huntaze_console.options import Remote

_PORT = 8643


@click.command(short_help="The console in a browser.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where it listens; others than loopback need TLS.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=_PORT, show_default=True, help="Its port; 0 takes a free one."
)
@click.option("--name", "names", multiple=True, metavar="HOST", help="Also answer to this name, such as a proxy's.")
@click.option("--tls-cert", type=FILE, help="Its certificate with the chain, in PEM.")
@click.option("--tls-key", type=FILE, help="The certificate's key, in PEM.")
@click.option(
    "--visitors", type=click.IntRange(1, 100), default=8, show_default=True, help="Consoles that may be open at once."
)
@shared("--connect", metavar="URL", help="Show the engine that answers there [that of the state directory].")
@shared("--ca-file", type=FILE, help="Who signed that engine's certificate, in PEM.")
@running
def web(
    *,
    host: str,
    port: int,
    names: tuple[str, ...],
    tls_cert: Path | None,
    tls_key: Path | None,
    visitors: int,
    connect: str | None,
    ca_file: Path | None,
    state_dir: Path | None,
    config: Path | None,
) -> None:
    """Serve the console to browsers, each attached to the running engine with the token its visitor logs in with.

    A read-only token opens a console that only looks. Nothing is fetched from other servers. SIGTERM ends it; the
    engine is not touched.

    \b
    Examples:
      huntaze web
      huntaze web --connect https://host:8642 --port 9000
    """
    from huntaze_console.api import ApiSettings
    from huntaze_console.web import WebSettings, run_web
    from screens.sources.line import Address

    place = where(state_dir, config)
    if connect is None:
        from engine.storage.directory import StateDirectory

        address = Address(socket=StateDirectory(place.state_dir).socket_path)
    else:
        from huntaze_console.attaching import address_of

        address = address_of(Remote(url=connect, ca_file=ca_file))
    listen = ApiSettings(host=host, port=port, tls_certificate=tls_cert, tls_key=tls_key)
    settings = WebSettings(listen=listen, names=names, visitors=visitors)

    def ready(url: str) -> None:
        click.echo(f"huntaze web ready at {url}")

    import asyncio

    asyncio.run(run_web(address, place.state_dir, place.config, settings, ready))
