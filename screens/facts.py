"""What screens work out of a snapshot before they show it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from engine.surface.snapshot import FINAL_CAMPAIGN_STATES, AccountView, CampaignView, ModelView, finish_at
from screens.drawing import state
from screens.formatting import clean, moment, moment_there
from screens.view import View

_SEVERITIES = ("critical", "warning", "info")


def severity_rank(severity: str) -> int:
    """Worst first."""
    return _SEVERITIES.index(severity) if severity in _SEVERITIES else len(_SEVERITIES)


def failing_share(model: ModelView) -> tuple[int, int]:
    """Failed and all of a model's newest calls, as far back as the snapshot keeps them."""
    return sum(not answered for answered in model.outcomes), len(model.outcomes)


def failing_tone(failed: int, tried: int) -> str:
    """Bad from one in five, a warning from one in twenty."""
    if not failed:
        return "plain" if tried else "dim"
    return "badly" if failed * 5 >= tried else "warn" if failed * 20 >= tried else "plain"


def busiest(accounts: Iterable[AccountView], now: int) -> list[AccountView]:
    """Accounts with the paused and the full ones first, then by name."""
    return sorted(accounts, key=lambda one: (not one.paused, one.free(now), (one.name or one.account_id).casefold()))


def account_name(view: View, account_id: str) -> str:
    """What an account is called; its id where it has no name. Cleaned."""
    account = view.snapshot.accounts.get(account_id)
    return clean((account.name if account else "") or account_id, longest=80)


def campaign_name(view: View, campaign_id: str) -> str:
    """What a campaign is called; its id where the snapshot has it no more. Cleaned."""
    campaign = view.snapshot.campaigns.get(campaign_id)
    return clean((campaign.name if campaign else "") or campaign_id, longest=100)


def with_id(name: str, id_: str) -> str:
    """`spring-ppv (cmp_01jd…)`: a name to know it by, and the id that commands take."""
    return f"{name} ({clean(id_, longest=80)})" if name != id_ else name


def by_name(text: str, view: View) -> str:
    """Words of the engine with campaigns called by their names instead of their ids."""
    known = view.snapshot.campaigns
    return re.sub(r"\bcmp_\w+", lambda found: known[found[0]].name if found[0] in known else found[0], text)


def campaign_progress(campaign: CampaignView) -> tuple[int, int]:
    """Deliveries that are over, and all of them; those left out at creation count in neither."""
    fans = campaign.fans - campaign.counts.get("skipped", 0)
    return max(0, fans - campaign.open - campaign.counts.get("uncertain", 0)), fans


def campaign_rank(campaign: CampaignView) -> tuple[int, int]:
    """What ended but for sends to be settled first, then what runs, then what could, then the newest."""
    if campaign.unsettled:
        return -1, -campaign.created_at
    order = ("awaiting_approval", "running", "paused", "scheduled", "draft")
    return (order.index(campaign.state) if campaign.state in order else 9, -campaign.created_at)


def finishes_at(campaign: CampaignView, view: View) -> int:
    """When a campaign will be through at its account's limit, with everything else running there in front of it."""
    waiting = sum(
        other.open
        for other in view.snapshot.campaigns.values()
        if other.account_id == campaign.account_id and other.state in ("running", "awaiting_approval")
    )
    return finish_at(view.snapshot, campaign.account_id, max(waiting, campaign.open), view.now)


def campaign_state(campaign: CampaignView) -> tuple[str, str, str]:
    """Glyph, tone and word of a campaign's state; one that is over but for sends to be settled is not done with."""
    return state("uncertain" if campaign.unsettled else campaign.state)


def budget_word(campaign: CampaignView, view: View) -> tuple[str, str] | None:
    """The threshold that a campaign's own total has reached, and its tone; None below the first."""
    warned = view.snapshot.budgets.get(f"campaign:{campaign.campaign_id}:total")
    if warned is None:
        return None
    if warned.percent >= 100:
        return "its budget is used up", "bad"
    return f"{warned.percent} % of its budget spent", "warn" if warned.percent >= 80 else "plain"


def campaign_word(campaign: CampaignView, view: View) -> tuple[str, str]:
    """What matters most about a campaign right now, and its tone."""
    counts = campaign.counts
    if campaign.unsettled:
        return f"{campaign.unsettled:,} to settle, {campaign.state}{_because(campaign)}", "bad"
    if counts.get("uncertain"):
        return f"{counts['uncertain']:,} uncertain", "bad"
    if campaign.state in FINAL_CAMPAIGN_STATES:
        return f"{campaign.state}{_because(campaign)}", "dim"
    if counts.get("drafted") and campaign.state in ("running", "scheduled", "awaiting_approval"):
        return f"{counts['drafted']:,} to approve", "warn"
    if campaign.state == "awaiting_approval":
        return "texts are being written", "plain"
    if campaign.state == "draft":
        return _draft(campaign, view)
    if campaign.state == "running":
        return _running(campaign, view)
    if campaign.state == "scheduled":
        return f"starts {moment(campaign.starts_at, view.now, view.zone)}", "accent"
    return f"{campaign.state}{_because(campaign)}", "warn" if campaign.state == "paused" else "dim"


def begins_at(campaign: CampaignView, view: View) -> str:
    """When a campaign that has not begun will, with the zone; nothing for at once, or for one that has."""
    waits = campaign.state in ("draft", "awaiting_approval", "scheduled")
    if campaign.starts_at is None or campaign.starts_at <= view.now or not waits:
        return ""
    first = "once started, " if campaign.state == "draft" else ""
    return f"{first}begins {moment_there(campaign.starts_at, view.now, view.zone)}"


def _draft(campaign: CampaignView, view: View) -> tuple[str, str]:
    if campaign.starts_at is None or campaign.starts_at <= view.now:
        return "not started", "dim"
    return f"not started, for {moment(campaign.starts_at, view.now, view.zone)}", "dim"


def _running(campaign: CampaignView, view: View) -> tuple[str, str]:
    if view.snapshot.engine.halted_by:
        return "sending is halted", "bad"
    account = view.snapshot.accounts.get(campaign.account_id)
    if account is not None and account.paused:
        return "account paused", "warn"
    if not campaign.open:
        return "finishing", "plain"
    return f"ends {moment(finishes_at(campaign, view), view.now, view.zone)}", "plain"


def _because(campaign: CampaignView) -> str:
    return f": {clean(campaign.reason, longest=200)}" if campaign.reason else ""
