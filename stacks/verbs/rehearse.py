"""python -m stacks rehearse: the whole of a target on this machine, with no account and no GPU."""

import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from stacks.verbs import options

if TYPE_CHECKING:
    from stacks.rehearsal.promises import Promise


def rehearse(
    target: Annotated[str, typer.Argument(help="What is rehearsed: runpod.", show_default=True)] = "runpod",
    engine: Annotated[
        Literal["auto", "pulumi", "protocol"],
        typer.Option(
            help="pulumi: the real engine; protocol: our plugin alone; auto: the engine if it is found."
        ),
    ] = "auto",
    pods: Annotated[
        Literal["auto", "process", "container"],
        typer.Option(help="What the simulated pods are; auto: containers where Docker answers."),
    ] = "auto",
    fault: Annotated[
        str | None,
        typer.Option(help="What goes wrong: no_capacity, lost_answer, bad_host, pod_dies or key_refused."),
    ] = None,
    speed: Annotated[
        float, typer.Option(min=1, max=3600, help="Seconds of the simulated service's clock in one of ours.")
    ] = 1.0,
    folder: Annotated[
        Path | None, typer.Option(help="Where it takes place, and stays; a temporary folder if not given.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Do not remove the temporary folder.")] = False,
    as_json: options.Json = False,
) -> None:
    """Rent, train, end, destroy against a simulated service: plan, up, watch, refresh, up again, down, receipt."""
    from infra.errors import SettingsError
    from stacks.rehearsal.faults import trouble_of
    from stacks.verbs.console import say_json

    if target != "runpod":
        raise SettingsError(f"{target} cannot be rehearsed; runpod can")
    trouble_of(fault)  # refused here, before anything is started
    stream = sys.stderr if as_json else sys.stdout

    def say(line: str) -> None:
        stream.write(f"{line}\n")
        stream.flush()

    # Whoever ends us politely gets everything put away, as with Ctrl-C.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        done = _rehearse(engine, pods, fault, speed, folder, keep, say)
    finally:
        signal.signal(signal.SIGTERM, before)
    if as_json:
        say_json(done)
    if not done["kept"]:
        raise typer.Exit(1)


def _rehearse(
    engine: Literal["auto", "pulumi", "protocol"],
    pods: Literal["auto", "process", "container"],
    fault: str | None,
    speed: float,
    folder: Path | None,
    keep: bool,
    say: Callable[[str], None],
) -> dict[str, Any]:
    from infra.runpod.simulator.pod_kinds import choose_pods
    from infra.runpod.simulator.run import running
    from stacks.rehearsal.faults import trouble_of
    from stacks.rehearsal.ground import CONTAINER_WORKSPACE, TILES, as_environment, ground
    from stacks.rehearsal.play import Play
    from stacks.rehearsal.service import telling
    from stacks.rehearsal.ways import choose_way

    began = time.monotonic()
    with ground(folder, keep=keep) as place:
        say(f"rehearsal in {place.folder}: no account, no GPU; trouble: {trouble_of(fault).text}")
        chosen = choose_pods(pods)
        say(f"SIMULATED {chosen.line()}")
        place.make_tiles()
        place.write_settings(CONTAINER_WORKSPACE if chosen.kind == "container" else None)
        with running(place.account, speed=speed, allowed=place.allowed, pods=chosen.kind) as simulator:
            variables = place.variables(simulator.variables())
            way = choose_way(engine, place, variables)
            say(f"{TILES} simulated tiles; SIMULATED Runpod at {simulator.address}; {way.name}")
            with as_environment(variables), telling(simulator, say) as told:
                play = Play(ground=place, simulator=simulator, way=way, told=told, fault=fault, say=say)
                play.perform()
        seconds = time.monotonic() - began
        kept = play.promises.all_kept
        stays = folder is not None or keep
        say("")
        say(
            _last_line(play.promises.made, seconds) + (f"; all of it lies in {place.folder}" if stays else "")
        )
    return {
        "simulated": True,
        "target": "runpod",
        "engine": way.name,
        "pods": chosen.kind,
        "fault": fault,
        "kept": kept,
        "seconds": round(seconds, 1),
        "folder": str(place.folder) if stays else None,
        "promises": play.promises.as_list(),
        "receipt": play.receipt,
    }


def _last_line(made: Sequence["Promise"], seconds: float) -> str:
    broken = [one.text for one in made if not one.kept]
    if broken:
        return f"REHEARSAL FAILED after {seconds:.0f} s: {'; '.join(broken)}"
    return f"rehearsal done in {seconds:.0f} s: all {len(made)} promises kept (SIMULATED)"
