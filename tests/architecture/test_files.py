"""No file holds a secret, the address of a package registry or a path of somebody's machine."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any

from huntaze_console.config import load_settings
from tests.architecture.tree import ROOT, text_files

REGISTRY = re.compile(r"py(pi|thonhosted)\.(org|io)|registry\.npm|(extra-)?index-url\s*[= ]\s*http|--index-url", re.I)
MACHINE = re.compile(r"(?<![\w.$}/])/(root|work|workspace|Users)/(?!accounts)\w|(?<![\w.$}/])/home/(?!me\b)\w")
SECRET = re.compile(
    r"sk-(?!do-not-show)[A-Za-z0-9_-]{16,}|AKIA[0-9A-Z]{16}|xox[abp]-\w{8,}|-----BEGIN [A-Z ]*PRIVATE KEY"
)
SECRET_KEY = re.compile(r"(^|_)(key|token|password|secret|webhook_url)$")


def test_no_file_names_a_registry_or_a_machine() -> None:
    ours = [path for path in text_files() if path.name not in ("test_files.py", "lock")]
    assert len(ours) > 200

    found = {
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in ours
        for pattern in (REGISTRY, MACHINE, SECRET)
        for match in pattern.finditer(path.read_text(errors="replace"))
    }

    assert found == set()


def test_the_lock_names_no_address() -> None:
    assert "://" not in (ROOT / "requirements.lock").read_text()


def test_the_shipped_configuration_is_valid_and_changes_nothing() -> None:
    shipped = load_settings(ROOT / "config.toml", {})
    built_in = load_settings(None, {})

    assert {line.key: line.value for line in shipped.shown} == {line.key: line.value for line in built_in.shown}


def test_the_shipped_configuration_holds_no_secret() -> None:
    values = dict(_leaves("", tomllib.loads((ROOT / "config.toml").read_text())))
    assert len(values) > 150

    assert [key for key, value in values.items() if SECRET_KEY.search(key) and value] == []
    assert [key for key, value in values.items() if key.endswith("_file") and value] == []


def _leaves(prefix: str, table: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        name = f"{prefix}.{key}" if prefix else key
        if isinstance(value, dict):
            yield from _leaves(name, value)
        else:
            yield name, value
