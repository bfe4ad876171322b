from hypothesis import given
from hypothesis import strategies as st

from engine.simulation import tokens


def test_a_token_is_a_run_of_word_characters_or_one_other_sign() -> None:
    assert tokens.count("Hi Zoë, it's 5 o'clock!") == 11
    assert tokens.count(" \n\t") == 0


def test_messages_are_joined_so_that_their_words_do_not_merge() -> None:
    assert tokens.count(tokens.join(["one", "two"])) == 2


@given(st.text(), st.integers(0, 40))
def test_a_cut_text_has_as_many_tokens_as_fit(text: str, limit: int) -> None:
    cut = tokens.cut(text, limit)

    assert text.startswith(cut)
    assert tokens.count(cut) == min(limit, tokens.count(text))


@given(st.text(), st.integers(1, 8))
def test_pieces_join_to_the_text(text: str, size: int) -> None:
    parts = tokens.pieces(text, size)

    assert "".join(parts) == text
    assert all(tokens.count(part) <= size for part in parts)
