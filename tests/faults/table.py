"""What comes of every behaviour: the one table that the suite plays and `docs/faults.md` shows.

`python -m tests.faults.table` writes the document anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
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
    """`whole` and `streamed` answers; `passed` are those of a gateway client's body, where they differ."""

    whole: Outcome
    streamed: Outcome
    passed: tuple[Outcome, Outcome] | None = None
    claude: tuple[Outcome, Outcome] | None = None  # where Anthropic's dialect makes a difference
    note: str = ""

    def expected(self, dialect: str, *, streamed: bool, body: bool) -> Outcome:
        pair = self.whole, self.streamed
        if self.passed and body:
            pair = self.passed
        elif self.claude and dialect == "anthropic":
            pair = self.claude
        return pair[streamed]


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


def both(outcome: Outcome, **more: str) -> Row:
    return Row(outcome, outcome, **more)  # type: ignore[arg-type]


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
    "silence": both(falls("timeout", "at most")),
    "slow_headers": both(falls("timeout", "at most")),
    "endless_headers": both(falls("network_error", "at most")),
    "headers_then_silence": both(falls("timeout", "at most")),
    "slow_body": Row(falls("timeout", "at most"), breaks("timeout", "as received")),
    "stalled_stream": Row(falls("timeout", "at most"), breaks("timeout", "as received")),
    "keepalives_only": both(falls("timeout", "at most")),
    "brown_out": both(answers("exact", "timeout: at most")),
    "one_byte_at_a_time": both(answers()),
    "split_letters": both(answers()),
    "cut_answer": Row(falls("network_error", "at most"), breaks("network_error", "as received")),
    "reset_in_answer": Row(falls("network_error", "at most"), breaks("network_error", "as received")),
    "ended_early": Row(falls("unknown", "at most"), breaks("network_error", "as received")),
    "cut_after_finish": Row(falls("unknown", "at most"), answers("at most")),
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
    "length_stop": Row(falls("unknown", "exact"), breaks("unknown", "exact")),
    "filtered_finish": Row(
        falls("content_filter", "exact", 1, opens=False), breaks("content_filter", "exact", opens=False)
    ),
    "refusal": both(falls("content_filter", "exact", 1, opens=False)),
    "error_in_200": both(falls("server_error", "at most")),
    "error_first": both(falls("server_error", "at most")),
    "error_in_the_middle": Row(falls("server_error", "at most"), breaks("server_error", "as received")),
    "error_after_usage": Row(falls("server_error", "exact"), breaks("server_error", "exact")),
    "missing_usage": both(answers("at most")),
    "negative_usage": both(answers("at most")),
    "usage_in_words": both(answers("at most")),
    "contradictory_usage": both(answers("at most")),
    "absurd_usage": both(answers("at most")),
    "zero_usage": both(answers("at most")),
    "doubled_chunks": both(answers()),
    "huge_answer": both(falls("unknown", "at most")),
    "endless_stream": Row(falls("unknown", "at most"), breaks("unknown", "at most")),
    "packed": both(answers()),
    "packed_badly": both(falls("unknown", "at most")),
    "packed_bomb": both(falls("unknown", "at most")),
    "packed_unasked": both(falls("unknown", "at most")),
    "bad_request": both(fails("invalid_request", "nothing")),
    "filtered_prompt": both(falls("content_filter", "nothing", 1, opens=False)),
    "too_long": both(fails("invalid_request", "nothing")),
    "unauthorized": both(falls("authentication", "nothing", 1)),
    "unpaid": both(falls("authentication", "nothing", 1)),
    "forbidden": both(falls("authentication", "nothing", 1)),
    "unknown_model": both(fails("invalid_request", "nothing")),
    "request_timeout": both(falls("timeout", "nothing")),
    "conflict": both(falls("server_error", "nothing")),
    "too_large": both(fails("invalid_request", "nothing")),
    "unprocessable": both(fails("invalid_request", "nothing")),
    "throttled": both(falls("rate_limit", "nothing", 1)),
    "throttled_seconds": both(falls("rate_limit", "nothing", 1)),
    "throttled_date": both(falls("rate_limit", "nothing", 1)),
    "throttled_absurdly": both(falls("rate_limit", "nothing", 1)),
    "throttled_gibberish": both(falls("rate_limit", "nothing", 1)),
    "out_of_quota": both(falls("rate_limit", "nothing", 1)),
    "broken": both(falls("server_error", "at most")),
    "bad_gateway": both(falls("server_error", "at most")),
    "unavailable": both(falls("server_error", "at most", 1)),
    "gateway_timeout": both(falls("server_error", "at most")),
    "overloaded": both(falls("server_error", "at most")),
    "redirected": both(fails("invalid_request", "nothing")),
    "flapping": both(answers("exact", "server_error: at most", opens=True)),
}

# What a gateway's client gets is passed on as it came, so some of it differs: it judges refusals and lengths itself.
_PASSED = {
    "bad_json_for_schema": (answers(), answers()),
    "length_stop": (answers(), answers()),
    "refusal": (answers(), answers()),
}
# One kind of failure where Anthropic's SDK reads on past an event that is no JSON.
_CLAUDE = {
    "truncated_json": (falls("unknown", "at most"), breaks("network_error", "as received")),
}
for _name, _pair in _PASSED.items():
    TABLE[_name] = replace(TABLE[_name], passed=_pair)
for _name, _pair in _CLAUDE.items():
    TABLE[_name] = replace(TABLE[_name], claude=_pair)

NOT_PLAYED = frozenset({"healthy_json", "elsewhere"})  # they only stand in, or must never be reached


def rendered() -> str:
    """The table as the document has it."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "| the provider | a whole answer: given; billed | a stream: given; billed | the operator sees |"
    yield "|---|---|---|---|"
    for name, row in TABLE.items():
        does = (BEHAVIOURS[name].__doc__ or "").strip()
        streamed = "the same" if row.streamed == row.whole else _said(row.streamed)
        yield f"| `{name}`: {does} | {_said(row.whole)} | {streamed} | {_seen(row)} |"


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
