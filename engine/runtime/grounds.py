"""What commands change: how it stands, in full and in short facts, and the command that would put it back.

A ground is read in the transaction of the command that changes it. Its state is small, of JSON, and says nothing of
who set it or when: two states are alike when an operator would call them so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from engine.kernel.errors import CommandRefused, Refusal
from engine.kernel.values import decimal_usd, iso
from engine.orchestrator import FLAGS
from engine.storage import Tx
from engine.surface import commands
from engine.surface.commands import Command

State = Mapping[str, Any]
Parts = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """`restore` gives the command that leads from the state now to that of then; it raises CommandRefused with why not.

    `facts` are what the audit shows of a state.
    """

    read: Callable[[Tx, Parts], State]
    restore: Callable[[Parts, State, State], Command]
    facts: Callable[[State], State] = dict


def _never(why: str) -> CommandRefused:
    return CommandRefused(Refusal.CONFLICT, why)


def _row(tx: Tx, sql: str, parts: Parts) -> dict[str, Any]:
    found = tx.execute(sql, parts).fetchone()
    return dict(found) if found else {}


# ── campaigns and their messages ────────────────────────────────────────────────────────────────────────────────────

_ENDED = ("finished", "cancelled", "failed")


def _campaign(tx: Tx, parts: Parts) -> State:
    return _row(tx, "SELECT state, starts_at FROM campaigns WHERE campaign_id = ?", parts)


def _campaign_back(parts: Parts, then: State, now: State) -> Command:
    (campaign_id,) = parts
    if not then:
        raise _never("a campaign that was created is not forgotten: cancel it, and it sends nothing")
    if now["state"] in _ENDED:
        raise _never(f"a campaign that is {now['state']} stays so: create it again")
    if then["state"] == now["state"]:
        return commands.ScheduleCampaign(campaign_id=campaign_id, starts_at=then["starts_at"])
    if now["state"] == "paused":
        return commands.ResumeCampaign(campaign_id=campaign_id)
    if then["state"] == "paused":
        return commands.PauseCampaign(campaign_id=campaign_id)
    raise _never("it was started, and its messages may have gone out: pause or cancel it")


def _campaign_facts(state: State) -> State:
    at = state.get("starts_at")
    return {**state, "starts_at": iso(at)} if at is not None else {k: v for k, v in state.items() if k != "starts_at"}


def _texts(tx: Tx, parts: Parts) -> State:
    sql = "SELECT state, count(*) FROM deliveries WHERE campaign_id = ? GROUP BY state ORDER BY state"
    return {row[0]: row[1] for row in tx.execute(sql, parts)}


def _delivery(tx: Tx, parts: Parts) -> State:
    return _row(tx, "SELECT state FROM deliveries WHERE delivery_id = ?", parts)


def _dead(tx: Tx, parts: Parts) -> State:
    return _row(tx, "SELECT count(*) AS dead FROM jobs WHERE queue = ? AND state = 4", parts)


def _one_way(parts: Parts, then: State, now: State) -> Command:
    raise _never("it cannot be put back")


def _sending(tx: Tx, parts: Parts) -> State:
    return {"halted": tx.execute("SELECT 1 FROM meta WHERE key = 'halted'").fetchone() is not None}


def _sending_back(parts: Parts, then: State, now: State) -> Command:
    return commands.HaltSending() if then["halted"] else commands.ResumeSending()


def _account(tx: Tx, parts: Parts) -> State:
    return _row(tx, "SELECT paused != '' AS paused FROM accounts WHERE account_id = ?", parts)


def _fan(tx: Tx, parts: Parts) -> State:
    return _row(tx, "SELECT reason FROM suppressions WHERE account_id = ? AND fan_id = ?", parts)


def _fan_back(parts: Parts, then: State, now: State) -> Command:
    account_id, fan_id = parts
    if then:
        return commands.SuppressFan(account_id=account_id, fan_id=fan_id, reason=then["reason"])
    return commands.UnsuppressFan(account_id=account_id, fan_id=fan_id)


def _fan_facts(state: State) -> State:
    return {"suppressed": bool(state)}


# ── money ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _budget(tx: Tx, parts: Parts) -> State:
    scope, key, window = parts
    sql = 'SELECT "limit", actions, zone FROM budgets WHERE name = ? AND "window" = ?'
    return _row(tx, sql, (f"{scope}:{key}", window))


def _budget_back(parts: Parts, then: State, now: State) -> Command:
    scope, key, window = parts
    if not then:
        return commands.RemoveBudget(scope=scope, key=key, window=window)
    actions = tuple(then["actions"].split(","))
    return commands.SetBudget(
        scope=scope, key=key, window=window, limit=then["limit"], actions=actions, time_zone=then["zone"]
    )


def _budget_facts(state: State) -> State:
    if not state:
        return {"limit_usd": None}
    zone = {"zone": state["zone"]} if state["zone"] else {}
    return {"limit_usd": decimal_usd(state["limit"]), "actions": state["actions"], **zone}


def _thresholds(tx: Tx, parts: Parts) -> State:
    return {row["period"]: row["limit"] for row in tx.execute("SELECT * FROM thresholds ORDER BY period")}


def _thresholds_back(parts: Parts, then: State, now: State) -> Command:
    if not then:
        return commands.ResetThreshold()
    if set(now) - set(then):
        raise _never("the file decided over one of the two before: reset both, then set the other")
    return commands.SetThreshold(day=then.get("day"), month=then.get("month"))


def _threshold_facts(state: State) -> State:
    return {f"{period}_usd": decimal_usd(limit) for period, limit in state.items()} or {"set": "by the file"}


# ── models ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _route(tx: Tx, parts: Parts) -> State:
    found = _row(tx, "SELECT strategy, chain, weights, too_slow FROM routes WHERE tool = ?", parts)
    return {**found, **{key: orjson.loads(found[key]) for key in ("chain", "weights")}} if found else {}


def _route_back(parts: Parts, then: State, now: State) -> Command:
    (tool,) = parts
    if not then:
        return commands.ResetRoute(tool=tool)
    return commands.SetRoute(
        tool=tool,
        strategy=then["strategy"],
        chain=tuple(then["chain"]),
        weights=tuple(then["weights"]),
        too_slow=then["too_slow"] or 0,
    )


def _route_facts(state: State) -> State:
    if not state:
        return {"set": "by the file"}
    facts = {"strategy": state["strategy"], "chain": ", ".join(state["chain"])}
    if state["weights"]:
        facts["weights"] = ", ".join(map(str, state["weights"]))
    return {**facts, "too_slow_ns": state["too_slow"]} if state["too_slow"] else facts


def _breaker(tx: Tx, parts: Parts) -> State:
    sql = "SELECT iif(held_by = '', 'auto', state) AS held FROM breakers WHERE provider = ? AND model = ?"
    return _row(tx, sql, parts) or {"held": "auto"}


def _breaker_back(parts: Parts, then: State, now: State) -> Command:
    provider, model = parts
    return commands.ForceBreaker(provider=provider, model=model, state=then["held"])


def _shadow(tx: Tx, parts: Parts) -> State:
    return _row(tx, "SELECT target, percentage, budget, fans FROM shadows WHERE tool = ?", parts)


def _shadow_back(parts: Parts, then: State, now: State) -> Command:
    (tool,) = parts
    return commands.SetShadow(tool=tool, **{**then, "fans": bool(then.get("fans"))})


def _shadow_facts(state: State) -> State:
    if not state:
        return {"percentage": 0}
    return {
        "target": state["target"],
        "percentage": state["percentage"],
        "budget_usd": decimal_usd(state["budget"]),
        "fans": bool(state["fans"]),
    }


_NEW_FLAG: State = {"enabled": True, "percentage": 100, "allow": [], "deny": []}


def _flags(tx: Tx, parts: Parts) -> State:
    known = [name for name in parts if name in FLAGS]
    return {name: _flag(tx, name) for name in known}


def _flag(tx: Tx, name: str) -> State:
    found = _row(tx, "SELECT enabled, percentage, allow, deny FROM flags WHERE name = ?", (name,))
    if not found:
        return _NEW_FLAG
    lists = {key: orjson.loads(found[key]) for key in ("allow", "deny")}
    return {"enabled": bool(found["enabled"]), "percentage": found["percentage"], **lists}


def _flags_back(parts: Parts, then: State, now: State) -> Command:
    settings = [
        commands.FlagSetting(
            name=name,
            enabled=flag["enabled"],
            percentage=flag["percentage"],
            allow=tuple(flag["allow"]),
            deny=tuple(flag["deny"]),
        )
        for name, flag in then.items()
    ]
    return commands.SetFlags(flags=tuple(settings))


def _flags_facts(state: State) -> State:
    """Who is on the lists is not told, only how many."""
    return {
        name: f"{'on' if flag['enabled'] else 'off'}, {flag['percentage']} %, {len(flag['allow'])} allowed, "
        f"{len(flag['deny'])} denied"
        for name, flag in state.items()
    }


# ── alerts and keys ─────────────────────────────────────────────────────────────────────────────────────────────────


def _alert(tx: Tx, parts: Parts) -> State:
    return _row(tx, "SELECT acknowledged_by != '' AS acknowledged FROM alerts WHERE alert_id = ?", parts)


def _alert_back(parts: Parts, then: State, now: State) -> Command:
    (alert_id,) = parts
    kind = commands.AcknowledgeAlert if then["acknowledged"] else commands.UnacknowledgeAlert
    return kind(alert_id=alert_id)


def _alert_facts(state: State) -> State:
    return {"acknowledged": bool(state.get("acknowledged"))}


def _silence(tx: Tx, parts: Parts) -> State:
    sql = "SELECT rule, subject, severity, ends_at, reason, ended_at IS NULL AS live FROM silences WHERE silence_id = ?"
    return _row(tx, sql, parts)


def _silence_back(parts: Parts, then: State, now: State) -> Command:
    (silence_id,) = parts
    if not then:
        return commands.EndSilence(silence_id=silence_id)
    return commands.SilenceAlerts(**{key: value for key, value in then.items() if key != "live"})


def _silence_facts(state: State) -> State:
    if not state:
        return {}
    named = {key: state[key] for key in ("rule", "subject", "severity") if state[key]}
    return {**named, "until": iso(state["ends_at"]), "live": bool(state["live"]), "reason": state["reason"]}


def _key(tx: Tx, parts: Parts) -> State:
    sql = """SELECT name, prefix, tenant_id, "limit", "window", revoked_at IS NOT NULL AS revoked FROM gateway_keys
             WHERE key_id = ?"""
    return _row(tx, sql, parts)


def _key_facts(state: State) -> State:
    if not state:
        return {}
    limit = {} if state["limit"] is None else {"limit_usd": decimal_usd(state["limit"]), "window": state["window"]}
    named = {key: state[key] for key in ("name", "prefix", "tenant_id") if state[key]}
    return {**named, **limit, "revoked": bool(state["revoked"])}


GROUNDS: Mapping[str, Ground] = {
    "campaign": Ground(read=_campaign, restore=_campaign_back, facts=_campaign_facts),
    "texts": Ground(read=_texts, restore=_one_way),
    "delivery": Ground(read=_delivery, restore=_one_way),
    "dead": Ground(read=_dead, restore=_one_way),
    "sending": Ground(read=_sending, restore=_sending_back),
    "account": Ground(read=_account, restore=_one_way, facts=lambda state: {"paused": bool(state.get("paused"))}),
    "fan": Ground(read=_fan, restore=_fan_back, facts=_fan_facts),
    "budget": Ground(read=_budget, restore=_budget_back, facts=_budget_facts),
    "thresholds": Ground(read=_thresholds, restore=_thresholds_back, facts=_threshold_facts),
    "route": Ground(read=_route, restore=_route_back, facts=_route_facts),
    "breaker": Ground(read=_breaker, restore=_breaker_back),
    "shadow": Ground(read=_shadow, restore=_shadow_back, facts=_shadow_facts),
    "flags": Ground(read=_flags, restore=_flags_back, facts=_flags_facts),
    "alert": Ground(read=_alert, restore=_alert_back, facts=_alert_facts),
    "silence": Ground(read=_silence, restore=_silence_back, facts=_silence_facts),
    "key": Ground(read=_key, restore=_one_way, facts=_key_facts),
}
