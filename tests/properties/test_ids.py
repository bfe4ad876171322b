"""Ids that are made tell when, to the millisecond; any other text tells nothing."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.kernel.values import MILLISECOND, instant_in, new_hex_id, new_id

INSTANTS = st.integers(0, (1 << 48) * MILLISECOND - 1)


@given(now=INSTANTS, seed=st.integers(0, 99), prefix=st.sampled_from(["trc", "shadow_trc", "att"]))
def test_an_id_tells_when_it_was_made(now: int, seed: int, prefix: str) -> None:
    assert instant_in(new_id(prefix, now, Random(seed))) == now - now % MILLISECOND
    assert instant_in(new_hex_id(now, Random(seed))) == now - now % MILLISECOND


@pytest.mark.parametrize("text", ["", "trc_1", "trc_01kaesv7dz1f0w7c2n8r5k6b4", "d5a1c41a0c0bd02b", "trc_" + "u" * 26])
def test_other_texts_tell_no_time(text: str) -> None:
    assert instant_in(text) is None
