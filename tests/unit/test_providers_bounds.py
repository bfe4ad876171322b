"""What is taken in of an answer, and how it is unpacked."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Iterable

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.providers.bounds import AnswerPacked, AnswerTooLong, bounded

GIGABYTE = 1 << 30


class Body(httpx2.AsyncByteStream):
    def __init__(self, portions: Iterable[bytes]) -> None:
        self._portions = portions

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for portion in self._portions:
            yield portion


async def response(portions: Iterable[bytes], packing: str = "", most: int = 1_000) -> httpx2.Response:
    made = httpx2.Response(200, headers={"content-encoding": packing} if packing else {}, stream=Body(portions))
    await bounded(most)(made)
    return made


def bomb(size: int) -> Iterable[bytes]:
    """A gzip of so many zeros, made as it is read."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    zeros = b"\x00" * (1 << 20)
    for _ in range(size >> 20):
        if packed := packer.compress(zeros):
            yield packed
    yield packer.flush()


async def test_an_answer_as_long_as_allowed_is_read_and_one_byte_more_is_not() -> None:
    assert await (await response([b"x" * 400, b"y" * 600])).aread() == b"x" * 400 + b"y" * 600

    with pytest.raises(AnswerTooLong):
        await (await response([b"x" * 400, b"y" * 601])).aread()


async def test_a_bomb_is_broken_off_before_it_fills_the_memory() -> None:
    packed = list(bomb(GIGABYTE // 16))
    tracemalloc.start()
    try:
        with pytest.raises(AnswerTooLong):
            await (await response(packed, "gzip", most=1 << 20)).aread()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 4 << 20


@pytest.mark.parametrize("packing", ["gzip", "x-gzip", "deflate", "GZIP"])
async def test_what_was_asked_for_is_unpacked(packing: str) -> None:
    packed = zlib.compress(b"an answer") if packing == "deflate" else gzip.compress(b"an answer")

    assert await (await response([packed[:7], packed[7:]], packing)).aread() == b"an answer"


@pytest.mark.parametrize("packing", ["br", "zstd", "gzip, gzip"])
async def test_what_nobody_asked_for_is_refused(packing: str) -> None:
    with pytest.raises(AnswerPacked):
        await (await response([b"xyz"], packing)).aread()


@given(cut=st.integers(0, 60), spoil=st.booleans())
async def test_a_broken_packing_is_never_an_answer(cut: int, spoil: bool) -> None:
    packed = gzip.compress(b"an answer with some words in it that are not repeated")
    broken = packed[:cut] + (b"\xff" * 20 if spoil else b"")

    with pytest.raises(AnswerPacked):
        await (await response([broken], "gzip")).aread()
