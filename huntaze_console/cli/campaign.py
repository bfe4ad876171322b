"""`huntaze campaign`: create, estimate, start, pause, resume, cancel, look, approve, settle."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from engine.kernel.errors import CommandRefused, Refusal
from engine.kernel.fanlist import read_fan_file
from engine.kernel.text import clean
from engine.kernel.values import from_datetime, usd
from huntaze_console.cli.flags import FILE, Ordered, Where, about
from huntaze_console.cli.line import Line, reading, writing
from huntaze_console.cli.paper import count, moment, money, plain, say, say_json, table
from huntaze_console.cli.reading import LIMIT, ask, tell
from huntaze_console.configuration.shipped import TOOLS

if TYPE_CHECKING:
    from engine.surface.commands import CampaignDraft
    from engine.surface.rows import DeliveryRow, EstimateRow
    from engine.surface.snapshot import CampaignView

F = TypeVar("F", bound=Callable[..., Any])

_CAMPAIGN_STATES = ("draft", "awaiting_approval", "scheduled", "running", "paused", "finished", "cancelled", "failed")
_STATES = (
    "pending",
    "drafted",
    "approved",
    "queued",
    "sending",
    "sent",
    "failed",
    "uncertain",
    "skipped",
    "rejected",
    "expired",
    "cancelled",
)
_UNNAMED = "estimate"


@click.group(cls=Ordered, short_help="Create, estimate, start, pause, resume, cancel, approve, settle.")
@about
def campaign(_: Where) -> None:
    """Campaigns: messages to many fans, each written for one, sent under the limit and within the budget."""


# ── writing one ─────────────────────────────────────────────────────────────────────────────────────────────────────


def draft_flags(command: F) -> F:
    """The flags that say what a campaign is."""
    for option in reversed(
        (
            click.option("--name", default="", help="What to call it; what is only estimated needs no name."),
            click.option("--account", required=True, metavar="ACCOUNT", help="Whose fans get it."),
            click.option("--all", "everyone", is_flag=True, help="All fans of the account."),
            click.option("--tag", default="", help="The fans with this tag."),
            click.option("--fan", "fans", multiple=True, metavar="FAN", help="This fan; may be repeated."),
            click.option("--fans-file", type=FILE, help="A CSV file with a column fan_id, or one id a line."),
            click.option("--prompt", default="", help="What the model is to write to each fan."),
            click.option("--prompt-file", type=FILE, help="The prompt in a text file."),
            click.option("--template", default="", help="A text with variables, filled in without a model."),
            click.option("--tool", default="message", metavar="TOOL", help="Which tool writes [message]."),
            click.option(
                "--approval",
                type=click.Choice(("required", "automatic")),
                default="required",
                help="Whether a person reads each text first [required].",
            ),
            click.option("--budget", metavar="USD", help="The most its AI calls may cost, such as 5.00."),
            click.option("--at", metavar="TIME", help="When to begin, with an offset: 2026-11-20T18:00+01:00."),
        )
    ):
        command = option(command)
    return command


@campaign.command(short_help="Create a campaign, or with --dry-run see what it would do.")
@draft_flags
@click.option("--start", is_flag=True, help="Start it at once, or at --at; otherwise it stays a draft.")
@click.option("--dry-run", is_flag=True, help="Create nothing: show fans, cost and finish time.")
@click.option("--key", default="", help="The same key and content again is the same campaign.")
@about
def create(place: Where, *, start: bool, dry_run: bool, key: str, **flags: Any) -> None:
    """Create a campaign. Say whom it is for with one of --all, --tag, --fan and --fans-file.

    \b
    Examples:
      huntaze campaign create --account anna --tag vip --name Spring --prompt "Say hello" --dry-run
      huntaze campaign create --account anna --all --template "Hello {{name}}" --name Hello --budget 5 --start
    """
    from engine.surface.commands import CreateCampaign

    if not (flags["name"] or dry_run):
        raise click.UsageError("Missing option '--name'.")
    draft = _draft(**flags)
    if dry_run:
        _estimate(place, draft)
        return
    with writing(place) as line:
        done = line.submit(CreateCampaign(draft=draft, start=start, key=key))
    estimate = _row(done.data.get("estimate"))
    if place.json:
        say_json({"summary": done.summary, **done.data, "estimate": estimate})
        return
    say(done.summary)
    say(f"campaign {done.data['campaign_id']}")
    for warning in estimate.warnings if estimate else ():
        say(f"warning: {warning}")


@campaign.command(short_help="What a campaign would reach, cost and take.")
@draft_flags
@about
def estimate(place: Where, **flags: Any) -> None:
    """Show what a campaign would do: fans reached and why others are not, cost low and high, finish at the limit.

    \b
    Examples:
      huntaze campaign estimate --account anna --fans-file fans.csv --prompt-file hello.txt
    """
    _estimate(place, _draft(**flags))


def _draft(
    *,
    name: str,
    account: str,
    everyone: bool,
    tag: str,
    fans: tuple[str, ...],
    fans_file: Path | None,
    prompt: str,
    prompt_file: Path | None,
    template: str,
    tool: str,
    approval: str,
    budget: str | None,
    at: str | None,
) -> CampaignDraft:
    from engine.surface.commands import Audience, CampaignDraft

    _one_of(("--all", everyone), ("--tag", tag), ("--fan", fans), ("--fans-file", fans_file))
    _one_of(("--prompt", prompt), ("--prompt-file", prompt_file), ("--template", template))
    listed = read_fan_file(fans_file) if fans_file else fans
    return CampaignDraft(
        name=name or _UNNAMED,
        account_id=account,
        audience=Audience(all=everyone, tag=tag, fan_ids=listed),
        tool=_tool(tool),
        prompt=_text(prompt_file) if prompt_file else prompt,
        template=template,
        approval="automatic" if approval == "automatic" else "required",
        budget=None if budget is None else _usd(budget),
        starts_at=None if at is None else _instant(at),
    )


def _one_of(*given: tuple[str, object]) -> None:
    """Exactly one of these flags must have been given."""
    names = [name for name, value in given if value]
    if len(names) != 1:
        found = f"not {' and '.join(names)}" if names else "and none was given"
        raise click.UsageError(f"exactly one of {', '.join(name for name, _ in given)} is needed, {found}")


def _tool(name: str) -> str:
    """A tool's own name for an alias of it; what is not known is left for the engine to judge."""
    return next((tool for tool, row in TOOLS.items() if name in row["aliases"]), name)


