"""The text that a fresh EC2 machine starts by: its job at its places, its metrics agent, its end. Pure."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from infra.aws.agent import agent_config
from infra.aws.orders import AGENT_SETTINGS, HostOrders, host_orders
from infra.aws.places import Places
from infra.aws.types import InstanceType
from infra.specs import TrainingJob
from infra.vm.cloud_init import cloud_init


def start_text(
    places: Places,
    job: TrainingJob,
    types: Sequence[InstanceType],
    *,
    image: str,
    lease_until: str,
    secret_arn: str | None,
    on_demand_after: int | None,
) -> str:
    """User data, the same for the same arguments.

    Args:
        job: without its addresses, which are those of the places.
        types: of which the machine is one.
        image: by digest.
        lease_until: 2026-11-28T12:00:00Z.
        on_demand_after: see `HostOrders`.

    Raises:
        SettingsError: it is longer than EC2 takes.
    """
    bucket = f"s3://{places.bucket}"
    placed = replace(
        job,
        data_url=f"{bucket}/{places.data}",
        run_url=f"{bucket}/{places.run}",
        # One process each GPU, where any of the types has several.
        nproc="auto" if any(kind.gpu_count > 1 for kind in types) else None,
        cloud="aws",
        log_provider="aws",
        log_group=places.log_group,
        secret_id=None if secret_arn is None else f"aws:{secret_arn}",
    )
    orders = host_orders(
        HostOrders(
            group=places.group,
            region=places.region,
            bucket=places.bucket,
            notes=places.notes,
            log_group=places.log_group,
            log_stream=places.log_stream,
            image=image,
            arguments=placed.arguments(f"/runs/{places.run_name}"),
            variables=placed.variables(),
            lease_until_s=datetime.fromisoformat(lease_until).timestamp(),
            on_demand_after=on_demand_after,
        )
    )
    agent = json.dumps(agent_config(places.namespace, places.group))
    return cloud_init(orders, files={AGENT_SETTINGS: agent})
