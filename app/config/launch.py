"""What torchrun tells a process that it started; read here alone.

Source: the environment variables of torch.distributed.elastic's agent, PyTorch documentation, "torchrun".
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """One process among several."""

    run_id: str
    rank: int
    size: int
    """Processes on all machines."""
    local_rank: int
    local_size: int
    """Processes on this machine."""
    nodes: int
    restarts: int
    """How often all of them were begun anew already."""
    restarts_left: int
    address: str
    port: int
    """Of the store that outlives a restart."""


def launched(variables: Mapping[str, str] | None = None) -> Launch | None:
    """What torchrun said; None where this process was started by a person or another program."""
    told = os.environ if variables is None else variables
    if "TORCHELASTIC_RUN_ID" not in told or "RANK" not in told:
        return None
    restarts = int(told.get("TORCHELASTIC_RESTART_COUNT", "0"))
    return Launch(
        run_id=told["TORCHELASTIC_RUN_ID"],
        rank=int(told["RANK"]),
        size=int(told["WORLD_SIZE"]),
        local_rank=int(told["LOCAL_RANK"]),
        local_size=int(told["LOCAL_WORLD_SIZE"]),
        nodes=int(told.get("GROUP_WORLD_SIZE", "1")),
        restarts=restarts,
        restarts_left=int(told.get("TORCHELASTIC_MAX_RESTARTS", "0")) - restarts,
        address=told["MASTER_ADDR"],
        port=int(told["MASTER_PORT"]),
    )
