"""What changed between two snapshots, as small as it can be said, and how a face takes it over.

A snapshot is frozen and its parts are shared between one and the next: what did not change is the same object, so
finding the difference costs what changed, not what there is. However many events lie between the two, it is the
same size; this is what makes attached consoles cheap.

A patch names, for each changed part of the snapshot, `whole` (its new value), or `fields` (those of a view that
changed), or for a table `set` (new rows), `fields` by row, and `gone`. A tuple that slid, as histories do, is said by
`slid`: which stretch of the old one stays, and what follows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any, get_args, get_type_hints

from engine.surface.decoding import decode, members
from engine.surface.snapshot import Snapshot

Patch = Mapping[str, Any]

_SHORT = 8  # values; a shorter tuple is said whole


def difference(before: Snapshot, after: Snapshot) -> Patch:
    """What turns `before` into `after`; both are of one epoch."""
    return {
        name: _change(old, new)
        for name in _names(Snapshot)
        if (old := getattr(before, name)) is not (new := getattr(after, name)) and old != new
    }


def patched(snapshot: Snapshot, patch: Patch) -> Snapshot:
    """The snapshot with a patch taken over. Raises ValueError for a patch of something else."""
    changes = {
        name: _taken(_kinds(Snapshot)[name], getattr(snapshot, name), change)
        for name, change in patch.items()
        if name in _kinds(Snapshot)
    }
    return replace(snapshot, **changes)


# ── the engine's side ───────────────────────────────────────────────────────────────────────────────────────────────


def _change(old: Any, new: Any) -> dict[str, Any]:
    if isinstance(new, Mapping) and isinstance(old, Mapping):
        return _of_table(old, new)
    if is_dataclass(new):
        return {"fields": _of_view(old, new)}
    return {"whole": new}


def _of_table(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    added, changed = {}, {}
    for key, row in new.items():
        known = old.get(key)
        if known is row:
            continue
        if known is None or not is_dataclass(row):
            added[key] = row
        elif known != row:
            changed[key] = _of_view(known, row)
    gone = [key for key in old if key not in new]
    return {word: part for word, part in (("set", added), ("fields", changed), ("gone", gone)) if part}


def _of_view(old: Any, new: Any) -> dict[str, Any]:
    found = {}
    kind: Any = type(new)
    for name in _names(kind):
        was, now = getattr(old, name), getattr(new, name)
        if was is not now and was != now:
            slid = _slide(was, now) if isinstance(now, tuple) and len(now) > _SHORT else None
            found[name] = now if slid is None else {"slid": slid}
    return found


def _slide(old: tuple[Any, ...], new: tuple[Any, ...]) -> list[Any] | None:
    """[first, end, what follows]: old[first:end] stays. None when too little of it does.

    A history drops its oldest values, and may have changed its newest: the last one of the old is left out if need be.
    """
    for end in (len(old), len(old) - 1):
        for first in range(max(0, end - len(new)), end):
            kept = end - first
            if kept * 2 < len(new):
                break
            if old[first] == new[0] and old[first:end] == new[:kept]:
                return [first, end, new[kept:]]
    return None


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


# ── the console's side ──────────────────────────────────────────────────────────────────────────────────────────────


@cache
def _kinds(kind: Any) -> Mapping[str, Any]:
    hints = get_type_hints(kind)
    return {name: hints[name] for name in _names(kind)}


def _taken(kind: Any, old: Any, change: Any) -> Any:
    if not isinstance(change, dict):
        raise ValueError("a change must be an object")
    if "whole" in change:
        return decode(kind, change["whole"])
    if is_dataclass(old):
        return _view_taken(old, change.get("fields"))
    return _table_taken(kind, old, change)


def _table_taken(kind: Any, old: Mapping[str, Any], change: Mapping[str, Any]) -> Mapping[str, Any]:
    row, rows = get_args(kind)[1], dict(old)
    for key in change.get("gone") or ():
        rows.pop(key, None)
    for key, value in (change.get("set") or {}).items():
        rows[key] = decode(row, value)
    for key, changes in (change.get("fields") or {}).items():
        if key not in rows:
            raise ValueError("a row changed that is not known")
        rows[key] = _view_taken(rows[key], changes)
    return rows


def _view_taken(old: Any, changes: Any) -> Any:
    if not isinstance(changes, dict):
        raise ValueError("the changes of a view must be an object")
    kind: Any = type(old)
    inner, found = members(kind), {}
    for name, value in changes.items():
        if name in inner:
            slid = value.get("slid") if isinstance(value, dict) and isinstance(getattr(old, name), tuple) else None
            found[name] = inner[name](value) if slid is None else _slid(kind, name, getattr(old, name), slid)
    return replace(old, **found)


def _slid(kind: Any, name: str, old: Any, slid: Any) -> Any:
    if not isinstance(slid, list) or len(slid) != 3 or not isinstance(old, tuple):
        raise ValueError(f"{name} cannot slide")
    first, end, added = slid
    if not (isinstance(first, int) and isinstance(end, int) and 0 <= first <= end <= len(old)):
        raise ValueError(f"{name} slid too far")
    return (*old[first:end], *members(kind)[name](added))
