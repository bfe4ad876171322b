"""Moving about: the command line, the way back, the filter, the order, other keys, and looking only."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.kernel.values import SECOND, Instant
from engine.surface import commands
from engine.surface.queries import ListCalls, ListDeliveries, ListJobs
from screens import keys
from screens.app import ConsoleApp
from screens.filtering import matching, parse
from screens.registry import REGISTRY
from screens.source import ConsoleOptions
from screens.view import View
from screens.vocabulary import Act, Do, Show, Unknown, Visit, meaning, offers, rank
from tests.screens.harness import Console, console
from tests.screens.scripted import NOW, ScriptedSource, snapshot

VIEW = View(snapshot=snapshot("normal"), now=NOW)


async def say(running: Console, line: str) -> None:
    await running.press("colon")
    await running.type(line)
    await running.press("enter")
    await running.settle()


# ── what a line means ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("line", "step"),
    [
        ("campaigns", Visit("campaigns")),
        ("camp", Visit("campaigns")),
        ("camp spring", Show("campaign", "cmp_1")),
        ("campaign spring-ppv", Show("campaign", "cmp_1")),
        ("campaign CMP_2", Show("campaign", "cmp_2")),
        ("account anna", Visit("limits", row="acc_anna")),
        ("account acc_bella", Visit("limits", row="acc_bella")),
        ("provider azure", Show("provider", "azure")),
        ("model gpt-4o-mini", Show("model", "openai/gpt-4o-mini")),
        ("model 4omini", Show("model", "openai/gpt-4o-mini")),
        ("queue", Visit("queue")),
        ("queue dead", Show("jobs", "huntaze-rate-limiter-queue", "dead")),
        ("jobs notif", Show("jobs", "huntaze-notifications")),
        ("fan ANNA/f123", Show("fan", "ANNA/f123")),
        ("fan f 1", Show("fan", "f 1")),
        ("alert breaker open", Visit("alerts", filter="breaker open")),
        ("budgets", Visit("budgets")),
        ("budget", Visit("budgets")),
        ("theme light", Do("theme('light')")),
        ("stop", Do("halt")),
        ("resume", Do("resume_sending")),
        ("q", Do("leave")),
        ("  Q  ", Do("leave")),
    ],
)
def test_a_line_means_one_thing(line: str, step: object) -> None:
    assert meaning(line, VIEW) == step


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("zebra", "zebra is no command"),
        ("capmaigns", "is no command"),
        ("campaign", "wants a campaign"),
        ("campaign zzz", "No campaign is called zzz"),
        ("sto", ""),
        ("queue leasedd", ""),
        ("queue parked", "No queue has a parked job"),
        ("campaign \x1b[2J", "No campaign is called [2J"),
    ],
)
def test_what_means_nothing_says_what_is_near(line: str, words: str) -> None:
    step = meaning(line, VIEW)

    assert isinstance(step, Unknown) is bool(words)
    if isinstance(step, Unknown):
        assert words in step.why


def test_what_acts_is_never_guessed_among_several() -> None:
    acts = (Act("purge", "purge", "x"), Act("purge_all", "purge all dead", "X"), Act("stop_it", "stop it", "s"))

    assert isinstance(meaning("purg", VIEW, acts), Unknown)
    assert meaning("purge", VIEW, acts) == Do("purge")
    assert isinstance(meaning("st", VIEW, acts), Unknown)
    assert meaning("purge_a", VIEW, acts) == Do("purge_all")


def test_every_place_is_reached_by_its_name_and_aliases() -> None:
    for entry in REGISTRY:
        assert meaning(entry.name, VIEW) == Visit(entry.name)
        for alias in entry.aliases:
            assert isinstance(meaning(alias, VIEW), Visit | Unknown), alias


def test_ranks_go_from_the_same_to_its_letters_in_order() -> None:
    names = ["spring", "spring-ppv", "late-spring", "offspring", "sxpxrxixnxg", "gnirps"]

    ranks = [rank("spring", name) for name in names]

    assert ranks[:-1] == sorted(ranks[:-1])  # type: ignore[type-var]
    assert ranks[-1] is None


def test_offers_are_the_same_for_the_same_letters() -> None:
    first = [offer.line for offer in offers("campaign ", VIEW)]

    assert first == sorted(first)
    assert [offer.line for offer in offers("campaign ", VIEW)] == first
    assert [offer.line for offer in offers("campaign hal", VIEW)] == ["campaign halloween"]


def test_names_are_offered_clean() -> None:
    wicked = replace(VIEW.snapshot.campaigns["cmp_1"], name="spring\x1b]52;c;aGk=\x07[red]\u202ex")
    view = replace(VIEW, snapshot=replace(VIEW.snapshot, campaigns={"cmp_1": wicked}))

    (offer,) = offers("campaign ", view)

    assert offer.line == "campaign spring]52;c;aGk=[red]x"
    assert meaning(offer.line, view) == Show("campaign", "cmp_1")


# ── the bar ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_bar_offers_completes_and_goes() -> None:
    async with console() as running:
        await running.press("colon")
        await running.type("cam")
        assert "one campaign's deliveries" in running.text()
        await running.press("tab")
        assert "campaign halloween" in running.text()
        await running.type("spr")
        await running.press("tab", "enter")
        await running.settle()

        assert running.lines()[0].startswith(" HUNTAZE campaigns › spring-ppv")
        await running.press("escape")
        assert running.lines()[0].startswith(" HUNTAZE overview")


async def test_the_arrows_choose_and_the_past_comes_back() -> None:
    async with console() as running:
        await say(running, "limits")
        await running.press("colon")
        await running.type("ale")
        await running.press("down", "down", "up", "enter")
        await running.settle()
        assert running.lines()[0].startswith(" HUNTAZE alerts")

        await running.press("colon", "up", "up", "enter")
        await running.settle()

        assert running.lines()[0].startswith(" HUNTAZE limits")


async def test_a_line_that_means_nothing_stays_to_be_mended() -> None:
    async with console() as running:
        await running.press("colon")
        await running.type("campaing")
        await running.press("enter")
        assert "campaing is no command" in running.text()
        await running.press("escape")

        assert running.lines()[0].startswith(" HUNTAZE overview")
        assert "is no command" not in running.text()


@pytest.mark.parametrize("size", [(80, 24), (60, 16), (200, 60)])
async def test_the_bar_fits_any_terminal(size: tuple[int, int]) -> None:
    async with console("huge", size=size) as running:
        await running.press("colon")
        await running.type("campaign ")

        assert len(running.lines()) == size[1]
        assert " :campaign" in running.lines()[-1]


async def test_every_place_opens_from_the_bar_and_escape_leads_back() -> None:
    async with console() as running:
        for entry in REGISTRY:
            await say(running, entry.name)
            assert running.app.current_mode == entry.name
        for entry in reversed(REGISTRY[:-1]):
            await running.press("escape")
            assert running.app.current_mode == entry.name


async def test_one_thing_opens_over_what_is_shown_and_escape_leads_back_to_the_row() -> None:
    source = ScriptedSource()
    async with console(source) as running:
        await running.press("6", "down", "down")
        row = running.app.screen.row  # type: ignore[attr-defined]
        for line, heading in (
            ("campaign halloween", "campaigns › halloween"),
            ("model gpt-4o-mini", "providers › openai gpt-4o-mini › calls"),
            ("queue dead", "queue › huntaze-rate-limiter-queue › dead"),
            ("fan ANNA/fan_00001", "every campaign › ANNA › fan fan_00001"),
            ("provider azure", "providers › azure"),
        ):
            await say(running, line)
            assert heading in running.lines()[0], line
            await running.press("escape")
            assert running.app.screen.row == row  # type: ignore[attr-defined]

    assert any(isinstance(query, ListJobs) and query.state == "dead" for query in source.asked)
    assert any(isinstance(query, ListDeliveries) and query.fan_id == "fan_00001" for query in source.asked)
    assert any(isinstance(query, ListCalls) and query.where["model"] == "gpt-4o-mini" for query in source.asked)


async def test_fifty_jumps_leave_one_way_and_one_step_back() -> None:
    async with console(size=(200, 40)) as running:
        await running.press("6", "down", "enter")
        below = len(running.app.screen_stack)
        for number in range(25):
            await running.app.carry_out(Show("fan", f"ANNA/fan_{number:05}"))
            await running.app.carry_out(Show("campaign", "cmp_4"))
        await say(running, "campaign halloween")

        assert len(running.app.screen_stack) == below + 1
        assert running.lines()[0].startswith(" HUNTAZE campaigns › halloween › all ")
        await running.press("escape")
        assert running.lines()[0].startswith(" HUNTAZE campaigns › spring-ppv › all ")


async def test_what_was_opened_from_a_jump_goes_with_it() -> None:
    async with console() as running:
        await running.press("2")
        await say(running, "campaign spring-ppv")
        await running.press("enter")
        assert len(running.app.screen_stack) == 3
        await say(running, "queue dead")

        assert running.lines()[0].startswith(" HUNTAZE queue › huntaze-rate-limiter-queue › dead")
        await running.press("escape")
        assert running.lines()[0].startswith(" HUNTAZE costs ")


async def test_a_number_leads_to_its_place_not_to_what_was_opened_over_it() -> None:
    async with console() as running:
        await running.press("2")
        await say(running, "fan ANNA/fan_00001")
        await running.press("1", "2")

        assert running.lines()[0].startswith(" HUNTAZE costs ")


async def test_places_gone_to_and_fro_are_gone_back_through_once() -> None:
    async with console() as running:
        for _ in range(25):
            await running.app.carry_out(Visit("costs"))
            await running.app.carry_out(Visit("queue"))
        ways = []
        while running.app.came_from:
            await running.press("escape")
            ways.append(running.app.current_mode)

        assert ways == ["costs", "overview"]


async def test_an_account_is_found_in_its_table() -> None:
    async with console() as running:
        await say(running, "account carla")

        assert running.lines()[0].startswith(" HUNTAZE limits")
        assert running.app.screen.row.account_id == "acc_carla"  # type: ignore[attr-defined]


async def test_words_behind_a_place_filter_it() -> None:
    async with console() as running:
        await say(running, "campaigns paused")

        assert "1 of 5" in running.lines()[0]
        assert "renewals" in running.text()


async def test_commands_do_what_their_keys_do() -> None:
    source = ScriptedSource()
    async with console(source) as running:
        await say(running, "theme light")
        assert running.app.theme == "huntaze-light"
        await say(running, "freeze")
        assert "FROZEN" in running.lines()[0]
        await say(running, "freeze")
        await say(running, "stop")
        await say(running, "help")
        assert "EVERYWHERE" in running.text()

    assert [type(command) for command in source.submitted] == [commands.HaltSending]


async def test_an_action_of_the_screen_is_called_by_its_name() -> None:
    async with console() as running:
        await running.press("4", "enter")
        await say(running, "view")

        assert "ready" in running.lines()[0]


# ── filter and order ────────────────────────────────────────────────────────────────────────────────────────────────

ROWS = ("anna sent", "bella sent late", "carla failed", "dora FAILED")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ROWS),
        ("SENT", ROWS[:2]),
        ("sent late", ROWS[1:2]),
        ("-sent", ROWS[2:]),
        ("-sent -dora", ROWS[2:3]),
        ("name:a", ROWS),
        ("name:anna", ROWS[:1]),
        ("st:late", ROWS[1:2]),
        ("-state:failed", ROWS[:2]),
        ('"sent late"', ROWS[1:2]),
        ("gpt:4", ()),
        ("state:", ROWS),
        ("-", ()),
    ],
)
def test_a_filter_is_words_columns_and_what_must_not_be(text: str, found: tuple[str, ...]) -> None:
    terms = parse(text, ("name", "state"))

    rows = matching(ROWS, terms, str.casefold, lambda row, at: row.casefold().split(" ", 1)[at])

    assert tuple(rows) == found


async def test_a_heading_clicked_sorts_by_it_and_turns() -> None:
    async with console() as running:
        await running.press("6")
        heading = next(line for line in running.lines() if " campaign " in line and "account" in line)
        at = running.lines().index(heading), heading.index("campaign")
        await running.pilot.click(offset=(at[1], at[0]))
        await running.settle()
        assert "campaign▲" in running.text()
        assert "black-friday" in running.lines()[at[0] + 1]
        await running.pilot.click(offset=(at[1], at[0]))
        await running.settle()

        assert "campaign▼" in running.text()
        assert "welcome-fr" in running.lines()[at[0] + 1]


@pytest.mark.parametrize("state", ["normal", "huge"])
async def test_sorting_goes_to_the_first_row_and_the_cursor_stays_in_sight(state: str) -> None:
    async with console(state, size=(100, 24)) as running:
        for way in (("6",), ("enter",)):
            await running.press(*way, "end", "o")
            screen = running.app.screen
            assert screen.table.cursor == 0  # type: ignore[attr-defined]
            assert any(line.startswith("▌") for line in running.lines())
            await running.press("home")


async def test_the_cursor_is_followed_when_its_row_moves() -> None:
    source = ScriptedSource("huge")
    async with console(source, size=(100, 20)) as running:
        await running.press("6", "down", "down")
        row = running.app.screen.row  # type: ignore[attr-defined]
        moved = {
            key: replace(one, state="finished") if key == row.campaign_id else one
            for key, one in source.shown.campaigns.items()
        }
        source.become(campaigns=moved)
        await running.settle()

        assert running.app.screen.row.campaign_id == row.campaign_id  # type: ignore[attr-defined]
        assert any(line.startswith("▌") for line in running.lines())


async def test_cursor_filter_and_order_outlast_a_visit_elsewhere() -> None:
    async with console() as running:
        await running.press("6", "o", "o", "slash")
        await running.type("acc")
        await running.press("enter", "down", "down")
        before = running.lines()[1:-2]
        await running.press("3", "1", "6")

        assert running.lines()[1:-2] == before


async def test_the_engine_filters_and_sorts_what_it_alone_has_whole() -> None:
    source = ScriptedSource()
    async with console(source) as running:
        await running.press("6", "down", "enter", "slash")
        await running.type("fan:fan")
        await running.press("enter", "o")

    query = next(query for query in reversed(source.asked) if isinstance(query, ListDeliveries))
    assert query.find == ("fan:fan",)
    assert query.order == "state"
    assert query.offset == 0


# ── keys ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_other_keys_work_are_shown_and_replace_the_old_ones() -> None:
    source = ScriptedSource()
    async with console(source, keys={"halt": ("!",), "filter": ("f", "ctrl+f")}) as running:
        await running.press("6", "S")
        assert source.submitted == []
        assert running.keys["!"] == "stop sending"
        assert running.keys["f"] == "filter"
        await running.press("question_mark")
        assert "f, ^f" in running.text()
        await running.press("escape", "f")
        await running.type("renew")
        assert "1 of 5" in running.lines()[0]
        await running.press("escape", "exclamation_mark")

    assert [type(command) for command in source.submitted] == [commands.HaltSending]


async def test_two_actions_on_one_key_move_together() -> None:
    source = ScriptedSource()
    source.become(engine=replace(source.shown.engine, halted_by="mia", halted_at=NOW))
    async with console(source, keys={"halt": ("!",)}) as running:
        assert running.keys["!"] == "resume sending"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"halt": ("!",)}, ""),
        ({"freeze": ("space", "z")}, ""),
        ({"filter": ("ctrl+b", "z")}, ""),
        ({"halt": ("x",), "cancel": ("X",)}, "x is "),
        ({"halt": ("c",)}, "c is 'new campaign' everywhere"),
        ({"halt": ("c",), "compose_campaign": ("C",)}, ""),
        ({"halt": ("o",)}, "o is 'order by the next column'"),
        ({"helt": ("x",)}, "no action"),
        ({"halt": ("ctrl+b",)}, "tmux takes it"),
        ({"halt": ("f5",)}, "only key"),
        ({"halt": ("hyper+x",)}, "is no key"),
        ({"halt": ()}, "has no key"),
    ],
)
def test_a_remapping_that_cannot_work_is_told(given: dict[str, tuple[str, ...]], words: str) -> None:
    found = keys.wrongs(given)

    assert bool(found) is bool(words)
    assert not words or words in " ".join(each.message for each in found)


def test_no_two_actions_of_one_screen_share_a_key() -> None:
    """As they come: each pair on one key takes turns on it, which `named` says by giving them one name."""
    console_, *screens = keys.scopes()
    for scope in (console_, *screens):
        held: dict[str, str] = {}
        for binding in scope.bindings:
            assert held.setdefault(binding.key, binding.id or "") == (binding.id or ""), (scope.name, binding.key)


# ── looking only ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_looking_only_shows_no_key_that_acts_and_says_so() -> None:
    source = ScriptedSource()
    async with console(source, read_only=True) as running:
        assert "read-only" in running.lines()[0]
        assert "S" not in running.keys
        await say(running, "stop")
        assert "cannot be done here" in running.notices[-1]

    assert source.submitted == []


# ── states of every listing ─────────────────────────────────────────────────────────────────────────────────────────


async def test_rows_of_the_snapshot_say_that_the_others_could_not_be_read() -> None:
    async with console("failing") as running:
        await running.press("6")

        assert "spring-ppv" in running.text()
        assert "not all is here: the database did not answer" in running.text()


async def test_old_rows_say_as_of_when() -> None:
    source = ScriptedSource()
    async with console(source) as running:
        await running.press("2")
        source.linked = replace(source.linked, up=False, since=from_wall(90), note="the engine cannot be reached")
        await running.settle()

        assert "costs  5, as of 14:30" in running.lines()[0]
        assert "LINK LOST" in running.lines()[0]


async def test_a_lost_link_shows_under_a_question() -> None:
    source = ScriptedSource()
    async with console(source, drains=True) as running:
        await running.press("6", "q")
        source.linked = replace(source.linked, up=False, since=from_wall(90), note="the engine cannot be reached")
        await running.settle()

        assert "finishes or parks" in running.text()
        assert "LINK LOST" in running.lines()[0]


async def test_what_was_read_stays_when_the_first_rows_are_read_again() -> None:
    """A list of which more was read than is kept fresh does not shrink under the cursor."""
    source = ScriptedSource("huge")
    async with console(source) as running:
        await running.press("4", "enter")
        for _ in range(6):
            await running.press("end")
        before = len(running.app.screen.read)  # type: ignore[attr-defined]
        row = running.app.screen.row  # type: ignore[attr-defined]
        await running.press("ctrl+r")

        assert before > 2_000
        assert len(running.app.screen.read) == before  # type: ignore[attr-defined]
        assert running.app.screen.row == row  # type: ignore[attr-defined]


def from_wall(seconds: int) -> Instant:
    return Instant(NOW - seconds * SECOND)


async def test_a_fault_on_the_way_to_a_place_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_self: object, _step: object) -> None:
        raise ImportError("a part is missing")

    monkeypatch.setattr("screens.moving.MovingConsole.carry_out", broken)
    told: list[str] = []
    app = ConsoleApp(ScriptedSource(), options=ConsoleOptions(log=told.append))
    async with app.run_test(size=(120, 40)) as pilot:
        running = Console(app, pilot)
        await running.settle()
        await say(running, "audit")

        assert "did not work" in running.notices[-1]
        assert "ImportError" in told[-1]
