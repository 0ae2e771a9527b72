"""Several processes that train one model: who is first, what is added up, who waits for whom.

torch.distributed does the work: a group of the device's backend for gradients and statistics, and one of gloo for
words between the processes, so that nothing waits for a device that only a flag is wanted from.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, distributed, nn

from app.config.launch import Launch
from app.errors import RunError
from app.exit_codes import ExitCode
from app.training.notes import Ended, Notes

WAIT_S = 1800.0
"""So long one process waits for another: evaluations and mirrors of one that works are shorter."""


class LostProcessError(RunError):
    """Another process of the training is gone, or does not answer; a restart goes on from the last checkpoint."""


class Team:
    """The only process there is: first, and nobody to wait for."""

    rank = 0
    size = 1
    local_rank = 0
    local_size = 1
    nodes = 1
    restarts = 0
    restarts_left = 0

    @property
    def first(self) -> bool:
        """Whether this process writes, evaluates and speaks."""
        return self.rank == 0

    def summed(self, values: Tensor) -> Tensor:
        """The sum over all processes, on the device, without gradient."""
        return values

    def totals(self, values: dict[str, float]) -> dict[str, float]:
        """The sums over all processes, the same in each."""
        return values

    def stop(self, asked: tuple[ExitCode, str] | None) -> tuple[ExitCode, str] | None:
        """What any of them was asked, the same in each; every process must call this at the same step."""
        return asked

    def least(self, value: int) -> int:
        """The smallest of all processes' values."""
        return value

    def from_first(self, value: Any, doing: str) -> Any:  # noqa: ARG002
        """The first process's value; the others wait until it is `doing` no more."""
        return value

    def clock(self, started_s: float) -> tuple[float, float]:
        """Since when hours and dollars count here, and the seconds that were counted by then.

        Args:
            started_s: when the program was started that this process belongs to, by the monotonic clock.

        Returns:
            The same moment and 0; after a restart this moment, and the seconds since the first start: `started_s` may
            lie before the restart, and what was spent until then is in the run's own figures.
        """
        return started_s, 0.0

    def network(self, model: nn.Module, device: torch.device) -> nn.Module:  # noqa: ARG002
        """The network as it is trained."""
        return model

    def smaller_micro_batch(self, micro: int) -> None:
        """Note that after a restart no process shall take more samples than this at once."""

    def micro_batch(self, micro: int) -> int:
        """So many samples at once, or fewer where memory ran out in an earlier attempt."""
        return micro

    def leave(self, code: int) -> None:
        """End this process at once; a restart does not go on."""
        os._exit(code)


class ProcessTeam(Team):
    """One of several processes that torchrun started."""

    def __init__(self, launch: Launch, kind: str) -> None:
        """Meet the others.

        Args:
            kind: of device that this process computes on, as torch names it.

        Raises:
            LostProcessError: not all of them come.
        """
        self.rank, self.size = launch.rank, launch.size
        self.local_rank, self.local_size = launch.local_rank, launch.local_size
        self.nodes = launch.nodes
        self.restarts, self.restarts_left = launch.restarts, launch.restarts_left
        self._notes = Notes(launch)
        self._device = torch.device(kind) if kind == "cpu" else torch.device(kind, launch.local_rank)
        wait = timedelta(seconds=WAIT_S)
        with self._said("all processes to meet"):
            store = self._notes.meeting(self.rank, self.size, wait_s=WAIT_S)
            if self._device.type != "cpu":
                torch.accelerator.set_device_index(launch.local_rank)
            backend = distributed.get_default_backend_for_device(self._device)
            distributed.init_process_group(
                backend, store=store, rank=self.rank, world_size=self.size, timeout=wait
            )
            self._words: Any = distributed.new_group(backend="gloo", timeout=wait)

    @contextmanager
    def _said(self, waited_for: str) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        except RuntimeError as error:  # torch's own errors of groups and stores are all of this kind
            if isinstance(error, RunError):
                raise
            seconds = time.monotonic() - started
            raise LostProcessError(
                f"process {self.rank} of {self.size} waited {seconds:.0f} s for {waited_for} and was let down "
                f"({str(error).splitlines()[0][:160]}); what the others wrote before tells why"
            ) from error

    def summed(self, values: Tensor) -> Tensor:
        """See `Team.summed`."""
        with self._said("the others' sums"):
            distributed.all_reduce(values)
        return values

    def totals(self, values: dict[str, float]) -> dict[str, float]:
        """See `Team.totals`."""
        sums = torch.tensor(list(values.values()), dtype=torch.float64)
        with self._said("the others' losses"):
            distributed.all_reduce(sums, group=self._words)
        return dict(zip(values, sums.tolist(), strict=True))

    def stop(self, asked: tuple[ExitCode, str] | None) -> tuple[ExitCode, str] | None:
        """See `Team.stop`; where several have a reason, the lowest process's counts."""
        with self._said("the end of the others' step"):
            first = torch.tensor(self.rank if asked is not None else self.size)
            distributed.all_reduce(first, op=distributed.ReduceOp.MIN, group=self._words)
            who = int(first)
            if who == self.size:
                return None
            told = [None if asked is None else (int(asked[0]), asked[1])]
            distributed.broadcast_object_list(told, src=who, group=self._words)
            assert told[0] is not None
            code, reason = told[0]
        return ExitCode(code), reason if who == self.rank else f"{reason} (process {who})"

    def least(self, value: int) -> int:
        """See `Team.least`."""
        found = torch.tensor(value)
        with self._said("the others' measurement"):
            distributed.all_reduce(found, op=distributed.ReduceOp.MIN, group=self._words)
        return int(found)

    def from_first(self, value: Any, doing: str) -> Any:
        """See `Team.from_first`."""
        told = [value]
        with self._said(f"the first process, which {doing}"):
            distributed.broadcast_object_list(told, src=0, group=self._words)
        return told[0]

    def close(self) -> None:
        """Part; for those that end as planned."""
        distributed.destroy_process_group()

    def clock(self, started_s: float) -> tuple[float, float]:
        """See `Team.clock`; the first start is told by the wall clock, which machines share."""
        now, now_s = time.time(), time.monotonic()
        began = float(self._notes.first("began", repr(now - (now_s - started_s))))
        return (now_s, max(0.0, now - began)) if self.restarts else (started_s, 0.0)

    def network(self, model: nn.Module, device: torch.device) -> nn.Module:
        """See `Team.network`: gradients are averaged, batch norms count over all processes."""
        # Late: what it takes from torch's compiler is 2 s of import that a single process does without.
        from app.training.synced_norm import synced_norms

        synced = synced_norms(model, on_accelerator=device.type != "cpu", processes=self.size)
        ids = [device] if device.type != "cpu" else None
        with self._said("the others' networks"):
            return nn.parallel.DistributedDataParallel(synced, device_ids=ids)

    def smaller_micro_batch(self, micro: int) -> None:
        """See `Team.smaller_micro_batch`."""
        self._notes.write("micro", str(micro))

    def micro_batch(self, micro: int) -> int:
        """See `Team.micro_batch`."""
        noted = self._notes.read("micro")
        return micro if noted is None else min(micro, int(noted))

    def leave(self, code: int) -> None:
        """See `Team.leave`."""
        self._notes.end(Ended(code=code, reason="the training hung and was ended from outside"))
        os._exit(code)


def join(launch: Launch, kind: Callable[[], str]) -> ProcessTeam | Ended:
    """Meet the other processes, unless they all ended in an earlier attempt: then how."""
    return Notes(launch).ended() or ProcessTeam(launch, kind())
