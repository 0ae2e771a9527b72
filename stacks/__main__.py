"""The command line: python -m stacks VERB [TARGET]. Everything heavy is imported inside the verbs."""

import sys

import typer

from infra.errors import InfraError, SettingsError
from stacks.verbs.compare import compare
from stacks.verbs.down import down
from stacks.verbs.engine import engine
from stacks.verbs.logs import logs
from stacks.verbs.pin import pin
from stacks.verbs.plan import plan
from stacks.verbs.prices import prices
from stacks.verbs.pull import pull
from stacks.verbs.reap import reap
from stacks.verbs.refusal import refusal
from stacks.verbs.rehearse import rehearse
from stacks.verbs.ssh import ssh
from stacks.verbs.up import up
from stacks.verbs.watch import watch

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Targets that train and detect: look at them before they cost, follow them, end them.",
)
for verb in (plan, compare, prices, up, watch, ssh, logs, pull, reap, rehearse, down, engine, pin):
    cli.command()(verb)


def main() -> None:
    """Run a verb; an expected error is one line (a line each for settings) on standard error."""
    try:
        cli()
    except InfraError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2 if isinstance(error, SettingsError) else 1)
    except BrokenPipeError:
        raise
    except OSError as error:
        sys.stderr.write(f"error: {refusal(error)}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
