"""Commands against a running engine: a small one, served over the socket of a state directory."""

from __future__ import annotations

import csv
import io
import json
import os
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from decimal import Decimal
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from engine.kernel.errors import WrongMode
from engine.kernel.values import SECOND, usd
from engine.storage.directory import StateDirectory
from engine.surface import wire
from engine.surface.commands import (
    AcknowledgeAlert,
    ApproveDeliveries,
    CancelCampaign,
    Command,
    CreateCampaign,
    Done,
    HaltSending,
    PauseCampaign,
    PurgeJobs,
    RedriveJobs,
    RejectDeliveries,
    ResumeAccount,
    ResumeCampaign,
    ResumeSending,
    SettleDelivery,
    StartCampaign,
    SuppressFan,
    UnsuppressFan,
)
from engine.surface.queries import (
    CostBreakdown,
    EstimateCampaign,
    GetCampaign,
    GetDraft,
    GetJob,
    ListAlerts,
    ListCalls,
    ListCampaigns,
    ListDeliveries,
    ListJobs,
    ListLimits,
    Page,
    Query,
)
from engine.surface.rows import AlertRow, BreakdownRow, CallRow, DeliveryRow, EstimateRow, JobRow, LimitRow
from engine.surface.snapshot import (
    AccountView,
    CampaignView,
    EngineView,
    ModelView,
    MoneyView,
    QueueView,
    Snapshot,
)
from huntaze_console.cli.root import huntaze
from huntaze_console.console import run as show_console
from huntaze_console.options import ConsoleOptions, SettingsSource, SimulationOptions

ROOT = Path(__file__).parents[2]
TOKEN = "token-of-the-fake"
LOGIN = "berta"  # who is at the terminal
ACTOR = f"{LOGIN}@{socket.gethostname()}"
AT = 1_795_161_600 * SECOND  # 2026-11-20T08:00:00Z
HOSTILE = "\x1b[2J\x1b]52;c;aGk=\x07\u202eevil\x9b31m"

CAMPAIGN = CampaignView(
    campaign_id="cmp_1",
    name=f"spring {HOSTILE}",
    account_id="anna",
    tool="message",
    state="running",
    created_at=AT,
    budget=usd("5.00"),
    cost=usd("0.0123"),
    counts={"sent": 412, "queued": 580, "uncertain": 2, "skipped": 6},
)
DRAFTED = tuple(
    DeliveryRow(
        delivery_id=f"dlv_{number}",
        campaign_id="cmp_1",
        account_id="anna",
        fan_id=f"fan-{number}",
        fan_name=f"Fan {HOSTILE}",
        state="drafted",
        reason="",
        text=f"Hello {number}{HOSTILE}",
        text_digest=f"digest-{number}",
        platform_id="",
        attempts=0,
        cost=usd("0.0001"),
        changed_at=AT,
    )
    for number in range(3)
)
SNAPSHOT = Snapshot(
    epoch="e1",
    seq=7,
    at=AT,
    engine=EngineView(node="n", version="1", kind="daemon", mode="simulated", state="running"),
    money=MoneyView(
        today=usd("18.42"), month=usd("311.07"), day_threshold=usd("50"), month_threshold=usd("1000"), today_unpriced=2
    ),
    models={
        "openai/gpt-4o-mini": ModelView(
            provider="openai", model="gpt-4o-mini", today=usd("5.02"), calls=8311, latencies=(SECOND, 2 * SECOND)
        )
    },
    queues={"huntaze-hybrid-workflows": QueueView(queue="huntaze-hybrid-workflows", ready=12, oldest_at=AT)},
    accounts={"anna": AccountView(account_id="anna", name=f"Anna{HOSTILE}", slots={"a": AT + 4 * SECOND})},
)
JOB = JobRow(
    job_id="job_1",
    queue="huntaze-hybrid-workflows",
    lane="",
    batch="",
    state="dead",
    priority=5,
    attempts=12,
    max_attempts=12,
    put_at=AT,
    ready_at=AT,
    leased_until=None,
    cause=f"boom {HOSTILE}",
    payload="{}",
)
BREAKDOWN = BreakdownRow(
    dimensions={"provider": "openai", "model": "gpt-4o-mini"},
    calls=3,
    input_tokens=1000,
    cached_tokens=0,
    output_tokens=200,
    reasoning_tokens=0,
    cost=usd("0.000000001"),
    measured=usd("0.000000001"),
    estimated=0,
    measured_input_tokens=1000,
    measured_output_tokens=200,
    unpriced_calls=1,
)
CALL = CallRow(
    attempt_id="att_1",
    at=AT,
    provider="openai",
    model="gpt-4o-mini",
    tool="message",
    campaign_id="cmp_1",
    account_id="anna",
    tenant_id="",
    user_id="",
    trace_id="",
    job_id="",
    outcome="ok",
    basis="unpriced",
    cost=None,
    input_tokens=10,
    cached_tokens=0,
    output_tokens=2,
    reasoning_tokens=0,
    price_source="",
    price_date="",
    duration=SECOND // 2,
)
WINDOW = LimitRow(
    layer="user_at",
    key="openai/ann",
    measure="requests",
    per="minute",
    used=59,
    limit=60,
    allowed=30,
    frees_at=None,
)
ALERT = AlertRow(
    alert_id="alr_1",
    rule="breaker_open",
    subject="azure/gpt-4o",
    severity="critical",
    summary=f"azure is open {HOSTILE}",
    opened_at=AT,
    resolved_at=None,
    acknowledged_by="",
    acknowledged_at=None,
    notices=1,
    last_notice_error="",
)
ESTIMATE = EstimateRow(
    fans=994,
    left_out={"opted_out": 6},
    cost_low=usd("1.90"),
    cost_high=usd("3.40"),
    unpriced=False,
    provider="openai",
    model="gpt-4o-mini",
    starts_at=AT,
    finish_at=AT + 6_000 * SECOND,
    previews=(f"Hi{HOSTILE}",),
    warnings=("the platform was not asked",),
)


