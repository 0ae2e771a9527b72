"""Brings a run home whether it lies there open or sealed; at home it is open either way."""

import shutil
from collections.abc import Callable
from pathlib import Path

from infra.hosts.host import Host
from infra.runs.fetching import fetching
from infra.runs.home import HomeReceipt, bring_home
from infra.seal.key import seal_key
from infra.seal.run import unseal_run
from infra.state_folder import state_folder


def bring_home_open(
    host: Host,
    path: str,
    home: Path,
    *,
    seal: str | None = None,
    job: str | None = None,
    over: bool = True,
    crashed: bool = False,
    cancelled: Callable[[], bool] = lambda: False,
) -> HomeReceipt:
    """See `bring_home`; a run sealed for the stack `seal` is copied as it is, verified, and then unsealed.

    Args:
        job: folder there of the job that wrote it, whose machine stays while it is fetched.

    Raises:
        RunHomeError, HostError: see `bring_home`.
        SealError: it cannot be unsealed; what came home stays, sealed.
    """
    if seal is None:
        with fetching(host, job):
            return bring_home(host, path, home, over=over, crashed=crashed, cancelled=cancelled)
    # Beside the home, so that a copy that was cut short goes on where it stopped, and no key is needed to try again.
    sealed = home.with_name(f"{home.name}.sealed")
    with fetching(host, job):
        receipt = bring_home(host, path, sealed, over=over, crashed=crashed, cancelled=cancelled)
    if not receipt.began:
        return receipt
    opened = unseal_run(sealed, home, seal_key(state_folder() / "keys", seal), strict=over and not crashed)
    if over and not crashed:
        shutil.rmtree(sealed)  # all of it is open beside it now, verified
    return opened
