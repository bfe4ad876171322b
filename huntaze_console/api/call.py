"""One request on its way through a handler: what it may read, and how it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeVar

from aiohttp import hdrs, web
from pydantic import BaseModel, ValidationError

from engine.kernel.clock import Clock
from engine.surface import wire
from engine.surface.commands import Via
from engine.surface.desk import Desk, ViaDesk
from huntaze_console.api.auth import Gate
from huntaze_console.api.feed import Seats
from huntaze_console.api.problems import Problem, invalid, of_validation
from huntaze_console.api.settings import ApiSettings
from huntaze_console.api.shapes import NoQuery, Nothing

_WORTH_COMPRESSING = 4_096  # bytes; a smaller answer fits into two or three packets as it is

ACTOR = "api"  # who asked, in the audit, when a request came through a named endpoint

_FACES: Mapping[str, Via] = MappingProxyType({"console": "console", "cli": "cli"})  # who may say who it is

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """What every handler is given: the engine's desk, its clock, and the server's own state."""

    desk: Desk
    clock: Clock
    gate: Gate
    settings: ApiSettings
    ends: tuple[asyncio.Event, ...]  # any of them ends the event streams
    document: Callable[[], bytes]  # the OpenAPI document
    seats: Seats  # for event streams


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a route may answer with a status: a JSON shape, or another media type described in words."""

    what: str
    shape: Any = None  # a pydantic model or a dataclass
    media_type: str = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One line of the route table, from which the server and the OpenAPI document are both made."""

    method: str
    path: str
    handler: Callable[[Call], Awaitable[web.StreamResponse]]
    summary: str
    answers: Mapping[int, Answer]
    body: type[BaseModel] | None = None
    query: type[BaseModel] = NoQuery
    headers: Mapping[str, str] = field(default_factory=dict)  # request headers that mean something here
    open: bool = False  # answers without a token
    asks: bool = False  # its POST changes nothing, so a read-only token may send it


@dataclass(frozen=True, slots=True)
class Call:
    """A request, its route and the office it came to."""

    request: web.Request
    route: Route
    office: Office

    @property
    def desk(self) -> Desk:
        """The engine's desk, told by which door a command came."""
        said = self.request.headers.get(wire.VIA_HEADER)
        return ViaDesk(self.office.desk, _FACES.get(said or "", "api"))

    def part(self, name: str) -> str:
        """A part of the path, as `campaign_id`."""
        return self.request.match_info[name]

    async def body(self, model: type[M]) -> M:
        """The body in the shape the route table promises. Raises Problem naming the field at fault."""
        data = await self.raw_body()
        if not data and model is Nothing:
            return model()
        try:
            return model.model_validate_json(data)
        except ValidationError as error:
            raise of_validation(error, model, of="body") from error

    async def raw_body(self) -> bytes:
        """The bytes of a JSON body. Raises Problem when they are too many, too slow or of another type."""
        if self.request.can_read_body or self.route.body is not Nothing:
            self._check_type()
        self._check_size()
        try:
            async with asyncio.timeout(self.office.settings.body_timeout):
                return await self.request.read()
        except TimeoutError as error:
            raise Problem(408, "timeout", "the body did not arrive in time") from error

    def query(self, model: type[M]) -> M:
        """The query string in the shape the route table promises. Raises Problem naming the parameter at fault."""
        given = self.request.query
        for name in given:
            if len(given.getall(name)) > 1:
                raise invalid(f"{name[:100]} is given more than once", field=name[:100])
        try:
            return model.model_validate(dict(given))
        except ValidationError as error:
            raise of_validation(error, model, of="query") from error

    def _check_size(self) -> None:
        if (self.request.content_length or 0) > self.office.settings.body_limit:
            raise web.HTTPRequestEntityTooLarge(self.office.settings.body_limit)

    def _check_type(self) -> None:
        if self.request.content_type != "application/json":
            raise Problem(415, "unsupported_type", "the body must be application/json", field=hdrs.CONTENT_TYPE)
        if self.request.headers.get(hdrs.CONTENT_ENCODING, "identity") != "identity":
            raise Problem(415, "unsupported_type", "the body must not be compressed", field=hdrs.CONTENT_ENCODING)


def answer(shape: BaseModel, status: int = 200) -> web.Response:
    """A JSON answer."""
    return answer_bytes(shape.model_dump_json().encode(), status)


def answer_bytes(data: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """JSON as it is; a large answer is compressed for who says that they can read that."""
    response = web.Response(status=status, body=data, content_type="application/json", headers=headers)
    if len(data) >= _WORTH_COMPRESSING:
        response.enable_compression()
    return response
