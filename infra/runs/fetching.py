"""Tells a rented machine that somebody is fetching its run, so that it does not end itself in the middle of it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from infra.errors import HostError
from infra.hosts.host import Host

SIGN = "fetching"
"""File in the job's folder; images/cloud/machine.py looks at it, and waits a few minutes after each touch."""
EVERY_S = 30.0


@contextmanager
def fetching(host: Host, job: str | None, *, every_s: float = EVERY_S) -> Iterator[None]:
    """While this is open, the machine is told now and then.

    Args:
        job: the job's folder there; None where no machine ends by itself.
        every_s: between two signs.
    """
    if job is None:
        yield
        return
    over = threading.Event()

    def sign() -> None:
        # A connection that fails is the fetch's own to tell; a folder that is not there belongs to no machine.
        with suppress(HostError):
            host.run(["touch", f"{job}/{SIGN}"])

    def go_on() -> None:
        while not over.wait(every_s):
            sign()

    sign()
    thread = threading.Thread(target=go_on, name="the run is being fetched", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
