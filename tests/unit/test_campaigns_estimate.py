"""What a campaign would cost is reckoned with the model that would write it."""

from __future__ import annotations

from pathlib import Path

from engine.surface.commands import Audience, CampaignDraft, SetRoute
from engine.surface.queries import EstimateCampaign
from engine.surface.rows import EstimateRow
from tests.rig import Rig, fans, rig

DRAFT = CampaignDraft(name="spring", account_id="anna", audience=Audience(all=True), prompt="Say hello.")


async def estimate(play: Rig) -> EstimateRow:
    play.platform.audience["anna"] = fans(3)
    (row,) = (await play.desk.query(EstimateCampaign(draft=DRAFT))).rows
    assert isinstance(row, EstimateRow)
    return row


async def test_an_estimate_follows_the_route(tmp_path: Path) -> None:
    async with rig(tmp_path) as play:
        before = await estimate(play)
        await play.desk.submit(SetRoute(tool="message", strategy="weighted", weights=(1, 3)))
        after = await estimate(play)

    assert (before.provider, after.provider) == ("one", "two")
    assert after.cost_low is not None
    assert after.cost_high is not None
    assert 0 < after.cost_low < after.cost_high