def _usd(text: str) -> int:
    try:
        amount = usd(text.removeprefix("$"))
    except ValueError as error:
        raise click.UsageError(f"--budget: {error}") from error
    if amount <= 0:
        raise click.UsageError("--budget must be more than nothing")
    return amount


def _instant(text: str) -> int:
    try:
        return from_datetime(datetime.fromisoformat(text))
    except ValueError as error:
        raise click.UsageError(f"--at: {error}") from error


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise click.UsageError(f"{file} cannot be read: {error.strerror}") from error


def _text(file: Path) -> str:
    try:
        return _bytes(file).decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise click.UsageError(f"{file} is not text in UTF-8") from error


def _standing(view: CampaignView) -> str:
    """Its state, and what a person must still do about one that has ended."""
    return view.state.replace("_", " ") + (f", {count(view.unsettled)} to settle" if view.unsettled else "")


def _row(estimate: Mapping[str, Any] | None) -> EstimateRow | None:
    """The estimate among a command's data as the row it was: in JSON its amounts and instants are then written out."""
    from engine.surface.rows import EstimateRow

    return EstimateRow(**estimate) if estimate else None


def _estimate(place: Where, draft: CampaignDraft) -> None:
    from engine.surface.queries import EstimateCampaign

    with writing(place) as line:
        row: EstimateRow = line.query(EstimateCampaign(draft=draft)).rows[0]
        zone = line.snapshot().engine.time_zone
    if place.json:
        say_json({"campaign_id": None, "estimate": row})
        return
    left_out = ", ".join(f"{count(number)} {clean(reason)}" for reason, number in row.left_out.items())
    cost = "unpriced" if row.cost_low is None else f"{money(row.cost_low)} to {money(row.cost_high)}"
    table(
        ("would reach", f"{count(row.fans)} fans"),
        (
            ("left out", left_out or "nobody"),
            ("cost", cost),
            ("model", f"{row.provider}/{row.model}" if row.model else "none"),
            (f"begins ({zone})", moment(row.starts_at, zone)),
            ("ends", moment(row.finish_at, zone)),
        ),
    )
    for warning in row.warnings:
        say(f"warning: {warning}")
    for preview in row.previews:
        say()
        say(preview)


# ── looking ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@campaign.command("list", short_help="List campaigns, newest first.")
@click.option("--state", type=click.Choice(_CAMPAIGN_STATES), help="Only those in this state.")
@click.option("--account", default="", metavar="ACCOUNT", help="Only those of this account.")
@LIMIT
@about
def list_(place: Where, *, state: str | None, account: str, limit: int) -> None:
    """List campaigns, newest first."""
    from engine.surface.queries import ListCampaigns

    with reading(place) as line:
        page = line.query(ListCampaigns(state=state or "", account_id=account, limit=limit))
        zone = line.snapshot().engine.time_zone
    if place.json:
        say_json({"rows": page.rows, "next": page.next, "as_of": page.as_of})
        return
    if not page.rows:
        say("no campaigns")
        return
    table(
        ("campaign", "name", "account", "state", "sent", "of", "uncertain", "cost", f"created ({zone})"),
        (
            (
                row.campaign_id,
                row.name,
                row.account_id,
                _standing(row),
                count(row.counts.get("sent", 0)),
                count(row.fans),
                count(row.counts.get("uncertain", 0)),
                money(row.cost),
                moment(row.created_at, zone),
            )
            for row in page.rows
        ),
        right=range(4, 8),
    )


