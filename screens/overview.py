"""The overview: what is spent, what is wrong, what waits and what runs, on one screen of any size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from engine.kernel.values import DAY, MINUTE
from engine.surface.snapshot import (
    FINAL_CAMPAIGN_STATES,
    AccountView,
    AlertView,
    CampaignView,
    ModelView,
    MoneyView,
    QueueView,
    Snapshot,
    quantile,
)
from screens.drawing import (
    BLANK,
    Line,
    beside,
    by_minute,
    cell,
    cut,
    even,
    gauge,
    level,
    slots,
    spark,
    spread,
    state,
)
from screens.events import event_lines
from screens.facts import (
    account_name,
    busiest,
    campaign_progress,
    campaign_rank,
    campaign_word,
    failing_share,
    failing_tone,
    severity_rank,
)
from screens.formatting import age, clean, count_short, duration, money, money_short, percent, plural, rate
from screens.place import Place, as_of, waiting_lines
from screens.view import View
from screens.widgets.board import Board
from screens.widgets.plot import Course, plot

_WIDE = 104  # columns from which two stand side by side
_WIDEST = 160  # columns from which the newest events get a third
_LATEST_FROM = 3  # spare rows from which they stand below instead
_TALL = 34  # rows from which the last hour is drawn with axes
_CHART_FROM = 10  # rows of the panel likewise
_MOST_TOP = 24  # rows of the panel at most
_SMALL = (60, 16)  # below this one panel at a time


def title(text: str, view: View, width: int, note: Line = ()) -> Line:
    """A panel's first line: its name, and its age when it is old."""
    return spread(((f" {text}", "head"), *((("  ", "plain"), *note) if note else ())), as_of(view), width)


def part_of(shown: int, all_: int) -> Line:
    """How many of a panel's rows are in sight, where not all are."""
    return ((f" {shown} of {all_:,} shown", "dim"),) if 0 <= shown < all_ else ()


