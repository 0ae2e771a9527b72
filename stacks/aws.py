"""The AWS target: a GPU machine of EC2 in a network of its own, what goes there, and what ends it."""

from collections.abc import Callable

import pulumi

from infra.aws.describe import describe
from infra.aws.network_prices import network_usd_per_h
from infra.aws.places import Places
from infra.aws.preflight import Account, assumed_account, look_at_account
from infra.aws.types import dearest_on_demand, variant_of
from infra.budget import Rates, worst_case
from infra.naming import stamp
from infra.prices import read_prices
from stacks.configs import AwsSettings
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
NOT_MET = "this target has been tried against mocks and moto only; it has never met the real AWS"


def rates(settings: AwsSettings) -> Rates:
    """What its parts cost while they are there; on demand, where a spot market may end in that, no bid holds."""
    dearest, unknown = 0.0, list[str]()
    if settings.on_demand_after is not None:
        dearest, unknown = dearest_on_demand(settings.types, read_prices(), settings.region)
    return Rates(
        machine_usd_per_h=max(settings.max_usd_per_h, dearest),
        network_usd_per_h=network_usd_per_h(settings.network),
        unpriced=(
            *(f"{name} on demand" for name in unknown),
            f"{settings.disk_gib} GiB of gp3 disk",
            "the bucket's storage",
            "log storage",
            "the key",
        ),
    )


def deploy(settings: AwsSettings, stack: str, account: Account | None = None, *, quiet: bool = False) -> None:
    """Declare the stack; what cannot work is refused before anything is made.

    Args:
        account: as it was seen; None looks.
        quiet: whoever asks tells the warnings.

    Raises:
        SettingsError, AwsError: no data, no Docker, no credentials, no quota, no zone, no price below the ceiling.
    """
    from infra.aws.training import Ec2Training, Ec2TrainingArgs

    mark = stamp(pulumi.get_project(), stack)
    planned = account is not None
    data = data_folder(settings, planned=planned)
    assert data is not None, "the settings refuse an address"
    if account is None:
        refuse_unprepared(settings)
        account = look_at_account(
            settings.region, settings.types, market=settings.market, max_usd_per_h=settings.max_usd_per_h,
            stamp=mark, zones=settings.zones, on_demand_after=settings.on_demand_after,
            may_change=not pulumi.runtime.is_dry_run(),
        )  # fmt: skip
    for line in () if quiet else (*account.notes, *_warnings(settings)):
        pulumi.log.info(line)
    data_digest = digest_of_data(settings, planned=planned)
    training = Ec2Training(
        "training",
        Ec2TrainingArgs(
            account=account,
            places=Places(
                account_id=account.account_id,
                region=settings.region,
                stack=stack,
                stamp=mark,
                run_name=run_name(settings),
                job_digest=digest_of_job(settings, data_digest),
                data_digest=data_digest,
            ),
            job=settings.job(data=""),
            project=str(PROJECT),
            data=str(data),
            home=str(home_of(settings, stack)),
            image=settings.image,
            build_args=settings.image_arguments,
            market=settings.market,
            on_demand_after=settings.on_demand_after,
            network=settings.network,
            ami=settings.ami,
            disk_gib=settings.disk_gib,
            keep_bucket=settings.keep_bucket,
            log_days=settings.log_days,
            budget=settings.budget,
            secrets=secrets_of(settings),
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
    pulumi.export("group", {"name": training.host.group_name, "region": settings.region})
    pulumi.export("runUrl", pulumi.Output.concat("s3://", training.bucket_name, "/", training.run.run_path))


def _warnings(settings: AwsSettings) -> list[str]:
    """What to know before it costs."""
    lines = [NOT_MET]
    if settings.market == "spot":
        lines.append(
            f"spot: AWS takes the machine back at any time with two minutes' notice, and never above "
            f"${settings.max_usd_per_h:g} an hour; the next one goes on from the newest checkpoint"
        )
    if variant_of(settings.types) == "cuda12":
        lines.append("a V100 among the types: the image is built with CUDA 12.8")
    if settings.keep_bucket:
        lines.append(
            "the bucket and its key stay after destroy (about $1 a month for the key, and the storage)"
        )
    return lines


def program_to_plan(settings: AwsSettings, stack: str) -> tuple[Callable[[], None], list[str]]:
    """The program for a look at it without account, and what `up` would refuse on this machine as it is now."""
    account = assumed_account(settings.region, settings.zones, settings.types)
    warnings = [f"no account was asked: three zones of {settings.region} are assumed, and every quota"]
    return lambda: deploy(settings, stack, account, quiet=True), [
        *warnings,
        *refusals_here(settings),
        *_warnings(settings),
    ]
