"""Every command as the audit names it: what it is done to, the ground it changes, and why some cannot be undone."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.accounts import secretless
from engine.runtime.grounds import Parts
from engine.surface import commands
from engine.surface.commands import Command

Data = Mapping[str, Any]  # of the answer; empty before there is one
Tool = Callable[[str], str]  # a tool's own name, also where an alias is given


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """`ground` is a kind and its parts, or None while they are not known; `never` why it cannot be undone."""

    subject: Callable[[Any, Data], str] = lambda command, data: ""
    ground: Callable[[Any, Data], tuple[str, Parts] | None] = lambda command, data: None
    never: str = ""
    told: bool = True  # whether the words of a refusal may be kept; they could quote what an operator wrote


def named(kind: type[Command]) -> str:
    """PauseCampaign as pause-campaign."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", kind.__name__).lower()


def actions(tool: Tool) -> dict[type[Command], Action]:
    """Every command there is."""
    return {**_campaigns(), **_sending(), **_money(), **_models(tool), **_accounts()}


def _of(kind: str, *fields: str) -> Callable[[Any, Data], tuple[str, Parts] | None]:
    """The ground whose parts are these fields of the command."""
    return lambda command, data: (kind, tuple(getattr(command, field) for field in fields))


def _made(kind: str, field: str) -> Callable[[Any, Data], tuple[str, Parts] | None]:
    """The ground that a command makes: its answer names it."""
    return lambda command, data: (kind, (data[field],)) if field in data else None


def _said(*fields: str, by: str = "/") -> Callable[[Any, Data], str]:
    return lambda command, data: by.join(str(getattr(command, field)) for field in fields)


def _campaigns() -> dict[type[Command], Action]:
    campaign = Action(subject=_said("campaign_id"), ground=_of("campaign", "campaign_id"))
    texts = _of("texts", "campaign_id")
    word = "a word on an uncertain send is final: what was sent cannot be called back"
    return {
        commands.CreateCampaign: Action(
            subject=lambda command, data: data.get("campaign_id", command.draft.account_id),
            ground=_made("campaign", "campaign_id"),
            told=False,
        ),
        commands.StartCampaign: campaign,
        commands.ScheduleCampaign: campaign,
        commands.PauseCampaign: campaign,
        commands.ResumeCampaign: campaign,
        commands.CancelCampaign: campaign,
        commands.ApproveDeliveries: Action(
            subject=_said("campaign_id"),
            ground=texts,
            never="approved texts go out: pause or cancel the campaign to hold back the rest",
        ),
        commands.RejectDeliveries: Action(
            subject=_said("campaign_id"), ground=texts, never="a rejected text is gone: write to these fans anew"
        ),
        commands.SettleDelivery: Action(
            subject=_said("delivery_id"), ground=_of("delivery", "delivery_id"), never=word
        ),
        commands.SettleDeliveries: Action(subject=_said("campaign_id"), ground=texts, never=word),
    }


def _sending() -> dict[type[Command], Action]:
    halting = Action(ground=_of("sending"))
    fan = Action(subject=_said("account_id", "fan_id"), ground=_of("fan", "account_id", "fan_id"))
    dead = _of("dead", "queue")
    alert = Action(subject=_said("alert_id"), ground=_of("alert", "alert_id"))
    return {
        commands.HaltSending: halting,
        commands.ResumeSending: halting,
        commands.ResumeAccount: Action(
            subject=_said("account_id"),
            ground=_of("account", "account_id"),
            never="its platform's refusal had paused the account, and only that pauses one",
        ),
        commands.SuppressFan: fan,
        commands.UnsuppressFan: fan,
        commands.RedriveJobs: Action(
            subject=_said("queue"), ground=dead, never="jobs that were given another try may have been done"
        ),
        commands.PurgeJobs: Action(
            subject=_said("queue"), ground=dead, never="deleted jobs are gone, and their deliveries have failed"
        ),
        commands.AcknowledgeAlert: alert,
        commands.UnacknowledgeAlert: alert,
        commands.SilenceAlerts: Action(
            subject=lambda command, data: data.get("silence_id", ""), ground=_made("silence", "silence_id")
        ),
        commands.EndSilence: Action(subject=_said("silence_id"), ground=_of("silence", "silence_id")),
    }


def _money() -> dict[type[Command], Action]:
    budget = Action(subject=_said("scope", "key", "window", by=":"), ground=_of("budget", "scope", "key", "window"))
    threshold = Action(ground=_of("thresholds"))
    return {
        commands.SetBudget: budget,
        commands.RemoveBudget: budget,
        commands.SetThreshold: threshold,
        commands.ResetThreshold: threshold,
    }


def _models(tool: Tool) -> dict[type[Command], Action]:
    def of_tool(kind: str) -> Action:
        return Action(
            subject=lambda command, data: tool(command.tool), ground=lambda command, data: (kind, (tool(command.tool),))
        )

    spent = "what its calls cost is spent"
    return {
        commands.SetRoute: of_tool("route"),
        commands.ResetRoute: of_tool("route"),
        commands.SetShadow: of_tool("shadow"),
        commands.ForceBreaker: Action(subject=_said("provider", "model"), ground=_of("breaker", "provider", "model")),
        commands.SetFlags: Action(
            subject=lambda command, data: ",".join(_flags(command)),
            ground=lambda command, data: ("flags", _flags(command)),
        ),
        commands.ClearCache: Action(
            subject=lambda command, data: "*" if command.tenant_id is None else command.tenant_id,
            never="answers that were forgotten are gone; they are kept again as they are asked for",
        ),
        commands.RateCall: Action(subject=_said("call_id"), never="a rating is replaced by rating the answer again"),
        commands.StartLoadTest: Action(
            subject=lambda command, data: data.get("test_id", command.tool),
            never=f"{spent}: cancel it to stop the rest",
        ),
        commands.CancelLoadTest: Action(subject=_said("test_id"), never="a load test is not taken up again"),
        commands.RunDrill: Action(subject=_said("down"), never=spent),
    }


def _accounts() -> dict[type[Command], Action]:
    return {
        commands.CreateKey: Action(
            subject=lambda command, data: data.get("key_id", command.tenant_id),
            ground=_made("key", "key_id"),
            never="a key that was made may be in use: revoke it",
        ),
        commands.RevokeKey: Action(
            subject=lambda command, data: data.get("key_id") or secretless(command.key),
            ground=_made("key", "key_id"),
            never="a key that was taken back is not given out again: make another",
        ),
        commands.UndoAction: Action(subject=lambda command, data: str(command.audit_id)),
    }


def _flags(command: commands.SetFlags) -> Parts:
    return tuple(sorted({setting.name for setting in command.flags}))
