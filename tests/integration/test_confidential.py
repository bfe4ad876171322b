"""What fans are written, what models are asked, and what opens a door: none of it leaves the tables it belongs to.

One text for each is sent through a whole engine, on its good ways and on those that fail; then every place from which
something is shown, logged or published is searched for them.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from engine.bus import PUBLISHED, payload_of
from engine.kernel.errors import CommandRefused
from engine.messaging.platform import Refused, Uncertain
from engine.surface import commands, queries, wire
from engine.surface.commands import Audience, CampaignDraft
from engine.telemetry import Kind
from tests.rig import Rig, answer, fans, rig

PROMPT = "PROMPT-c4f1 about the beach"
TEXT = "TEXT-9e2a, how was your day?"
TEMPLATE = "TEMPLATE-77b0 for {{name}}"
BLOCKED = "BLOCKED-31dd: pay me on cashapp $anna instead"
MARKS = ("PROMPT-c4f1", "TEXT-9e2a", "TEMPLATE-77b0", "BLOCKED-31dd")
LAST = 1_000_000


@pytest.fixture
async def play(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path) as made:
        yield made


def draft(**changes: object) -> CampaignDraft:
    fields: dict[str, object] = {"name": "spring", "account_id": "anna", "audience": Audience(all=True), **changes}
    return CampaignDraft(**fields)  # type: ignore[arg-type]


async def lived(play: Rig) -> str:
    """A campaign written by a model and one from a template, with everything that can become of a text; a secret."""
    play.platform.audience["anna"] = fans(6)
    for provider in play.providers.values():
        provider.script = [answer(TEXT) for _ in range(20)]
    done = await play.desk.submit(commands.CreateCampaign(draft=draft(prompt=PROMPT), start=True))
    written = done.data["campaign_id"]
    await play.write()
    drafted = (await play.desk.query(queries.ListDeliveries(campaign_id=written))).rows
    rejected = (drafted[0].delivery_id,)
    await play.desk.submit(commands.RejectDeliveries(campaign_id=written, delivery_ids=rejected))
    await play.desk.submit(commands.ApproveDeliveries(campaign_id=written))
    play.platform.script = [Refused("no such fan"), Uncertain("no answer came"), Uncertain("no answer came")]
    await play.send()
    await play.desk.submit(commands.SettleDeliveries(campaign_id=written, outcome="failed"))
    await play.desk.submit(
        commands.CreateCampaign(draft=draft(template=TEMPLATE, approval="automatic"), start=True, key="k")
    )
    await play.write()
    await play.send()
    with pytest.raises(CommandRefused):
        await play.desk.submit(commands.CreateCampaign(draft=draft(template=BLOCKED)))
    with pytest.raises(CommandRefused):  # the same key for another text
        await play.desk.submit(commands.CreateCampaign(draft=draft(template=f"{TEMPLATE} again"), key="k"))
    key = await play.desk.submit(commands.CreateKey(name="ci"))
    await play.desk.submit(commands.RevokeKey(key=key.data["secret"][:9]))
    await play.metered.drain()
    return str(key.data["secret"])


async def test_no_text_and_no_secret_is_in_an_event_the_audit_the_log_the_figures_or_at_the_broker(
    play: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        secret = await lived(play)

    recorded = await play.database.events_after(0, limit=LAST)
    figures = [await play.monitor.figures(kind, 0, play.clock.now() + 1) for kind in Kind]
    places = {
        "the event log": [row["data"] for row in await play.rows("SELECT data FROM events")],
        "the audit": await play.rows("SELECT * FROM audit"),
        "the log": caplog.messages,
        "the log's screen": (await play.desk.query(queries.ListLogs())).rows,
        "the figures": [one.name for found in figures for one in found],
        "the broker": [orjson.dumps(payload_of(one)) for one in recorded if type(one.event) in PUBLISHED],
        "the snapshot": wire.dump(play.desk.snapshot()),
        "the calls": (await play.desk.query(queries.ListCalls(limit=1000))).rows,
        "the jobs": (await play.desk.query(queries.ListJobs(limit=1000))).rows,
    }
    assert len(recorded) > 40
    assert {
        row["text"] for row in await play.rows("SELECT text FROM deliveries WHERE text LIKE 'TEXT%'")
    }  # it is there
    for place, found in places.items():
        for mark in (*MARKS, secret):
            assert mark not in repr(found), place
