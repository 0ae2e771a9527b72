"""What the user's words come to on this machine: its device plan, the recipe, the limits."""

from dataclasses import replace

from app.config.settings import Settings
from app.device.choice import DeviceChoice, choose_device
from app.device.cores import usable_cores
from app.device.determinism import make_deterministic
from app.device.plan import DevicePlan, plan_device
from app.errors import SettingsError
from app.telemetry.progress import Progress
from app.training.batch_probe import measured_batch_size
from app.training.job import override
from app.training.limits import Limits
from app.training.recipe import TrainConfig
from app.training.request import TrainRequest
from app.training.team import Team


def plan_of(settings: Settings, request: TrainRequest, progress: Progress, team: Team) -> DevicePlan:
    """Choose and set up the device, telling which and why; of several processes each its own.

    Raises:
        DeviceError: the device is not there.
        SettingsError: one device is named for several processes, or a value of the plan is wrong.
    """
    choice = choose_device(settings.device, fallback=settings.fallback)
    if team.size > 1 and choice.device.index is not None:
        choice = _own_device(settings, choice, team)
    for warning in choice.warnings:
        progress.note(f"warning: {warning}")
    section = settings.devices.of(choice.device.type)
    told = {name: getattr(request, name) for name in ("dtype", "threads", "workers", "compile")}
    values = {k: v if v is not None else getattr(section, k, None) for k, v in told.items()}
    if team.local_size > 1:
        cores = max(1, usable_cores() // team.local_size)
        values |= {"threads": values["threads"] or cores, "workers": values["workers"] or min(cores, 8)}
    plan = plan_device(choice, **values, tf32=getattr(section, "tf32", None))
    plan.apply()
    if request.deterministic:
        make_deterministic()
    progress.note(
        f"device {plan.device} ({plan.name}): {choice.reason}; "
        f"{str(plan.dtype).removeprefix('torch.')}, because {plan.reasons['dtype']}"
    )
    return plan


def _own_device(settings: Settings, choice: DeviceChoice, team: Team) -> DeviceChoice:
    if ":" in settings.device:
        raise SettingsError(
            f"--device {settings.device} is one device and {team.local_size} processes want one each; "
            f"give --device {choice.device.type}, or leave --nproc out"
        )
    own = choose_device(f"{choice.device.type}:{team.local_rank}")
    return replace(own, reason=f"{choice.reason}; one for each of {team.local_size} processes here")


def recipe_of(
    settings: Settings,
    request: TrainRequest,
    config: TrainConfig,
    plan: DevicePlan,
    progress: Progress,
    team: Team,
) -> TrainConfig:
    """A recipe with what the user gave, and with the largest batch where that is to be measured.

    Raises:
        SettingsError: the batch size is no number.
        DeviceError: not one sample fits.
    """
    config = override(
        config,
        epochs=settings.epochs,
        size_px=settings.size_px,
        seed=settings.seed,
        val_fraction=request.val_fraction,
        start_from=request.start_from,
        checkpoint_minutes=settings.cloud.checkpoint_minutes,
        batch_size=settings.devices.of(plan.device.type).batch_size,
    )
    if request.batch_size == "auto":
        limit = settings.devices.of(plan.device.type).memory_limit
        size, reason = measured_batch_size(config, plan, memory_limit=limit)
        size = team.least(size) * team.size
        progress.note(f"batch size {size}: {reason}" + (" on each device" if team.size > 1 else ""))
        return override(config, batch_size=size)
    if request.batch_size is not None:
        if not request.batch_size.isdecimal() or int(request.batch_size) < 1:
            raise SettingsError(f"--batch-size {request.batch_size} must be auto or a whole number from 1 on")
        return override(config, batch_size=int(request.batch_size))
    return config


def limits_of(settings: Settings, team: Team, *, hours_before: float) -> Limits:
    """Of the run on these machines; what they did before a restart counts.

    Raises:
        SettingsError: an absurd limit, or dollars without a price.
    """
    cloud = settings.cloud
    price = cloud.price_usd_per_h * team.nodes
    try:
        return Limits(
            max_hours=cloud.max_hours,
            hours_before=hours_before,
            max_usd=cloud.max_usd,
            spent_usd=cloud.spent_usd + price * hours_before,
            price_usd_per_h=price,
        )
    except ValueError as error:
        raise SettingsError(str(error)) from error
