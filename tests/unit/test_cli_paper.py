"""What commands print for a spreadsheet."""

from __future__ import annotations

import csv
import io

import pytest

from huntaze_console.cli.paper import say_csv


@pytest.mark.parametrize("text", ["=1+1", "+1", "-cmd|' /C calc'!A0", "@SUM(A1)", " =1", "\t=1", "\r=1", "\u200b=1"])
def test_no_text_is_calculated_by_a_spreadsheet(capsys: pytest.CaptureFixture[str], text: str) -> None:
    say_csv(("name", "cost"), [(text, "-0.25"), ('a, "b"', 3)])

    header, hostile, plain = csv.reader(io.StringIO(capsys.readouterr().out, newline=""))
    assert header == ["name", "cost"]
    assert hostile[0].startswith("'")
    assert hostile[1] == "-0.25"  # a number stays one
    assert plain == ['a, "b"', "3"]
