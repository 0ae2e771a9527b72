"""The Runpod target: a rented pod, what goes there, what it may cost, and what is told of it."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pulumi

from infra.budget import Rates, worst_case
from infra.errors import RegistryError, SettingsError
from infra.naming import stamp
from infra.project_code import code_digest
from infra.registry import labels_of
from infra.runpod.account import account_address
from infra.runpod.describe import describe
from infra.runpod.reader import USD as LOOK_USD
from infra.runpod.spec import PodSpec
from infra.runpod.storage_prices import DISK_USD_PER_GB_MONTH, VOLUME_USD_PER_GB_MONTH
from infra.runpod.training import LATE, PodTraining, PodTrainingArgs, Registry
from infra.seam_label import check_seam
from infra.specs import TrainingJob
from stacks.configs import RunpodSettings
from stacks.run_home import PROJECT, data_folder, home_of

__all__ = ["deploy", "describe", "program_to_plan", "rates", "refuse_unprepared"]
PROXY = "-8888.proxy.runpod.net"
"""Docs.runpod.io pods/configuration/expose-ports, by cloud facts 1.3: https://POD-PORT.proxy.runpod.net."""
LOOKS = 2
"""At a volume whose pod is gone: once to see how its job ended, once to bring the run home."""
NO_KEY = "Runpod needs RUNPOD_API_KEY; make a key in the console (Settings, API keys) and export it"


def rates(settings: RunpodSettings) -> Rates:
    """What its parts cost while they are there."""
    return Rates(
        machine_usd_per_h=settings.max_usd_per_h,
        disk_gib=settings.disk_gib,
        disk_usd_per_gib_month=DISK_USD_PER_GB_MONTH,
        volume_gib=settings.volume,
        volume_usd_per_gib_month=VOLUME_USD_PER_GB_MONTH,
        bring_home_usd=LOOKS * LOOK_USD if settings.volume else 0.0,
    )


def deploy(settings: RunpodSettings, stack: str, *, quiet: bool = False) -> None:
    """Declare the stack; what cannot work is refused before anything is rented.

    Args:
        quiet: for a look: whoever asks tells the warnings, and needs no data.

    Raises:
        SettingsError: no key, no ssh, no data, an image of another seam.
    """
    data = data_folder(settings, planned=quiet)
    if not pulumi.runtime.is_dry_run():
        _refuse_here(settings)
        remark = _compare_image(settings)
        if remark is not None:
            pulumi.log.info(remark)
    for line in () if quiet else _warnings(settings):
        pulumi.log.warn(line)
    home = home_of(settings, stack)
    spec = _spec(settings, stack, home)
    job = _job(settings)
    training = PodTraining(
        "training",
        PodTrainingArgs(
            spec=spec,
            account=account_address(),
            volume_gib=settings.volume,
            data_centers=settings.data_centers,
            registry=_registry(settings),
            code=str(PROJECT),
            data=str(data) if data else None,
            job=job,
            job_digest=_job_digest(settings, data),
            python=settings.python,
            home=str(home),
            run_name=f"run-{settings.rerun}" if settings.rerun else "run",
            wait=settings.wait,
            trigger=settings.rerun,
            ready_minutes=settings.ready_minutes,
            secrets=_secrets(settings),
            sealed=settings.is_sealed,
        ),
    )
    pod, ready, run = training.pod, training.ready, training.run
    for name in ("where", "home", "state", "outcome", "step", "log"):
        pulumi.export(name, getattr(run, name))
    pulumi.export(
        "run",
        {"path": run.run_path, "host": run.run_host, "seal": spec.stamp if settings.is_sealed else None},
    )
    pulumi.export("target", settings.target)
    pulumi.export(
        "pod", {"name": pod.id, "id": ready.ready_pod_id, "gpu": ready.gpus, "dataCenter": pod.data_center}
    )
    pulumi.export("priceUsdPerH", ready.price_usd_per_h)
    pulumi.export("leaseUntil", ready.lease_until)
    pulumi.export("ssh", f"python -m stacks ssh {stack}")
    pulumi.export("boards", f"python -m stacks ssh {stack} --forward")
    if settings.expose:
        # Runpod's public proxy; the password is told by `stacks ssh` alone.
        pulumi.export("jupyter", pulumi.Output.concat("https://", ready.ready_pod_id, PROXY))
    pulumi.export("worstCaseUsd", round(worst_case(rates(settings), settings.limits()).capped_lease_usd, 2))
    pulumi.export("simulated", pod.simulated)
    ready.key_accepted.apply(_say_whether_it_ends_itself)


