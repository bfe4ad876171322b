"""The commands about alerts: what is open, saying that somebody is on it, and keeping some quiet for a while."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from engine.kernel.values import DAY, HOUR, MINUTE
from huntaze_console.cli.flags import Ordered, Where, about, alone
from huntaze_console.cli.line import reading
from huntaze_console.cli.paper import count, moment, say, say_json, table
from huntaze_console.cli.reading import LIMIT, instant_of, present, tell

if TYPE_CHECKING:
    from engine.surface.rows import AlertRow, SilenceRow

_UNITS = {"m": MINUTE, "h": HOUR, "d": DAY}
_SPAN = re.compile(r"([1-9][0-9]{0,4})([mhd])")


@click.group(cls=Ordered, invoke_without_command=True, short_help="Open alerts, their history, and silences.")
@click.option("--all", "everything", is_flag=True, help="The history of the last 90 days too.")
@LIMIT
@about
def alerts(place: Where, *, everything: bool, limit: int) -> None:
    """Show open alerts, newest first."""
    if not alone():
        return
    from engine.surface.queries import ListAlerts

    with reading(place) as line:
        page = line.query(ListAlerts(open_only=not everything, limit=limit))
        zone = line.snapshot().engine.time_zone
    if place.json:
        say_json({"rows": page.rows, "next": page.next, "as_of": page.as_of})
        return
    if not page.rows:
        say("no alerts" if everything else "no open alerts")
        return
    table(
        ("alert", "severity", "rule", "subject", f"since ({zone})", "state", "summary"),
        (
            (
                row.alert_id,
                row.severity,
                row.rule,
                row.subject,
                moment(row.opened_at, zone),
                _alert_state(row, zone),
                row.summary,
            )
            for row in page.rows
        ),
    )


@alerts.command("ack", short_help="Acknowledge an alert: no further notices of it.")
@click.argument("alert_id", metavar="ALERT")
@about
def acknowledge(place: Where, *, alert_id: str) -> None:
    """Acknowledge an alert: somebody is on it, and no further notices of it go out."""
    from engine.surface.commands import AcknowledgeAlert

    tell(place, AcknowledgeAlert(alert_id=alert_id))


@alerts.command("silence", short_help="Let alerts that match notify nobody for a while.")
@click.option("--rule", default="", help="A rule's name, such as queue_age; a * at the end: any ending.")
@click.option("--subject", default="", help="What they are about, such as openai/gpt-4o-mini; a * as in --rule.")
@click.option("--severity", type=click.Choice(("info", "warning", "critical")), help="Only those of this severity.")
@click.option("--for", "span", default="", metavar="TIME", help="How long: 30m, 2h, 3d; at most 30d.")
@click.option("--until", default="", metavar="TIME", help="Until a day or a time with its offset, instead.")
@click.option("--reason", required=True, help="For who finds it silenced.")
@about
def silence(place: Where, *, rule: str, subject: str, severity: str | None, span: str, until: str, reason: str) -> None:
    """Let alerts that match notify nobody for a while.

    They open and show all the same. What is still open when the silence ends is notified then. Name at least one of
    --rule, --subject and --severity.

    \b
    Examples:
      huntaze alerts silence --rule queue_age --for 2h --reason "a long import"
      huntaze alerts silence --severity info --until 2026-11-22 --reason "moving house"
    """
    from engine.surface.commands import SilenceAlerts

    if bool(span) == bool(until):
        raise click.UsageError("say either how long, with --for 2h, or until when, with --until")
    with reading(place) as line:
        snapshot = line.snapshot()
    ends_at = instant_of("until", until, snapshot.engine.time_zone) if until else present(snapshot) + _span(span)
    assert ends_at is not None  # noqa: S101 - given where `until` is
    command = SilenceAlerts(rule=rule, subject=subject, severity=severity or "", ends_at=ends_at, reason=reason)
    tell(place, command)


@alerts.command("silences", short_help="What is silenced, until when, by whom and why.")
@click.option("--all", "everything", is_flag=True, help="Those that have ended too, newest first.")
@LIMIT
@about
def silences(place: Where, *, everything: bool, limit: int) -> None:
    """Show the live silences, the one that ends first ahead."""
    from engine.surface.queries import ListSilences

    with reading(place) as line:
        page = line.query(ListSilences(all=everything, limit=limit))
        zone = line.snapshot().engine.time_zone
    if place.json:
        say_json({"rows": page.rows, "next": page.next, "as_of": page.as_of})
        return
    if not page.rows:
        say("no silences" if everything else "nothing is silenced")
        return
    table(
        ("silence", "alerts that match", f"until ({zone})", "covered", "by", "reason"),
        (
            (
                row.silence_id,
                _matchers(row),
                moment(row.ends_at if row.ended_at is None else row.ended_at, zone),
                count(row.matched),
                row.actor,
                row.reason,
            )
            for row in page.rows
        ),
        right=range(3, 4),
    )


@alerts.command("unsilence", short_help="End a silence now.")
@click.argument("silence_id", metavar="SILENCE")
@about
def unsilence(place: Where, *, silence_id: str) -> None:
    """End a silence now: what it covered and is still open notifies at once."""
    from engine.surface.commands import EndSilence

    tell(place, EndSilence(silence_id=silence_id))


def _span(text: str) -> int:
    found = _SPAN.fullmatch(text.strip())
    if found is None:
        raise click.UsageError(f"--for: {text[:40]!r} is no time such as 30m, 2h or 3d")
    return int(found[1]) * _UNITS[found[2]]


def _alert_state(row: AlertRow, zone: str) -> str:
    if row.resolved_at:
        return "resolved"
    if row.acknowledged_by:
        return f"acknowledged by {row.acknowledged_by}"
    return f"silenced until {moment(row.silenced_until, zone)}" if row.silenced_until else "open"


def _matchers(row: SilenceRow) -> str:
    named = {"rule": row.rule, "subject": row.subject, "severity": row.severity}
    return ", ".join(f"{name} {value}" for name, value in named.items() if value)
