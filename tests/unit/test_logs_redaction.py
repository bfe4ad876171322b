"""No secret gets through to the log, whatever form it comes in; and what is no secret stays readable."""

from __future__ import annotations

import logging
import random
import string
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.kernel.redaction import HIDDEN, Redactor
from engine.kernel.secret import Secret
from engine.kernel.text import clean
from engine.telemetry import LogBook, entry_of, line_of
from huntaze_console.config import load_settings, secrets_in
from tests.fakes import ManualClock

PLANTED = "PlantedValue0123456789"
SHAPES = [
    f"sk-{PLANTED}",
    f"sk-proj-{PLANTED}",
    f"sk-ant-api03-{PLANTED}",
    f"hz-{PLANTED}",
    f"xai-{PLANTED}",
    f"AIza{PLANTED}",
    "AK" + "IAPLANTED0123456789",
    f"xoxb-{PLANTED}",
    f"ghp_{PLANTED}",
    f"eyJhbGciOi.{PLANTED}.{PLANTED}",
    f"https://hooks.slack.com/services/T0/{PLANTED}",
    f"Authorization: Bearer {PLANTED}",
    f"authorization: Basic {PLANTED}==",
    f"{{'Authorization': 'Bearer {PLANTED}'}}",
    f"x-api-key: {PLANTED}",
    f"api_key={PLANTED}",
    f'{{"api_key": "{PLANTED}"}}',
    f"OPENAI_API_KEY={PLANTED}",
    f"HUNTAZE_MQTT_PASSWORD={PLANTED}",
    f"password='{PLANTED} with blanks'",
    f"client_secret: {PLANTED}",
    f"access_token={PLANTED}&more=1",
    f"redis://:{PLANTED}@host:6379/0",
    f"mqtts://user:{PLANTED}@host",
    f"https://user:{PLANTED}@host/path?x=1",
    f"https://host/path?key={PLANTED}",
    f"https://host/path?a=b&sig={PLANTED}#x",
    f"Set-Cookie: session={PLANTED}",
    f"-----BEGIN {'PRIVATE'} KEY----- {PLANTED} -----END {'PRIVATE'} KEY-----",
]
HARMLESS = [
    "anna waits: cannot ask the platform who opted out: no answer in time",
    "hybrid-workflows: job write_dlv_01hz9 failed: TimeoutError",
    "the task-force of skies risk-averse desk-1 said 12 tokens: 40 of them cached",
    "connected to the MQTT broker at 127.0.0.1:8883",
    "GET https://api.openai.com/v1/models?limit=10 took 3 s",
    "openai gpt-4o-mini: 429, the bearer of bad news",
    "basic auth is off; digest of the text differs",
]


@pytest.mark.parametrize("text", SHAPES)
def test_what_has_the_shape_of_a_secret_is_hidden(text: str) -> None:
    said = Redactor().redact(f"the call failed with {text} at last")

    assert "lanted" not in said.lower().replace("planted0", "lanted")
    assert HIDDEN in said
    assert said.startswith("the call failed with ")


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_none_stays_as_it_is(text: str) -> None:
    assert Redactor().redact(text) == text


SECRETS = st.text(string.ascii_letters + string.digits + "!#$%&*+,-./:;<=>?@[]^_{|}~", min_size=6, max_size=40)


@given(st.lists(SECRETS, min_size=1, max_size=4), st.text(max_size=30), st.data())
def test_a_known_secret_is_hidden_wherever_it_stands(secrets: list[str], around: str, data: st.DataObject) -> None:
    redactor = Redactor(map(Secret, secrets))
    chosen = data.draw(st.sampled_from(secrets))

    said = redactor.redact(f"{around}{chosen}{around}")

    assert chosen not in said.replace(around, "") or chosen in HIDDEN


def test_every_secret_of_the_settings_is_known(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        '[mqtt]\nhost = "b"\nusername = "u"\n[smtp]\nhost = "m"\nfrom_address = "a@b"\n[alerts]\nemail_to = ["a@b"]\n'
    )
    names = {
        "OPENAI_API_KEY": "one-openai",
        "ANTHROPIC_API_KEY": "two-anthropic",
        "ONLYFANS_API_TOKEN": "three-platform",
        "HUNTAZE_SMTP__PASSWORD": "four-smtp",
        "HUNTAZE_MQTT_PASSWORD": "five-mqtt",
        "REDIS_URL": "redis://:six-redis@h/0",
        "SLACK_WEBHOOK_URL": "https://hooks.slack.com/seven",
    }

    known = {secret.reveal() for secret in secrets_in(load_settings(file, names))}

    assert known == set(names.values())
    simulated = load_settings(file, names, simulated=True).for_world("http://127.0.0.1:1")
    assert list(secrets_in(simulated)) == []


# ── records ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def book(**changes: Any) -> LogBook:
    return LogBook(ManualClock(), Redactor([Secret("known-secret-1")]), **{"kept": 100, **changes})


