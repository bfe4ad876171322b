"""The world's own doors, which no provider has: its clock, and what tests change while it runs."""

from __future__ import annotations

from dataclasses import replace

import orjson
from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.kernel.clock import ClockPage
from engine.kernel.errors import ConfigError
from engine.kernel.values import iso
from engine.simulation.pace import Pacer
from engine.simulation.platform import Platform
from engine.simulation.scenario import parse_fault
from engine.simulation.stage import Stage


class _Speed(BaseModel):
    model_config = ConfigDict(extra="forbid")
    speed: float = Field(ge=0, le=10_000)


class _Consent(BaseModel):
    model_config = ConfigDict(extra="forbid")
    account_id: str
    fan_id: str
    opted_out: bool


class Controls:
    """`/clock` and `/world/…`."""

    def __init__(self, stage: Stage, page: ClockPage, pacer: Pacer, platform: Platform) -> None:
        self._stage = stage
        self._page = page
        self._pacer = pacer
        self._platform = platform

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/clock", self.clock),
            web.post("/world/faults", self.add_fault),
            web.delete("/world/faults", self.clear_faults),
            web.post("/world/fans", self.set_consent),
            web.post("/world/speed", self.set_speed),
        ]

    async def clock(self, request: web.Request) -> web.Response:
        """Virtual time and what decides this world."""
        now, speed = self._page.read()
        facts = {
            "epoch": iso(self._stage.started),
            "now": now,
            "speed": speed,
            "seed": self._stage.seed,
            "page": str(self._page.path),
            "scenario": self._stage.scenario.name,
        }
        return web.json_response(facts)

    async def add_fault(self, request: web.Request) -> web.Response:
        """Add a fault in the scenario's own words; without `at` it begins now."""
        try:
            data = orjson.loads(await request.read())
            fault = parse_fault(data, source="the request")
        except (orjson.JSONDecodeError, ConfigError) as error:
            return web.json_response({"error": str(error)}, status=400)
        elapsed = self._stage.clock.now() - self._stage.started
        self._stage.faults.add(fault if "at" in data else replace(fault, at=elapsed))
        return web.json_response({"at": elapsed if "at" not in data else fault.at}, status=201)

    async def clear_faults(self, request: web.Request) -> web.Response:
        """End every fault."""
        self._stage.faults.clear()
        return web.json_response({})

    async def set_consent(self, request: web.Request) -> web.Response:
        """Opt a fan out, or in again."""
        try:
            wanted = _Consent.model_validate_json(await request.read())
        except ValidationError as error:
            return web.json_response({"error": str(error)}, status=400)
        audience = self._platform.audiences.of(wanted.account_id)
        fan = audience.find(wanted.fan_id, self._stage.clock.now())
        if fan is None:
            return web.json_response({"error": f"{wanted.account_id} has no fan {wanted.fan_id}"}, status=404)
        audience.set_opted_out(fan, wanted.opted_out)
        return web.json_response({})

    async def set_speed(self, request: web.Request) -> web.Response:
        """Ask for another speed; 0 stops virtual time."""
        try:
            wanted = _Speed.model_validate_json(await request.read())
        except ValidationError as error:
            return web.json_response({"error": str(error)}, status=400)
        self._pacer.ask(wanted.speed)
        return web.json_response({"speed": wanted.speed})
