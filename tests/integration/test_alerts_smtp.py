"""Mails through a real socket to a real server, and through its absence."""

from __future__ import annotations

import asyncio
import contextlib
import email
import random
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any, Literal

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from engine.alerts import (
    AlertService,
    AlertSettings,
    ChannelError,
    Kind,
    Line,
    Notice,
    Severity,
    SmtpSettings,
)
from engine.alerts.channels.smtp import SmtpChannel
from engine.bus import Bus
from engine.events import NotificationFailed, NotificationSent, SettingsRejected
from engine.kernel.backoff import Backoff
from engine.kernel.clock import SystemClock
from engine.kernel.secret import Secret
from engine.kernel.values import DAY, MILLISECOND, MINUTE, usd
from engine.storage import Database
from engine.surface.snapshot import EngineView, MoneyView, Snapshot
from tests.fakes import MORNING


def certificates(directory: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A client that trusts one certificate of localhost, and a server that has it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2120, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = directory / "server.pem"
    file.write_bytes(
        certificate.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return ssl.create_default_context(cadata=certificate.public_bytes(Encoding.PEM).decode()), server


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Mailbox:
    """What a server took, and what it says to senders."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.recipient_answer = "250 OK"
        self.data_answer = "250 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.recipient_answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.recipient_answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.data_answer.startswith("250"):
            self.envelopes.append(envelope)
        return self.data_answer

    @property
    def mails(self) -> list[EmailMessage]:
        contents = [envelope.content for envelope in self.envelopes if isinstance(envelope.content, bytes)]
        return [email.message_from_bytes(content, policy=default) for content in contents]


@contextlib.contextmanager
def serving(mailbox: Mailbox, port: int, **options: Any) -> Iterator[None]:
    controller = Controller(mailbox, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        yield
    finally:
        controller.stop()


@contextlib.asynccontextmanager
async def silence() -> AsyncIterator[int]:
    """The port of a server that takes connections and says nothing."""
    idle = asyncio.Condition()
    connected = 0

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connected
        connected += 1
        await reader.read()
        writer.close()
        await writer.wait_closed()
        connected -= 1
        async with idle:
            idle.notify_all()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    async with server:
        yield int(server.sockets[0].getsockname()[1])
        async with idle:
            await idle.wait_for(lambda: not connected)


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def port(mailbox: Mailbox) -> Iterator[int]:
    found = free_port()
    with serving(mailbox, found):
        yield found


def settings(port: int) -> SmtpSettings:
    return SmtpSettings(
        host="127.0.0.1",
        port=port,
        security="none",
        sender="Huntaze <alerts@agency.example>",
        recipients=("ada@agency.example", "eve@agency.example"),
        timeout=1.0,
    )


def line(number: int = 1, **changes: object) -> Line:
    made = Line(
        notice_id=f"alr_{number}/email/opened/1",
        alert_id=f"alr_{number}",
        kind=Kind.OPENED,
        rule="day_cost",
        subject="",
        severity=Severity.WARNING,
        summary="42.50 USD were spent today.",
        opened_at=MORNING,
        at=MORNING,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def text_of(mail: EmailMessage, subtype: str) -> str:
    body = mail.get_body((subtype,))
    assert body is not None
    return str(body.get_content())


# ── one mail ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_notice_arrives_as_text_and_html_at_every_recipient(mailbox: Mailbox, port: int) -> None:
    await SmtpChannel(settings(port)).send(Notice((line(), line(2, kind=Kind.RESOLVED, summary="All is well."))))

    (envelope,) = mailbox.envelopes
    (mail,) = mailbox.mails
    assert envelope.mail_from == "alerts@agency.example"
    assert envelope.rcpt_tos == ["ada@agency.example", "eve@agency.example"]
    assert mail["Subject"] == "Huntaze warning (+1 more): 42.50 USD were spent today."
    assert mail["Auto-Submitted"] == "auto-generated"
    for subtype in ("plain", "html"):
        assert "42.50 USD were spent today." in text_of(mail, subtype)
        assert "2026-11-20 08:00 UTC" in text_of(mail, subtype)


async def test_a_repeat_has_the_same_message_id(mailbox: Mailbox, port: int) -> None:
    channel = SmtpChannel(settings(port))
    for notice in (Notice((line(),)), Notice((line(),)), Notice((line(2),))):
        await channel.send(notice)

    first, again, other = (mail["Message-ID"] for mail in mailbox.mails)
    assert first == again != other


async def test_hostile_text_breaks_no_header_and_is_no_markup(mailbox: Mailbox, port: int) -> None:
    hostile = (
        'x\r\nBcc: victim@elsewhere.example\r\n\r\n<script>a()</script><img src="http://e/">'
        "\x1b[31m\x00\u202e\u2028.\r\n.\r\nMAIL FROM:<a@b>\ud800é𝒳"
    )

    await SmtpChannel(settings(port)).send(
        Notice((line(summary=hostile, subject=hostile, rule=hostile, alert_id=hostile, notice_id="n"),))
    )

    (envelope,) = mailbox.envelopes
    (mail,) = mailbox.mails
    assert set(mail.keys()) == {
        "Subject",
        "From",
        "To",
        "Date",
        "Message-ID",
        "Auto-Submitted",
        "MIME-Version",
        "Content-Type",
    }
    assert envelope.rcpt_tos == ["ada@agency.example", "eve@agency.example"]
    html, plain = text_of(mail, "html"), text_of(mail, "plain")
    assert "<script" not in html
    assert "<img" not in html
    assert "<script>" in plain  # said, not obeyed
    for text in (str(mail["Subject"]), " ".join(plain.splitlines()), html.strip()):
        assert text.isprintable()


@pytest.mark.parametrize("address", ["", "nobody", "a@b\r\nBcc: c@d", "a@b, c@d", "a b@c"])
def test_an_address_that_is_none_is_refused_at_once(address: str) -> None:
    with pytest.raises(ValueError, match="not an e-mail address"):
        SmtpChannel(replace(settings(25), recipients=(address,)))
    with pytest.raises(ValueError, match="not an e-mail address"):
        SmtpChannel(replace(settings(25), sender=address))


# ── what a server may say ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("recipient_answer", "data_answer", "final"),
    [
        ("550 no such user", "250 OK", True),
        ("451 try later", "250 OK", False),
        ("250 OK", "554 spam", True),
        ("250 OK", "452 no room", False),
    ],
)
async def test_a_lasting_no_is_final_and_a_passing_one_is_not(
    mailbox: Mailbox, port: int, recipient_answer: str, data_answer: str, final: bool
) -> None:
    mailbox.recipient_answer, mailbox.data_answer = recipient_answer, data_answer

    with pytest.raises(ChannelError) as failed:
        await SmtpChannel(settings(port)).send(Notice((line(),)))

    assert failed.value.final is final


async def test_nobody_listening_is_not_final() -> None:
    with pytest.raises(ChannelError) as failed:
        await SmtpChannel(settings(free_port())).send(Notice((line(),)))

    assert not failed.value.final


async def test_a_silent_server_is_given_up_in_time() -> None:
    async with silence() as silent:
        with pytest.raises(ChannelError) as failed:
            await SmtpChannel(replace(settings(silent), timeout=0.2)).send(Notice((line(),)))

    assert not failed.value.final


async def test_starttls_is_never_silently_left_out(mailbox: Mailbox, port: int) -> None:
    channel = SmtpChannel(replace(settings(port), security="starttls", username="ada", password=Secret("hunter2")))

    with pytest.raises(ChannelError) as failed:
        await channel.send(Notice((line(),)))

    assert mailbox.envelopes == []
    assert "hunter2" not in str(failed.value)


async def test_a_wrong_password_is_not_final_and_is_not_shown(mailbox: Mailbox) -> None:
    def check(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
        right = isinstance(data, LoginPassword) and data.password == b"right"
        return AuthResult(success=right, handled=False)

    found = free_port()
    with serving(mailbox, found, authenticator=check, auth_require_tls=False):
        with pytest.raises(ChannelError) as failed:
            await SmtpChannel(replace(settings(found), username="ada", password=Secret("wrong-one"))).send(
                Notice((line(),))
            )
        await SmtpChannel(replace(settings(found), username="ada", password=Secret("right"))).send(Notice((line(),)))

    assert not failed.value.final
    assert "wrong-one" not in str(failed.value)
    assert len(mailbox.envelopes) == 1


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_both_kinds_of_tls_deliver_to_a_trusted_server_only(
    mailbox: Mailbox, tmp_path: Path, security: Literal["starttls", "tls"]
) -> None:
    trust, identity = certificates(tmp_path)
    server = {"tls_context" if security == "starttls" else "ssl_context": identity}
    found = free_port()
    secured = replace(settings(found), security=security, host="localhost")

    with serving(mailbox, found, **server):
        await SmtpChannel(secured, tls=trust).send(Notice((line(),)))
        with pytest.raises(ChannelError):  # the system trusts no such authority
            await SmtpChannel(secured).send(Notice((line(),)))

    assert len(mailbox.envelopes) == 1


# ── the service on top ──────────────────────────────────────────────────────────────────────────────────────────────

HOT = Snapshot(
    engine=EngineView(state="running"),
    money=MoneyView(day="d", day_ends=1 << 62, month_ends=1 << 62, today=usd(55)),
)
QUIET = replace(HOT, money=replace(HOT.money, today=0))
QUICK = AlertSettings(
    backoff=Backoff(base=20 * MILLISECOND, ceiling=50 * MILLISECOND, floor=5 * MILLISECOND),
    check_every=20 * MILLISECOND,
)


class Running:
    """A service at work over a snapshot that the test sets."""

    def __init__(self, database: Database, port: int) -> None:
        self.snapshot = HOT
        self.database = database
        self.bus = Bus()
        database.on_commit(self.bus.publish)
        self.service = AlertService(
            database,
            self.bus,
            lambda: self.snapshot,
            SystemClock(),
            random.Random(1),
            QUICK,
            [SmtpChannel(settings(port))],
            least_gap=0.01,
        )

    async def heard(self, kind: type, count: int = 1) -> None:
        """Wait until so many events of a kind are recorded."""
        async with asyncio.timeout(10):
            while sum(isinstance(one.event, kind) for one in await self.database.events_after(0)) < count:
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def running(path: Path, port: int) -> AsyncIterator[Running]:
    stop = asyncio.Event()
    async with Database.open(path) as database, asyncio.TaskGroup() as group:
        made = Running(database, port)
        group.create_task(made.service.run(stop))
        yield made
        stop.set()


async def test_mail_goes_out_once_the_server_is_back(tmp_path: Path, mailbox: Mailbox) -> None:
    found = free_port()
    async with running(tmp_path / "engine.db", found) as engine:
        await engine.heard(NotificationFailed)
        engine.snapshot = QUIET
        await asyncio.sleep(0.1)
        with serving(mailbox, found):
            await engine.heard(NotificationSent, 2)

    (mail,) = mailbox.mails  # the problem and its end, in one message
    assert mail["Subject"].startswith("Huntaze critical (+1 more): 55.00 USD were spent today")
    assert "resolved" in text_of(mail, "plain")


async def test_what_one_process_left_the_next_one_sends(tmp_path: Path, mailbox: Mailbox) -> None:
    found = free_port()
    async with running(tmp_path / "engine.db", found) as engine:
        await engine.heard(NotificationFailed)

    with serving(mailbox, found):
        async with running(tmp_path / "engine.db", found) as engine:
            await engine.heard(NotificationSent)

    assert len(mailbox.mails) == 1


async def test_a_service_begun_again_resolves_what_the_one_before_left(
    tmp_path: Path, mailbox: Mailbox, port: int
) -> None:
    async with running(tmp_path / "engine.db", port) as engine:
        await engine.heard(NotificationSent)

    async with running(tmp_path / "engine.db", port) as engine:
        engine.snapshot = QUIET
        await engine.heard(NotificationSent, 2)

    assert ["resolved" in mail["Subject"] for mail in mailbox.mails] == [False, True]


async def test_a_hanging_server_delays_no_alert(tmp_path: Path) -> None:
    async with silence() as silent, running(tmp_path / "engine.db", silent) as engine:
        await asyncio.sleep(0.1)
        engine.snapshot = replace(HOT, engine=EngineView(settings_error="costs.day: not a number"))
        await engine.database.write(lambda tx: tx.emit(SettingsRejected(at=MORNING, error="x")))
        async with asyncio.timeout(1):
            while True:
                async with engine.database.reader() as reader:
                    rows = await reader.rows("SELECT rule FROM alerts WHERE resolved_at IS NULL")
                if {row["rule"] for row in rows} == {"day_cost", "settings_rejected"}:
                    break
                await asyncio.sleep(0.01)


async def test_a_storm_of_events_costs_one_look_a_gap(tmp_path: Path) -> None:
    looks = 0

    def snapshot() -> Snapshot:
        nonlocal looks
        looks += 1
        return QUIET

    stop, clock = asyncio.Event(), SystemClock()
    async with Database.open(tmp_path / "engine.db") as database, asyncio.TaskGroup() as group:
        bus = Bus()
        database.on_commit(bus.publish)
        quiet = replace(QUICK, check_every=MINUTE, history=DAY)
        service = AlertService(database, bus, snapshot, clock, random.Random(1), quiet, [], least_gap=0.1)
        group.create_task(service.run(stop))
        for _ in range(200):
            await database.write(lambda tx: tx.emit(SettingsRejected(at=MORNING, error="x")))
        begun = looks
        await asyncio.sleep(0.25)
        stop.set()

    assert 1 <= begun <= 20
    assert looks - begun <= 3
