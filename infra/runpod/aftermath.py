"""How the job of a pod that is gone ended: as somebody saw it, else as the volume tells."""

from infra.jobs.detached import DetachedJob
from infra.runpod.reader import volume_reader
from infra.runpod.rent import Renter
from infra.runpod.spec import PodSpec


def how_it_ended(renter: Renter, spec: PodSpec, center: str | None) -> int | None:
    """Its exit code; None if it did not end, so that it can be taken up on another pod.

    Raises:
        RunpodError: the volume could not be read now.
    """
    lease = renter.journal.newest(renter.client.address, spec.name)
    if lease is not None and lease.exit_code is not None:
        return lease.exit_code
    if lease is not None and not lease.address:
        return None  # it was never ready, so nothing ran on it
    if spec.volume_id is None or not center:
        return None
    with volume_reader(renter, spec, center) as host:
        code = DetachedJob(host, f"{spec.folder}/job").status().exit_code
    if lease is not None and code is not None:
        renter.journal.change(lease, exit_code=code)
    return code
