"""python -m app demo: the whole thing on simulated sonar, in minutes."""

from pathlib import Path
from typing import Annotated

import typer

from app.verbs import options


def demo(
    out: options.OutFolder = Path("demo-out"),
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps or xpu.")] = "auto",
    seed: Annotated[int, typer.Option(help="Another seed is another sea bottom.")] = 7,
    as_json: options.Json = False,
) -> None:
    """Simulate a survey, train on it, detect in a second one, and write a report: no GPU, no account."""
    from app.demonstration import run_demo
    from app.telemetry.progress import Bar
    from app.verbs.console import say, say_json

    result = run_demo(out, device=device, seed=seed, progress=Bar())
    if as_json:
        say_json(result.as_dict())
        return
    say()
    say(f"report               {result.report}")
    say(f"AP50                 {result.ap50:.3f} on tiles that training did not see")
    say(f"speed                {result.pings_per_s:,.0f} pings/s, read, corrected and detected")
    say(
        f"contacts             found {result.found} of {result.laid} objects laid, {result.false_alarms} false alarms"
    )
    say()
    say(f"Next: open {result.report} in a browser,")
    say("      python -m app detect YOUR-SURVEY.xtf --out contacts     (with the weights shipped)")
    say("      python -m app train --help                              (with your own tiles)")
