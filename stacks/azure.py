"""The Azure target: a GPU machine in a network of its own, what goes there, and what ends it."""

from collections.abc import Callable
from datetime import UTC, datetime

import pulumi

from infra.azure.describe import describe
from infra.azure.guard import shutdown_fits
from infra.azure.network_prices import bastion_usd_per_h, network_usd_per_h, registry_usd_per_h
from infra.azure.places import Places
from infra.azure.preflight import Account, assumed_account, look_at_account
from infra.azure.tries import Job
from infra.azure.vaults import fresh_suffix
from infra.budget import Rates, worst_case
from infra.hosts.keys import ensure_key
from infra.naming import stamp
from stacks.configs import AzureSettings
from stacks.machine_job import (
    digest_of_data,
    digest_of_job,
    export_run,
    refusals_here,
    refuse_unprepared,
    run_name,
    secrets_of,
)
from stacks.run_home import PROJECT, data_folder, home_of

__all__ = ["deploy", "describe", "program_to_plan", "rates", "refuse_unprepared"]
NOT_MET = (
    "this target has been tried against mocks, Azurite and stand-ins only; it has never met the real Azure"
)
PLANNED_KEY = "ssh-ed25519 AAAA this-machine's-own"
PLANNED_SUFFIX = "planned"


def rates(settings: AzureSettings) -> Rates:
    """What its parts cost while they are there."""
    image = registry_usd_per_h(settings.network) if settings.image is None else 0.0
    bastion = bastion_usd_per_h() if settings.bastion else 0.0
    return Rates(
        machine_usd_per_h=settings.max_usd_per_h,
        network_usd_per_h=network_usd_per_h(settings.network) + image + bastion,
        unpriced=(
            f"{settings.disk_gib} GiB of premium disk",
            "the storage account",
            "log storage",
            "the vaults",
        ),
    )


def deploy(
    settings: AzureSettings, stack: str, account: Account | None = None, *, quiet: bool = False
) -> None:
    """Declare the stack; what cannot work is refused before anything is made.

    Args:
        account: as it was seen; None looks.
        quiet: whoever asks tells the warnings.

    Raises:
        SettingsError, AzureError: no data, no Docker, no log-in, no quota, no such size, no price below the ceiling.
    """
    from infra.azure.ground import GroundArgs
    from infra.azure.training import AzureTraining, AzureTrainingArgs

    mark = stamp(pulumi.get_project(), stack)
    planned = account is not None
    data_digest = digest_of_data(settings, planned=planned)
    digest = digest_of_job(settings, data_digest)
    if account is None:
        refuse_unprepared(settings)
        account = look_at_account(
            settings.location,
            settings.chosen_sizes,
            Job(stack=stack, stamp=mark, digest=digest),
            subscription=settings.subscription,
            market=settings.market,
            max_usd_per_h=settings.max_usd_per_h,
            address=settings.caller_address,
        )
    for line in () if quiet else (*account.notes, *_warnings(settings)):
        pulumi.log.info(line)
    places = Places(
        subscription_id=account.subscription_id,
        location=settings.location,
        stack=stack,
        stamp=mark,
        run_name=run_name(settings),
        job_digest=digest,
        data_digest=data_digest,
        attempt=account.attempt,
    )
    training = AzureTraining(
        "training",
        AzureTrainingArgs(
            ground=GroundArgs(
                account=account,
                places=places,
                vault_suffix=PLANNED_SUFFIX if planned else fresh_suffix(),
                network=settings.network,
                bastion=settings.bastion,
                project=str(PROJECT),
                image=settings.image,
                build_args=settings.image_arguments,
                keep_bucket=settings.keep_bucket,
                log_days=settings.log_days,
                log_gb_per_day=settings.log_gb_per_day,
                email=settings.budget_email,
                secrets=secrets_of(settings),
            ),
            job=settings.job(data=""),
            data=str(data_folder(settings, planned=planned)),
            home=str(home_of(settings, stack)),
            market=settings.market,
            entra=settings.login == "entra",
            ssh_public_key=PLANNED_KEY if planned else ensure_key(mark),
            image_version=None if settings.image_version == "latest" else settings.image_version,
            disk_gib=settings.disk_gib,
            budget=settings.budget,
            today=datetime.now(UTC).date(),
            wait=settings.wait,
            trigger=settings.rerun,
        ),
    )
    export_run(
        settings,
        stack,
        training.run,
        image=training.image,
        lease_until=training.lease_until,
        worst_case_usd=worst_case(rates(settings), settings.limits()).capped_lease_usd,
    )
    pulumi.export("machine", {"name": places.machine, "size": account.size.name, "group": places.group})
    pulumi.export("runUrl", f"az://runs/{places.run} of storage account {places.storage_account}")


def _warnings(settings: AzureSettings) -> list[str]:
    """What to know before it costs."""
    lines = [NOT_MET]
    if settings.market == "spot":
        lines.append(
            f"spot: Azure takes the machine back at any time with 30 seconds' notice, and never above "
            f"${settings.max_usd_per_h:g} an hour; another `up` rents the next one, which goes on from the newest "
            "checkpoint"
        )
    if not shutdown_fits(settings.max_hours):
        lines.append(
            f"a lease of {settings.max_hours:g} hours is too long for Azure's daily shutdown, the last net: the timer "
            "and the machine itself end it"
        )
    if not settings.bastion:
        lines.append("no way in for a shell (sonarstack:bastion); commands, logs and the run need none")
    if settings.keep_bucket:
        lines.append(
            "the storage, its vault and their group stay after destroy (cents a month, and the storage)"
        )
    return lines


def program_to_plan(settings: AzureSettings, stack: str) -> tuple[Callable[[], None], list[str]]:
    """The program for a look at it without account, and what `up` would refuse on this machine as it is now."""
    account = assumed_account(settings.location, settings.chosen_sizes)
    return (
        lambda: deploy(settings, stack, account, quiet=True),
        [*account.notes, *refusals_here(settings), *_warnings(settings)],
    )
