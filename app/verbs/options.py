"""Options that several verbs share, so that they are called and explained the same everywhere."""

from pathlib import Path
from typing import Annotated

import typer

Device = Annotated[
    str | None, typer.Option(help="auto, cpu, cuda, cuda:N, mps, xpu; without it the settings' (cpu).")
]
Fallback = Annotated[
    str | None, typer.Option(help="cpu: go on with the CPU, with a warning, where the device is missing.")
]
Environment = Annotated[
    str | None,
    typer.Option(
        help="Settings: a shipped environment (aws, azure, ci, gpu, laptop, local) or a .yaml file."
    ),
]
Runtime = Annotated[
    str,
    typer.Option(
        help="torch, onnx, openvino, tensorrt; auto: measured for a second; quick: onnx on the CPU, else torch."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
AverageFlips = Annotated[
    bool,
    typer.Option(
        "--average-flips", help="Look at each tile's three mirror images too: surer, and four times slower."
    ),
]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Go on without the files that have a defect.")]
FalseAlarms = Annotated[
    float | None,
    typer.Option(min=0.001, help="Confidence for so many false alarms per km2 instead of a given one."),
]
Seed = Annotated[int | None, typer.Option(min=0, help="Fixes everything that is random.")]
OutFolder = Annotated[Path, typer.Option(help="Folder for the results; made if missing.")]
