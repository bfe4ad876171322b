"""Writes down every command that the desk is given, and puts back what can be put back.

The row of a command commits in the transaction of its change: a companion goes with the handler, and runs the first
write that the handler asks for between two looks at the ground it changes. What writes nothing, or is refused, has a
row of its own. Undoing carries out the command that leads back, in a transaction that first finds the ground as the
action had left it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import orjson

from engine.accounts import audit
from engine.accounts.audit import Entry
from engine.events import ActionTaken
from engine.kernel.clock import Clock
from engine.kernel.errors import CommandRefused, HuntazeError, Refusal, StorageError
from engine.kernel.text import clean
from engine.runtime.actions import Action, Data, Tool, actions, named
from engine.runtime.grounds import GROUNDS, Parts, State
from engine.storage import Database, Tx, Write, accompanied, alone
from engine.surface import wire
from engine.surface.commands import Command, Done, UndoAction
from engine.surface.queries import ListAudit, Page
from engine.surface.rows import AuditRow

Handler = Callable[[Command], Awaitable[Done]]

_LONGEST_NAME = 200  # characters of a subject, and of a fact
_LONGEST_SUMMARY = 500
_LONGEST_STATE = 64 << 10  # bytes of a state that is kept for an undo
_UNKNOWN = Action()
_PARTED = re.compile("[:/]")  # what parts a subject: scope:key:window, account/fan
_NAMES = """
SELECT campaign_id AS id, name FROM campaigns WHERE campaign_id IN ({0})
UNION ALL
SELECT delivery_id, fan_name FROM deliveries WHERE delivery_id IN ({0})
"""


class Auditor:
    """Stands between the desk and its handlers."""

    def __init__(self, database: Database, clock: Clock, tool: Tool) -> None:
        self._database = database
        self._clock = clock
        self._actions = actions(tool)

    async def carry_out(self, command: Command, handler: Handler) -> Done:
        """Let the handler carry a command out, and leave one row of it. Raises what the handler raises."""
        return await self._lead(_Record(command, self._action(command), self._clock), handler)

    async def undo(self, command: UndoAction, handler: Handler) -> Done:
        """Put back what an action changed. Raises CommandRefused for what cannot be, and for what changed since."""
        record = _Record(command, self._action(command), self._clock)

        async def put_back(_: Command) -> Done:
            with alone():
                found = await self._database.write(lambda tx: _found(tx, command))
            inverse = replace(wire.load_command(found.inverse.encode()), actor=command.actor, via=command.via)
            record.puts_back(command.audit_id, found, inverse, self._action(inverse))
            done = await handler(inverse)
            if record.number is None:
                raise _changed_since(command.audit_id)
            return Done(f"{found.action} of {found.actor} is undone: {done.summary}", {"audit_id": record.number})

        return await self._lead(record, put_back)

    async def listing(self, query: ListAudit) -> Page[AuditRow]:
        """Rows with the names that people know their subjects by."""
        async with self._database.reader() as reader:
            page = await audit.listing(reader, query)
            parts = {row.audit_id: _PARTED.split(row.subject) for row in page.rows}
            ids = tuple({part for some in parts.values() for part in some if "_" in part})
            found = await reader.rows(_NAMES.format(", ".join("?" * len(ids))), ids * 2) if ids else ()
        known = {row["id"]: row["name"] for row in found if row["name"]}
        rows = (
            replace(row, names={part: known[part] for part in parts[row.audit_id] if part in known})
            for row in page.rows
        )
        return replace(page, rows=tuple(rows))

    def _action(self, command: Command) -> Action:
        return self._actions.get(type(command), _UNKNOWN)

    async def _lead(self, record: _Record, handler: Handler) -> Done:
        try:
            with accompanied(record.beside):
                done = await handler(record.command)
        except StorageError:
            raise  # nothing can be written down
        except HuntazeError as error:
            words = _words(record, error)
            await self._database.write(lambda tx: record.refused(tx, words))
            raise
        except asyncio.CancelledError:
            # What it had asked for commits all the same, with its row: this write waits behind it, and nobody for this.
            self._database.submit(lambda tx: record.refused(tx, "its sender left before it was carried out"))
            raise
        await self._database.write(lambda tx: record.done(tx, done))
        return done


class _Record:
    """One command on its way, and the number of its row once it has one."""

    def __init__(self, command: Command, action: Action, clock: Clock) -> None:
        self.command = command
        self.action = action
        self.number: int | None = None
        self._clock = clock
        self._effective = command  # what is carried out: of an undo, the command that leads back
        self._undoes: tuple[int, Entry] | None = None

    def puts_back(self, audit_id: int, entry: Entry, inverse: Command, action: Action) -> None:
        """It undoes this action, by that command."""
        self._undoes = (audit_id, entry)
        self._effective, self.action = inverse, action

    # ── in the writer's thread ──────────────────────────────────────────────────────────────────────────────────────

    def beside(self, tx: Tx, write: Write[Any]) -> Any:
        """See Companion: the first write leaves the row, between two looks at what it changes."""
        if self.number is not None:
            return write(tx)
        if self._undoes is not None:
            _check(tx, *self._undoes)
        before = self._look(tx, {})
        result = write(tx)
        data = result.data if isinstance(result, Done) else {}
        self._write_down(tx, before, self._look(tx, data), data, result.summary if isinstance(result, Done) else "")
        return result

    def done(self, tx: Tx, done: Done) -> None:
        """A row of its own, for what changed nothing that is kept."""
        if self.number is None:
            self._write_down(tx, {}, {}, done.data, done.summary)

    def refused(self, tx: Tx, words: str) -> None:
        """A row of its own, unless the change stands."""
        if self.number is None:
            why = "it was refused, and changed nothing"
            self._append(tx, self._entry({}, words, outcome="refused", why_not=why))

    def _look(self, tx: Tx, data: Data) -> State:
        ground = self._ground(data)
        return GROUNDS[ground[0]].read(tx, ground[1]) if ground else {}

    def _ground(self, data: Data) -> tuple[str, Parts] | None:
        return self.action.ground(self._effective, data)

    def _write_down(self, tx: Tx, then: State, now: State, data: Data, words: str) -> None:
        ground = self._ground(data)
        facts = GROUNDS[ground[0]].facts if ground else dict
        before, after = _short(facts(then)), _short(facts(now))
        stands, inverse, why_not = self._way_back(ground, then, now)
        self._append(
            tx,
            self._entry(
                data,
                words if words and not then else _changes(before, after) or words,
                before=_json(before) if then or now else "",
                after=_json(after) if then or now else "",
                ground=_json([ground[0], *ground[1]]) if ground and inverse else "",
                stands=stands,
                inverse=inverse,
                why_not=why_not,
                undoes=self._undoes[0] if self._undoes else None,
            ),
        )

    def _way_back(self, ground: tuple[str, Parts] | None, then: State, now: State) -> tuple[str, str, str]:
        """How the ground stands, the command that leads back, and why there is none; those that say nothing empty."""
        if self.action.never or ground is None:
            return "", "", self.action.never or "it changed nothing that could be put back"
        if then == now:
            return "", "", "it changed nothing"
        try:
            inverse = wire.dump_command(GROUNDS[ground[0]].restore(ground[1], then, now)).decode()
        except CommandRefused as error:
            return "", "", error.message
        stands = _json(now)
        if len(stands) + len(inverse) > _LONGEST_STATE:
            return "", "", "what stood before is too long to be kept"
        return stands, inverse, ""

    def _entry(self, data: Data, words: str, **fields: Any) -> Entry:
        name, subject = named(type(self.command)), self.action.subject(self._effective, data)
        undoing = ""
        if self._undoes is not None:
            undoing, subject = f" {self._undoes[0]} ({self._undoes[1].action})", self._undoes[1].subject
        subject = clean(subject, limit=_LONGEST_NAME)
        head = f"{name.replace('-', ' ').capitalize()}{undoing}{' ' + subject if subject else ''}"
        return Entry(
            at=self._clock.now(),
            actor=self.command.actor,
            via=self.command.via,
            action=name,
            subject=subject,
            summary=clean(f"{head}: {words}" if words else head, limit=_LONGEST_SUMMARY),
            **fields,
        )

    def _append(self, tx: Tx, entry: Entry) -> None:
        number = audit.append(tx, entry)
        tx.emit(
            ActionTaken(
                at=entry.at,
                audit_id=number,
                actor=entry.actor,
                via=entry.via,
                action=entry.action,
                subject=entry.subject,
                outcome=entry.outcome,
                summary=entry.summary,
            )
        )
        self.number = number


# ── an undo ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _found(tx: Tx, command: UndoAction) -> Entry:
    """The action to undo, as long as what it changed stands as it left it. Raises CommandRefused."""
    entry = audit.undoable(tx, command.audit_id)
    if (command.action and command.action != entry.action) or (command.at and command.at != entry.at):
        message = f"{command.audit_id} is another action than the one that was meant: {entry.action} of {entry.actor}"
        raise CommandRefused(Refusal.CONFLICT, message, remedy="Look in the audit for the one you mean")
    _check(tx, command.audit_id, entry)
    return entry


def _check(tx: Tx, audit_id: int, entry: Entry) -> None:
    audit.undoable(tx, audit_id)  # again: somebody may have undone it between
    kind, *parts = orjson.loads(entry.ground)
    if _json(GROUNDS[kind].read(tx, tuple(parts))) != entry.stands:
        raise _changed_since(audit_id)


def _changed_since(audit_id: int) -> CommandRefused:
    message = f"what {audit_id} did has changed again since, and undoing it would undo that too"
    return CommandRefused(Refusal.CONFLICT, message, remedy="Look at its newer rows in the audit, or set it by hand")


# ── words ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _words(record: _Record, error: HuntazeError) -> str:
    """Why it was refused; without the words themselves where they could quote a text."""
    if record.action.told or not isinstance(error, CommandRefused):
        return f"refused, {error.message}"
    return f"refused, {error.reason}{': ' + error.field if error.field else ''}"


def _short(facts: State) -> State:
    """Facts as they are kept: text from outside cleaned and cut."""
    return {key: clean(value, limit=_LONGEST_NAME) if isinstance(value, str) else value for key, value in facts.items()}


def _changes(before: State, after: State) -> str:
    """What differs, as `state running → paused`."""
    keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    return "; ".join(f"{key} {_change(before.get(key), after.get(key))}" for key in keys)


def _change(before: object, after: object) -> str:
    return f"{_said(after)}" if before is None else f"{_said(before)} → {_said(after)}"


def _said(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
