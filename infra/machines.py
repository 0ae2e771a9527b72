"""What a stack's outputs lead to, on any cloud: its machine, its job, and what a machine that is gone has left."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from infra.errors import HostGoneError
from infra.hosts.host import Host, open_host
from infra.hosts.local import LocalHost
from infra.jobs.detached import where_of
from infra.jobs.job import Job, open_job


def open_machine(where: Mapping[str, Any] | None) -> Host:
    """The machine that an output `host` tells of; this one for None.

    Raises:
        HostGoneError: it is no more.
        HostError: it cannot be found or reached.
    """
    if where and "pod" in where:
        from infra.runpod.host import pod_host

        return pod_host(where)
    if where and "bucket" in where:
        from infra.buckets.host import BucketHost
        from infra.buckets.store import open_store

        return BucketHost(open_store(where))
    return open_host(where)


def is_gone(where: Mapping[str, Any] | None) -> bool:
    """Whether a machine that did not answer is no more, by its provider's word; one's own is never gone for good."""
    if not where or "pod" not in where:
        return False
    from infra.runpod.host import pod_is_gone

    return pod_is_gone(str(where["pod"]))


def open_work(where: Mapping[str, Any]) -> Job:
    """The job that an output `where` tells of.

    Raises:
        JobError: it tells of none.
    """
    if where.get("kind") == "pod":
        from infra.runpod.job import PodJob

        return PodJob(where["host"], str(where["folder"]))
    if where.get("kind") == "group":
        from infra.aws.job import GroupJob

        return GroupJob(where)
    if where.get("kind") == "vm":
        from infra.azure.job import VmJob

        return VmJob(where)
    return open_job(where)


def where_of_work(machine: Mapping[str, Any] | None, folder: str) -> dict[str, Any]:
    """What `open_work` takes to find a job again that was started on a machine."""
    if machine and "pod" in machine:
        return {"kind": "pod", "folder": folder, "host": dict(machine)}
    return where_of(machine, folder)


@contextmanager
def open_run(
    where: Mapping[str, Any] | None, path: str, home: Path, cancelled: Callable[[], bool]
) -> Iterator[tuple[Host, str]]:
    """The host that a run can be copied home from, and its path there; what lies in a bucket is fetched first.

    Raises:
        HostError: it cannot be reached.
        RunHomeError: it did not arrive whole.
    """
    host = open_machine(where)
    if not where or "bucket" not in where:
        yield host, path
        return
    from infra.buckets.host import BucketHost
    from infra.buckets.run import fetched_run

    assert isinstance(host, BucketHost)
    with fetched_run(host.store, path, home, cancelled=cancelled) as folder:
        yield LocalHost(), str(folder)


@contextmanager
def open_remains(where: Mapping[str, Any] | None, cancelled: threading.Event | None = None) -> Iterator[Host]:
    """What a machine left when it went, as a host with the same paths.

    Raises:
        HostGoneError: nothing that could be read.
        InfraError: it could not be read now; another try may.
    """
    if where and "bucket" in where:
        raise HostGoneError("the run lies nowhere else")
    if not where or "pod" not in where:
        raise HostGoneError("this machine is gone, and has left nothing elsewhere")
    from infra.runpod.host import pod_remains

    with pod_remains(where, cancelled) as host:
        yield host
