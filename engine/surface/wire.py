"""The surface as JSON, for faces in another process: snapshots, events, commands, queries and their answers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from engine.events import Recorded, from_fields, to_fields
from engine.kernel.errors import CommandRefused, Refusal
from engine.surface.commands import COMMANDS, CampaignDraft, Command, Done
from engine.surface.queries import QUERIES, Page, Query
from engine.surface.snapshot import Snapshot


@cache
def _adapter(kind: type) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def dump(value: Any) -> bytes:
    """JSON of a frozen dataclass of this package."""
    return orjson.dumps(value)


def load_snapshot(data: bytes) -> Snapshot:
    loaded: Snapshot = _adapter(Snapshot).validate_json(data)
    return loaded


def dump_event(recorded: Recorded) -> bytes:
    return orjson.dumps({"seq": recorded.seq, "kind": recorded.kind, "fields": to_fields(recorded.event)})


def load_event(data: bytes) -> Recorded | None:
    """The recorded event, or None for a kind that this version does not know."""
    found = orjson.loads(data)
    event = from_fields(found["kind"], found["fields"])
    return None if event is None else Recorded(found["seq"], event)


def dump_command(command: Command) -> bytes:
    return orjson.dumps({"command": type(command).__name__, "fields": command})


def load_command(data: bytes) -> Command:
    """The command in a request body. Raises CommandRefused(INVALID) naming the field at fault."""
    loaded: Command = _load(data, "command", COMMANDS)
    return loaded


def dump_query(query: Query) -> bytes:
    return orjson.dumps({"query": type(query).__name__, "fields": query})


def load_query(data: bytes) -> Query:
    """The query in a request body. Raises CommandRefused(INVALID) naming the field at fault."""
    loaded: Query = _load(data, "query", QUERIES)
    return loaded


def load_draft(data: bytes) -> CampaignDraft:
    """The draft stored with a campaign."""
    loaded: CampaignDraft = _adapter(CampaignDraft).validate_json(data)
    return loaded


def load_done(data: bytes) -> Done:
    loaded: Done = _adapter(Done).validate_json(data)
    return loaded


def load_page(query: Query, data: bytes) -> Page[Any]:
    found = orjson.loads(data)
    rows = _adapter(type(query).row)
    return Page(tuple(rows.validate_python(row, strict=False) for row in found["rows"]), found["next"], found["as_of"])


def _load(data: bytes, tag: str, kinds: Mapping[str, type]) -> Any:
    try:
        found = orjson.loads(data)
    except ValueError as error:
        raise CommandRefused(Refusal.INVALID, "the body is not JSON") from error
    kind = kinds.get(str(found.get(tag))) if isinstance(found, dict) else None
    if kind is None:
        raise CommandRefused(Refusal.INVALID, f"{tag} must be one of {', '.join(sorted(kinds))}", field=tag)
    try:
        return _adapter(kind).validate_python(found.get("fields") or {})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise CommandRefused(Refusal.INVALID, f"{place}: {first['msg']}", field=place) from error
