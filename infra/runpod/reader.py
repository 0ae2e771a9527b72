"""Reads a network volume whose pod is gone: a small CPU pod in the same place, for as long as it takes.

Runpod's S3 door to volumes would need a second kind of key, made by hand in the console (cloud facts 1.5); a CPU pod
needs none and costs cents.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from infra.hosts.keys import ensure_key, key_path
from infra.hosts.ssh import SshHost
from infra.journal import Lease
from infra.naming import resource_name
from infra.runpod.errors import BadHostError, CancelledError, OfferError, RunpodError, ServiceError
from infra.runpod.ready import wait_ready
from infra.runpod.rent import Renter
from infra.runpod.spec import PodSpec
from infra.runpod.wire import CpuType

LEASE = timedelta(minutes=30)
VCPUS = 2
MAX_USD_PER_H = 0.20
"""Ceiling; two vCPUs were about $0.08 an hour (contract's example, 2026-08)."""
READY_WITHIN_S = 15 * 60.0
USD = MAX_USD_PER_H * LEASE.total_seconds() / 3600
"""The most that one look can cost; it is part of the worst case."""


@contextmanager
def volume_reader(renter: Renter, spec: PodSpec, center: str) -> Iterator[SshHost]:
    """A host on which the volume of `spec` lies at the same place as on its pod; ended in any case.

    Raises:
        RunpodError: none can be had there; nothing is left that bills.
    """
    name = resource_name("runpod", spec.stamp, "reader")
    renter.give_back(name, "left by a look that was cut short")
    lease = _rent(renter, spec, name, center)
    try:
        ready = wait_ready(renter.client, lease, gpus=0, timeout_s=READY_WITHIN_S, sleep=renter.sleep)
        yield SshHost(
            ready.address, host_key=ready.host_key, identity=str(key_path(spec.stamp)), identity_only=True
        )
    except BadHostError as error:
        raise RunpodError(
            f"the volume {spec.volume_id} could not be read ({error}); nothing of it is lost, try again"
        ) from error
    finally:
        renter.give_back(name, "the volume was read")


def cheapest_cpu(catalogue: list[CpuType], center: str) -> CpuType:
    """The cheapest flavour with stock in a data centre.

    Raises:
        OfferError: there is none, or none below the ceiling.
    """
    there = [
        one
        for one in catalogue
        if one.data_centers.get(center, "NONE") != "NONE" and one.vcpu_min <= VCPUS <= one.vcpu_max
    ]
    fits = [one for one in there if VCPUS * one.secure_usd_per_vcpu_h <= MAX_USD_PER_H]
    if not fits:
        why = f"all above ${MAX_USD_PER_H:g} an hour" if there else "none in stock"
        raise OfferError(f"no CPU pod can be had in {center} to read the volume ({why}); try again later")
    return min(fits, key=lambda one: (one.secure_usd_per_vcpu_h, one.id))


def _rent(renter: Renter, spec: PodSpec, name: str, center: str) -> Lease:
    now = renter.now()
    cpu = cheapest_cpu(renter.client.cpus(), center)
    lease = renter.journal.write(
        Lease(
            cloud="runpod",
            account=renter.client.address,
            kind="reader",
            name=name,
            stamp=spec.stamp,
            run=spec.run,
            rented_at=now,
            lease_until=now + LEASE,
            price_usd_per_h=VCPUS * cpu.secure_usd_per_vcpu_h,
        )
    )
    try:
        pod = renter.client.create_pod(
            spec.reader_request(name, cpu.id, center, now + LEASE, ensure_key(spec.stamp))
        )
    except (ServiceError, CancelledError):
        raise  # nobody knows whether it was rented: the lease stays
    except RunpodError:
        renter.journal.drop(lease)
        raise
    return renter.journal.change(lease, id=pod.id)
