"""Completion in the shell: the script it needs, and names that only a running engine knows.

A key that is pressed while typing must not wait: an engine that does not answer at once completes nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import click
from click.shell_completion import CompletionItem, get_completion_class
from click.types import StringParamType

from engine.kernel.text import clean
from huntaze_console.places import state_directory

_ANSWER_WITHIN = 0.3  # seconds
_VARIABLE = "_HUNTAZE_COMPLETE"
_LONGEST_HELP = 60  # characters

Ask = Callable[[str], Mapping[str, Any]]  # what the engine answers on a path; empty where it does not at once
Names = Callable[[Ask], Iterable[tuple[str, str]]]  # each with what it is


@click.command(short_help="The script that completes commands in a shell.")
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def completion(*, shell: str) -> None:
    """Print the script for a shell.

    \b
    bash: huntaze completion bash > ~/.local/share/bash-completion/completions/huntaze
    zsh:  huntaze completion zsh > ~/.zfunc/_huntaze      (with ~/.zfunc in fpath)
    fish: huntaze completion fish > ~/.config/fish/completions/huntaze.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - click knows all three
    script = kind(click.get_current_context().find_root().command, {}, "huntaze", _VARIABLE)
    click.echo(script.source_template % script.source_vars())  # `source()` would ask bash for its version first


class Known(StringParamType):
    """A text; of those that the running engine knows the shell offers the ones that fit."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        typed = incomplete.casefold()
        return [
            CompletionItem(clean(name), help=clean(words, limit=_LONGEST_HELP))
            for name, words in self._names(_asking(ctx))
            if name.startswith(incomplete) or words.casefold().startswith(typed)
        ]


def teach(command: click.Command) -> None:
    """Give the parameters that name something of the engine's a type that knows those names."""
    for parameter in command.params:
        names = _BY_METAVAR.get(parameter.metavar or "")
        if names is not None and type(parameter.type) is StringParamType:
            parameter.type = Known(names)
    if isinstance(command, click.Group):
        for below in command.commands.values():
            teach(below)


def _rows(section: str, words: str) -> Names:
    """Of the snapshot."""

    def names(ask: Ask) -> Iterable[tuple[str, str]]:
        rows = ask("/api/v2/snapshot").get(section)
        for name, row in rows.items() if isinstance(rows, dict) else ():
            yield name, str(row.get(words, "")) if isinstance(row, dict) else ""

    return names


def _providers(ask: Ask) -> Iterable[tuple[str, str]]:
    models = _rows("models", "")(ask)
    return ((name, "") for name in dict.fromkeys(model.partition("/")[0] for model, _ in models))


def _tools(ask: Ask) -> Iterable[tuple[str, str]]:
    rows = ask("/api/v2/routes").get("routes")
    for row in rows if isinstance(rows, list) else ():
        yield str(row.get("tool", "")), ""


def _flags(ask: Ask) -> Iterable[tuple[str, str]]:
    rows = ask("/api/admin/feature-flags").get("flags")
    for name, row in rows.items() if isinstance(rows, dict) else ():
        yield name, str(row.get("about", ""))


_BY_METAVAR: Mapping[str, Names] = {
    "CAMPAIGN": _rows("campaigns", "name"),
    "ACCOUNT": _rows("accounts", "name"),
    "QUEUE": _rows("queues", ""),
    "[QUEUE]": _rows("queues", ""),
    "PROVIDER/MODEL": _rows("models", ""),
    "PROVIDER": _providers,
    "ALERT": _rows("alerts", "summary"),
    "SILENCE": _rows("silences", "reason"),
    "TOOL": _tools,
    "FLAG": _flags,
}


def _asking(ctx: click.Context) -> Ask:
    """How to ask the engine of the state directory that is named before the command or behind it."""

    def ask(path: str) -> Mapping[str, Any]:
        import http.client

        from engine.storage.directory import StateDirectory
        from screens.sources.line import UnixConnection

        state = StateDirectory(state_directory(ctx.params.get("state_dir"), os.environ))
        line = UnixConnection(state.socket_path, timeout=_ANSWER_WITHIN)
        try:
            token = state.token_path.read_text("utf-8").strip()
            line.request("GET", path, headers={"Authorization": f"Bearer {token}"})
            found = json.loads(line.getresponse().read())
        except (OSError, ValueError, http.client.HTTPException):
            return {}
        finally:
            line.close()
        return found if isinstance(found, dict) else {}

    return ask
