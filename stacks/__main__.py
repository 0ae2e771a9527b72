"""The command line: python -m stacks VERB [TARGET]. Everything heavy is imported inside the verbs."""

import sys

import typer

from infra.errors import InfraError, SettingsError
from stacks.verbs.plan import plan

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Targets that train and detect: look at them before they cost, follow them, end them.",
)
cli.command()(plan)


@cli.callback()
def _verbs() -> None:
    """Keeps `plan` a verb of its own while it is alone."""


def main() -> None:
    """Run a verb; an expected error is one line (a line each for settings) on standard error."""
    try:
        cli()
    except InfraError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2 if isinstance(error, SettingsError) else 1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
