"""E-mail through SMTP, by aiosmtplib. One connection a message: alerts are rare and servers cut idle connections."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import socket
import ssl
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import getaddresses, parseaddr

import aiosmtplib

from engine.alerts.channel import ChannelError, Notice
from engine.alerts.letter import html_of, plain_of, subject_of
from engine.alerts.settings import SmtpSettings
from engine.kernel.text import clean
from engine.kernel.values import to_datetime

_NAME = "email"
_ADDRESS = re.compile(r"[^\s<>@,;:\"\\]+@[^\s<>@,;:\"\\]+")
_GOODBYE = 2.0  # real seconds for QUIT: the message is taken by then
_ANSWER = 200  # characters of a server's answer in an error


class SmtpChannel:
    """See Channel. Raises ValueError at once for settings that no message could be sent with."""

    def __init__(self, settings: SmtpSettings, *, tls: ssl.SSLContext | None = None) -> None:
        """`tls` replaces the system's trust, for a server with a private authority."""
        if not settings.recipients:
            raise ValueError("smtp needs at least one recipient")
        for address in (settings.sender, *settings.recipients):
            _check_address(address)
        self.name = _NAME
        self._settings = settings
        self._tls = tls

    async def send(self, notice: Notice) -> None:
        message = write_message(notice, self._settings)
        client = await self._client()
        try:
            await client.connect()
            await client.send_message(message)
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise ChannelError(_NAME, _words(error), final=_is_final(error)) from error
        else:
            with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                await client.quit(timeout=_GOODBYE)
        finally:
            client.close()

    async def _client(self) -> aiosmtplib.SMTP:
        settings = self._settings
        secured = settings.security != "none"
        if secured and self._tls is None:
            self._tls = await asyncio.to_thread(ssl.create_default_context)  # reads some hundred certificates
        return aiosmtplib.SMTP(
            hostname=settings.host,
            port=settings.port,
            username=settings.username or None,
            password=settings.password.reveal() if settings.username else None,
            local_hostname=socket.gethostname(),  # the default asks DNS, and blocks
            timeout=settings.timeout,
            use_tls=settings.security == "tls",
            start_tls=settings.security == "starttls",
            tls_context=self._tls if secured else None,
        )


def write_message(notice: Notice, settings: SmtpSettings) -> EmailMessage:
    """The mail of a notice. The same notice gives the same Message-ID, by which a repeat can be recognised."""
    message = EmailMessage(policy=SMTP)
    message["Subject"] = subject_of(notice)
    message["From"] = settings.sender
    message["To"] = ", ".join(settings.recipients)
    message["Date"] = to_datetime(max(line.at for line in notice.lines))
    message["Message-ID"] = _message_id(notice, settings.sender)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(plain_of(notice))
    message.add_alternative(html_of(notice), subtype="html")
    return message


def _message_id(notice: Notice, sender: str) -> str:
    digest = hashlib.sha256("\n".join(line.notice_id for line in notice.lines).encode()).hexdigest()[:32]
    return f"<{digest}@{parseaddr(sender)[1].rpartition('@')[2]}>"


def _check_address(address: str) -> None:
    found = getaddresses([address])
    if not address.isprintable() or len(found) != 1 or not _ADDRESS.fullmatch(found[0][1]):
        raise ValueError(f"{address!r} is not an e-mail address")


def _is_final(error: Exception) -> bool:
    """A server's lasting no to this message. A refused login is none: it ends when somebody puts it right."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return all(one.code >= 500 for one in error.recipients)
    if isinstance(error, aiosmtplib.SMTPSenderRefused | aiosmtplib.SMTPDataError):
        return error.code >= 500 and error.code != 530  # 530: wants a login first
    return isinstance(error, ValueError)


def _words(error: Exception) -> str:
    """What the server said, made harmless; never what we sent."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return "; ".join(_words(one) for one in error.recipients[:3])
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return f"{error.code} {clean(str(error.message), limit=_ANSWER)}"
    return clean(str(error), limit=_ANSWER) or type(error).__name__
