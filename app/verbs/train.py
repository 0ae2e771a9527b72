"""python -m app train: a run from labelled tiles, begun or taken up."""

import time
from pathlib import Path
from typing import Annotated

import typer

from app.verbs import options


def train(
    data: Annotated[
        str | None,
        typer.Option(help="Labelled tiles, YOLO, COCO or Pascal VOC: a folder, or s3://, gs://, az://."),
    ] = None,
    run: Annotated[Path, typer.Option(help="Folder of the run.")] = Path("runs/latest"),
    recipe: Annotated[str | None, typer.Option(help="smoke, baseline or fine_tune.")] = None,
    resume: Annotated[
        str, typer.Option(help="auto: take up the run in the folder; never: refuse one.")
    ] = "auto",
    device: options.Device = None,
    fallback: options.Fallback = None,
    epochs: Annotated[int | None, typer.Option(help="Instead of the recipe's.")] = None,
    batch_size: Annotated[
        str | None, typer.Option(help="Samples a step; auto measures what the device's memory holds.")
    ] = None,
    size_px: Annotated[int | None, typer.Option(help="Side of a tile, a multiple of 32.")] = None,
    val_fraction: Annotated[float | None, typer.Option(help="Part of the tiles kept for validation.")] = None,
    start_from: Annotated[
        str | None, typer.Option(help="Model file or run to start from, or shipped.")
    ] = None,
    dtype: Annotated[
        str | None, typer.Option(help="float32, bfloat16 or float16 instead of the plan's.")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of one operation on the CPU.")] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Threads (on a CPU) or processes (for a GPU) that prepare tiles."),
    ] = None,
    compile_: Annotated[bool | None, typer.Option("--compile/--no-compile", help="torch.compile.")] = None,
    deterministic: Annotated[bool, typer.Option(help="Bit-equal results on CUDA too; slower.")] = False,
    seed: options.Seed = None,
    skip_bad: options.SkipBad = False,
    max_hours: Annotated[
        float | None, typer.Option(help="End after so many hours, with a checkpoint.")
    ] = None,
    max_usd: Annotated[
        float | None, typer.Option(help="End when the run has cost this; needs the price.")
    ] = None,
    price_usd_per_h: Annotated[float | None, typer.Option(help="What this machine costs.")] = None,
    nproc: Annotated[
        str | None, typer.Option(help="Processes on this machine: auto is one each accelerator.")
    ] = None,
    nnodes: Annotated[
        str, typer.Option(help="Machines that train together, each with this command: a number, or MIN:MAX.")
    ] = "1",
    rendezvous: Annotated[
        str | None, typer.Option(help="HOST:PORT of the first machine, where all of them meet.")
    ] = None,
    max_restarts: Annotated[
        int, typer.Option(min=0, help="So often a lost process is made good from the last checkpoint.")
    ] = 3,
    mirror: Annotated[
        str | None, typer.Option(help="Copy the run here at each checkpoint: s3://, a folder.")
    ] = None,
    report: Annotated[bool, typer.Option("--report", help="Only show the split and its leak check.")] = False,
    environment: options.Environment = None,
    as_json: options.Json = False,
) -> None:
    """Train on labelled tiles; takes up an interrupted run where it stopped."""
    started_s = time.monotonic()  # what fetching the data costs is paid too
    from app.config.launch import launched
    from app.config.secret_settings import fill_from_secret
    from app.config.settings import load_settings
    from app.dataset.remote import local_data
    from app.errors import SettingsError
    from app.secrets import SecretsManager
    from app.telemetry.progress import Bar
    from app.training.launch import Processes, processes_here, result_of, train_by_several, work
    from app.training.request import TrainRequest
    from app.training.run import run_training, show_split
    from app.training.sealed import run_sealed, seal_key
    from app.verbs.console import say, say_json

    if resume not in ("auto", "never"):
        raise SettingsError(f"--resume {resume} is unknown; allowed are auto and never")
    loaded = load_settings(
        environment,
        overrides={
            "data": data,
            "recipe": recipe,
            "device": device,
            "fallback": fallback,
            "epochs": epochs,
            "size_px": size_px,
            "seed": seed,
            "nproc": nproc,
            "cloud.max_hours": max_hours,
            "cloud.max_usd": max_usd,
            "cloud.price_usd_per_h": price_usd_per_h,
            "cloud.run_url": mirror,
        },
    )
    data = loaded.settings.data
    if data is None:
        raise SettingsError("train needs tiles: give --data FOLDER, or set SONARSTACK_DATA_URL")
    request = TrainRequest(
        run=run,
        resume=resume == "auto",
        skip_bad=skip_bad,
        batch_size=batch_size,
        val_fraction=val_fraction,
        start_from=start_from,
        dtype=dtype,
        threads=threads,
        workers=workers,
        compile=compile_,
        deterministic=deterministic,
        started_s=started_s,
    )
    secrets = SecretsManager(secret_id=loaded.settings.cloud.secret_id)
    settings = fill_from_secret(loaded.settings, secrets)
    settings = settings.model_copy(update={"data": str(local_data(data, Bar("MiB")))})
    if report:
        shown = show_split(settings, request)
        say_json(shown.as_dict()) if as_json else say(shown.as_text())
        return
    key = seal_key(settings, secrets)
    launch = launched()
    processes = Processes(
        here=processes_here(settings.nproc, settings) if launch is None else 1,
        nodes=nnodes,
        rendezvous=rendezvous,
        max_restarts=max_restarts,
    )
    if rendezvous is not None and launch is None and not processes.several:
        raise SettingsError(
            f"--rendezvous {rendezvous} can do nothing for one process; add --nnodes N, the same on every machine"
        )
    if key is not None:
        if launch is not None or processes.several:
            raise SettingsError("a sealed run trains in one process; leave --nproc and --nnodes out")
        result = run_sealed(settings, request, key)
    elif launch is not None:
        result = result_of(work(settings, request), request)
    elif processes.several:
        result = train_by_several(settings, request, processes)
    else:
        result = run_training(settings, request)
    if launch is not None and launch.rank:
        raise typer.Exit(int(result.code))
    if as_json:
        say_json(result.as_dict())
    else:
        say(result.as_text())
    if result.code:
        raise typer.Exit(int(result.code))
