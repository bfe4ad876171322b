"""The panels of the overview: each paints one part of what is going on for a width and a number of rows.

Given more rows than it has lines, a panel tells more of each thing; given fewer, it says how many are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.cells import cell_len

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
from screens.drawing import BLANK, Line, Span, by_minute, cell, cut, even, gauge, level, slots, spark, spread, state
from screens.events import event_lines
from screens.facts import (
    account_name,
    busiest,
    campaign_progress,
    campaign_rank,
    campaign_state,
    campaign_word,
    failing_share,
    failing_tone,
    severity_rank,
)
from screens.formatting import (
    NONE,
    age,
    clean,
    count,
    count_short,
    duration,
    money,
    money_short,
    percent,
    plural,
    rate,
    wrap,
)
from screens.place import as_of
from screens.slots import under_way
from screens.view import View
from screens.widgets.plot import Course, plot

CHART_FROM = 10  # rows from which the spend of the last hour is drawn with axes
_ALERT_LINES = 5  # of one alert at most
_QUEUE = (("ready", 7), ("leased", 8), ("oldest", 8), ("dead", 6))  # columns of a queue's figures, and how wide
_ENDED = 5  # campaigns that are over and still find room where those that are not tell more of theirs
_CAMPAIGN = 25  # columns of a campaign's figures, with the glyph
COURSE_ROWS = 8  # of one model's last hour at most
_LEAST_PACE = 1_000_000  # nano-dollars a minute: what three digits of a dollar tell
_COURSE = 30  # columns of it, two minutes each


def title(text: str, view: View, width: int, note: Line = ()) -> Line:
    """A panel's first line: its name, and its age when it is old."""
    return spread(((f" {text}", "head"), *((("  ", "plain"), *note) if note else ())), as_of(view), width)


def part_of(shown: int, all_: int) -> Line:
    """How many of a panel's rows are in sight, where not all are."""
    return ((f" {shown} of {all_:,} shown", "dim"),) if 0 <= shown < all_ else ()


