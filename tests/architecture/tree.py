"""The source tree as data: modules, what each imports, and every text file of the repository."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRODUCT = ("engine", "screens", "huntaze_console")
_NOT_OURS = {"build", "__pycache__"}  # and everything hidden but .ci
_TEXT = {".py", ".md", ".toml", ".sql", ".txt", ".lock", ".service", ".svg", ".yml", ".yaml", ".sh", ".cfg", ""}


@cache
def modules() -> dict[str, Path]:
    """Every module of the product by its dotted name."""
    return {_name(path): path for top in PRODUCT for path in sorted((ROOT / top).rglob("*.py"))}


def is_package(name: str) -> bool:
    return modules()[name].name == "__init__.py"


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imports_of(name: str) -> Iterator[str]:
    """Modules of the product that a module imports, anywhere in it; `from package import module` names the module."""
    for node in ast.walk(parsed(modules()[name])):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules())
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found = whole if whole in modules() else node.module
                if found in modules():
                    yield found


def text_files() -> Iterator[Path]:
    """Every text file that belongs to the repository."""
    for top in sorted(ROOT.iterdir()):
        if top.name in _NOT_OURS or top.name.endswith(".egg-info") or (top.name.startswith(".") and top.name != ".ci"):
            continue
        for path in (top,) if top.is_file() else sorted(top.rglob("*")):
            inside = path.relative_to(ROOT).parts[1:]
            if path.is_file() and path.suffix in _TEXT and not {"__pycache__", ".venv"} & set(inside):
                yield path


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
