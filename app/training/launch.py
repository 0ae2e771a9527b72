"""Several processes on this machine, and on others that start the same command, by torchrun's own agent.

One process each device. A process that is lost takes the others with it; all are started again and go on from the
last checkpoint.
"""

from dataclasses import dataclass, fields
from typing import Any

from app import errors
from app.config.launch import launched
from app.config.settings import Settings
from app.device.choice import TorchProbe, choose_device
from app.errors import RunError, SettingsError, SonarstackError
from app.exit_codes import ExitCode
from app.telemetry.progress import Bar
from app.training.notes import Ended, Notes
from app.training.request import TrainRequest, TrainResult
from app.training.run import run_training
from app.training.team import LostProcessError, join
from app.training.watchdog import ENDING_GRACE_S

RUN_ID = "sonarstack"
PLANNED = tuple(int(code) for code in ExitCode if code not in (ExitCode.DONE, ExitCode.FAILED))
HERE = "localhost:0"
"""A meeting place for the processes of one machine, on a free port."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Processes:
    """How many, and where they meet."""

    here: int
    nodes: str = "1"
    """Machines: a number, or MIN:MAX."""
    rendezvous: str | None = None
    """HOST:PORT of the first machine; needed from two machines on."""
    max_restarts: int = 3

    @property
    def several(self) -> bool:
        """Whether there is anything to launch."""
        return self.here > 1 or self.nodes != "1"


def processes_here(nproc: str | int, settings: Settings) -> int:
    """How many processes `--nproc` means on this machine.

    Raises:
        SettingsError: more than there are devices.
        DeviceError: the device is not there.
    """
    if nproc == 1:
        return 1
    kind = choose_device(settings.device, fallback=settings.fallback).device.type
    devices = TorchProbe().count(kind)
    if nproc == "auto":
        return 1 if kind == "cpu" or ":" in settings.device else devices
    wanted = int(nproc)
    if kind != "cpu" and wanted > devices:
        raise SettingsError(f"--nproc {wanted} is more than the {devices} {kind} devices here; give auto")
    return wanted


def train_by_several(settings: Settings, request: TrainRequest, processes: Processes) -> TrainResult:
    """Train in several processes; see `run_training`.

    Raises:
        SonarstackError: what any of them met.
    """
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.elastic.rendezvous import RendezvousConnectionError
    from torch.distributed.elastic.rendezvous.utils import parse_rendezvous_endpoint
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch
    from torch.distributed.run import parse_min_max_nnodes

    if processes.nodes != "1" and processes.rendezvous is None:
        raise SettingsError(f"--nnodes {processes.nodes} needs --rendezvous HOST:PORT of the first machine")
    try:
        least, most = parse_min_max_nnodes(processes.nodes)
    except (ValueError, RuntimeError) as error:
        raise SettingsError(f"--nnodes {processes.nodes} must be a number, or MIN:MAX such as 1:4") from error
    meeting = processes.rendezvous or HERE
    try:
        parse_rendezvous_endpoint(meeting, default_port=0)
    except ValueError as error:
        raise SettingsError(f"--rendezvous {meeting} must be HOST:PORT, such as 10.0.0.4:29400") from error
    options: dict[str, Any] = {}
    if "shutdown_timeout" in {field.name for field in fields(LaunchConfig)}:
        # A last checkpoint and its mirror take longer than torch's 30 s.
        options["shutdown_timeout"] = int(ENDING_GRACE_S)
    config = LaunchConfig(
        min_nodes=least,
        max_nodes=most,
        nproc_per_node=processes.here,
        run_id=RUN_ID,
        rdzv_backend="c10d",
        rdzv_endpoint=meeting,
        max_restarts=processes.max_restarts,
        **options,
    )
    try:
        answers = elastic_launch(config, work_for_agent)(settings, request)
    except SignalException as error:
        reason = f"{error.sigval.name} asked for a stop"
        return _ended(ExitCode.INTERRUPTED, reason, request)
    except RendezvousConnectionError as error:
        raise RunError(
            f"nobody answers at --rendezvous {meeting}; give HOST:PORT of the first machine, and start "
            "the same command there too"
        ) from error
    except ChildFailedError as error:
        _, failure = error.get_first_failure()
        if failure.exitcode in PLANNED:
            return _ended(ExitCode(failure.exitcode), "a process ended all of them", request)
        raise RunError(
            f"process {failure.local_rank} was lost (exit code {failure.exitcode}), and {processes.max_restarts} "
            "restarts did not help; what it wrote before tells why; the same command goes on from the last checkpoint"
        ) from error
    first = answers[min(answers)]
    assert isinstance(first, TrainResult | Ended)
    return result_of(first, request)


def work(settings: Settings, request: TrainRequest) -> TrainResult | Ended:
    """What each process does; an expected error ends all of them, any other one is followed by a restart."""
    launch = launched()
    assert launch is not None
    try:
        team = join(launch, lambda: choose_device(settings.device, fallback=settings.fallback).device.type)
        if isinstance(team, Ended):
            return team
        result = run_training(settings, request, team=team)
    except LostProcessError:
        raise
    except SonarstackError as error:
        Notes(launch).end(Ended(code=int(error.exit_code), reason=str(error), error=type(error).__name__))
        if not launch.restarts_left:
            Bar().note(f"error: {error}")
        # The quickest end for the others, who wait for this process: torchrun's agent ends them.
        raise SystemExit(int(error.exit_code)) from error
    team.close()
    if result.code:  # those that torchrun would start again shall end at once too
        Notes(launch).end(Ended(code=int(result.code), reason=result.reason))
    return result


def work_for_agent(settings: Settings, request: TrainRequest) -> TrainResult | Ended:
    """`work`, as a function of torchrun's agent.

    The agent that was asked to stop itself waits for the processes' ends and no longer for their answers.
    """
    answer = work(settings, request)
    if isinstance(answer, TrainResult) and answer.code is ExitCode.INTERRUPTED:
        raise SystemExit(int(answer.code))
    return answer


def result_of(answer: TrainResult | Ended, request: TrainRequest) -> TrainResult:
    """What a process answered, as if it had happened here.

    Raises:
        SonarstackError: the error that ended all of them.
    """
    if isinstance(answer, TrainResult):
        return answer
    if answer.error:
        raise getattr(errors, answer.error, RunError)(answer.reason)
    return _ended(ExitCode(answer.code), answer.reason, request)


def _ended(code: ExitCode, reason: str, request: TrainRequest) -> TrainResult:
    return TrainResult(
        code=code,
        reason=reason,
        run=str(request.run),
        model=None,
        epochs=0,
        images_per_s=0.0,
        scores=None,
    )
