"""Whom a campaign reaches, and why the others are left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from engine.messaging import Fan
from engine.messaging.consent import OPTED_OUT
from engine.surface.commands import Audience

UNKNOWN = "not a fan of the account"


@dataclass(frozen=True, slots=True)
class Member:
    """A fan of the audience; `left_out` says why they get nothing, empty for those who do."""

    fan: Fan
    left_out: str = ""


def members(audience: Audience, fans: Mapping[str, Fan], suppressed: Mapping[str, str]) -> tuple[Member, ...]:
    """The audience in the platform's order, or the list's own, those left out among them with their reasons."""
    return tuple(Member(fan, _objection(fan, fans, suppressed)) for fan in _chosen(audience, fans))


def _chosen(audience: Audience, fans: Mapping[str, Fan]) -> Iterable[Fan]:
    if audience.fan_ids:
        return [fans.get(fan_id) or Fan(fan_id=fan_id, name="") for fan_id in dict.fromkeys(audience.fan_ids)]
    if audience.tag:
        return [fan for fan in fans.values() if audience.tag in fan.tags]
    return fans.values()


def _objection(fan: Fan, fans: Mapping[str, Fan], suppressed: Mapping[str, str]) -> str:
    if fan.fan_id not in fans:
        return UNKNOWN
    if fan.opted_out:
        return OPTED_OUT
    if reason := suppressed.get(fan.fan_id):
        return f"suppressed: {reason}"
    return ""


def left_out(chosen: Iterable[Member]) -> dict[str, int]:
    """How many are left out, by reason."""
    found: dict[str, int] = {}
    for member in chosen:
        if member.left_out:
            found[member.left_out] = found.get(member.left_out, 0) + 1
    return found
