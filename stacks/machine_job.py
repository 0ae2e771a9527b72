"""What a job on a cloud's virtual machine needs from here: its data, its image's builder, its mark, its secrets."""

import hashlib
import json
import shutil
from pathlib import Path

import pulumi

from infra.errors import SettingsError
from infra.hosts.tree import local_tree, tree_digest
from infra.project_code import code_digest
from infra.provider.resources import TrainingRun
from stacks.configs.virtual_machine import VirtualMachineSettings
from stacks.run_home import PROJECT, data_folder


def refuse_unprepared(settings: VirtualMachineSettings) -> None:
    """What would fail only after something is made.

    Raises:
        SettingsError: no data here, or no Docker to build the image with.
    """
    data_folder(settings)
    if (
        settings.image is None
        and shutil.which("docker") is None
        and not Path("/var/run/docker.sock").exists()
    ):
        raise SettingsError(
            "the image is built here and pushed to the stack's repository, which needs Docker; start it, or name an "
            "image of your own in sonarstack:image"
        )


def digest_of_data(settings: VirtualMachineSettings, *, planned: bool = False) -> str:
    """Of the tiles here: other data lies elsewhere.

    Args:
        planned: for a look, where what is not there has a digest of its own.

    Raises:
        SettingsError: there are none.
    """
    data = data_folder(settings, planned=planned)
    assert data is not None, "the settings refuse an address"
    if planned and not data.is_dir():
        return "missing"
    return tree_digest(local_tree(data))[:12]


def digest_of_job(settings: VirtualMachineSettings, data_digest: str) -> str:
    """Another text for another job: code, data, settings of the job, image."""
    job = settings.job(data="")
    parts = [
        code_digest(PROJECT), data_digest, sorted(job.variables().items()),
        settings.train_arguments, settings.rerun, settings.image, sorted(settings.image_arguments.items()),
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def run_name(settings: VirtualMachineSettings) -> str:
    """Of the folder that the run lies in."""
    return f"run-{settings.rerun}" if settings.rerun else "run"


def secrets_of(settings: VirtualMachineSettings) -> pulumi.Output[str] | None:
    """JSON of names and values for the cloud's store of secrets; None for none."""
    if settings.notify_url is None:
        return None
    return pulumi.Output.secret(json.dumps({"SONARSTACK_NOTIFY_URL": settings.notify_url}))


def refusals_here(settings: VirtualMachineSettings) -> list[str]:
    """What `up` would refuse on this machine as it is now."""
    try:
        refuse_unprepared(settings)
    except SettingsError as error:
        return [f"up would refuse: {error}"]
    return []


def export_run(
    settings: VirtualMachineSettings,
    stack: str,
    run: TrainingRun,
    *,
    image: pulumi.Input[str],
    lease_until: pulumi.Input[str],
    worst_case_usd: float,
) -> None:
    """What the verbs and people read of a stack, on every such cloud."""
    for name in ("where", "home", "state", "outcome", "step", "log"):
        pulumi.export(name, getattr(run, name))
    pulumi.export("run", {"path": run.run_path, "host": run.run_host})
    pulumi.export("target", settings.target)
    pulumi.export("image", image)
    pulumi.export("priceUsdPerH", settings.max_usd_per_h)
    pulumi.export("leaseUntil", lease_until)
    pulumi.export("ssh", f"python -m stacks ssh {stack}")
    pulumi.export("worstCaseUsd", round(worst_case_usd, 2))
