"""Network volumes: folders that outlive pods."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.runpod.simulator.assumptions import follows
from infra.runpod.simulator.catalogue import data_center_of
from infra.runpod.simulator.clock import Clock
from infra.runpod.simulator.meter import Bill, volume_rates
from infra.runpod.simulator.pods import new_id
from infra.runpod.simulator.problems import Problem, missing
from infra.runpod.simulator.samples import DATA_CENTERS
from infra.runpod.simulator.state import State, VolumeState


class Volumes:
    """All network volumes of the account."""

    def __init__(self, folder: Path, state: State, clock: Clock) -> None:
        self._folder, self._state, self._clock = folder, state, clock

    def get(self, volume_id: str) -> VolumeState:
        """One volume; raises Problem 404."""
        found = self._state.volumes.get(volume_id)
        if found is None:
            raise missing("network volume")
        return found

    @follows("volume-data-centers")
    def create(self, body: Mapping[str, Any]) -> VolumeState:
        """Make one.

        Raises:
            Problem: 400.
        """
        center = data_center_of(body["dataCenter"])
        if center is None or not center.volume_types:
            able = ", ".join(one.id for one in DATA_CENTERS if one.volume_types)
            raise Problem(
                400, f"data center {body['dataCenter']!r} does not support network volumes; supported: {able}"
            )
        kind = body.get("type", center.volume_types[0])
        if kind not in center.volume_types:
            raise Problem(400, f"data center {center.id} has {', '.join(center.volume_types)} volumes only")
        volume = VolumeState(
            id=new_id(10), name=body["name"], size_gb=int(body["size"]), data_center=center.id, type=kind
        )
        (self._folder / volume.id).mkdir(parents=True)
        self._state.volumes[volume.id] = volume
        self._bill(volume)
        return volume

    def update(self, volume_id: str, body: Mapping[str, Any]) -> VolumeState:
        """Rename it, or let it grow.

        Raises:
            Problem: 400, 404.
        """
        volume = self.get(volume_id)
        size_gb = int(body.get("size", volume.size_gb))
        if size_gb < volume.size_gb:
            raise Problem(400, f"size cannot be reduced from {volume.size_gb} to {size_gb}")
        volume.name, volume.size_gb = body.get("name", volume.name), size_gb
        self._bill(volume)
        return volume

    @follows("volume-in-use")
    def delete(self, volume_id: str) -> None:
        """Remove it with all it holds.

        Raises:
            Problem: 400 while a pod has it, 404.
        """
        volume = self.get(volume_id)
        users = [pod.id for pod in self._state.pods.values() if pod.volume_id == volume_id]
        if users:
            raise Problem(400, f"network volume is in use by pod {', '.join(users)}")
        shutil.rmtree(self._folder / volume.id, ignore_errors=True)
        del self._state.volumes[volume_id]
        self._state.volume_bills[volume_id].change(self._clock.now(), {})

    def _bill(self, volume: VolumeState) -> None:
        bill = self._state.volume_bills.setdefault(volume.id, Bill(owner=volume.id, name=volume.name))
        bill.change(self._clock.now(), volume_rates(volume.type, volume.size_gb))


def volume_answer(volume: VolumeState, *, lowercase: bool = False) -> dict[str, Any]:
    """The contract's `NetworkVolume`."""
    return {
        "id": volume.id,
        "name": volume.name,
        "size": volume.size_gb,
        "dataCenter": volume.data_center.lower() if lowercase else volume.data_center,
        "type": volume.type,
    }
