"""Arguments that several verbs share, so that they are called and explained the same everywhere."""

from typing import Annotated

import typer

Stack = Annotated[
    str, typer.Argument(help="Target, or a stack of your own with a Pulumi.STACK.yaml.", show_default=True)
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Instead of the file's setting; `up` keeps it there."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