def spend(view: View, width: int, rows: int) -> list[Line]:
    """Today and the month against their thresholds, and the last hour as it went."""
    now_money = view.snapshot.money
    lines = [
        title("SPEND", view, width, _beside(now_money)),
        _spent("today", now_money.today, now_money.day_threshold, width, "strong"),
        _spent("month", now_money.month, now_money.month_threshold, width, "plain"),
    ]
    seen_at = view.now - (view.stale_for or 0)  # of what came after it nothing is known
    pace = NONE if view.stale_for else rate(by_minute(now_money.minutes, view.now, 12)[-1] // 5)
    left: Line = (cell("now", 7, "dim", right=True), cell(pace, 12, right=True), ("  ", "plain"))
    if rows < CHART_FROM:
        bars = even(now_money.minutes, seen_at, max(10, width - 34))
        return [*lines, cut((*left, spark(bars), ("  the last hour", "dim")), width)]
    course = _last_hour(now_money, seen_at)
    line = f" · line {money_short(now_money.day_threshold)}/day" if course.limit else ""
    peak = rate(course.top).removesuffix("/min")
    lines.append(cut((*left, (f"5 m mean · peak {peak}{line}", "dim")), width))
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
    shown = found[: max(0, rows - 1)]
    spare = rows - 1 - len(shown)
    for alert in shown:
        told = _alert(alert, view, width, 1 + min(spare, _ALERT_LINES - 1))
        spare -= len(told) - 1
        lines += told
    if not found:
        lines.append((("  ✔ ", "ok"), ("none open", "dim")))
    return lines


def _alert(alert: AlertView, view: View, width: int, rows: int) -> list[Line]:
    """Its words, folded to as many lines as there are for it; the last of these is cut."""
    glyph, tone, _ = state(alert.severity)
    ink = "dim" if alert.acknowledged_by else "plain"
    open_for = f"open {age(view.now - alert.opened_at)} "
    room = width - len(open_for) - 2
    folded = wrap(clean(alert.summary, longest=300), max(1, room - 4))
    first, *more = (*folded[: rows - 1], " ".join(folded[rows - 1 :]))
    left = cut(((f"  {glyph} ", tone), (first, ink)), room)
    lines = [spread(left, ((open_for, "dim"),), width)]
    return lines + [cut((("    ", "plain"), (line, ink)), room) for line in more if line]


_LEVELS = {"cached": 1, "cheaper": 2, "template": 3}  # how well a tool is served, worst last
_PROVIDER_COLUMNS = (("today", 8, 0), ("share", 7, 0), ("calls", 7, 56), ("p95", 7, 0), ("err", 7, 0))


def providers(view: View, width: int, rows: int) -> list[Line]:
    found = _by_spend(view.snapshot)
    told = [_figures(model, view) for model in found[: rows - 1]]
    columns = [
        (word, max(room, *(cell_len(figures[word][0]) + 2 for figures in told)) if told else room)
        for word, room, need in _PROVIDER_COLUMNS
        if width >= need
    ]
    name = width - 4 - sum(room for _, room in columns)
    head = title("PROVIDERS", view, name + 4, _served_worse(view.snapshot) or part_of(rows - 1, len(found)))
    lines: list[Line] = [(*head, *(cell(word, room, "dim", right=True) for word, room in columns))]
    lines += [_provider(model, figures, name, columns) for model, figures in zip(found, told, strict=False)]
    if not found:
        lines.append((("  no calls yet: a campaign or the gateway makes the first", "dim"),))
    return lines


def _by_spend(snapshot: Snapshot) -> list[ModelView]:
    """The dearest first. By whole percents: what costs the same does not change places with every call."""
    every = snapshot.money.today or 1
    return sorted(
        snapshot.models.values(), key=lambda model: (-(100 * model.today // every), model.provider, model.model)
    )


def _served_worse(snapshot: Snapshot) -> Line:
    """The level of the tool that is served worst, and how many more there are."""
    worst = sorted(snapshot.levels.items(), key=lambda each: (-_LEVELS.get(each[1].level, 0), each[0]))
    if not worst:
        return ()
    tool, seen = worst[0]
    more = f" +{len(worst) - 1}" if len(worst) > 1 else ""
    glyph, tone, _ = state("critical" if seen.level == "template" else "warning")
    return ((f"{glyph} {clean(tool)}{more} {seen.level}", tone),)


def _figures(model: ModelView, view: View) -> Mapping[str, Span]:
    """What stands under each heading, however long it is."""
    failed, tried = failing_share(model)
    p95 = quantile(model.latencies, 0.95)
    return {
        "today": (money(model.today), "strong" if model.today else "dim"),
        "share": (percent(model.today, view.snapshot.money.today), "dim"),
        "calls": (count_short(model.calls), "plain"),
        "p95": (NONE if p95 is None else duration(p95), "plain"),
        "err": (percent(failed, tried), failing_tone(failed, tried)),
    }


def _provider(model: ModelView, figures: Mapping[str, Span], name: int, columns: Sequence[tuple[str, int]]) -> Line:
    glyph, tone, _ = state(model.breaker)
    return (
        (f"  {glyph} ", tone), cell(f"{clean(model.provider)} {clean(model.model)}", name),
        *(cell(figures[word][0], room, figures[word][1], right=True) for word, room in columns),
    )  # fmt: skip


def queue(view: View, width: int, rows: int) -> list[Line]:
    found = sorted(view.snapshot.queues.values(), key=lambda each: each.queue)
    name = width - sum(room for _, room in _QUEUE) - 4
    head: Line = (
        *title("QUEUE", view, name + 4),
        *(cell(word, room, "dim", right=True) for word, room in _QUEUE),
    )
    lines = [head, *(_queue(each, view, name) for each in found[: rows - 1])]
    if not found:
        lines.append((("  nothing was ever put in a queue", "dim"),))
    return lines


def _queue(each: QueueView, view: View, name: int) -> Line:
    figures = (
        (count_short(each.ready), "strong" if each.ready else "dim"),
        (count_short(each.leased), "plain" if each.leased else "dim"),
        (NONE if each.oldest_at is None else age(view.now - each.oldest_at), "plain" if each.oldest_at else "dim"),
        (count_short(each.dead), "badly" if each.dead else "dim"),
    )
    return (
        ("    ", "plain"),
        cell(clean(each.queue).removeprefix("huntaze-"), name),
        *(cell(text, room, tone, right=True) for (text, tone), (_, room) in zip(figures, _QUEUE, strict=True)),
    )


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
    rest = ""
    if back is not None and under_way(account, back, view.now):
        rest = "  next: sending"
    elif back is not None:
        rest = f"  next in {age(back - view.now + 999_999_999)}"
    dots = slots(free, account.limit, 20)
    tone = "badly" if free == 0 else "plain"
    return cut((("    ", "plain"), name, (" ", "plain"), *dots, (f" {free:>3} free", tone), (rest, "dim")), width)


def campaigns(view: View, width: int, rows: int) -> list[Line]:
    found = sorted(view.snapshot.campaigns.values(), key=campaign_rank)
    live = sum(map(is_live, found))
    told = rows > 2 * live + min(_ENDED, len(found) - live)
    room = rows - 1 - live * told
    lines = [title("CAMPAIGNS", view, width, part_of(room, len(found)))]
    account = max((cell_len(account_name(view, one.account_id)) for one in found[:room]), default=0)
    account = min(8 if width < 70 else 14, account + 1)
    words = max((cell_len(campaign_word(one, view)[0]) for one in found[:room]), default=0)
    name = max(10, min(30, width - _CAMPAIGN - account - min(19, words)))
    for campaign in found[:room]:
        lines.append(_campaign(campaign, view, width, name, account))
        if told and is_live(campaign):
            lines.append(_deliveries(campaign, width))
    if not found:
        lines.append((("  none yet: ", "dim"), ("c", "key"), (" makes the first", "dim")))
    return lines


def _campaign(campaign: CampaignView, view: View, width: int, name: int, account: int) -> Line:
    glyph, tone, _ = campaign_state(campaign)
    done, fans = campaign_progress(campaign)
    ended = campaign.state in FINAL_CAMPAIGN_STATES
    words, colour = campaign_word(campaign, view)
    line: Line = (
        (f"  {glyph} ", tone), cell(clean(campaign.name), name, "dim" if ended else "plain"), (" ", "plain"),
        cell(account_name(view, campaign.account_id), account, "dim"),
        cell(f"{count_short(done)}/{count_short(fans)}", 12, right=True),
        cell(percent(done, fans), 6, "dim", right=True), ("  ", "plain"), (words, colour),
    )  # fmt: skip
    return cut(line, width)


def is_live(campaign: CampaignView) -> bool:
    """May anything still become of it?"""
    return campaign.state not in FINAL_CAMPAIGN_STATES


def _deliveries(campaign: CampaignView, width: int) -> Line:
    """How far it is, what became of its messages, and what it cost."""
    counts = campaign.counts
    parts: list[tuple[int, str, str]] = [
        (counts.get("sent", 0), "sent", "plain"),
        (counts.get("uncertain", 0), "uncertain", "bad"),
        (counts.get("failed", 0), "failed", "warn"),
        (counts.get("drafted", 0), "to approve", "warn"),
        (campaign.open - counts.get("drafted", 0), "waiting", "dim"),
        (counts.get("skipped", 0), "left out", "dim"),
    ]
    line: list[tuple[str, str]] = [("    ", "plain"), *gauge(*campaign_progress(campaign), 16), ("  ", "plain")]
    limit = f" of {money_short(campaign.budget)}" if campaign.budget else ""
    line.append((f"{money(campaign.cost)}{limit}", "plain" if campaign.cost else "dim"))
    line += [(f" · {count(number)} {word}", tone) for number, word, tone in parts if number]
    return cut(tuple(line), width)


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


def courses(view: View, width: int, rows: int) -> list[Line]:
    """The last hour of each model that cost anything in it, each on a scale of its own."""
    found = [model for model in _by_spend(view.snapshot) if sum(by_minute(model.minutes, view.now, 1))]
    lines = [title("LAST HOUR BY MODEL", view, width, part_of(rows - 1, len(found)))]
    high = max(1, min(COURSE_ROWS, (rows - 1) // max(1, len(found))))
    for model in found[: rows - 1]:
        lines += _course_of(model, view, width, high)
    if not found:
        lines.append((("  nothing was spent", "dim"),))
    return lines


def _course_of(model: ModelView, view: View, width: int, rows: int) -> list[Line]:
    """Beside the course what it is of and its top; of three rows and more the last parts it from the next model's."""
    minutes = by_minute(model.minutes, view.now, 60)
    bars = even(model.minutes, view.now, _COURSE)
    room = max(8, width - len(bars) - 3)
    name = f"{clean(model.provider)} {clean(model.model)}"
    if cell_len(name) > room:
        name = clean(model.model)
    now, peak = _pace(sum(minutes[-5:]) // 5), _pace(max(minutes))
    words = ((name, "plain"), (f"{now}/min peak {peak}", "dim"))
    drawn = heights(bars, rows - (rows > 2))
    beside = (*words, *[("", "plain")] * len(drawn))
    lines = [
        cut((("  ", "plain"), cell(text, room, tone), (" ", "plain"), (row, "gauge")), width)
        for (text, tone), row in zip(beside, drawn, strict=False)
    ]
    return lines + [BLANK] * (rows - len(lines))


def _pace(amount: int) -> str:
    """Money a minute, told as too little to tell rather than as none."""
    return (
        f"<{rate(_LEAST_PACE)}".removesuffix("/min") if 0 < amount < _LEAST_PACE else rate(amount).removesuffix("/min")
    )


def heights(values: Sequence[int], rows: int) -> list[str]:
    """Columns of several rows, drawn to the eighth of one; anything is at least a line, nothing a blank."""
    top = max(1, *values)
    drawn = [max(1, value * rows * 8 // top) if value > 0 else 0 for value in values]
    return ["".join(" ▁▂▃▄▅▆▇█"[max(0, min(8, each - below * 8))] for each in drawn) for below in reversed(range(rows))]


def latest(view: View, width: int, rows: int) -> list[Line]:
    """The newest events, newest first."""
    lines = event_lines(view, width, rows - 1)
    return [title("LATEST", view, width), *(lines or [(("  nothing happened yet", "dim"),)])]
