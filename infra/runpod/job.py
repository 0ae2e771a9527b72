"""A job on a pod; how it ended stays known when its pod is no more."""

import time
from collections.abc import Mapping
from typing import Any

from infra.errors import HostError, HostGoneError
from infra.hosts.ssh import SshHost
from infra.jobs.detached import DetachedJob
from infra.jobs.job import JobStatus, ended
from infra.journal import Journal
from infra.runpod.account import account_address
from infra.runpod.host import pod_host, pod_is_gone

LOOKS, LOOK_PAUSE_S = 3, 3.0


class PodJob:
    """The detached job of a pod's folder."""

    def __init__(self, where: Mapping[str, Any], folder: str) -> None:
        self._where, self._folder = dict(where), folder

    def status(self) -> JobStatus:
        """See `Job.status`; a code that was seen once is written down, since the pod ends soon after."""
        for look in range(LOOKS):
            try:
                status = self._job().status()
                break
            except HostGoneError:
                return self._afterwards()
            except HostError:
                # A pod that is ending answers no more a little before it is gone.
                if pod_is_gone(self._name):
                    return self._afterwards()
                if look == LOOKS - 1:
                    raise
            time.sleep(LOOK_PAUSE_S)
        if status.exit_code is not None:
            note_exit_code(self._name, status.exit_code)
        return status

    def read_log(self, offset: int = 0) -> bytes:
        """See `Job.read_log`; it went with the pod, or lies on the volume."""
        try:
            return self._job().read_log(offset)
        except HostGoneError:
            return b""

    def stop(self, grace_s: float = 60.0) -> JobStatus:
        """See `Job.stop`."""
        try:
            status = self._job().stop(grace_s)
        except HostGoneError:
            return self._afterwards()
        if status.exit_code is not None:
            note_exit_code(self._name, status.exit_code)
        return status

    def remove(self) -> None:
        """See `Job.remove`."""
        try:
            self._job().remove()
        except HostGoneError:
            return

    @property
    def _name(self) -> str:
        return str(self._where["pod"])

    def _job(self) -> DetachedJob:
        host: SshHost = pod_host(self._where)
        return DetachedJob(host, self._folder)

    def _afterwards(self) -> JobStatus:
        lease = Journal().newest(account_address(), self._name)
        if lease is not None and lease.exit_code is not None:
            return ended(lease.exit_code)
        return JobStatus(
            state="lost",
            reason=f"pod {self._name} is gone and nobody saw its job end; `up` looks at what it left, and goes on",
        )


def note_exit_code(name: str, code: int) -> None:
    """Write down how a pod's job ended."""
    journal = Journal()
    lease = journal.newest(account_address(), name)
    if lease is not None and lease.exit_code != code:
        journal.change(lease, exit_code=code)
