"""Where a console may connect to, and whose token it takes from where."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.kernel.errors import ConfigError
from huntaze_console.attaching import address_of, token_of
from huntaze_console.options import Remote
from screens.sources.line import Address

TOKEN = "x" * 43


def _unasked(words: str) -> str:
    raise AssertionError(f"asked: {words}")


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://fleet.example:8642", Address(host="fleet.example", port=8642, tls=True)),
        ("https://fleet.example/huntaze/", Address(host="fleet.example", port=443, tls=True, path="/huntaze")),
        ("http://127.0.0.1:8642", Address(host="127.0.0.1", port=8642)),
        ("http://localhost:1", Address(host="localhost", port=1)),
        ("http://[::1]:8642", Address(host="::1", port=8642)),
    ],
)
def test_an_address_says_where_and_how(url: str, address: Address) -> None:
    assert address_of(Remote(url=url)) == address


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://fleet.example:8642", "would show the token"),
        ("http://127.0.0.1.fleet.example", "would show the token"),
        ("http://10.0.0.7:8642", "would show the token"),
        ("fleet.example:8642", "is not an address"),
        ("ftp://fleet.example", "is not an address"),
        ("https://", "is not an address"),
        ("https://mia:secret@fleet.example", "more than an address"),
        ("https://fleet.example?token=secret", "more than an address"),
        ("https://fleet.example:99999", "no port"),
    ],
)
def test_an_address_that_is_none_or_would_show_the_token_is_refused(url: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as refused:
        address_of(Remote(url=url))
    assert "secret" not in str(refused.value)


def test_who_insists_may_cross_a_network_in_the_clear() -> None:
    assert not address_of(Remote(url="http://10.0.0.7:8642", insecure=True)).tls


def test_the_file_goes_before_the_variable_and_the_variable_before_the_prompt(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("f" * 43 + "\n")
    path.chmod(0o600)
    environ = {"HUNTAZE_TOKEN": "v" * 43}

    assert token_of(Remote(url="", token_file=path), dict(environ), _unasked).reveal() == "f" * 43
    assert token_of(Remote(url=""), environ, _unasked).reveal() == "v" * 43
    assert environ == {}  # nothing that is started from here gets it
    assert token_of(Remote(url=""), {}, lambda words: "p" * 43).reveal() == "p" * 43


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_token_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "token"
    path.write_text(TOKEN)
    path.chmod(mode)

    with pytest.raises(ConfigError, match=f"open to others.*chmod 600 {path}") as refused:
        token_of(Remote(url="", token_file=path), {}, _unasked)
    assert TOKEN not in str(refused.value)


def test_a_token_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    path = Path("/etc/shadow")  # root's, unless this is root
    if os.geteuid() == 0:
        path = tmp_path / "token"
        path.write_text(TOKEN)
        os.chown(path, 1234, 1234)

    with pytest.raises(ConfigError, match=r"belongs to another user|cannot be read"):
        token_of(Remote(url="", token_file=path), {}, _unasked)


@pytest.mark.parametrize("text", ["", "\n", "two words", "line\nline", "emoji-\N{SNOWMAN}"])
def test_what_is_no_token_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(ConfigError, match="holds no token") as refused:
        token_of(Remote(url=""), {}, lambda words: text)
    assert text.strip() not in str(refused.value) or not text.strip()


def test_a_pipe_is_no_token_file(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path, 0o600)

    with pytest.raises(ConfigError, match="is not a file"):
        token_of(Remote(url="", token_file=path), {}, _unasked)
