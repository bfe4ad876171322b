"""The surface as JSON, for faces in another process: snapshots, events, commands, queries and their answers.

What a face sends is checked here by pydantic, which is loaded by the first question; what an engine answers is read
without it, so that a console is there at once. `LEVEL` grows by its second number with what is added, by its first with
what an older face or engine would misread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from functools import cache
from typing import TYPE_CHECKING, Any

import orjson

from engine.events import Recorded, from_fields, to_fields
from engine.kernel.errors import CommandRefused, Refusal
from engine.surface.commands import COMMANDS, CampaignDraft, Command, Done
from engine.surface.decoding import decode
from engine.surface.snapshot import Snapshot

if TYPE_CHECKING:
    from pydantic import TypeAdapter

    from engine.surface.queries import Page, Query

LEVEL = (1, 1)  # 1.0: a snapshot and its events; 1.1: a stream of what changed in the snapshot

NOW_HEADER = "X-Huntaze-Now"  # the engine's clock in nanoseconds, so that a face in another process can show ages
VERSION_HEADER = "X-Huntaze-Version"
WIRE_HEADER = "X-Huntaze-Wire"  # LEVEL with a dot
VIA_HEADER = "X-Huntaze-Via"  # of a request: console or cli, where one of this product's own faces sends it
READ_ONLY_HEADER = "X-Huntaze-Read-Only"  # true where the token may only look


def level_of(said: str | None) -> tuple[int, int]:
    """The level that an engine says it speaks; those that say none are of the first. (0, 0) for what is no level."""
    if not said:
        return (1, 0)
    major, _, minor = said.partition(".")
    return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else (0, 0)


@cache
def _adapter(kind: type) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def dump(value: Any) -> bytes:
    """JSON of a frozen dataclass of this package."""
    return orjson.dumps(value)


def load_snapshot(data: bytes) -> Snapshot:
    """Raises ValueError for what is no snapshot. What a newer engine says beyond it is left out."""
    loaded: Snapshot = decode(Snapshot, orjson.loads(data))
    return loaded


def dump_event(recorded: Recorded) -> bytes:
    return orjson.dumps({"seq": recorded.seq, "kind": recorded.kind, "fields": to_fields(recorded.event)})


def load_event(data: bytes) -> Recorded | None:
    """The recorded event, or None for a kind that this version does not know."""
    found = orjson.loads(data)
    event = from_fields(found["kind"], found["fields"])
    return None if event is None else Recorded(found["seq"], event)


def dump_command(command: Command) -> bytes:
    return orjson.dumps({"command": type(command).__name__, "fields": _said(command)})


def load_command(data: bytes) -> Command:
    """The command in a request body. Raises CommandRefused(INVALID) naming the field at fault."""
    loaded: Command = _load(data, "command", COMMANDS)
    return loaded


def dump_query(query: Query) -> bytes:
    return orjson.dumps({"query": type(query).__name__, "fields": _said(query)})


def load_query(data: bytes) -> Query:
    """The query in a request body. Raises CommandRefused(INVALID) naming the field at fault."""
    from engine.surface.queries import QUERIES

    loaded: Query = _load(data, "query", QUERIES)
    return loaded


def load_draft(data: bytes) -> CampaignDraft:
    """The draft stored with a campaign."""
    loaded: CampaignDraft = _adapter(CampaignDraft).validate_json(data)
    return loaded


def load_done(data: bytes) -> Done:
    loaded: Done = decode(Done, orjson.loads(data))
    return loaded


def load_page(query: Query, data: bytes) -> Page[Any]:
    """The answer to a query. Raises ValueError for what is none."""
    from engine.surface.queries import Page

    found = orjson.loads(data)
    if not isinstance(found, dict):
        raise ValueError("the answer is no page")
    kind = type(query).row
    rows = tuple(decode(kind, row) for row in found.get("rows") or ())
    total = found.get("total")
    return Page(rows, found.get("next"), str(found.get("as_of") or ""), total if isinstance(total, int) else None)


def _said(sent: Command | Query) -> dict[str, Any]:
    """The fields that differ from their defaults: an older engine need not know those that nobody uses."""
    return {
        field.name: getattr(sent, field.name)
        for field in fields(sent)
        if field.default is MISSING or getattr(sent, field.name) != field.default
    }


def _load(data: bytes, tag: str, kinds: Mapping[str, type]) -> Any:
    try:
        found = orjson.loads(data)
    except ValueError as error:
        raise CommandRefused(Refusal.INVALID, "the body is not JSON") from error
    kind = kinds.get(str(found.get(tag))) if isinstance(found, dict) else None
    if kind is None:
        raise CommandRefused(Refusal.INVALID, f"{tag} must be one of {', '.join(sorted(kinds))}", field=tag)
    given = found.get("fields") or {}
    if unknown := sorted(str(name) for name in given if name not in known(kind)):
        raise CommandRefused(Refusal.INVALID, f"{kind.__name__} has no {unknown[0][:100]}", field=unknown[0][:100])

    from pydantic import ValidationError

    try:
        return _adapter(kind).validate_python(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise CommandRefused(Refusal.INVALID, f"{place}: {first['msg']}", field=place) from error


@cache
def known(kind: type) -> frozenset[str]:
    """The names of a command's or query's fields."""
    return frozenset(field.name for field in fields(kind))
