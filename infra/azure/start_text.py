"""The text that a fresh machine on Azure starts by: its job at its places, Azure's own ways, its end. Pure."""

from dataclasses import replace
from datetime import datetime

from infra.azure.names import DATA, RUNS
from infra.azure.orders import HostOrders, host_files, host_orders
from infra.azure.places import Places
from infra.azure.sizes import Size
from infra.specs import TrainingJob
from infra.vm.cloud_init import cloud_init

AT_MOST_BYTES = 65535
"""Of custom data before base64. Source: Virtual Machines - Create Or Update, OSProfile.customData, 2024-07-01."""


def start_text(
    places: Places,
    job: TrainingJob,
    size: Size,
    *,
    image: str,
    lease_until: str,
    secret_id: str | None,
    client_id: str,
    log_address: str,
    gpu_log_address: str | None,
) -> str:
    """Custom data, the same for the same arguments; whoever reads the machine at Azure reads it.

    Args:
        job: without its addresses, which are those of the places.
        image: by digest.
        lease_until: 2026-11-28T12:00:00Z.
        secret_id: https://VAULT.vault.azure.net/secrets/NAME.
        client_id: of the machine's identity.
        log_address: stream of the rule that takes the program's records.
        gpu_log_address: stream that takes the figures of its GPUs.

    Raises:
        SettingsError: it is longer than Azure takes.
    """
    placed = replace(
        job,
        data_url=f"az://{DATA}/{places.data}",
        run_url=f"az://{RUNS}/{places.run}",
        # One process each GPU, where there are several.
        nproc="auto" if size.gpu_count > 1 else None,
        cloud="azure",
        log_provider="azure",
        log_group=log_address,
        secret_id=None if secret_id is None else f"azure:{secret_id}",
    )
    host = HostOrders(
        machine_id=places.machine_id,
        account=places.storage_account,
        client_id=client_id,
        notes=places.notes,
        gpu_log_address=gpu_log_address,
        image=image,
        arguments=placed.arguments(f"/runs/{places.run_name}"),
        variables=placed.variables(),
        lease_until_s=datetime.fromisoformat(lease_until).timestamp(),
    )
    return cloud_init(host_orders(host), files=host_files(host), at_most_bytes=AT_MOST_BYTES)
