"""One brace is enough around a name that is known; around anything else it is text."""

from __future__ import annotations

import pytest

from engine.content import has_variables, render


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("Hi {name}!", "Hi Zoé!"),
        ("Hi {{name}}!", "Hi Zoé!"),
        ("Hi {tag|you}!", "Hi you!"),
        ("Answer as {json}", "Answer as {json}"),
    ],
)
def test_a_known_name_is_filled_in(template: str, text: str) -> None:
    assert render(template, {"name": "Zoé"}) == text


def test_a_value_that_looks_like_a_variable_stays_as_it_is() -> None:
    assert render("Hi {name}", {"name": "{account}", "account": "Anna"}) == "Hi {account}"


def test_braces_of_json_make_no_prompt_a_template() -> None:
    assert not has_variables('Answer with {"text": {"body": "…"}}')
    assert has_variables("Greet {first_name}")