def record(message: object, *values: Any, level: int = logging.WARNING, **extra: Any) -> logging.LogRecord:
    made = logging.LogRecord("engine.a", level, "file.py", 1, message, values, None)
    vars(made).update(extra)
    return made


def fail() -> None:
    api_key = "sk-do-not-show-in-a-local"
    raise ValueError(f"refused {api_key} known-secret-1 PROMPT")


def broken() -> logging.LogRecord:
    made = record("it broke")
    try:
        try:
            fail()
        except ValueError as error:
            raise RuntimeError("outer known-secret-1 PROMPT") from error
    except RuntimeError as error:
        made.exc_info = (type(error), error, error.__traceback__)
    return made


def test_a_traceback_is_types_and_places_and_not_a_word_of_the_texts() -> None:
    entry = entry_of(broken(), Redactor())

    assert entry.error.startswith("RuntimeError at test_logs_redaction.py:")
    assert [line for line in entry.trace if ":" not in line] == ["ValueError", "RuntimeError"]
    assert any(line.endswith(" in fail") for line in entry.trace)
    assert not any(word in line_of(entry) for word in ("PROMPT", "known-secret", "do-not-show", "refused", "outer"))


def test_fields_beside_a_message_are_kept_and_redacted_by_their_names_too() -> None:
    entry = entry_of(record("said", job="write_1", password="abc", url="redis://:abc@h"), Redactor())

    assert entry.fields == {"job": "write_1", "password": "***", "url": "redis://***@h"}


def test_a_record_cannot_forge_another_nor_drive_a_terminal() -> None:
    hostile = 'one\n2026-01-01 CRITICAL forged\r\n{"level":"critical"}\x1b[2J\x1b]52;c;x\x07\u202eevil\u2028\x85\x00'

    entry = entry_of(record(hostile), Redactor())
    line = line_of(entry)

    assert entry.message == clean(hostile)
    assert line.isascii()
    assert line.isprintable()
    assert len(line.splitlines()) == 1


def test_a_mark_that_nobody_sees_hides_no_secret() -> None:
    entry = entry_of(record("key sk-do\u200b-not-show\u00ad-0123456789 and known\u2060-secret-1"), book()._redactor)

    assert entry.message == "key *** and ***"


def test_a_huge_record_is_cut_and_quick_to_read() -> None:
    rng = random.Random(7)
    noise = "".join(rng.choice(string.printable) for _ in range(200_000))
    for text in ("x" * 10_000, "a=" * 100_000, "://" * 100_000, "password" * 50_000, "'" * 100_000, noise):
        assert len(entry_of(record(text), Redactor()).message) <= 4_000


def test_half_a_secret_at_the_end_of_what_is_read_is_left_out() -> None:
    for before in range(7_960, 8_000):
        said = entry_of(record("\u200b" * before + "known-secret-1" + "x" * 9_000), book()._redactor).message
        assert "known" not in said


def test_a_message_that_does_not_fit_its_values_is_still_a_line() -> None:
    assert entry_of(record("%d jobs", "many"), Redactor()).message == "%d jobs"


# ── the book ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_newest_are_kept_and_numbered() -> None:
    kept = book(kept=100)
    for number in range(250):
        kept.handle(record("number %d", number))

    assert [entry.seq for entry in kept.entries()] == list(range(151, 251))
    assert kept.entries()[-1].message == "number 249"


def test_it_is_asked_by_level_and_by_text() -> None:
    kept = book()
    for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL):
        kept.handle(record("Anna said %s", logging.getLevelName(level), level=level, job=f"j{level}"))

    assert [entry.level for entry in kept.entries(level="warning")] == ["warning", "error", "critical"]
    assert [entry.level for entry in kept.entries(text="anna SAID info")] == ["info"]
    assert [entry.level for entry in kept.entries(text="job=j40")] == ["error"]


def test_the_file_is_private_lines_of_json_without_secrets(tmp_path: Path) -> None:
    file = tmp_path / "engine.log"
    kept = book(file=file)

    with kept.listening():
        logging.getLogger("engine.b").warning("failed with known-secret-1\nand sk-do-not-show-0123456789")
    logging.getLogger("engine.b").warning("after the end")

    (line,) = file.read_text().splitlines()
    assert '"message": "failed with *** and ***"' in line
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_file_that_cannot_be_written_costs_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = book(file=tmp_path / "missing" / "engine.log")

    kept.handle(record("all the same"))

    assert [entry.message for entry in kept.entries()] == ["all the same"]
    assert capsys.readouterr().err == ""


def test_threads_may_log_at_once() -> None:
    kept = book(kept=10_000)
    threads = [
        threading.Thread(target=lambda: [kept.handle(record("x")) for _ in range(200)] and None) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [entry.seq for entry in kept.entries()] == list(range(1, 801))
