"""What every key does, pressed for real; and that the key line offers only what works."""

from __future__ import annotations

import tomllib
from dataclasses import replace

import pytest

from engine.kernel.errors import CommandRefused, Refusal
from engine.kernel.values import MINUTE, SECOND, Instant, usd
from engine.surface import commands
from engine.surface.queries import CostBreakdown, CostHistory, ListAlerts, ListCalls, ListDeliveries, ListJobs
from screens.app import CRASHED, LEFT, ConsoleApp
from screens.keys import wrongs
from screens.source import ConsoleOptions
from tests.architecture.tree import ROOT
from tests.screens.harness import console
from tests.screens.rig_source import asked
from tests.screens.scripted import NOW, ScriptedSource, delivery


@pytest.mark.parametrize(
    ("key", "place"),
    list(enumerate(("overview", "costs", "providers", "queue", "limits", "campaigns", "alerts"), 1)),
)
async def test_a_number_goes_to_its_place(key: int, place: str) -> None:
    async with console() as running:
        await running.press(str(key))

        assert running.lines()[0].startswith(f" HUNTAZE {place}")


async def test_escape_returns_to_the_row_it_left() -> None:
    async with console() as running:
        await running.press("6", "down", "down", "enter")
        assert "renewals" in running.lines()[0]

        await running.press("escape")

        assert running.app.screen.row.campaign_id == "cmp_2"  # type: ignore[attr-defined]
        await running.press("escape")
        assert running.lines()[0].startswith(" HUNTAZE campaigns")


async def test_a_number_pressed_again_returns_to_the_places_first_screen() -> None:
    async with console() as running:
        await running.press("2", "enter", "enter", "2")

        assert len(running.app.screen_stack) == 1


async def test_the_line_of_places_comes_and_goes_with_the_height_of_the_terminal() -> None:
    async with console(size=(120, 40)) as running:
        await running.press("6", "space")  # frozen: nothing but the terminal changes
        assert running.lines()[-1].startswith(" 1 overview")
        await running.pilot.resize_terminal(120, 24)
        await running.settle()
        assert "1-9 places" in running.lines()[-1] or "1 overview" in running.lines()[-1]
        assert "freeze" in running.lines()[-1]

        await running.pilot.resize_terminal(120, 40)
        await running.settle()
        assert running.lines()[-1].startswith(" 1 overview")


async def test_sending_stops_at_one_key_and_resumes_after_a_question() -> None:
    source = ScriptedSource()
    async with console(source) as running:
        await running.press("S")
        assert source.submitted == [commands.HaltSending(actor="operator")]

        source.become(engine=replace(source.shown.engine, halted_by="mia", halted_at=NOW - MINUTE))
        await running.settle()
        assert "HALTED by mia since 14:31" in running.lines()[0]
        assert running.keys["S"] == "resume sending"
        await running.press("S")
        assert "Resume all sending?" in running.text()
        await running.press("n")
        assert len(source.submitted) == 1
        await running.press("S", "y")
        assert source.submitted[1:] == [commands.ResumeSending(actor="operator")]


async def test_freezing_holds_the_screen_and_says_how_far_behind_it_is() -> None:
    source = ScriptedSource()
    async with console(source) as running:
        await running.press("space")
        source.become(money=replace(source.shown.money, today=usd("77.77")))
        source.linked = replace(source.linked, now=Instant(NOW + 40 * SECOND))
        await running.settle()

        assert "$77.77" not in running.text()
        assert "FROZEN 40 s behind, 1 events" in running.lines()[0]
        await running.press("space")
        assert "$77.77" in running.text()


async def test_an_embedded_engine_is_left_only_after_a_question() -> None:
    async with console(drains=True) as running:
        await running.press("q")
        assert "finishes or parks" in running.text()
        await running.press("n")
        assert running.app.is_running
        await running.press("ctrl+q", "y")

        assert running.app.return_value == LEFT


async def test_an_attached_console_leaves_at_once() -> None:
    async with console() as running:
        await running.press("q")

        assert running.app.return_value == LEFT


