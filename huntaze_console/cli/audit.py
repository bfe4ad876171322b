"""The commands about what was done: who asked what of the engine, and putting back what can be put back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from huntaze_console.cli.flags import Where, about
from huntaze_console.cli.line import reading
from huntaze_console.cli.paper import moment, say, say_json, table
from huntaze_console.cli.reading import LIMIT, instant_of, present, tell

if TYPE_CHECKING:
    from engine.surface.rows import AuditRow


@click.command(short_help="Who did what, what it changed, and whether it can be undone.")
@click.option(
    "--actor",
    default="",
    help="Only theirs: anna on any host, or anna@desk. A * ends this and the next two in anything.",
)
@click.option("--action", default="", help="Only these, such as pause-campaign or set-*.")
@click.option("--subject", default="", help="Only what was done to this, such as a campaign's id.")
@click.option(
    "--since", metavar="TIME", help="From then on; today, 2h for two hours ago, a day, or a time with an offset."
)
@LIMIT
@about
def audit(place: Where, *, actor: str, action: str, subject: str, since: str | None, limit: int) -> None:
    """Show who asked what of the engine, newest first: also what was refused.

    A row that can be undone is marked; huntaze undo and its number put it back.

    \b
    Examples:
      huntaze audit --actor anna --since today
      huntaze audit --action "set-*" --json
    """
    from engine.surface.queries import ListAudit

    with reading(place) as line:
        snapshot = line.snapshot()
        zone = snapshot.engine.time_zone
        from_ = instant_of("since", since, zone, present(snapshot)) or 0
        page = line.query(ListAudit(actor=actor, action=action, subject=subject, since=from_, limit=limit))
    if place.json:
        say_json({"rows": page.rows, "next": page.next, "as_of": page.as_of})
        return
    if not page.rows:
        say("nothing was asked of the engine yet" if not (actor or action or subject or since) else "nothing like that")
        return
    table(
        ("number", f"at ({zone})", "by", "via", "action", "subject", "what changed", "undo"),
        (
            (
                str(row.audit_id),
                moment(row.at, zone),
                row.actor,
                row.via,
                row.action,
                _subject(row),
                row.summary.partition(": ")[2],
                _undo(row),
            )
            for row in page.rows
        ),
    )


@click.command(short_help="Put back what an action changed.")
@click.argument("audit_id", metavar="[NUMBER]", type=click.IntRange(1), required=False)
@about
def undo(place: Where, *, audit_id: int | None) -> None:
    """Put back what an action of `huntaze audit` changed.

    Refused where it changed again since, and for what cannot be undone: what was sent stays sent. Without a number,
    the newest that can be is named, and nothing is done.
    """
    from engine.surface.commands import UndoAction

    if audit_id is None:
        raise click.UsageError(_which(place))
    tell(place, UndoAction(audit_id=audit_id))


def _which(place: Where) -> str:
    """What to say instead."""
    from engine.surface.queries import ListAudit

    with reading(place) as line:
        rows = line.query(ListAudit(undoable=True, limit=1)).rows
    if not rows or not rows[0].undoable:
        return "say the NUMBER of an action: huntaze audit lists them, and none of them can be undone now"
    newest = f"{rows[0].action} of {rows[0].actor}{f' on {_subject(rows[0])}' if rows[0].subject else ''}"
    return f"say which: the newest that can be undone is {newest}, with: huntaze undo {rows[0].audit_id}"


def _subject(row: AuditRow) -> str:
    """Its id, and what that is called."""
    return f"{row.subject} ({', '.join(row.names.values())})" if row.names else row.subject


def _undo(row: AuditRow) -> str:
    if row.undone_by is not None:
        return f"undone by {row.undone_by}"
    return f"huntaze undo {row.audit_id}" if row.undoable else "-"
