"""The account as the parts of this project meet it: a client and a journal that react to a cancel."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from infra.journal import Journal
from infra.runpod.client import DEFAULT_ADDRESS, RunpodClient
from infra.runpod.errors import CancelledError
from infra.runpod.rent import Renter


@contextmanager
def open_account(cancelled: threading.Event | None = None) -> Iterator[Renter]:
    """The account that RUNPOD_API_KEY opens; every wait in it ends at once when `cancelled` is set.

    Raises:
        KeyRefusedError: there is no key.
    """
    event = cancelled or threading.Event()

    def sleep(seconds: float) -> None:
        if event.wait(seconds):
            raise CancelledError(
                "cancelled; what was rented before stays in the journal: `python -m stacks reap`"
            )

    with RunpodClient(sleep=sleep) as client:
        yield Renter(client, Journal(), sleep=sleep)


def account_address() -> str:
    """Which account is meant, for whoever only looks into the journal and needs no key."""
    return (os.environ.get("RUNPOD_REST_V2_API_URL") or DEFAULT_ADDRESS).rstrip("/")