@dataclass
class FakeEngine:
    """Answers every query with a row of its kind and remembers every command, and by which door it came."""

    directory: Path
    commands: list[Command] = field(default_factory=list)
    doors: list[str | None] = field(default_factory=list)
    queries: list[Query] = field(default_factory=list)
    problem: tuple[int, dict[str, Any]] | None = None

    def answer(self, query: Query) -> tuple[Any, ...]:
        self.queries.append(query)
        match query:
            case CostBreakdown(by=("campaign",)):
                dearest = replace(BREAKDOWN, dimensions={"campaign": ""}, cost=usd(9))
                return (dearest, replace(BREAKDOWN, dimensions={"campaign": "cmp_9"}))
            case CostBreakdown():
                return (BREAKDOWN,)
            case ListCalls():
                return (CALL,)
            case ListJobs() | GetJob():
                return (JOB,) if getattr(query, "job_id", "job_1") == "job_1" else ()
            case ListCampaigns():
                return (CAMPAIGN,)
            case GetCampaign():
                return (CAMPAIGN,) if query.campaign_id == "cmp_1" else ()
            case GetDraft():
                return ()
            case ListDeliveries():
                return DRAFTED
            case ListAlerts():
                return (ALERT,)
            case ListLimits():
                return (WINDOW,)
            case EstimateCampaign():
                return (ESTIMATE,)
        raise AssertionError(query)


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        assert self.path == "/api/v2/snapshot"
        self._send(200, wire.dump(SNAPSHOT))

    def do_POST(self) -> None:
        engine = self.server.engine
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            self._send(401, b"{}")
        elif self.path == "/api/v2/query":
            rows = engine.answer(wire.load_query(body))
            self._send(200, wire.dump(Page(rows, None, "e1:7")))
        elif engine.problem is not None:
            self._send(engine.problem[0], orjson.dumps(engine.problem[1]))
        else:
            engine.commands.append(wire.load_command(body))
            engine.doors.append(self.headers[wire.VIA_HEADER])
            self._send(200, wire.dump(Done(f"done{HOSTILE}", {"campaign_id": "cmp_1", "estimate": asdict(ESTIMATE)})))

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...

    def address_string(self) -> str:
        return "socket"


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    engine: FakeEngine


@pytest.fixture(autouse=True)
def at_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", LOGIN)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[FakeEngine]:
    directory = tmp_path / "state"
    directory.mkdir(mode=0o700)
    (directory / "api-token").write_text(TOKEN + "\n")
    here = os.open(directory, os.O_DIRECTORY)
    with Server(f"/proc/self/fd/{here}/huntaze.sock", Handler) as server:
        server.engine = FakeEngine(directory)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.engine
        server.shutdown()
        thread.join()
    os.close(here)