async def test_help_lists_every_key_that_works_here() -> None:
    async with console() as running:
        await running.press("4")
        await running.press("question_mark")

        for words in ("HERE", "ROWS", "EVERYWHERE", "PLACES", "filter", "stop sending", "order by the next"):
            assert words in running.text()
        await running.press("end")
        assert "uncertain" in running.text()
        await running.press("escape")
        assert running.lines()[0].startswith(" HUNTAZE queue")


async def test_the_palette_runs_what_it_names() -> None:
    async with console() as running:
        await running.press("ctrl+p")
        await running.type("go to limits")
        await running.pilot.pause(0.3)
        await running.press("enter")
        await running.settle()

        assert running.lines()[0].startswith(" HUNTAZE limits")


async def test_the_filter_narrows_and_escape_shows_all_again() -> None:
    async with console() as running:
        await running.press("5", "slash")
        await running.type("bel")
        assert "1 of 4 match bel" in running.text()
        assert "carla" not in running.text()

        await running.press("escape")

        assert "carla" in running.text()


async def test_tables_sort_by_any_column_and_turn() -> None:
    async with console() as running:
        await running.press("3", "o", "o", "o")
        assert "today▼" in running.text()
        first = running.app.screen.row  # type: ignore[attr-defined]
        await running.press("O", "home")

        assert "today▲" in running.text()
        assert running.app.screen.row.provider == "xai"  # type: ignore[attr-defined]
        assert first is not None


