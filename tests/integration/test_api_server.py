"""The server over real sockets: where it listens, who may speak, and how it ends."""

from __future__ import annotations

import asyncio
import datetime
import os
import socket
import ssl
import stat
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from engine.kernel.errors import ConfigError, StateDirectoryBusy, StorageError
from huntaze_console.api import ApiSettings, reachable
from tests.integration.test_api_desk import serving


async def test_it_says_where_it_listens_and_takes_that_back(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        found = served.directory.endpoint()

        assert found == {
            "url": served.endpoint.url,
            "socket": str(tmp_path / "huntaze.sock"),
            "pid": os.getpid(),
            "epoch": "e1",
            "version": "1.2.3",
        }

    assert not (tmp_path / "endpoint.json").exists()
    assert not (tmp_path / "huntaze.sock").exists()


async def test_token_and_socket_are_the_owners_alone(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        modes = [stat.S_IMODE(path.stat().st_mode) for path in (served.directory.token_path, served.endpoint.socket)]

        assert modes == [0o600, 0o600]
        assert len(served.client.token) >= 43  # 256 bits in base 64


async def test_the_token_outlives_the_server(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        first = served.client.token

    async with serving(tmp_path) as served:
        assert served.client.token == first


@pytest.mark.parametrize("content", ["", "short\n", "x" * 40 + "\n" + "y" * 40])
async def test_a_token_file_that_holds_no_token_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "api-token").write_text(content)

    with pytest.raises(StorageError, match="Delete it"):
        async with serving(tmp_path):
            pass


async def test_the_unix_socket_serves_and_asks_for_the_token_too(tmp_path: Path) -> None:
    async with serving(tmp_path, unix=True) as served:
        assert served.endpoint.url == ""
        assert (await served.client.get("/api/v2/limits")).status == 200
        assert (await served.client.get("/api/v2/limits", token=False)).status == 401


async def test_a_path_longer_than_a_socket_address_is_served(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)

    async with serving(deep) as served:
        assert len(str(served.endpoint.socket)) > 108
        with reachable(served.endpoint.socket) as name:
            connector = aiohttp.UnixConnector(name)
            async with (
                aiohttp.ClientSession("http://engine", connector=connector) as session,
                session.get("/api/health/hybrid-orchestrator") as response,
            ):
                assert response.status == 200

    assert not (deep / "huntaze.sock").exists()


async def test_a_socket_left_by_a_killed_engine_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "huntaze.sock"))

    async with serving(tmp_path, unix=True) as served:
        assert (await served.client.get("/api/v2/limits")).status == 200


async def test_a_socket_somebody_answers_on_is_refused(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / "huntaze.sock"))
        other.listen()

        with pytest.raises(StateDirectoryBusy):
            async with serving(tmp_path):
                pass


async def test_a_file_in_the_sockets_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "huntaze.sock").write_text("mine")

    with pytest.raises(ConfigError, match="in the way"):
        async with serving(tmp_path):
            pass


async def test_a_taken_port_is_named_and_nothing_is_announced(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(ConfigError, match=f"127.0.0.1:{port}.*--port"):
            async with serving(tmp_path, settings=ApiSettings(port=port)):
                pass

    assert not (tmp_path / "endpoint.json").exists()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.org"])
async def test_another_host_than_loopback_is_refused_without_tls(tmp_path: Path, host: str) -> None:
    with pytest.raises(ConfigError, match="TLS"):
        async with serving(tmp_path, settings=ApiSettings(host=host, port=0)):
            pass


@pytest.mark.parametrize(
    "settings",
    [
        ApiSettings(port=70_000),
        ApiSettings(tls_key=Path("key.pem")),
        ApiSettings(tls_certificate=Path("none.pem"), tls_key=Path("none.pem"), port=0),
        ApiSettings(host="no-such-host.invalid", tls_certificate=Path("none.pem"), tls_key=Path("none.pem"), port=0),
    ],
)
async def test_settings_that_cannot_be_served_are_named(tmp_path: Path, settings: ApiSettings) -> None:
    with pytest.raises(ConfigError, match=r"^\[api\]"):
        async with serving(tmp_path, settings=settings):
            pass


async def test_loopback_also_means_its_second_form(tmp_path: Path) -> None:
    async with serving(tmp_path, settings=ApiSettings(host="::1", port=0)) as served:
        assert served.endpoint.url.startswith("http://[::1]:")
        assert (await served.client.get("/api/v2/limits")).status == 200


async def test_with_tls_other_machines_may_be_served(tmp_path: Path) -> None:
    certificate, key = certificate_of_localhost(tmp_path)
    settings = ApiSettings(host="0.0.0.0", port=0, tls_certificate=certificate, tls_key=key)
    trust = ssl.create_default_context(cafile=str(certificate))

    async with serving(tmp_path / "state", settings=settings, trust=trust) as served:
        assert served.endpoint.url.startswith("https://0.0.0.0:")
        assert (await served.client.get("/api/v2/limits")).status == 200
        assert (await served.client.get("/api/v2/limits", token=False)).status == 401


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic dXNlcjpwYXNz"},
        {"Authorization": "Bearer \u00fc\u20ac"},
    ],
)
async def test_nothing_but_the_token_opens(tmp_path: Path, headers: dict[str, str]) -> None:
    async with serving(tmp_path) as served:
        for path in ("/api/v2/snapshot", "/api/v2/events", "/no/such/path"):
            reply = await served.client.get(path, token=False, headers=headers)

            assert reply.status == 401
            assert reply.headers["WWW-Authenticate"] == 'Bearer realm="huntaze"'
            assert reply.json()["reason"] == "unauthorized"
        assert served.desk.asked == []


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8642", "127.0.0.1.evil.example", "[::2]", ""])
async def test_a_name_made_to_point_here_is_not_answered(tmp_path: Path, host: str) -> None:
    async with serving(tmp_path) as served:
        reply = await served.client.get("/api/v2/snapshot", headers={"Host": host})

        assert reply.status == 421


@pytest.mark.parametrize("host", ["localhost:9", "127.0.0.1", "[::1]:9", "LOCALHOST"])
async def test_loopbacks_own_names_are_answered(tmp_path: Path, host: str) -> None:
    async with serving(tmp_path) as served:
        assert (await served.client.get("/api/v2/limits", headers={"Host": host})).status == 200


async def test_no_page_of_another_origin_may_read(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
        reply = await served.client.request(
            "OPTIONS", "/api/v2/stop", route="/api/v2/stop", token=True, headers=headers
        )

        assert reply.status == 405
        assert not [name for name in reply.headers if name.lower().startswith("access-control")]


async def test_open_streams_end_at_once_when_the_engine_stops(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        loop = asyncio.get_running_loop()
        async with served.client.session.get("/api/v2/events", headers=served.client.authorization) as response:
            await response.content.readline()
            began = loop.time()
            served.stop.set()
            await asyncio.wait_for(response.read(), 5)

            assert loop.time() - began < 0.5
        assert served.desk.listeners == 0
        assert (await served.client.get("/api/v2/events")).status == 503
        assert (await served.client.get("/api/v2/limits")).status == 200


async def test_leaving_ends_open_streams_too(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()

    async with serving(tmp_path) as served:
        response = await served.client.session.get("/api/v2/events", headers=served.client.authorization)
        await response.content.readline()
        began = loop.time()

    assert loop.time() - began < 1
    response.close()


def certificate_of_localhost(path: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = path / "certificate.pem", path / "key.pem"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files
