"""How much of an answer is taken in: a provider, or whatever stands in its place, must not fill this machine's memory.

The HTTP client unpacks a body in whatever portions arrive, and a few packed kilobytes may hold gigabytes. So bodies are
unpacked here, a bounded portion at a time, and counted as they come out.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx2

PACKINGS = "gzip, deflate"  # what we say we understand, and all we unpack
_PORTION = 64 * 1024  # bytes
_WINDOWS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


class AnswerTooLong(ValueError):
    """An answer of more bytes than any honest one."""


class AnswerPacked(ValueError):
    """An answer packed in a way nobody asked for, or whose packing is broken."""


def bounded(most: int) -> Callable[[httpx2.Response], Awaitable[None]]:
    """A hook for responses: reading more than `most` bytes, unpacked, raises AnswerTooLong."""

    async def bind(response: httpx2.Response) -> None:
        packing = response.headers.pop("content-encoding", "identity").strip().lower()
        assert isinstance(response.stream, httpx2.AsyncByteStream)  # noqa: S101 - the client is asynchronous
        response.stream = _Bounded(response.stream, packing, most)

    return bind


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream, packing: str, most: int) -> None:
        self._inner = inner
        self._packing = packing
        self._most = most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = self._most
        async for portion in self._unpacked():
            left -= len(portion)
            if left < 0:
                raise AnswerTooLong(self._most)
            yield portion

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _unpacked(self) -> AsyncIterator[bytes]:
        if self._packing in ("identity", ""):
            async for portion in self._inner:
                yield portion
            return
        if self._packing not in _WINDOWS:
            raise AnswerPacked(self._packing)
        unpacker = zlib.decompressobj(_WINDOWS[self._packing])
        try:
            async for packed in self._inner:
                while packed and not unpacker.eof:
                    yield unpacker.decompress(packed, _PORTION)
                    packed = unpacker.unconsumed_tail
        except zlib.error as error:
            raise AnswerPacked(self._packing) from error
        if not unpacker.eof:
            raise AnswerPacked(self._packing)