@campaign.command(short_help="Show one campaign.")
@click.argument("campaign_id", metavar="CAMPAIGN")
@about
def show(place: Where, *, campaign_id: str) -> None:
    """Show one campaign: its state and why, progress by delivery state, cost, and what it was made of."""
    from engine.surface.queries import GetDraft

    with reading(place) as line:
        view = _view(line, campaign_id)
        drafts = line.query(GetDraft(campaign_id=campaign_id)).rows
        zone = line.snapshot().engine.time_zone
    if place.json:
        say_json({**plain(view), "fans": view.fans, "open": view.open, "draft": drafts[0] if drafts else None})
    else:
        _say_campaign(view, drafts[0] if drafts else None, zone)


def _view(line: Line, campaign_id: str) -> CampaignView:
    from engine.surface.queries import GetCampaign

    rows: tuple[CampaignView, ...] = line.query(GetCampaign(campaign_id=campaign_id)).rows
    if not rows:
        raise CommandRefused(Refusal.NOT_FOUND, f"there is no campaign {clean(campaign_id)}")
    return rows[0]


def _say_campaign(view: CampaignView, draft: CampaignDraft | None, zone: str) -> None:
    cost = money(view.cost) + (f" of {money(view.budget)}" if view.budget is not None else "")
    if view.unpriced:
        cost += f", and {count(view.unpriced)} unpriced calls"
    rows = [
        ("name", view.name),
        ("account", view.account_id),
        ("state", _standing(view) + (f": {view.reason}" if view.reason else "")),
        ("tool", view.tool),
        (f"created ({zone})", moment(view.created_at, zone)),
        ("begins", moment(view.starts_at, zone)),
        ("cost", cost),
        *((f"  {state}", count(view.counts[state])) for state in _STATES if view.counts.get(state)),
    ]
    if draft is not None:
        rows += [("approval", draft.approval), ("audience", _audience(draft))]
    table(("campaign", view.campaign_id), rows)
    if draft is not None and (draft.prompt or draft.template):
        say()
        say(draft.prompt or draft.template)


def _audience(draft: CampaignDraft) -> str:
    if draft.audience.all:
        return "all fans"
    return f"fans tagged {draft.audience.tag}" if draft.audience.tag else f"{count(len(draft.audience.fan_ids))} listed"


@campaign.command(short_help="List a campaign's deliveries, one a fan.")
@click.argument("campaign_id", metavar="CAMPAIGN")
@click.option("--state", type=click.Choice(_STATES), help="Only those in this state.")
@click.option("--fan", "fan_id", default="", help="Only this fan's.")
@click.option("--texts", is_flag=True, help="Show each text in full.")
@LIMIT
@about
def deliveries(place: Where, *, campaign_id: str, state: str | None, fan_id: str, texts: bool, limit: int) -> None:
    """List a campaign's deliveries: who got it, who did not, and why.

    \b
    Examples:
      huntaze campaign deliveries cmp_01kaesv7 --state uncertain
    """
    from engine.surface.queries import ListDeliveries

    with reading(place) as line:
        _view(line, campaign_id)
        query = ListDeliveries(campaign_id=campaign_id, state=state or "", fan_id=fan_id, limit=limit)
        page = line.query(query)
        zone = line.snapshot().engine.time_zone
    if place.json:
        say_json({"rows": page.rows, "next": page.next, "as_of": page.as_of})
    elif texts:
        _say_texts(page.rows)
    else:
        table(
            ("delivery", "fan", "name", "state", "why", f"changed ({zone})", "text"),
            (
                (
                    row.delivery_id,
                    row.fan_id,
                    row.fan_name,
                    row.state,
                    row.reason,
                    moment(row.changed_at, zone),
                    row.text,
                )
                for row in page.rows
            ),
        )


# ── steering ────────────────────────────────────────────────────────────────────────────────────────────────────────


@campaign.command(short_help="Start a campaign, or let it wait for its time.")
@click.argument("campaign_id", metavar="CAMPAIGN")
@about
def start(place: Where, *, campaign_id: str) -> None:
    """Start a campaign, or let it wait for the time it was given."""
    from engine.surface.commands import StartCampaign

    tell(place, StartCampaign(campaign_id=campaign_id))