def run(directory: Path, *arguments: str) -> Result:
    """A command in this process, as a shell without a terminal would run it."""
    return CliRunner().invoke(huntaze, [*arguments, "--state-dir", str(directory)], catch_exceptions=False)


def run_alone(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own, where every warning is an error."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "huntaze_console", *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LANG": "C.UTF-8", "LOGNAME": LOGIN, **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def harmless(text: str) -> bool:
    return all(letter == "\n" or letter.isprintable() for letter in text) and "\u202e" not in text


# ── looking ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("costs",), ("$18.42 of $50.00 (36 %)", "2 unpriced calls", "gpt-4o-mini", "$0.000000001")),
        (("costs", "--calls"), ("att", "unpriced", "0.5 s")),
        (("providers",), ("gpt-4o-mini", "closed", "8,311", "2.0 s")),
        (("queue",), ("huntaze-hybrid-workflows", "12", "2026-11-20 08:00:00")),
        (("queue", "dead"), ("job_1", "boom")),
        (("queue", "show", "job_1"), ("12 of 12",)),
        (("limits",), ("anna", "9", "2026-11-20 08:00:04", "openai/ann", "59", "30 (throttled, 60)")),
        (("alerts",), ("alr_1", "critical", "open")),
        (("campaign", "list"), ("cmp_1", "412", "1,000", "$0.0123")),
        (("campaign", "show", "cmp_1"), ("of $5.00", "uncertain", "580")),
        (("campaign", "deliveries", "cmp_1"), ("dlv_2", "drafted")),
        (("campaign", "deliveries", "cmp_1", "--texts"), ("Hello 1",)),
    ],
)
def test_what_is_shown_is_aligned_plain_and_harmless(
    engine: FakeEngine, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    answer = run(engine.directory, *arguments)

    assert (answer.exit_code, answer.stderr) == (0, "")
    assert all(word in answer.stdout for word in words), answer.stdout
    assert harmless(answer.stdout)
    assert engine.commands == []


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (("costs",), lambda j: (j["today_usd"], j["total_usd"], j["rows"][0]["cost_usd"], j["rows"][0]["provider"])),
        (("costs", "--calls"), lambda j: (j["rows"][0]["cost_usd"], j["rows"][0]["at"])),
        (("providers",), lambda j: (j["rows"][0]["today_usd"], j["rows"][0]["p95_seconds"])),
        (("queue",), lambda j: (j["rows"][0]["ready"], j["rows"][0]["oldest_at"])),
        (("limits",), lambda j: (j["rows"][0]["free"], j["rows"][0]["next_free_at"], j["rows"][0]["window_seconds"])),
        (("alerts",), lambda j: (j["rows"][0]["opened_at"], j["rows"][0]["resolved_at"])),
        (("campaign", "show", "cmp_1"), lambda j: (j["cost_usd"], j["budget_usd"], j["fans"])),
    ],
)
def test_json_has_decimal_money_and_iso_times(engine: FakeEngine, arguments: tuple[str, ...], found: Any) -> None:
    expected = {
        ("costs",): ("18.42", "0.000000001", "0.000000001", "openai"),
        ("costs", "--calls"): (None, "2026-11-20T08:00:00.000000000Z"),
        ("providers",): ("5.02", 2.0),
        ("queue",): (12, "2026-11-20T08:00:00.000000000Z"),
        ("limits",): (9, "2026-11-20T08:00:04.000000000Z", 60.0),
        ("alerts",): ("2026-11-20T08:00:00.000000000Z", None),
        ("campaign", "show", "cmp_1"): ("0.0123", "5.00", 1000),
    }

    answer = run(engine.directory, *arguments, "--json")

    assert answer.exit_code == 0, answer.stderr
    assert found(json.loads(answer.stdout)) == expected[arguments]
    assert answer.stdout.isascii()
    assert "\x1b" not in answer.stdout


def test_what_is_of_no_campaign_is_called_so_and_stands_below_the_dearest(engine: FakeEngine) -> None:
    *_, first, last = run(engine.directory, "costs", "--by", "campaign").stdout.splitlines()

    assert first.startswith("cmp_9")
    assert last.startswith("no campaign")
    assert "$9.00" in last


