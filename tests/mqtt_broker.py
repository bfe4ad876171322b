"""A real MQTT broker for tests: amqtt in a process of its own, on a free port; and a witness that hears everything."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiomqtt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_PROGRAM = """
import asyncio, json, sys
from amqtt.broker import Broker

async def main():
    broker = Broker(json.loads(sys.argv[1]))
    await broker.start()
    print("ready", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


class MqttBroker:
    """Start, kill, freeze and restart it. It keeps nothing over a restart. With `password` only `operator` may enter;
    with `tls` it has a certificate for localhost, signed by the authority in `ca_file`."""

    def __init__(self, folder: Path, *, password: str = "", tls: bool = False) -> None:
        self._folder = folder
        self._password = password
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None
        self.ca_file = ""
        self._certificate = self._certify() if tls else {}

    def start(self) -> None:
        listener: dict[str, Any] = {"type": "tcp", "bind": f"127.0.0.1:{self.port}", **self._certificate}
        config = {"listeners": {"default": listener}, "plugins": self._plugins()}
        command = [sys.executable, "-W", "ignore", "-c", _PROGRAM, json.dumps(config)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"
        end = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
                return
            except OSError:
                assert time.monotonic() < end
                time.sleep(0.01)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def freeze(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def _plugins(self) -> dict[str, Any]:
        if not self._password:
            return {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
        from pwdlib import PasswordHash
        from pwdlib.hashers.argon2 import Argon2Hasher

        quick = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),))
        file = self._folder / "passwords"
        file.write_text(f"operator:{quick.hash(self._password)}\n")
        return {"amqtt.plugins.authentication.FileAuthPlugin": {"password_file": str(file)}}

    def _certify(self) -> dict[str, Any]:
        now = datetime.datetime.now(datetime.UTC)

        def sign(name: str, issuer: str, key: Any, signer: Any, extension: x509.ExtensionType) -> bytes:
            made = (
                x509.CertificateBuilder()
                .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
                .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
                .public_key(key.public_key())
                .serial_number(x509.random_serial_number())
                .not_valid_before(now - datetime.timedelta(days=1))
                .not_valid_after(now + datetime.timedelta(days=1))
                .add_extension(extension, critical=False)
            )
            return made.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

        authority, own = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        ca, certificate, key = (self._folder / name for name in ("ca.pem", "broker.pem", "broker.key"))
        whole = x509.BasicConstraints(ca=True, path_length=None)
        ca.write_bytes(sign("test authority", "test authority", authority, authority, whole))
        names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
        certificate.write_bytes(sign("localhost", "test authority", own, authority, names))
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        key.write_bytes(own.private_bytes(*form))
        self.ca_file = str(ca)
        return {"ssl": True, "certfile": str(certificate), "keyfile": str(key)}


@dataclass
class Witness:
    """Everything that was published, as it came."""

    heard: list[tuple[str, bytes, bool]] = field(default_factory=list)  # topic, payload, retained
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def statuses(self) -> list[dict[str, Any]]:
        return [json.loads(payload) for topic, payload, _ in self.heard if topic.endswith("/status")]

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(payload) for topic, payload, _ in self.heard if topic.endswith("/events")]

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for message in self.messages for event in message["events"]]

    @property
    def bytes(self) -> bytes:
        return b"\n".join(topic.encode() + b" " + payload for topic, payload, _ in self.heard)

    async def until(self, what: Callable[[], bool], within: float = 15.0) -> None:
        async with asyncio.timeout(within):
            while not what():
                self._more.clear()
                await self._more.wait()

    async def listen(self, client: aiomqtt.Client) -> None:
        with contextlib.suppress(aiomqtt.MqttError):
            async for message in client.messages:
                self.heard.append((str(message.topic), message.payload, message.retain))
                self._more.set()


@contextlib.asynccontextmanager
async def witness(broker: MqttBroker, **login: Any) -> AsyncIterator[Witness]:
    """Hears all that is published below `huntaze/`, the retained included, until the block or the broker ends."""
    told = Witness()
    async with aiomqtt.Client("127.0.0.1", broker.port, **login) as client, asyncio.TaskGroup() as group:
        await client.subscribe("huntaze/#", qos=1)
        listening = group.create_task(told.listen(client))
        try:
            yield told
        finally:
            listening.cancel()