def _spec(settings: RunpodSettings, stack: str, home: Path) -> PodSpec:
    mark = stamp(pulumi.get_project(), stack)
    return PodSpec(
        stamp=mark,
        # Dollars count for the run, wherever its home lies on this machine.
        run=home.name,
        gpus=settings.gpus,
        gpu_count=settings.gpu_count,
        min_vram_gib=settings.min_vram_gib,
        min_cuda=settings.min_cuda,
        cloud=settings.cloud,
        max_usd_per_h=settings.max_usd_per_h,
        max_hours=settings.max_hours,
        machines_usd=_machines_usd(settings),
        image=settings.image_name,
        own_image=settings.image is not None,
        disk_gib=settings.disk_gib,
        workspace=settings.workspace,
        authorized_keys=settings.authorized_keys,
        linger_minutes=settings.linger_minutes,
        expose=settings.expose,
    )


def _machines_usd(settings: RunpodSettings) -> float | None:
    usd = worst_case(rates(settings), settings.limits()).machines_usd
    return None if usd is None else round(usd, 4)


def _job(settings: RunpodSettings) -> TrainingJob:
    return replace(settings.job(data=settings.data_url), sealed=settings.is_sealed)


def _registry(settings: RunpodSettings) -> Registry | None:
    if settings.registry_username is None or settings.registry_password is None:
        return None
    return Registry(username=settings.registry_username, password=settings.registry_password)


def _secrets(settings: RunpodSettings) -> dict[str, str] | None:
    return {"SONARSTACK_NOTIFY_URL": settings.notify_url} if settings.notify_url else None


def _job_digest(settings: RunpodSettings, data: Path | None) -> str:
    """Another text for another job: code by content, data by names and sizes, since it may be large."""
    parts: list[Any] = [
        code_digest(PROJECT),
        sorted((k, v) for k, v in _job(settings).variables().items() if k not in LATE),
        settings.train_arguments,
        settings.rerun,
    ]
    if data is not None:
        parts.append(
            sorted((str(p.relative_to(data)), p.stat().st_size) for p in data.rglob("*") if p.is_file())
        )
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def refuse_unprepared(settings: RunpodSettings) -> None:
    """What would fail only after something is rented, or halfway.

    Raises:
        SettingsError: no key, a program is missing, no data, an image of another seam.
    """
    _refuse_here(settings)
    _compare_image(settings)


def _compare_image(settings: RunpodSettings) -> str | None:
    """What there is to say of an image of one's own; None where it fits, or there is none.

    Raises:
        SettingsError: it is of another seam.
    """
    if settings.image is None:
        return None
    user, password = settings.registry_username, settings.registry_password
    login = (user, password) if user is not None and password is not None else None
    try:
        labels = labels_of(settings.image, login)
    except RegistryError as error:
        return f"the seam's version of {settings.image} cannot be compared before a pod is rented: {error}"
    check_seam(settings.image, labels)
    return None


def _refuse_here(settings: RunpodSettings) -> None:
    """What this machine lacks; asks nobody."""
    if not os.environ.get("RUNPOD_API_KEY"):
        raise SettingsError(NO_KEY)
    lacking = [program for program in ("ssh", "ssh-keygen", "rsync") if shutil.which(program) is None]
    if lacking:
        raise SettingsError(
            f"{', '.join(lacking)} not found on this machine; code goes to the pod by SSH: install openssh-client "
            "and rsync"
        )
    data_folder(settings)


def _warnings(settings: RunpodSettings) -> list[str]:
    """What to know before it costs."""
    lines = [
        f"maxUsdPerH={settings.max_usd_per_h:g} is a ceiling, no bid: Runpod has no spot market any more; it is "
        "checked against the catalogue before, and against the pod's own price after",
        "Runpod has no timer that ends a pod from outside: the pod ends itself, and "
        "`python -m stacks reap --install` is the second switch",
    ]
    if not settings.volume:
        mirror = f", also copied to {settings.run_url}" if settings.run_url else ""
        lines.append(
            f"no network volume: the run lies on the host's disk{mirror}; if the host dies, what is younger than the "
            f"last copy is lost (up to {settings.checkpoint_minutes:g} minutes of training while "
            "`python -m stacks watch` runs or runUrl is set, all of it while neither does)"
        )
    return lines


def _say_whether_it_ends_itself(accepted: bool) -> None:
    if not accepted:
        pulumi.log.warn(
            "Runpod refuses the pod's own key: this pod CANNOT END ITSELF. Its program still ends the job in time, "
            "but it bills until `down` or `python -m stacks reap`; install that now: python -m stacks reap --install"
        )


def program_to_plan(settings: RunpodSettings, stack: str) -> tuple[Callable[[], None], list[str]]:
    """The program for a look at it, and what `up` would refuse on this machine as it is now."""
    warnings = []
    try:
        _refuse_here(settings)
    except SettingsError as error:
        warnings.append(f"up would refuse: {error}")
    try:
        data_folder(settings)
    except SettingsError as error:
        warnings = list(dict.fromkeys([*warnings, f"up would refuse: {error}"]))
    return lambda: deploy(settings, stack, quiet=True), [*warnings, *_warnings(settings)]
