"""Templates, disclosure and the way from a written text to one that may go out."""

from __future__ import annotations

import hashlib

import pytest

from engine.content import Blocked, ContentSettings, Prepared, library, prepare, render, screen, validate
from engine.kernel.errors import CommandRefused, Refusal

SETTINGS = ContentSettings()
VALUES = {"name": "Sam Rivers", "first_name": "Sam", "account": "Anna", "creator": "Anna", "tag": "vip"}


def prepared(text: str, *, ai_written: bool = True, settings: ContentSettings = SETTINGS) -> str:
    outcome = prepare(text, ai_written=ai_written, settings=settings)
    assert isinstance(outcome, Prepared), outcome
    return outcome.text


def refusal(template: str, field: str = "template") -> CommandRefused:
    with pytest.raises(CommandRefused) as caught:
        validate(template, field=field)
    return caught.value


# ── templates ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("Hi {{name}}!", "Hi Sam Rivers!"),
        ("Hi {{ first_name }}, {{creator}} here", "Hi Sam, Anna here"),
        ("Hi {{first_name|there}}!", "Hi Sam!"),
        ("{{name}}{{tag}}", "Sam Riversvip"),
        ("a { b } c", "a { b } c"),
        ("plain", "plain"),
        ("two\n{{name}}\nlines", "two\nSam Rivers\nlines"),
    ],
)
def test_a_slot_takes_its_value(template: str, text: str) -> None:
    assert render(template, VALUES) == text


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("Hi {{first_name|there}}!", "Hi there!"),
        ("Hi {{first_name | my dear }}!", "Hi my dear!"),
        ("Hi {{name}}, come in", "Hi, come in"),
        ("Hi {{name}} dear", "Hi dear"),
        ("{{name}} hello", "hello"),
        ("hello {{name}}", "hello"),
    ],
)
@pytest.mark.parametrize("values", [{}, {"name": "", "first_name": ""}, {"name": " \u200b", "first_name": "\x00"}])
def test_an_empty_value_gives_the_default_or_closes_the_gap(template: str, text: str, values: dict[str, str]) -> None:
    assert render(template, values) == text


@pytest.mark.parametrize("value", ["{{tag}}", "{{", "}}", "{{name|x}}", "fitness/welcome", "{0.__class__}", "%s"])
def test_a_value_is_never_read_as_a_template(value: str) -> None:
    assert render("Hi {{name}}!", {"name": value, "tag": "SECRET"}) == f"Hi {value}!"


def test_a_value_is_one_clean_bounded_line() -> None:
    text = render("{{name}}", {"name": "a\x1b[2J\u202e\nb" + "x" * 5_000})

    assert text.startswith("a[2J b")
    assert len(text) <= 60


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("Hi {{nme}}", ["character 4", "'nme'", "name, first_name, account, creator, tag"]),
        ("Hi\nyou {{name.x}}", ["line 2, character 5", "'name.x'"]),
        ("Hi {{name", ["character 4", "{{name|there}}"]),
        ("Hi {{name}}}}", ["character 12", "}} without its {{"]),
        ("{{{name}}}", ["character 1"]),
        ("{{}}", ["character 1", "name, first_name"]),
        ("{{name|{{tag}}}}", ["character 1"]),
        ("{{ na me }}", ["'na me'"]),
    ],
)
def test_a_wrong_template_is_refused_with_its_place_and_remedy(template: str, told: list[str]) -> None:
    error = refusal(template, "prompt")

    assert (error.reason, error.field) == (Refusal.INVALID, "prompt")
    assert all(part in str(error) for part in told)
    with pytest.raises(CommandRefused):
        render(template, VALUES)


def test_an_unknown_reference_lists_those_there_are() -> None:
    assert all(name in str(refusal("fitness/nothing")) for name in library())
    assert "no template" in str(refusal(" knitting/welcome "))


def test_a_reference_is_rendered_from_the_library() -> None:
    assert render(" fitness/welcome\n", VALUES) == render(library()["fitness/welcome"], VALUES)
    assert "Sam" in render("fitness/welcome", VALUES)


def test_a_template_that_goes_on_for_ever_is_refused() -> None:
    assert "8,000" in str(refusal("x" * 8_001))