# ── panels ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def spend(view: View, width: int, rows: int) -> list[Line]:
    """Today and the month against their thresholds, and the last hour as it went."""
    now_money = view.snapshot.money
    lines = [
        title("SPEND", view, width, _beside(now_money)),
        _spent("today", now_money.today, now_money.day_threshold, width, "strong"),
        _spent("month", now_money.month, now_money.month_threshold, width, "plain"),
    ]
    recent = by_minute(now_money.minutes, view.now, 12)
    left: Line = (cell("now", 7, "dim", right=True), cell(rate(recent[-1] // 5), 12, right=True), ("  ", "plain"))
    if rows < _CHART_FROM:
        bars = even(now_money.minutes, view.now, max(10, width - 34))
        return [*lines, cut((*left, spark(bars), ("  the last hour", "dim")), width)]
    course = _last_hour(now_money, view.now)
    pace = f" · line {money_short(now_money.day_threshold)}/day" if course.limit else ""
    peak = rate(course.top).removesuffix("/min")
    lines.append(cut((*left, (f"5 m mean · peak {peak}{pace}", "dim")), width))
    return [*lines, *((("  ", "plain"), *line) for line in plot(course, width - 2, rows - len(lines), view.zone))]


def _last_hour(spent: MoneyView, now: int) -> Course:
    """Each minute's money, and the pace at which the day's threshold would be reached at midnight."""
    pace = spent.day_threshold * MINUTE // DAY if spent.day_threshold else None
    minutes = by_minute(spent.minutes, now, 60)
    return Course(values=minutes, start=(now // MINUTE - 59) * MINUTE, step=MINUTE, unit="money", limit=pace)


def _beside(spent: MoneyView) -> Line:
    """What today's sum leaves out: calls without a price, and what was not spent at all."""
    saved: Line = ((f"{money(spent.today_saved)} saved by kept answers", "ok"),) if spent.today_saved else ()
    unpriced = _unpriced(spent.today_unpriced)
    return (*unpriced, *((("  ", "plain"),) if unpriced and saved else ()), *saved)


def _unpriced(calls: int) -> Line:
    return ((f"{plural(calls, 'call')} unpriced, not in these sums", "warn"),) if calls else ()


def _spent(word: str, amount: int, limit: int | None, width: int, tone: str) -> Line:
    head: Line = (cell(word, 7, "dim", right=True), cell(money(amount), 12, tone, right=True))
    if not limit:
        return (*head, ("  no threshold set", "dim"))
    of = f" of {money_short(limit)}"
    room = max(8, min(40, width - 19 - 12 - 9))
    colour = level(amount, limit)
    share = cell(
        percent(amount, limit), 7, "badly" if colour == "bad" else colour if colour == "warn" else "plain", right=True
    )
    return (*head, cell(of, 12, "dim"), *gauge(amount, limit, room, colour), share)


def alerts(view: View, width: int, rows: int) -> list[Line]:
    found = sorted(view.snapshot.alerts.values(), key=lambda alert: (severity_rank(alert.severity), -alert.opened_at))
    tally: list[tuple[str, str]] = []
    for severity in ("critical", "warning", "info"):
        number = sum(alert.severity == severity for alert in found)
        if number:
            glyph, tone, _ = state(severity)
            tally += [(f"{glyph}{number} ", tone)]
    lines = [title("ALERTS", view, width, (*tally, *part_of(rows - 1, len(found))))]
    lines += [_alert(alert, view, width) for alert in found[: rows - 1]]
    if not found:
        lines.append((("  ✔ ", "ok"), ("none open", "dim")))
    return lines


def _alert(alert: AlertView, view: View, width: int) -> Line:
    glyph, tone, _ = state(alert.severity)
    seen = bool(alert.acknowledged_by)
    left: Line = ((f"  {glyph} ", tone), (clean(alert.summary, longest=200), "dim" if seen else "plain"))
    left = cut(left, width - 8)
    return spread(left, ((f"{age(view.now - alert.opened_at)} ", "dim"),), width)


_LEVELS = {"cached": 1, "cheaper": 2, "template": 3}  # how well a tool is served, worst last
_PROVIDER_COLUMNS = (("today", 9, 0), ("share", 7, 0), ("calls", 8, 56), ("p95", 7, 0), ("err", 7, 0))


def providers(view: View, width: int, rows: int) -> list[Line]:
    found = sorted(view.snapshot.models.values(), key=lambda model: (-model.today, -model.calls))
    columns = [(word, room) for word, room, need in _PROVIDER_COLUMNS if width >= need]
    name = width - 4 - sum(room for _, room in columns)
    head = title("PROVIDERS", view, name + 4, _served_worse(view.snapshot) or part_of(rows - 1, len(found)))
    lines: list[Line] = [(*head, *(cell(word, room, "dim", right=True) for word, room in columns))]
    lines += [_provider(model, view, name, wide=width >= 56) for model in found[: rows - 1]]
    if not found:
        lines.append((("  no calls yet: a campaign or the gateway makes the first", "dim"),))
    return lines


def _served_worse(snapshot: Snapshot) -> Line:
    """The level of the tool that is served worst, and how many more there are."""
    worst = sorted(snapshot.levels.items(), key=lambda each: (-_LEVELS.get(each[1].level, 0), each[0]))
    if not worst:
        return ()
    tool, seen = worst[0]
    more = f" +{len(worst) - 1}" if len(worst) > 1 else ""
    glyph, tone, _ = state("critical" if seen.level == "template" else "warning")
    return ((f"{glyph} {clean(tool)}{more} {seen.level}", tone),)


def _provider(model: ModelView, view: View, name: int, *, wide: bool) -> Line:
    glyph, tone, _ = state(model.breaker)
    failed, tried = failing_share(model)
    p95 = quantile(model.latencies, 0.95)
    return (
        (f"  {glyph} ", tone), cell(f"{clean(model.provider)} {clean(model.model)}", name),
        cell(money(model.today), 9, "strong" if model.today else "dim", right=True),
        cell(percent(model.today, view.snapshot.money.today), 7, "dim", right=True),
        *((cell(count_short(model.calls), 8, right=True),) if wide else ()),
        cell("–" if p95 is None else duration(p95), 7, right=True),
        cell(percent(failed, tried), 7, failing_tone(failed, tried), right=True),
    )  # fmt: skip


def queue(view: View, width: int, rows: int) -> list[Line]:
    found = sorted(view.snapshot.queues.values(), key=lambda each: each.queue)
    name = width - 34 - 4
    head: Line = (
        *title("QUEUE", view, name + 4),
        *(
            cell(word, room, "dim", right=True)
            for word, room in (("ready", 9), ("leased", 8), ("oldest", 9), ("dead", 8))
        ),
    )
    lines = [head, *(_queue(each, view, name) for each in found[: rows - 1])]
    if not found:
        lines.append((("  nothing was ever put in a queue", "dim"),))
    return lines


def _queue(each: QueueView, view: View, name: int) -> Line:
    waited = NONE_AGE if each.oldest_at is None else age(view.now - each.oldest_at)
    return (
        ("    ", "plain"), cell(clean(each.queue).removeprefix("huntaze-"), name),
        cell(count_short(each.ready), 9, "strong" if each.ready else "dim", right=True),
        cell(count_short(each.leased), 8, "plain" if each.leased else "dim", right=True),
        cell(waited, 9, "plain" if each.oldest_at else "dim", right=True),
        cell(count_short(each.dead), 8, "badly" if each.dead else "dim", right=True),
    )  # fmt: skip


NONE_AGE = "–"


def tokens(view: View, width: int, rows: int) -> list[Line]:
    found = busiest(view.snapshot.accounts.values(), view.now)
    same = {(account.limit, account.window) for account in found}
    note: Line = ()
    if len(same) == 1:
        limit, window = next(iter(same))
        note = ((f"{limit} in any {age(window)}  ", "dim"),)
    lines = [title("MESSAGES LEFT", view, width, (*note, *part_of(rows - 1, len(found))))]
    lines += [account_line(account, view, width) for account in found[: rows - 1]]
    if not found:
        lines.append((("  no account yet: it is known from its first campaign", "dim"),))
    return lines


def account_line(account: AccountView, view: View, width: int) -> Line:
    free = account.free(view.now)
    name = cell(clean(account.name or account.account_id), max(8, min(18, width - 40)))
    if account.paused:
        return cut((("  ‖ ", "warn"), name, (f" paused: {clean(account.paused, longest=200)}", "warn")), width)
    back = account.next_free_at(view.now)
    rest = f"  next in {age(back - view.now + 999_999_999)}" if back is not None else ""
    dots = slots(free, account.limit, 20)
    tone = "badly" if free == 0 else "plain"
    return cut((("    ", "plain"), name, (" ", "plain"), *dots, (f" {free:>3} free", tone), (rest, "dim")), width)


def campaigns(view: View, width: int, rows: int) -> list[Line]:
    found = sorted(view.snapshot.campaigns.values(), key=campaign_rank)
    lines = [title("CAMPAIGNS", view, width, part_of(rows - 1, len(found)))]
    lines += [_campaign(campaign, view, width) for campaign in found[: rows - 1]]
    if not found:
        lines.append((("  none yet: ", "dim"), ("c", "key"), (" makes the first", "dim")))
    return lines


def _campaign(campaign: CampaignView, view: View, width: int) -> Line:
    glyph, tone, _ = state(campaign.state)
    done, fans = campaign_progress(campaign)
    ended = campaign.state in FINAL_CAMPAIGN_STATES
    account = 8 if width < 70 else 14
    name = max(10, min(30, width - 44 - account))
    words, colour = campaign_word(campaign, view)
    line: Line = (
        (f"  {glyph} ", tone), cell(clean(campaign.name), name, "dim" if ended else "plain"), (" ", "plain"),
        cell(account_name(view, campaign.account_id), account, "dim"),
        cell(f"{count_short(done)}/{count_short(fans)}", 12, right=True),
        cell(percent(done, fans), 6, "dim", right=True), ("  ", "plain"), (words, colour),
    )  # fmt: skip
    return cut(line, width)


def sync(view: View, width: int) -> list[Line]:
    """One line for the copy of the ledger, where one is kept."""
    view_ = view.snapshot.sync
    if view_.state == "off":
        return []
    glyph, tone, word = state(view_.state)
    lag = f", {age(view.now - view_.oldest_at)} behind" if view_.oldest_at is not None else ""
    error = f": {clean(view_.error, longest=200)}" if view_.error else ""
    return [
        cut(
            (
                (f"  {glyph} ", tone),
                (f"DynamoDB copy {word}{lag} · {count_short(view_.unsynced)} unsynced{error}", "dim"),
            ),
            width,
        )
    ]


def latest(view: View, width: int, rows: int) -> list[Line]:
    """The newest events, newest first."""
    lines = event_lines(view, width, rows - 1)
    return [title("LATEST", view, width), *(lines or [(("  nothing happened yet", "dim"),)])]


# ── the whole ───────────────────────────────────────────────────────────────────────────────────────────────────────

PANELS: Sequence[tuple[str, Callable[[View, int, int], list[Line]]]] = (
    ("spend", spend), ("alerts", alerts), ("providers", providers),
    ("queue", queue), ("tokens", tokens), ("campaigns", campaigns),
)  # fmt: skip


def overview_lines(view: View, width: int, height: int, panel: int = 0) -> list[Line]:
    """The overview for a size: one panel, one column, two, or three."""
    if not view.loaded:
        return [BLANK, *waiting_lines(view, "Overview")]
    if width < _SMALL[0] or height < _SMALL[1] - 2:
        return PANELS[panel % len(PANELS)][1](view, width, height)[:height]
    if width < _WIDE:
        return _one_column(view, width, height)
    third = min(70, width - 2 * 58 - 4) if width >= _WIDEST else 0
    both = width - (third + 2 if third else 0)
    left = (both - 2) * 55 // 100
    lines = beside(_left(view, left, height), _right(view, both - 2 - left, height), left, 2)
    if third:
        return beside(lines, latest(view, third, height), both, 2)
    spare = height - len(lines) - 1
    return [*lines, BLANK, *latest(view, width, spare)] if spare > _LATEST_FROM else lines


def _one_column(view: View, width: int, height: int) -> list[Line]:
    """Spend and queues whole; alerts, accounts, providers and campaigns share what is left by need."""
    queues = 1 + max(1, len(view.snapshot.queues))
    wanted = [
        (1 + max(1, min(3, len(view.snapshot.alerts))), 1 + len(view.snapshot.alerts)),
        (1 + max(1, min(3, len(view.snapshot.models))), 1 + len(view.snapshot.models)),
        (1 + max(1, min(3, len(view.snapshot.accounts))), 1 + len(view.snapshot.accounts)),
        (1 + max(1, min(3, len(view.snapshot.campaigns))), 1 + len(view.snapshot.campaigns)),
    ]
    a, p, t, c = share(height - 4 - queues, wanted)
    return [
        *spend(view, width, 4), *alerts(view, width, a), *providers(view, width, p),
        *queue(view, width, queues), *tokens(view, width, t), *campaigns(view, width, c),
    ][:height]  # fmt: skip


def _top(view: View, height: int) -> int:
    """Rows of the two uppermost panels, which end together: what the ones below leave, within reason."""
    if height < _TALL:
        return 4
    found = view.snapshot
    below = max(2 + len(found.models) + len(found.campaigns), 3 + len(found.queues) + len(found.accounts)) + 4
    return max(_CHART_FROM, min(_MOST_TOP, height - below, height * 2 // 5))


def _left(view: View, width: int, height: int) -> list[Line]:
    top = spend(view, width, _top(view, height))
    found = view.snapshot
    models, live = share(
        height - len(top) - 2, [(4, 1 + max(1, len(found.models))), (4, 1 + max(1, len(found.campaigns)))]
    )
    return [*top, BLANK, *providers(view, width, models), BLANK, *campaigns(view, width, live)]


def _right(view: View, width: int, height: int) -> list[Line]:
    found = view.snapshot
    tail = sync(view, width)
    queues = 1 + max(1, len(found.queues))
    floor = _top(view, height)
    room = height - queues - len(tail) - 2
    shown, accounts = share(room, [(floor, max(floor, 1 + len(found.alerts))), (4, 1 + max(1, len(found.accounts)))])
    top = alerts(view, width, shown)
    top += [BLANK] * (min(floor, shown) - len(top))
    return [*top, BLANK, *queue(view, width, queues), BLANK, *tokens(view, width, accounts), *tail]


def share(room: int, wanted: Sequence[tuple[int, int]]) -> list[int]:
    """Rows for each of several blocks of (least, most): the least first, then one at a time to whoever wants more."""
    given = [least for least, _ in wanted]
    while sum(given) > room and max(given) > 2:
        given[given.index(max(given))] -= 1
    while sum(given) < room:
        hungry = [at for at, (_, most) in enumerate(wanted) if given[at] < most]
        if not hungry:
            break
        given[min(hungry, key=lambda at: given[at])] += 1
    return given


class OverviewScreen(Place):
    """Paints the panels for the size at hand."""

    title_text = place = "overview"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("tab", "panel", "next panel")]

    def __init__(self) -> None:
        super().__init__()
        self._panel = 0

    def body(self) -> ComposeResult:
        yield Board(id="panels", classes="still")

    def paint(self, view: View) -> None:
        self.query_one("#panels", Board).paint(lambda width, height: overview_lines(view, width, height, self._panel))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "panel":
            size = self.app.size
            return size.width < _SMALL[0] or size.height < _SMALL[1]
        return super().check_action(action, parameters)

    def action_panel(self) -> None:
        self._panel += 1
        self.paint(self.view)

    def on_resize(self) -> None:
        if self.is_current:
            self.show_keys()


__all__ = ["OverviewScreen", "account_line", "overview_lines"]
