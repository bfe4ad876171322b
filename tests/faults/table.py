"""What comes of every behaviour: the one table that the suite plays and `docs/faults.md` shows.

`python -m tests.faults.table` writes the document anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.faults.server import BEHAVIOURS

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "faults.md"
MARK = "<!-- the table below is written by python -m tests.faults.table -->\n"

ITS_OWN, STAND_IN = "its answer", "the stand-in's answer"


@dataclass(frozen=True)
class Outcome:
    """`given` to the caller; `tries` at the provider, each its outcome and its bill; the reason of a takeover that is
    `told`; and whether a second such task at the latest opens the model's breaker.
    """

    given: str
    tries: tuple[str, ...]
    told: str = ""
    opens: bool = False


@dataclass(frozen=True)
class Row:
    """What comes of a whole answer, and of one that is streamed."""

    whole: Outcome
    streamed: Outcome


def answers(bill: str = "exact", *before: str, opens: bool = False) -> Outcome:
    return Outcome(ITS_OWN, (*before, f"ok: {bill}"), "", opens)


def falls(error: str, bill: str, times: int = 2, *, opens: bool = True) -> Outcome:
    """Another provider takes over, unseen."""
    return Outcome(STAND_IN, (f"{error}: {bill}",) * times, error, opens)


def breaks(error: str, bill: str, *, opens: bool = True) -> Outcome:
    """The caller has seen pieces: it gets an error."""
    return Outcome(f"{error} after pieces", (f"{error}: {bill}",), "", opens)


def fails(error: str, bill: str) -> Outcome:
    return Outcome(error, (f"{error}: {bill}",))


def both(outcome: Outcome) -> Row:
    return Row(outcome, outcome)


TABLE: dict[str, Row] = {
    "healthy": both(answers()),
    "refused": both(falls("network_error", "nothing")),
    "tls_untrusted": both(falls("network_error", "nothing")),
    "tls_plain_text": both(falls("network_error", "nothing")),
    "closed_unanswered": both(falls("network_error", "at most")),
    "reset_before_headers": both(falls("network_error", "at most")),
    "reset_in_headers": both(falls("network_error", "at most")),
    "reset_after_headers": both(falls("network_error", "at most")),
    "kept_connection_closed": both(answers("exact", "network_error: at most")),
    "garbage_protocol": both(falls("network_error", "at most")),
    "early_hints": both(answers()),
    "silence": both(falls("timeout", "at most", 1)),
    "slow_headers": both(falls("timeout", "at most", 1)),
    "endless_headers": both(falls("network_error", "at most")),
    "headers_then_silence": both(falls("timeout", "at most", 1)),
    "slow_body": Row(falls("timeout", "at most", 1), breaks("timeout", "as received")),
    "stalled_stream": Row(falls("timeout", "at most", 1), breaks("timeout", "as received")),
    "keepalives_only": both(falls("timeout", "at most", 1)),
    "brown_out": both(falls("timeout", "at most", 1, opens=False)),
    "one_byte_at_a_time": both(answers()),
    "split_letters": both(answers()),
    "cut_answer": Row(falls("network_error", "at most"), breaks("network_error", "as received")),
    "reset_in_answer": Row(falls("network_error", "at most"), breaks("network_error", "as received")),
    "ended_early": Row(falls("unknown", "at most"), breaks("network_error", "as received")),
    "cut_after_finish": Row(falls("unknown", "at most"), answers("as received")),
    "truncated_json": Row(falls("unknown", "at most"), breaks("unknown", "as received")),
    "broken_letters": both(falls("unknown", "at most")),
    "empty_body": Row(falls("unknown", "at most"), falls("network_error", "at most")),
    "no_content": Row(falls("unknown", "at most"), falls("network_error", "at most")),
    "not_an_object": Row(falls("unknown", "at most"), falls("network_error", "at most")),
    "wrong_content_type": both(falls("unknown", "at most")),
    "html_page": both(falls("unknown", "at most")),
    "html_502": both(falls("server_error", "at most")),
    "empty_choices": Row(falls("unknown", "exact"), falls("network_error", "at most")),
    "no_choices": Row(falls("unknown", "exact"), falls("network_error", "at most")),
    "empty_text": both(falls("unknown", "exact")),
    "blank_text": both(falls("unknown", "exact")),
    "bad_json_for_schema": Row(falls("unknown", "exact"), breaks("unknown", "exact", opens=False)),
    "no_finish": Row(falls("unknown", "exact"), breaks("network_error", "as received")),
    "length_stop": Row(falls("unknown", "exact", 1), breaks("unknown", "exact")),
    "filtered_finish": Row(
        falls("content_filter", "exact", 1, opens=False), breaks("content_filter", "exact", opens=False)
    ),
    "refusal": both(falls("content_filter", "exact", 1, opens=False)),
    "error_in_200": both(falls("server_error", "at most")),
    "error_first": both(falls("server_error", "at most")),
    "error_in_the_middle": Row(falls("server_error", "at most"), breaks("server_error", "as received")),
    "error_after_usage": Row(falls("server_error", "exact"), breaks("server_error", "exact")),
    "missing_usage": Row(answers("at most"), answers("as received")),
    "negative_usage": Row(answers("at most"), answers("as received")),
    "usage_in_words": Row(answers("at most"), answers("as received")),
    "contradictory_usage": Row(answers("at most"), answers("as received")),
    "absurd_usage": Row(answers("at most"), answers("as received")),
    "zero_usage": Row(answers("at most"), answers("as received")),
    "doubled_chunks": both(answers()),
    "huge_answer": both(falls("unknown", "at most")),
    "endless_stream": Row(falls("unknown", "at most"), breaks("unknown", "at most")),
    "packed": both(answers()),
    "packed_badly": both(falls("unknown", "at most")),
    "packed_bomb": both(falls("unknown", "at most")),
    "packed_unasked": both(falls("unknown", "at most")),
    "bad_request": both(fails("invalid_request", "nothing")),
    "filtered_prompt": both(falls("content_filter", "nothing", 1, opens=False)),
    "too_long": both(falls("invalid_request", "nothing", 1, opens=False)),
    "unauthorized": both(falls("authentication", "nothing", 1)),
    "unpaid": both(falls("authentication", "nothing", 1)),
    "forbidden": both(falls("authentication", "nothing", 1)),
    "unknown_model": both(falls("invalid_request", "nothing", 1, opens=False)),
    "request_timeout": both(falls("timeout", "nothing", 1)),
    "conflict": both(falls("server_error", "nothing")),
    "too_large": both(falls("invalid_request", "nothing", 1, opens=False)),
    "unprocessable": both(fails("invalid_request", "nothing")),
    "throttled": both(falls("rate_limit", "nothing", 1)),
    "throttled_seconds": both(falls("rate_limit", "nothing", 1, opens=False)),
    "throttled_date": both(falls("rate_limit", "nothing", 1, opens=False)),
    "throttled_absurdly": both(falls("rate_limit", "nothing", 1, opens=False)),
    "throttled_gibberish": both(falls("rate_limit", "nothing", 1)),
    "out_of_quota": both(falls("rate_limit", "nothing", 1)),
    "broken": both(falls("server_error", "at most")),
    "bad_gateway": both(falls("server_error", "at most")),
    "unavailable": both(falls("server_error", "at most", 1, opens=False)),
    "gateway_timeout": both(falls("server_error", "at most")),
    "overloaded": both(falls("server_error", "at most")),
    "redirected": both(falls("invalid_request", "nothing", 1, opens=False)),
    "flapping": both(answers("exact", "server_error: at most", opens=True)),
}

_EITHER = ("openai", "anthropic")
_ANYHOW = falls("unknown", "at most")

# Where the table's lines do not hold: by behaviour and dialect, for a gateway client's body (True) or the engine's own
# tasks. A client judges refusals and lengths for itself; the rest is another failure where another reader reads.
OTHERWISE: dict[tuple[str, str, bool], tuple[Outcome, Outcome]] = {
    **{("bad_json_for_schema", dialect, True): (answers(), answers()) for dialect in _EITHER},
    **{("length_stop", dialect, True): (answers(), answers()) for dialect in _EITHER},
    ("refusal", "openai", True): (answers(), answers()),
    **{("blank_text", dialect, True): (falls("unknown", "exact"), breaks("unknown", "exact")) for dialect in _EITHER},
    **{("no_content", dialect, True): (_ANYHOW, _ANYHOW) for dialect in _EITHER},
    ("not_an_object", "openai", True): (_ANYHOW, _ANYHOW),
    **{
        ("packed_unasked", dialect, True): (falls("network_error", "at most"), falls("network_error", "at most"))
        for dialect in _EITHER
    },
    ("truncated_json", "anthropic", False): (_ANYHOW, breaks("network_error", "as received")),
}

NOT_PLAYED = frozenset(  # they only stand in, or must never be reached; the others are played by test_chains
    {"healthy_json", "elsewhere", "healthy_batch", "healthy_dear", "one_bad_deployment", "throttled_then_fine"}
)


def expected(name: str, dialect: str, *, streamed: bool, body: bool) -> Outcome:
    row = TABLE[name]
    return OTHERWISE.get((name, dialect, body), (row.whole, row.streamed))[streamed]


def rendered() -> str:
    """The table as the document has it."""
    return "\n".join((*_lines(), "", "Where that does not hold:", "", *_exceptions())) + "\n"


def _lines() -> Iterator[str]:
    yield "| the provider | a whole answer: given; billed | a stream: given; billed | the operator sees |"
    yield "|---|---|---|---|"
    for name, row in TABLE.items():
        does = (BEHAVIOURS[name].__doc__ or "").strip()
        streamed = "the same" if row.streamed == row.whole else _said(row.streamed)
        yield f"| `{name}`: {does} | {_said(row.whole)} | {streamed} | {_seen(row)} |"


def _exceptions() -> Iterator[str]:
    yield "| the provider | speaks | asked by | a whole answer: given; billed | a stream: given; billed |"
    yield "|---|---|---|---|---|"
    for (name, dialect, body), (whole, streamed) in OTHERWISE.items():
        yield f"| `{name}` | {dialect} | {'a client' if body else 'a task'} | {_said(whole)} | {_said(streamed)} |"


def _said(outcome: Outcome) -> str:
    given = outcome.given
    if given not in (ITS_OWN, STAND_IN):
        error, _, after = given.partition(" ")
        given = f"error `{error}` {after}".strip()
    return f"{given}; {_bills(outcome.tries)}"


def _bills(tries: tuple[str, ...]) -> str:
    bills = [one.partition(": ")[2] for one in tries]
    if len(bills) == 1:
        return bills[0]
    return f"{bills[0]}, twice" if len(set(bills)) == 1 else f"{bills[0]}, then {bills[1]}"


def _seen(row: Row) -> str:
    outcomes = dict.fromkeys(one.partition(":")[0] for outcome in (row.whole, row.streamed) for one in outcome.tries)
    calls = ", ".join(f"`{one}`" for one in outcomes)
    told = dict.fromkeys(outcome.told for outcome in (row.whole, row.streamed) if outcome.told)
    parts = [f"calls {calls}"]
    if told:
        parts.append(f"a fallback for {', '.join(f'`{one}`' for one in told)}")
    if row.whole.opens or row.streamed.opens:
        parts.append("its breaker opening")
    return "; ".join(parts)


def written(document: str) -> str:
    """The document with the table as it is now."""
    return document.partition(MARK)[0] + MARK + "\n" + rendered()


if __name__ == "__main__":
    DOCUMENT.write_text(written(DOCUMENT.read_text()))