def test_costs_go_into_a_spreadsheet_to_the_last_digit(engine: FakeEngine) -> None:
    answer = run(engine.directory, "costs", "--by", "campaign", "--csv")
    rows = list(csv.DictReader(io.StringIO(answer.stdout, newline="")))

    assert answer.exit_code == 0, answer.stderr
    assert [row["campaign"] for row in rows] == ["cmp_9", ""]
    assert sum(Decimal(row["cost_usd"]) for row in rows) == Decimal(
        json.loads(run(engine.directory, "costs", "--by", "campaign", "--json").stdout)["total_usd"]
    )
    calls = list(csv.DictReader(io.StringIO(run(engine.directory, "costs", "--calls", "--csv").stdout, newline="")))
    assert {row["cost_usd"] for row in calls} >= {""}  # of a call without a price, which is not zero
    assert run(engine.directory, "costs", "--csv", "--json").exit_code == 2


def test_a_day_begins_at_midnight_and_a_time_needs_its_offset(engine: FakeEngine) -> None:
    assert run(engine.directory, "costs", "--from", "2026-11-20", "--by", "tool,day").exit_code == 0
    naive = run(engine.directory, "costs", "--from", "2026-11-20T08:00")

    assert engine.queries[0] == CostBreakdown(by=("tool", "day"), from_=AT - 8 * 3600 * SECOND)
    assert naive.exit_code == 2
    assert "no zone" in naive.stderr


def test_what_is_not_there_is_said_with_its_own_code(engine: FakeEngine) -> None:
    assert run(engine.directory, "campaign", "show", "cmp_9").exit_code == 3
    assert run(engine.directory, "queue", "show", "job_9").exit_code == 3


# ── acting ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (("stop",), HaltSending()),
        (("resume",), ResumeSending()),
        (("campaign", "start", "cmp_1"), StartCampaign(campaign_id="cmp_1")),
        (("campaign", "pause", "cmp_1"), PauseCampaign(campaign_id="cmp_1")),
        (("campaign", "resume", "cmp_1"), ResumeCampaign(campaign_id="cmp_1")),
        (("campaign", "cancel", "cmp_1", "--yes"), CancelCampaign(campaign_id="cmp_1")),
        (("campaign", "settle", "dlv_1", "again"), SettleDelivery(delivery_id="dlv_1", outcome="again")),
        (
            ("campaign", "reject", "cmp_1", "dlv_1", "--reason", "dull"),
            RejectDeliveries(campaign_id="cmp_1", delivery_ids=("dlv_1",), reason="dull"),
        ),
        (
            ("campaign", "approve", "cmp_1", "dlv_1", "--yes"),
            ApproveDeliveries(campaign_id="cmp_1", texts={"dlv_1": "digest-1"}),
        ),
        (("limits", "resume", "anna"), ResumeAccount(account_id="anna")),
        (("alerts", "ack", "alr_1"), AcknowledgeAlert(alert_id="alr_1")),
        (("queue", "redrive", "q"), RedriveJobs(queue="q")),
        (("queue", "purge", "q", "job_1", "--yes"), PurgeJobs(queue="q", job_ids=("job_1",))),
        (("suppress", "anna", "fan-1"), SuppressFan(account_id="anna", fan_id="fan-1")),
        (("unsuppress", "anna", "fan-1"), UnsuppressFan(account_id="anna", fan_id="fan-1")),
    ],
)
def test_a_command_reaches_the_engine(engine: FakeEngine, arguments: tuple[str, ...], command: Command) -> None:
    answer = run(engine.directory, *arguments)

    assert (answer.exit_code, answer.stderr) == (0, "")
    assert engine.commands == [replace(command, actor=ACTOR)]
    assert engine.doors == ["cli"]
    assert harmless(answer.stdout)


@pytest.mark.parametrize(
    "arguments", [("queue", "purge", "q"), ("campaign", "cancel", "cmp_1"), ("campaign", "approve", "cmp_1")]
)
def test_what_cannot_be_undone_is_not_done_unasked(engine: FakeEngine, arguments: tuple[str, ...]) -> None:
    answer = run(engine.directory, *arguments)

    assert answer.exit_code == 2
    assert "--yes" in answer.stderr
    assert engine.commands == []