async def test_costs_group_and_look_back() -> None:
    source = ScriptedSource()
    async with console(source) as running:
        await running.press("2", "b", "b", "t", "enter")

    asked = [query for query in source.asked if isinstance(query, CostBreakdown)]
    assert asked[0].by == ("provider", "model")
    assert asked[-1].by == ("tool",)
    assert asked[-1].from_ == (NOW // (15 * MINUTE) + 1 - 96) * 15 * MINUTE
    assert [query.span for query in source.asked if isinstance(query, CostHistory)][-1] == 24 * 60 * MINUTE
    assert ListCalls(where={"tool": "message"}, limit=200) in source.asked


async def test_a_day_opens_into_that_days_providers() -> None:
    async with console() as running:
        await running.press("2", "b", "b", "b", "b", "b", "enter")

        assert running.lines()[0].startswith(" HUNTAZE costs › 2026-11-20")


async def test_a_route_is_looked_at_under_another_strategy_and_changed_after_a_question() -> None:
    source = ScriptedSource("normal")
    async with console(source) as running:
        await running.press("3", "r", "down", "enter")
        assert "w" not in running.keys
        assert "anthropic claude-sonnet-4-5: 8.1 s expected where 5.0 s is the most" in running.text()
        await running.press("s")
        assert "as it would be: cheapest" in running.text()
        assert source.submitted == []
        await running.press("w", "y")

    assert source.submitted == [commands.SetRoute(tool="message", strategy="cheapest")]


async def test_only_a_route_that_was_set_is_given_back_to_the_file() -> None:
    source = ScriptedSource("normal")
    async with console(source) as running:
        await running.press("3", "r")
        assert "over the file, which says fixed" in running.text()
        await running.press("x", "y")
        await running.press("down")
        assert "x" not in running.keys

    assert source.submitted == [commands.ResetRoute(tool="quick-reply")]


async def test_dead_jobs_get_another_chance_or_their_end() -> None:
    source = ScriptedSource()
    queue = "huntaze-rate-limiter-queue"
    async with console(source) as running:
        await running.press("4", "end", "enter", "down", "down", "r")
        await running.press("x")
        assert "Delete 1 dead job" in running.text()
        await running.press("y", "R")
        assert "Give 2 dead jobs" in running.text()
        await running.press("y", "X", "y")

    assert source.submitted == [
        commands.RedriveJobs(queue=queue, job_ids=("job_00002",)),
        commands.PurgeJobs(queue=queue, job_ids=("job_00002",)),
        commands.RedriveJobs(queue=queue),
        commands.PurgeJobs(queue=queue),
    ]


async def test_a_large_purge_wants_the_queues_name_typed() -> None:
    source = ScriptedSource()
    async with console(source, typed_above=1) as running:
        await running.press("4", "end", "X", "y", "enter")
        assert source.submitted == []

        await running.press("escape", "X")
        await running.type("huntaze-rate-limiter-queue")
        await running.press("enter")

    assert source.submitted == [commands.PurgeJobs(queue="huntaze-rate-limiter-queue")]


async def test_jobs_are_listed_by_state() -> None:
    source = ScriptedSource()
    async with console(source) as running:
        await running.press("4", "enter", "v", "v")

    states = [query.state for query in source.asked if isinstance(query, ListJobs)]
    assert states == ["", "ready", "leased"]


async def test_a_paused_account_is_resumed_after_a_question() -> None:
    source = ScriptedSource()
    async with console(source) as running:
        await running.press("5", "r")
        assert "Let dora send again?" in running.text()
        await running.press("y")
        await running.press("down")

        assert "r" not in running.keys
    assert source.submitted == [commands.ResumeAccount(account_id="acc_dora")]


async def test_an_alert_is_acknowledged_and_the_history_opens() -> None:
    source = ScriptedSource()
    async with console(source) as running:
        await running.press("7", "a", "v")

        assert ListAlerts(open_only=False, limit=200) in source.asked
        assert running.keys["v"] == "open ones"
    assert source.submitted == [commands.AcknowledgeAlert(alert_id="alr_1")]


@pytest.mark.parametrize(
    ("row", "keys", "command"),
    [
        (1, ("p",), commands.PauseCampaign(campaign_id="cmp_1")),
        (2, ("r", "y"), commands.ResumeCampaign(campaign_id="cmp_2")),
        (3, ("s", "y"), commands.StartCampaign(campaign_id="cmp_4")),
        (1, ("x", "y"), commands.CancelCampaign(campaign_id="cmp_1")),
    ],
)
async def test_campaigns_are_steered(row: int, keys: tuple[str, ...], command: commands.Command) -> None:
    source = ScriptedSource()
    async with console(source) as running:
        await running.press("6", *["down"] * row, *keys)

    assert source.submitted == [command]


async def test_starting_asks_how_many_for_how_much_until_when() -> None:
    async with console() as running:
        await running.press("6", "end", "up", "s")

        assert "Send to 800 fans of anna for $1.90–$3.40, until 16:12 UTC tomorrow?" in running.text()


async def test_only_what_the_state_allows_is_offered() -> None:
    async with console() as running:
        await running.press("6", "end")

        assert not {"s", "p", "r", "x"} & set(running.keys)


async def test_texts_are_approved_by_their_digest_and_rejected_after_a_question() -> None:
    source = ScriptedSource()
    async with console(source) as running:
        await running.press("6", "enter")
        assert ListDeliveries(campaign_id="cmp_3", state="drafted", offset=0, limit=200) in source.asked
        assert delivery(0).text in running.text()
        await running.press("a")
        assert "1 message goes out, and cannot be called back." in asked(running)
        assert f"“{delivery(0).text}”" in asked(running)
        assert source.submitted == []
        await running.press("y", "down", "d", "enter", "A")
        assert "Approve all 25 drafted texts of welcome-fr?" in running.text()
        await running.press("y")

    assert source.submitted == [
        commands.ApproveDeliveries(campaign_id="cmp_3", texts={"dlv_00000": "sha0"}),
        commands.RejectDeliveries(campaign_id="cmp_3", delivery_ids=("dlv_00001",)),
        commands.ApproveDeliveries(campaign_id="cmp_3"),
    ]


@pytest.mark.parametrize(("key", "outcome"), [("s", "sent"), ("f", "failed"), ("a", "again"), ("escape", "")])
async def test_an_uncertain_send_is_settled_by_a_person(key: str, outcome: str) -> None:
    source = ScriptedSource()
    async with console(source) as running:
        await running.press("6", "down", "enter", "down", "down", "e", key)

    wanted = [commands.SettleDelivery(delivery_id="dlv_00002", outcome=outcome)] if outcome else []  # type: ignore[arg-type]
    assert source.submitted == wanted


async def test_the_form_checks_estimates_and_asks_before_it_starts() -> None:
    source = ScriptedSource()
    async with console(source) as running:
        await running.press("c", "ctrl+g")
        assert "a name, to know it by" in running.text()
        await running.type("spring")
        await running.press("tab", "tab", "tab", "tab", "tab")
        await running.type("say hello")
        await running.pilot.pause(0.5)
        await running.settle()
        assert "$1.90–$3.40" in running.text()
        assert "130 messaged in the last 24 h" in running.text()
        await running.press("ctrl+g")
        assert "Send to 1,000 fans of anna for $1.90–$3.40, until 16:12 UTC tomorrow?" in running.text()
        await running.press("y")

    (made,) = source.submitted
    assert isinstance(made, commands.CreateCampaign)
    assert made.start
    assert made.key
    assert made.draft.name == "spring"
    assert made.draft.prompt == "say hello"
    assert made.draft.account_id == "acc_anna"


async def test_a_refused_command_says_why_and_changes_nothing() -> None:
    source = ScriptedSource()
    source.refuse = CommandRefused(Refusal.CONFLICT, "it is finished already", remedy="Start another")
    async with console(source) as running:
        await running.press("6", "down", "p")

        assert "it is finished already. Start another" in running.notices


async def test_a_reader_is_offered_nothing_that_writes() -> None:
    source = ScriptedSource()
    source.linked = replace(source.linked, read_only=True)
    async with console(source) as running:
        assert "read-only" in running.lines()[0]
        assert not {"S", "c"} & set(running.keys)
        await running.press("6", "p", "x", "S", "5", "r", "7", "a")

    assert source.submitted == []


async def test_a_long_list_scrolls_to_its_end_at_one_key() -> None:
    async with console("huge") as running:
        await running.press("6", "enter", "end")
        assert "Fan 99999" in running.text()
        assert "100,000" in running.lines()[0]
        await running.press("home")

        assert "Fan 0 " in running.text()
        held = running.app.screen.pages.held()  # type: ignore[attr-defined]
        assert len(list(held)) < 1_000


async def test_a_failing_list_is_read_again_by_the_operator() -> None:
    source = ScriptedSource("failing")
    async with console(source) as running:
        await running.press("2")
        assert "the database did not answer" in running.text()
        source.state = "normal"
        await running.press("ctrl+r")

        assert "azure gpt-4-turbo" in running.text()


async def test_a_list_is_read_at_once_when_the_link_is_back() -> None:
    source = ScriptedSource()
    source.linked = replace(source.linked, up=False, note="engine starting")
    async with console(source) as running:
        await running.press("2")
        assert source.asked == []
        source.linked = replace(source.linked, up=True, note="")
        await running.settle()

        assert "azure gpt-4-turbo" in running.text()


async def test_a_broken_screen_ends_the_run_without_its_values() -> None:
    log: list[str] = []
    app = ConsoleApp(ScriptedSource(), options=ConsoleOptions(log=log.append))
    with pytest.raises(ValueError, match="sk-secret"):
        await _break_it(app)

    assert app.return_value == CRASHED
    assert "ValueError at" in log[0]
    assert "sk-secret" not in log[0]


async def _break_it(app: ConsoleApp) -> None:
    def broken() -> None:
        raise ValueError("sk-secret")

    async with app.run_test() as pilot:
        app.call_later(broken)
        await pilot.pause()


async def test_themes_turn_with_one_key() -> None:
    async with console() as running:
        before = running.app.theme
        await running.press("ctrl+t")

        assert running.app.theme != before


def test_the_example_in_the_configuration_can_be_taken_as_it_is() -> None:
    text = (ROOT / "config.toml").read_text()
    example = text[text.index("#   [console.keys]") :].partition("\n\n")[0]
    (told,) = tomllib.loads(example.replace("#   ", ""))["console"].values()

    assert wrongs({action: [given] if isinstance(given, str) else given for action, given in told.items()}) == []
