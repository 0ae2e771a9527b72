"""The command line: python -m app VERB. Everything heavy is imported inside the verbs."""

import typer

from app.verbs.benchmark import benchmark
from app.verbs.demo import demo
from app.verbs.detect import detect
from app.verbs.doctor import doctor
from app.verbs.entry import run_entry
from app.verbs.evaluate import evaluate
from app.verbs.export import export
from app.verbs.import_ import import_
from app.verbs.simulate import simulate
from app.verbs.train import train

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Side-scan sonar: simulate, label, train, evaluate, detect - on a CPU or on whatever GPU is there.",
)
for verb in (demo, simulate, train, evaluate, detect, export, benchmark, doctor):
    cli.command()(verb)
cli.command(name="import")(import_)


def main() -> None:
    """Run a verb; an expected error is one line on standard error and its own exit code."""
    run_entry(cli)


if __name__ == "__main__":
    main()
