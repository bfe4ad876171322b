"""The group of all commands, and how errors become words and exit codes."""

from __future__ import annotations

import sys
from typing import Any

import click

from engine.kernel.errors import HuntazeError
from engine.kernel.text import clean
from huntaze_console.cli import (
    alerts,
    audit,
    budget,
    campaign,
    completing,
    costs,
    deciding,
    drill,
    exits,
    history,
    key,
    loadtest,
    logs,
    middleware,
    monitor,
    reading,
    record,
    route,
    run,
    sending,
    settings,
    threshold,
    token,
    web,
    workflow,
)
from huntaze_console.cli.flags import Ordered, alone, answering, connecting, drawing, looking, running

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class Commands(Ordered):
    """All commands; an error on purpose ends in its words and its exit code, never in a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except HuntazeError as error:
            click.echo(f"huntaze: {clean(str(error), newlines=True)}", err=True)
            ctx.exit(exits.code_of(error))


@click.group(cls=Commands, invoke_without_command=True, context_settings=_CONTEXT, epilog=exits.MEANING)
@click.version_option(package_name="huntaze-console", prog_name="huntaze")
@running
@answering
@looking
@connecting
@drawing
def huntaze(*, as_json: bool, **flags: Any) -> None:
    """AI message campaigns under strict limits and budgets, from a terminal.

    Without a command it opens the console: on the running engine of the state directory, or else on one of its own.
    What several commands take may stand before the command or behind it.

    \b
    Examples:
      huntaze demo                          look around: a simulated world, nothing real
      huntaze                               the console on the engine of this host
      huntaze --connect https://host:8642   on another's
      huntaze costs --json                  a command; each has --help
    """
    if alone():
        if as_json:
            raise click.UsageError("--json is for a command's answer, such as: huntaze costs --json")
        run.open_console(**flags)


costs.costs.add_command(threshold.threshold)
for command in (deciding.schedule, deciding.why, deciding.settle_all):
    campaign.campaign.add_command(command)
for command in (
    run.demo,
    run.daemon,
    web.web,
    run.world,
    run.doctor,
    record.record,
    record.replay,
    costs.costs,
    budget.budget,
    reading.providers,
    route.route,
    drill.breaker,
    drill.recoveries,
    drill.drill,
    middleware.cache,
    middleware.flag,
    middleware.shadow,
    campaign.campaign,
    workflow.workflow,
    reading.queue,
    reading.limits,
    alerts.alerts,
    audit.audit,
    audit.undo,
    key.key,
    token.token,
    logs.logs,
    history.history,
    history.trace,
    monitor.monitor,
    monitor.rate,
    loadtest.loadtest,
    sending.stop,
    sending.resume,
    sending.suppress,
    sending.unsuppress,
    settings.config,
    completing.completion,
):
    huntaze.add_command(command)

completing.teach(huntaze)


def main() -> None:
    """Run the command line and leave with its exit code."""
    try:
        code = huntaze.main(standalone_mode=False, prog_name="huntaze")
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        code = exits.INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone: nothing is wrong, and nobody is left to tell
        code = exits.OK
    sys.exit(code if isinstance(code, int) else exits.OK)