@campaign.command(short_help="Pause a campaign; takes effect within one message.")
@click.argument("campaign_id", metavar="CAMPAIGN")
@about
def pause(place: Where, *, campaign_id: str) -> None:
    """Pause a campaign. It takes effect within one message."""
    from engine.surface.commands import PauseCampaign

    tell(place, PauseCampaign(campaign_id=campaign_id))


@campaign.command(short_help="Let a paused campaign go on.")
@click.argument("campaign_id", metavar="CAMPAIGN")
@about
def resume(place: Where, *, campaign_id: str) -> None:
    """Let a paused campaign go on."""
    from engine.surface.commands import ResumeCampaign

    tell(place, ResumeCampaign(campaign_id=campaign_id))


@campaign.command(short_help="Cancel a campaign for good.")
@click.argument("campaign_id", metavar="CAMPAIGN")
@click.option("--yes", is_flag=True, help="Do not ask.")
@about
def cancel(place: Where, *, campaign_id: str, yes: bool) -> None:
    """Cancel a campaign for good: what has not been sent will not be."""
    from engine.surface.commands import CancelCampaign

    ask(f"Cancel {clean(campaign_id)} for good?", yes=yes)
    tell(place, CancelCampaign(campaign_id=campaign_id))


@campaign.command(short_help="Read drafted texts and approve them.")
@click.argument("campaign_id", metavar="CAMPAIGN")
@click.argument("delivery_ids", metavar="[DELIVERY]…", nargs=-1)
@click.option("--yes", is_flag=True, help="Do not ask.")
@about
def approve(place: Where, *, campaign_id: str, delivery_ids: tuple[str, ...], yes: bool) -> None:
    """Show drafted texts, those named or all, and approve exactly what was shown.

    A text that changes in between is not approved: the yes is bound to its digest.
    """
    from engine.surface.commands import ApproveDeliveries

    with writing(place) as line:
        rows = _drafted(line, campaign_id, delivery_ids)
    if not place.json:
        _say_texts(rows)
    ask(f"Approve {count(len(rows))} texts?", yes=yes)
    texts = {row.delivery_id: row.text_digest for row in rows}
    tell(place, ApproveDeliveries(campaign_id=campaign_id, texts=texts))


@campaign.command(short_help="Reject drafted texts: these fans get nothing.")
@click.argument("campaign_id", metavar="CAMPAIGN")
@click.argument("delivery_ids", metavar="DELIVERY…", nargs=-1, required=True)
@click.option("--reason", default="rejected by the operator", help="Kept with each delivery.")
@about
def reject(place: Where, *, campaign_id: str, delivery_ids: tuple[str, ...], reason: str) -> None:
    """Reject drafted texts: these fans get nothing from this campaign."""
    from engine.surface.commands import RejectDeliveries

    tell(place, RejectDeliveries(campaign_id=campaign_id, delivery_ids=delivery_ids, reason=reason))


@campaign.command(short_help="Say what became of an uncertain send.")
@click.argument("delivery_id", metavar="DELIVERY")
@click.argument("outcome", type=click.Choice(("sent", "failed", "again")))
@about
def settle(place: Where, *, delivery_id: str, outcome: Literal["sent", "failed", "again"]) -> None:
    """Decide an uncertain send: it arrived (sent), it did not (failed), or it is to be sent once more (again)."""
    from engine.surface.commands import SettleDelivery

    tell(place, SettleDelivery(delivery_id=delivery_id, outcome=outcome))


def _drafted(line: Line, campaign_id: str, delivery_ids: tuple[str, ...]) -> list[DeliveryRow]:
    """The drafted deliveries that are meant, all pages of them."""
    from engine.surface.queries import ListDeliveries

    _view(line, campaign_id)
    found: list[DeliveryRow] = []
    cursor: str | None = ""
    while cursor is not None:
        query = ListDeliveries(campaign_id=campaign_id, state="drafted", limit=1_000, cursor=cursor)
        page = line.query(query)
        found += page.rows
        cursor = page.next
    chosen = [row for row in found if row.delivery_id in delivery_ids] if delivery_ids else found
    missing = set(delivery_ids) - {row.delivery_id for row in chosen}
    if missing or not chosen:
        what = f"{clean(sorted(missing)[0])} is not waiting" if missing else "nothing is waiting"
        raise CommandRefused(Refusal.NOT_FOUND, f"{what} for approval in {clean(campaign_id)}")
    return chosen


def _say_texts(rows: Iterable[DeliveryRow]) -> None:
    for row in rows:
        say("  ".join(map(clean, (row.delivery_id, row.fan_id, row.fan_name, row.state))))
        say(row.text or "(no text yet)")
        say()