def test_every_niche_has_templates_for_the_great_occasions() -> None:
    for niche in ("fitness", "gaming", "adult", "fashion"):
        assert {f"{niche}/{slug}" for slug in ("welcome", "renewal-thanks", "come-back")} <= library().keys()


@pytest.mark.parametrize("name", library())
@pytest.mark.parametrize("values", [VALUES, {}])
def test_every_ready_template_may_go_out(name: str, values: dict[str, str]) -> None:
    validate(name)

    text = prepared(render(name, values), ai_written=False)

    assert "{" not in text
    assert "  " not in text


# ── preparing ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_digest_is_of_the_text_that_goes_out() -> None:
    outcome = prepare("Good morning", ai_written=True, settings=SETTINGS)

    assert isinstance(outcome, Prepared)
    assert outcome.text == "Good morning\n\nWritten with AI"
    assert outcome.digest == hashlib.sha256(outcome.text.encode()).hexdigest()


@pytest.mark.parametrize("text", ["", " \n\t ", "\u200b\u2060", "\u2800", "\x00", '""', "Written with AI", "“ ”"])
def test_an_empty_text_is_refused(text: str) -> None:
    assert prepare(text, ai_written=True, settings=SETTINGS) == Blocked("empty", "the text is empty")


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ('"Hi there"', "Hi there"),
        ("“Hi there”", "Hi there"),
        ("«Salut»", "Salut"),
        ("„Hallo“", "Hallo"),
        ("'Hi'", "Hi"),
        ('"“Hi”"', "Hi"),
        ('"Hi," she said, "you"', '"Hi," she said, "you"'),
        ('She said "hi"', 'She said "hi"'),
    ],
)
def test_quotes_a_model_sets_round_its_answer_go(written: str, text: str) -> None:
    assert prepared(written) == f"{text}\n\nWritten with AI"


def test_an_operators_own_quotes_stay() -> None:
    assert prepared('"Hi"', ai_written=False) == '"Hi"'


def test_marks_that_hide_or_reorder_go_and_lines_stay() -> None:
    assert prepared("a\u202eb\x1b[31m\r\nc\u200bd\x85e", ai_written=False) == "ab[31m\ncd\ne"


@pytest.mark.parametrize(
    "written",
    [
        "Hi\n\nWritten with AI",
        "Hi\n(written with ai)",
        "Hi\n*Written with AI.*",
        "Hi. Written with AI",
        "Written with AI\n\nHi\n\nWritten with AI",
        "Hi\nWritten  with AI\nWritten with AI",
    ],
)
def test_the_disclosure_stands_once_at_the_end(written: str) -> None:
    text = prepared(written)

    assert text.endswith("\n\nWritten with AI")
    assert text.lower().count("written with ai") == 1


def test_only_what_a_model_wrote_is_disclosed_and_only_when_on() -> None:
    assert prepared("Hi", ai_written=False) == "Hi"
    assert prepared("Hi", settings=ContentSettings(disclose=False)) == "Hi"
    assert prepared("Hi", settings=ContentSettings(disclosure="Écrit avec une IA")) == "Hi\n\nÉcrit avec une IA"


def test_a_blank_disclosure_does_not_switch_it_off() -> None:
    assert prepared("Hi", settings=ContentSettings(disclosure=" \u200b\n")) == "Hi\n\nWritten with AI"


def test_a_long_text_gives_way_to_its_disclosure() -> None:
    text = prepared("word " * 1_000, settings=ContentSettings(longest=200))

    assert len(text) <= 200
    assert text.endswith("word…\n\nWritten with AI")


def test_a_cut_falls_at_the_end_of_a_sentence_where_one_is_near() -> None:
    text = prepared("A sentence of words. " * 100, ai_written=False, settings=ContentSettings(longest=100))

    assert text == "A sentence of words. A sentence of words. A sentence of words. A sentence of words."


def test_a_block_does_not_hide_behind_the_cut() -> None:
    outcome = prepare("word " * 1_000 + "pay me on PayPal", ai_written=True, settings=SETTINGS)

    assert outcome == Blocked("payment", "the text asks to pay off the platform")


def test_what_was_prepared_passes_the_screen() -> None:
    assert screen(prepared("Good morning, how did you sleep?")) == ""
    assert screen("kill yourself") == "self_harm: the text encourages self-harm"
