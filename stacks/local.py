"""The local target: a container or a process on this machine, or a process on one's own GPU server."""

import sys
from collections.abc import Callable
from pathlib import Path

import pulumi

from infra.budget import Rates
from infra.errors import SettingsError
from infra.local.board import Board, BoardArgs
from infra.local.describe import describe
from infra.local.gpu import choose_gpus
from infra.local.host import DATA, RUNS, TrainingContainer, TrainingContainerArgs
from infra.local.image import TrainerImage, TrainerImageArgs
from infra.local.machine import Machine
from infra.local.network import LocalNetwork, LocalNetworkArgs
from infra.local.server import GpuServer, GpuServerArgs
from infra.naming import resource_name, stamp, tags
from infra.provider.resources import LocalProcess, TrainingRun
from infra.seam_label import check_seam
from stacks.configs import LocalSettings
from stacks.run_home import PROJECT, data_folder, home_of

__all__ = ["deploy", "describe", "program_to_plan", "rates"]


def deploy(
    settings: LocalSettings, stack: str, machine: Machine | None = None, *, planned: bool = False
) -> None:
    """Declare the stack; what cannot work is refused before anything is made.

    Args:
        machine: as it was seen; None looks.
        planned: for a look, which needs no data.

    Raises:
        SettingsError, DockerError: the data is not there; Docker does not answer.
    """
    home = home_of(settings, stack)
    data = data_folder(settings, planned=planned)
    if settings.gpu_server is not None:
        run, board = _server(settings, stack, home, data), None
    elif settings.mode == "process":
        run, board = _process(settings, stack, home, data), None
    else:
        machine = machine or Machine.look(settings.docker_host)
        run, board = _container(settings, stack, home, data, machine)
    for name in ("where", "home", "state", "outcome", "step", "log"):
        pulumi.export(name, getattr(run, name))
    pulumi.export("run", {"path": run.run_path, "host": run.run_host})
    pulumi.export("tensorboard", board.url if board else f"tensorboard --logdir {home / 'tensorboard'}")
    pulumi.export("target", settings.target)


def _container(
    settings: LocalSettings, stack: str, home: Path, data: Path | None, machine: Machine
) -> tuple[TrainingRun, Board | None]:
    docker = machine.require_docker()
    gpus = choose_gpus(settings.gpu, docker_has_gpu=docker.gpu)
    pulumi.log.info(f"GPUs of the container: {gpus.gpus or 'none'} ({gpus.reason})")
    if not pulumi.runtime.is_dry_run():
        machine.prepare_folder(home)
    mark = stamp(pulumi.get_project(), stack)
    labels = dict(tags("docker", stamp=mark, lease_until=None))
    # A label is what replaces the container, and with it the job, when another run is asked for.
    rerun = {"org.sonarstack.rerun": settings.rerun} if settings.rerun else {}
    network = LocalNetwork("network", LocalNetworkArgs(docker_name=mark, labels=labels))
    if settings.image:
        told = machine.labels(docker.address, settings.image)
        if told is None:
            pulumi.log.info(
                f"{settings.image} is not here yet; its entrypoint compares the seam when it starts"
            )
        else:
            check_seam(settings.image, told)
    image = settings.image or _image(settings, stack, docker.architecture, docker.address, gpus.gpus)
    inside = f"{RUNS}/{stack}"
    job = settings.job(data=DATA if data else settings.data_url)
    container = TrainingContainer(
        "training",
        TrainingContainerArgs(
            docker_name=resource_name("docker", mark, "training"),
            image=image,
            variables=job.variables(),
            arguments=job.arguments(inside),
            data_folder=str(data) if data else None,
            runs_folder=str(home),
            runs_inside=inside,
            user=f"{machine.uid}:{machine.gid}",
            memory_gib=settings.memory_gib,
            cpus=settings.cpus,
            gpus=gpus.gpus,
            network=network.docker_name if settings.data_is_remote or settings.run_url else None,
            labels=labels | rerun,
        ),
    )
    board = None
    if settings.tensorboard:
        board = Board(
            "board",
            BoardArgs(
                docker_name=resource_name("docker", mark, "board"),
                image=image,
                runs_folder=str(home),
                user=f"{machine.uid}:{machine.gid}",
                port=settings.tensorboard_port,
                network=network.docker_name,
                labels=labels,
            ),
        )
    run = TrainingRun(
        "run",
        where={
            "kind": "container",
            "id": container.container_id,
            "name": container.docker_name,
            "dockerHost": docker.address,
        },
        run_path=str(home),
        home=str(home),
        wait=settings.wait,
        trigger=container.container_id,
        opts=pulumi.ResourceOptions(delete_before_replace=True),
    )
    return run, board


def _image(
    settings: LocalSettings, stack: str, architecture: str, docker_host: str, gpus: str | None
) -> pulumi.Output[str]:
    kind = "cuda" if gpus else "cpu"
    return TrainerImage(
        "image",
        TrainerImageArgs(
            docker_name=f"{resource_name('docker', 'sonarstack', stack)}:{kind}",
            context=str(PROJECT),
            dockerfile=str(PROJECT / "images" / kind / "Dockerfile"),
            platform=f"linux/{architecture}",
            build_args=settings.build_args,
            keep=settings.keep_image,
            docker_host=docker_host,
        ),
    ).reference


def _process(settings: LocalSettings, stack: str, home: Path, data: Path | None) -> TrainingRun:
    job = settings.job(data=str(data) if data else settings.data_url)
    process = LocalProcess(
        "training",
        folder=str(home.with_name(f"{home.name}.job")),
        argv=[sys.executable, "-m", "app", *job.arguments(str(home))],
        variables=job.variables(),
        cwd=str(PROJECT),
        stamp=stamp(pulumi.get_project(), stack),
        trigger=settings.rerun,
        opts=pulumi.ResourceOptions(delete_before_replace=True),
    )
    return TrainingRun(
        "run",
        where=process.where,
        run_path=str(home),
        home=str(home),
        wait=settings.wait,
        trigger=settings.rerun,
        opts=pulumi.ResourceOptions(depends_on=[process], delete_before_replace=True),
    )


def _server(settings: LocalSettings, stack: str, home: Path, data: Path | None) -> TrainingRun:
    assert settings.gpu_server is not None
    return GpuServer(
        "server",
        GpuServerArgs(
            address=settings.gpu_server,
            host_key=settings.gpu_server_host_key,
            folder=f"{settings.gpu_server_folder}/{stack}",
            code=str(PROJECT),
            data=str(data) if data else None,
            job=settings.job(data=settings.data_url),
            python=settings.gpu_server_python,
            home=str(home),
            stamp=stamp(pulumi.get_project(), stack),
            wait=settings.wait,
            trigger=settings.rerun,
        ),
    ).run


def program_to_plan(settings: LocalSettings, stack: str) -> tuple[Callable[[], None], list[str]]:
    """The program for a look at it, and what `up` would refuse on this machine as it is now."""
    warnings = []
    machine = Machine.look(settings.docker_host) if settings.needs_docker else None
    if machine is not None and machine.problem is not None:
        warnings.append(f"up would refuse: {machine.problem}")
        machine = machine.assuming_docker(settings.docker_host)
    try:
        data_folder(settings)
    except SettingsError as error:
        warnings.append(f"up would refuse: {error}")
    return lambda: deploy(settings, stack, machine, planned=True), warnings


def rates(settings: LocalSettings) -> Rates:
    """What its parts cost: nothing but what the owner says."""
    return Rates(machine_usd_per_h=settings.price_usd_per_h)