def test_approving_binds_to_the_texts_that_were_shown(engine: FakeEngine) -> None:
    answer = run(engine.directory, "campaign", "approve", "cmp_1", "--yes")

    texts = {"dlv_0": "digest-0", "dlv_1": "digest-1", "dlv_2": "digest-2"}
    assert engine.commands == [ApproveDeliveries(actor=ACTOR, campaign_id="cmp_1", texts=texts)]
    assert all(f"Hello {number}" in answer.stdout for number in range(3))
    assert harmless(answer.stdout)


def test_creating_says_everything_the_flags_say(engine: FakeEngine, tmp_path: Path) -> None:
    prompt = tmp_path / "prompt.txt"
    prompt.write_text("Say hello\n")

    answer = run(
        engine.directory,
        *("campaign", "create", "--name", "spring", "--account", "anna", "--fan", "f1", "--fan", "f2"),
        *("--prompt-file", str(prompt), "--tool", "reponse-rapide", "--approval", "automatic", "--budget", "5.00"),
        *("--at", "2026-11-20T09:00:00+01:00", "--start", "--key", "k1", "--json"),
    )

    assert json.loads(answer.stdout)["campaign_id"] == "cmp_1"
    (created,) = engine.commands
    assert isinstance(created, CreateCampaign)
    assert (created.start, created.key) == (True, "k1")
    draft = created.draft
    assert (draft.audience.fan_ids, draft.tool, draft.prompt) == (("f1", "f2"), "quick-reply", "Say hello")
    assert (draft.approval, draft.budget, draft.starts_at) == ("automatic", usd("5.00"), AT)


def test_what_a_new_campaign_is_estimated_at_is_said_in_dollars_and_dates(engine: FakeEngine) -> None:
    flags = ("campaign", "create", "--name", "n", "--account", "anna", "--all", "--template", "Hi", "--json")

    estimate = json.loads(run(engine.directory, *flags).stdout)["estimate"]

    assert (estimate["cost_usd_low"], estimate["cost_usd_high"]) == ("1.90", "3.40")
    assert estimate["finish_at"] == "2026-11-20T09:40:00.000000000Z"
    assert "cost_low" not in estimate


def test_a_new_campaign_is_told_with_its_id_and_what_speaks_against_it(engine: FakeEngine) -> None:
    shown = run(engine.directory, "campaign", "create", "--name", "n", "--account", "anna", "--all", "--template", "Hi")

    assert "campaign cmp_1" in shown.stdout.splitlines()
    assert "warning: the platform was not asked" in shown.stdout
    assert harmless(shown.stdout)


def test_a_dry_run_creates_nothing_and_shows_what_would_be(engine: FakeEngine) -> None:
    flags = ("campaign", "create", "--name", "n", "--account", "anna", "--all", "--template", "Hi", "--dry-run")

    shown, parsed = run(engine.directory, *flags), run(engine.directory, *flags, "--json")

    assert "994 fans" in shown.stdout
    assert "$1.90 to $3.40" in shown.stdout
    assert "2026-11-20 09:40:00" in shown.stdout
    assert harmless(shown.stdout)
    assert json.loads(parsed.stdout)["estimate"]["cost_usd_high"] == "3.40"
    assert engine.commands == []


@pytest.mark.parametrize(
    "flags",
    [
        ("--all", "--tag", "vip", "--prompt", "x"),
        ("--prompt", "x"),
        ("--all", "--prompt", "x", "--template", "y"),
        ("--all",),
        ("--all", "--prompt", "x", "--budget", "lots"),
        ("--all", "--prompt", "x", "--budget", "0"),
        ("--all", "--prompt", "x", "--at", "2026-11-20T09:00"),
        ("--all", "--prompt-file", "/nowhere/at/all"),
    ],
)
def test_a_campaign_that_says_too_much_or_too_little_is_refused(engine: FakeEngine, flags: tuple[str, ...]) -> None:
    answer = run(engine.directory, "campaign", "create", "--name", "n", "--account", "anna", *flags)

    assert answer.exit_code == 2
    assert engine.commands == []


