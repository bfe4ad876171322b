"""Feature flags and models on trial: what each switches, for how many users, and what a trial has shown and costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from textual.binding import Binding, BindingType

from engine.surface.commands import FlagSetting, SetFlags, SetShadow
from engine.surface.queries import ListFlags, ListShadows, PreviewFlag, PreviewShadow
from engine.surface.rows import FlagRow, ShadowRow
from screens.acting import Acting
from screens.drafting import TOOLS
from screens.drawing import BLANK, Line, Span, cut
from screens.effects import flag_effect, shadow_effect
from screens.formatting import NONE, clean, count, duration, money, percent, price, stamp, wrap
from screens.listing import Listing, plain
from screens.money import amount_of, plain_dollars
from screens.view import View
from screens.widgets.asking import Entry, Values
from screens.widgets.table import Column


class FlagsScreen(Listing[FlagRow], Acting):
    """One row a flag; `t` leads to the trials."""

    title_text = "flags"
    place = "providers"
    heading = "flags"
    empty = "no flags"
    first_keys = ("switch", "change", "trials")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "switch", "switch"),
        Binding("e", "change", "change"),
        Binding("t", "trials", "trials"),
    ]

    def question(self) -> ListFlags:
        return ListFlags()

    def columns(self) -> Sequence[Column[FlagRow]]:
        return (
            Column(title="", width=7, paint=_stands, sort=lambda row: row.enabled),
            Column(title="flag", width=24, weight=1, paint=plain(lambda row: row.name), sort=lambda row: row.name),
            Column(title="users", width=6, right=True, paint=lambda row, _: (f"{row.percentage} %", "plain")),
            Column(title="allowed", width=7, right=True, paint=lambda row, _: (count(len(row.allow)), "dim")),
            Column(title="denied", width=7, right=True, paint=lambda row, _: (count(len(row.deny)), "dim")),
            Column(title="set by", width=12, paint=plain(lambda row: row.changed_by or "nobody", "dim")),
        )

    def key_of(self, row: FlagRow) -> str:
        return row.name

    def words_of(self, row: FlagRow) -> str:
        return f"{row.name} {row.about} {row.changed_by}"

    def foot(self, row: FlagRow, view: View, width: int) -> Sequence[Line]:
        lines: list[Line] = [BLANK, *(((f"  {text}", "plain"),) for text in wrap(clean(row.about), width - 4))]
        if row.changed_at:
            lines.append(((f"  set by {clean(row.changed_by)} at {stamp(row.changed_at, view.zone)}", "dim"),))
        return lines

    def open(self, row: FlagRow) -> None:
        if self.may_act:
            self.action_change()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("switch", "change"):
            return self.is_mounted and self.row is not None and self.may_act
        return super().check_action(action, parameters)

    async def _effect(self, setting: FlagSetting) -> str:
        return flag_effect((await self.rows(PreviewFlag(flag=setting)))[0])

    def action_switch(self) -> None:
        row = self.row
        if row is None:
            return
        setting = FlagSetting(name=row.name, enabled=not row.enabled)
        question = f"Switch {clean(row.name)} {'off' if row.enabled else 'on'}?"
        self.confirm_effect(question, SetFlags(flags=(setting,), actor=self.actor), lambda: self._effect(setting))

    def action_change(self) -> None:
        row = self.row
        if row is None:
            return

        def setting(values: Values) -> FlagSetting:
            return FlagSetting(
                name=row.name,
                enabled=values["enabled"] == "on",
                percentage=int(values["percentage"]),
                allow=_users(values["allow"]),
                deny=_users(values["deny"]),
            )

        self.ask(
            f"How is {clean(row.name)} to stand?",
            (
                Entry(name="enabled", label="on or off", value="on" if row.enabled else "off", known=("on", "off")),
                Entry(name="percentage", label="% of users", value=str(row.percentage)),
                Entry(name="allow", label="always for", value=", ".join(row.allow), hint="nobody"),
                Entry(name="deny", label="never for", value=", ".join(row.deny), hint="nobody"),
            ),
            lambda values: SetFlags(flags=(setting(values),), actor=self.actor),
            check=_check_flag,
            preview=lambda values: self._effect(setting(values)),
            go="set it",
        )

    def action_trials(self) -> None:
        self.app.push_screen(TrialsScreen())


class TrialsScreen(Listing[ShadowRow], Acting):
    """One row a tool and model; those under way first. What is compared are figures of the last 30 days."""

    title_text = "trials"
    place = "providers"
    heading = "flags › trials"
    empty = "no model was tried beside another; n begins a trial"
    first_keys = ("new trial", "change", "end it")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "begin", "new trial"),
        Binding("e", "change", "change"),
        Binding("x", "end", "end it"),
    ]

    def question(self) -> ListShadows:
        return ListShadows()

    def columns(self) -> Sequence[Column[ShadowRow]]:
        return (
            Column(title="", width=9, paint=_runs, sort=lambda row: -row.percentage),
            Column(title="tool", width=14, paint=plain(lambda row: row.tool), sort=lambda row: row.tool),
            Column(title="on trial", width=20, weight=1, paint=plain(lambda row: row.target)),
            Column(title="compared", width=8, right=True, paint=lambda row, _: (count(row.compared), "plain")),
            Column(title="failed", width=6, right=True, paint=_failed),
            Column(title="alike", width=6, right=True, need=90, paint=_alike),
            Column(title="time", width=7, right=True, paint=_times),
            Column(title="cost", width=7, right=True, paint=_costs),
            Column(title="today", width=10, right=True, need=100, paint=_spent),
        )

    def key_of(self, row: ShadowRow) -> str:
        return f"{row.tool}\x1f{row.target}"

    def words_of(self, row: ShadowRow) -> str:
        return f"{row.tool} {row.target}"

    def foot(self, row: ShadowRow, view: View, width: int) -> Sequence[Line]:
        if not row.compared:
            return BLANK, (("  nothing is compared yet", "dim"),)
        took = f"{duration(row.shadow_duration // row.compared)} instead of {duration(row.duration // row.compared)}"
        cost = f"{price(row.shadow_cost // row.compared)} instead of {price(row.cost // row.compared)}"
        text = f"  an answer takes {took} and costs {cost}, over {count(row.compared)} compared in 30 days"
        fans = "  prompts that may hold a person's data are tried too" if row.fans else "  no prompt about a person"
        return BLANK, cut(((text, "plain"),), width), ((fans, "dim"),)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        row = self.row if self.is_mounted else None
        if action == "begin":
            return self.may_act
        if action == "change":
            return row is not None and self.may_act
        if action == "end":
            return row is not None and row.percentage > 0 and self.may_act
        return super().check_action(action, parameters)

    def action_begin(self) -> None:
        self._form(None)

    def action_change(self) -> None:
        self._form(self.row)

    def _form(self, row: ShadowRow | None) -> None:
        async def preview(values: Values) -> str:
            wanted = _trial(values)
            query = PreviewShadow(
                tool=wanted.tool, target=wanted.target, percentage=wanted.percentage, budget=wanted.budget
            )
            return shadow_effect((await self.rows(query))[0])

        models = tuple(sorted(self.view.snapshot.models))
        target = row.target if row else ""
        self.ask(
            "Try a model beside the one that answers. Its answers are compared and thrown away.",
            (
                Entry(name="tool", label="tool", value=row.tool if row else "", known=TOOLS),
                Entry(name="target", label="model", value=target, hint="provider/model", known=models),
                Entry(name="percentage", label="% of tasks", value=f"{row.percentage:g}" if row else "5"),
                Entry(name="budget", label="$ a day", value=plain_dollars(row.budget) if row else "1"),
                Entry(name="fans", label="about fans", value="yes" if row and row.fans else "no", known=("yes", "no")),
            ),
            lambda values: replace(_trial(values), actor=self.actor),
            check=_check_trial,
            preview=preview,
            go="try it",
        )

    def action_end(self) -> None:
        if self.row is not None:
            self.act(SetShadow(tool=self.row.tool, target=self.row.target, actor=self.actor))


def _users(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _check_flag(values: Values) -> Mapping[str, str]:
    wrong = {}
    if values["enabled"] not in ("on", "off"):
        wrong["enabled"] = "on or off"
    if not values["percentage"].isdecimal() or int(values["percentage"]) > 100:
        wrong["percentage"] = "a whole number from 0 to 100"
    return wrong


def _check_trial(values: Values) -> Mapping[str, str]:
    wrong = {}
    if not values["tool"]:
        wrong["tool"] = "the tool whose tasks are sampled"
    if "/" not in values["target"]:
        wrong["target"] = "provider/model"
    try:
        share = float(values["percentage"])
    except ValueError:
        share = -1.0
    if not 0 < share <= 100:
        wrong["percentage"] = "more than 0, at most 100"
    if not amount_of(values, "budget"):
        wrong["budget"] = "dollars such as 1.00"
    if values["fans"] not in ("yes", "no"):
        wrong["fans"] = "yes or no: may prompts about a person be tried?"
    return wrong


def _trial(values: Values) -> SetShadow:
    return SetShadow(
        tool=values["tool"],
        target=values["target"],
        percentage=float(values["percentage"]),
        budget=amount_of(values, "budget"),
        fans=values["fans"] == "yes",
    )


def _stands(row: FlagRow, _view: View) -> Span:
    return ("✔ on", "ok") if row.enabled else ("✖ off", "warn")


def _runs(row: ShadowRow, _view: View) -> Span:
    return (f"▶ {row.percentage:g} %", "accent") if row.percentage else ("over", "dim")


def _failed(row: ShadowRow, _view: View) -> Span:
    return count(row.failed), "warn" if row.failed else "dim"


def _alike(row: ShadowRow, _view: View) -> Span:
    return (percent(row.likeness, 1_000 * row.compared), "plain") if row.compared else (NONE, "dim")


def _times(row: ShadowRow, _view: View) -> Span:
    return (f"×{row.shadow_duration / row.duration:.2f}", "plain") if row.duration else (NONE, "dim")


def _costs(row: ShadowRow, _view: View) -> Span:
    return (f"×{row.shadow_cost / row.cost:.2f}", "plain") if row.cost else (NONE, "dim")


def _spent(row: ShadowRow, _view: View) -> Span:
    return (f"{money(row.spent_today)}/{money(row.budget)}", "dim") if row.percentage else (NONE, "dim")
