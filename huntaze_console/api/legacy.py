"""The older, flat shape of a campaign: `POST /api/campaigns`, for clients that were written for it.

It is translated to the same command as `POST /api/v2/campaigns/hybrid`, with the same rules and the same budget, and
answered in its own shape. Names are taken in camel case, as they were, and in snake case.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from aiohttp import hdrs, web
from pydantic import BeforeValidator, ConfigDict, Field, ValidationInfo, model_validator
from pydantic.alias_generators import to_camel

from engine.surface.commands import Audience, CampaignDraft, CreateCampaign
from engine.surface.queries import EstimateCampaign
from huntaze_console.api.call import ACTOR, Call, answer
from huntaze_console.api.campaigns import idempotency_key, workflow_id
from huntaze_console.api.fields import BudgetUsd, FutureTime, Id, Name, Prose, TimeOrNull, UsdOrNull
from huntaze_console.api.shapes import AnswerShape, Estimate, RequestShape

SUCCESSOR = "/api/v2/campaigns/hybrid"
_ALL = frozenset({"all", "everyone", "all_fans"})
_TAG = "tag:"


def _dollars(value: object) -> object:
    """A budget was written as a number, too: 5 is "5", 5.25 is "5.25"."""
    return str(Decimal(str(value))) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _one_or_more(value: object) -> object:
    return (value,) if isinstance(value, str) else value


class LegacyCampaign(RequestShape):
    """A campaign in the older shape. Exactly one of `audience` and `recipients` says whom it is for."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    creator_id: Id
    """The account it is sent from."""
    message: Prose
    """Of type "template" the text, with variables such as {{name}}; of type "ai" what the model is asked to write."""
    type: Literal["template", "ai"] = "template"
    audience: str | None = None
    """"all", or "tag:vip" for those with a tag."""
    recipients: Annotated[tuple[Id, ...], BeforeValidator(_one_or_more), Field(max_length=1_000_000)] = ()
    """Ids of fans; a single one may stand without a list."""
    name: Name | None = None
    tool: Id = "message"
    auto_approve: bool = Field(default=False, strict=True)
    """Send without a person's approval."""
    budget: Annotated[BudgetUsd, BeforeValidator(_dollars)] = None
    """US dollars, as a decimal string or a number."""
    scheduled_at: FutureTime = None
    send_now: bool = Field(default=True, strict=True)
    """Start it, at once or at its time; otherwise it stays a draft."""
    dry_run: bool = Field(default=False, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _each_name_once(cls, data: Any, info: ValidationInfo) -> Any:
        if isinstance(data, dict):
            for name in cls.model_fields:
                if to_camel(name) != name and name in data and to_camel(name) in data:
                    raise ValueError(f"{name} and {to_camel(name)} are the same: give one of them")
        return data

    @model_validator(mode="after")
    def _makes_sense(self) -> LegacyCampaign:
        if not self.message.strip():
            raise ValueError("message must say something")
        if bool(self.audience) == bool(self.recipients):
            raise ValueError("exactly one of audience and recipients must say whom it is for")
        if self.audience and self.audience not in _ALL and not self.audience.removeprefix(_TAG).strip():
            raise ValueError('audience names no tag: write it as "tag:vip"')
        if self.audience and self.audience not in _ALL and not self.audience.startswith(_TAG):
            raise ValueError('audience is "all" or "tag:" and a tag, such as "tag:vip"')
        return self

    def draft(self) -> CampaignDraft:
        tag = (self.audience or "").removeprefix(_TAG)
        audience = Audience(all=self.audience in _ALL, tag="" if tag in _ALL else tag, fan_ids=self.recipients)
        return CampaignDraft(
            name=self.name or f"Campaign of {self.creator_id}",
            account_id=self.creator_id,
            audience=audience,
            tool=self.tool,
            prompt=self.message if self.type == "ai" else "",
            template=self.message if self.type == "template" else "",
            approval="automatic" if self.auto_approve else "required",
            budget=self.budget,
            starts_at=self.scheduled_at,
        )


class LegacyAccepted(AnswerShape):
    """A campaign that was made, in the older shape; after a dry run both ids are null."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, serialize_by_alias=True)

    success: Literal[True] = True
    campaign_id: str | None
    workflow_id: str | None
    status: str
    recipients: int
    """Fans it is for."""
    estimated_cost: UsdOrNull
    """At most, in US dollars; null where a model's price is not known."""
    estimated_finish: TimeOrNull


async def create(call: Call) -> web.Response:
    wanted = await call.body(LegacyCampaign)
    key = idempotency_key(call.request)
    if wanted.dry_run:
        (row,) = (await call.desk.query(EstimateCampaign(draft=wanted.draft()))).rows
        return _answered(None, "dry_run", Estimate.model_validate(row), 200)
    command = CreateCampaign(actor=ACTOR, draft=wanted.draft(), start=wanted.send_now, key=key)
    done = await call.desk.submit(command)
    estimate = Estimate.model_validate(done.data["estimate"])
    return _answered(str(done.data["campaign_id"]), done.data["status"], estimate, 201)


def _answered(campaign_id: str | None, status: str, estimate: Estimate, code: int) -> web.Response:
    shape = LegacyAccepted(
        campaign_id=campaign_id,
        workflow_id=workflow_id(campaign_id) if campaign_id else None,
        status=status,
        recipients=estimate.fans,
        estimated_cost=estimate.cost_usd_high,
        estimated_finish=estimate.finish_at,
    )
    response = answer(shape, code)
    response.headers["Deprecation"] = "true"
    response.headers[hdrs.LINK] = f'<{SUCCESSOR}>; rel="successor-version"'
    return response