def test_a_list_of_fans_is_taken_whole_or_not_at_all(engine: FakeEngine, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    out = io.StringIO()
    csv.writer(out).writerows([("name", "fan_id"), ("A, B", "f1"), ("C", "f2")])
    good.write_text("\ufeff" + out.getvalue(), "utf-8")
    bad.write_text("name,fan_id\nA,f1\nB,\nC,f1\nD,f\x1b[2J\n")
    flags = ("campaign", "create", "--name", "n", "--account", "anna", "--prompt", "x", "--fans-file")

    taken, refused = run(engine.directory, *flags, str(good)), run(engine.directory, *flags, str(bad))

    (created,) = engine.commands
    assert isinstance(created, CreateCampaign)
    assert created.draft.audience.fan_ids == ("f1", "f2")
    assert taken.exit_code == 0
    assert refused.exit_code == 2
    assert all(f"line {number}: " in refused.stderr for number in (3, 4, 5))
    assert harmless(refused.stderr)


@pytest.mark.parametrize("endless", ["/dev/zero", "many"])
def test_a_list_of_fans_without_an_end_is_refused(engine: FakeEngine, tmp_path: Path, endless: str) -> None:
    many = tmp_path / "many.csv"
    many.write_text("".join(f"fan{number}\n" for number in range(100_002)))
    flags = ("campaign", "create", "--name", "n", "--account", "anna", "--prompt", "x", "--fans-file")

    answer = run(engine.directory, *flags, str(many) if endless == "many" else endless)

    assert answer.exit_code == 2
    assert engine.commands == []
    assert ("more than 100,000 fans" if endless == "many" else "larger than 32 MB") in answer.stderr


# ── refusals ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("status", "code"), [(400, 2), (404, 3), (409, 3), (503, 5), (500, 5)])
def test_a_refusal_has_its_words_and_its_code(engine: FakeEngine, status: int, code: int) -> None:
    engine.problem = (status, {"detail": f"no{HOSTILE}", "remedy": "do that", "status": status})

    answer = run(engine.directory, "campaign", "start", "cmp_1")

    assert answer.exit_code == code
    assert "do that" in answer.stderr
    assert harmless(answer.stderr)


def test_a_token_that_is_not_the_engines_is_said(engine: FakeEngine) -> None:
    (engine.directory / "api-token").write_text("another")

    answer = run(engine.directory, "campaign", "start", "cmp_1")

    assert answer.exit_code == 5
    assert "token" in answer.stderr


def test_a_state_directory_too_deep_for_a_socket_name_is_reached(engine: FakeEngine, tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d" * 60] * 3)
    deep.parent.mkdir(parents=True)
    deep.symlink_to(engine.directory)

    assert run(deep, "stop").exit_code == 0


def test_an_environment_variable_names_the_state_directory_too(engine: FakeEngine) -> None:
    answer = run_alone("stop", HUNTAZE_STATE_DIR=str(engine.directory))

    assert (answer.returncode, answer.stderr) == (0, "")
    assert engine.commands == [HaltSending(actor=ACTOR)]


def test_a_refusal_leaves_a_process_with_its_code(engine: FakeEngine) -> None:
    engine.problem = (409, {"detail": f"no{HOSTILE}", "status": 409})

    answer = run_alone("campaign", "start", "cmp_1", "--state-dir", str(engine.directory))

    assert answer.returncode == 3
    assert answer.stderr.startswith("huntaze: no")
    assert harmless(answer.stderr)


def test_a_reader_that_went_away_is_no_error(engine: FakeEngine) -> None:
    command = f"{sys.executable} -m huntaze_console campaign list --state-dir {engine.directory} | true; echo $?"

    answer = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert "Traceback" not in answer.stderr


# ── the console ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("command", [(), ("demo",)])
def test_a_console_nobody_could_see_is_refused(tmp_path: Path, command: tuple[str, ...]) -> None:
    answer = run_alone(*command, "--state-dir", str(tmp_path / "state"))

    assert answer.returncode == 2
    assert "needs a terminal" in answer.stderr
    assert not (tmp_path / "state").exists()


def test_a_demo_never_shows_a_real_engine(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huntaze_console.console.configure_logging", lambda *_, **__: None)
    state = StateDirectory(engine.directory)
    state.write_private(state.endpoint_path, "{}")
    (engine.directory / "mode").write_text("real\n")
    options = ConsoleOptions(
        settings=SettingsSource(file=None, environ={}, simulated=True),
        state_dir=engine.directory,
        simulation=SimulationOptions(),
    )

    with pytest.raises(WrongMode, match="real engine"):
        show_console(options, ask=lambda _: pytest.fail("nobody is asked for a token here"))
