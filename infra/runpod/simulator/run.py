"""A simulator within this process: for tests, and for whoever rehearses."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from infra.runpod.simulator.faults import Faults
from infra.runpod.simulator.server import Server
from infra.runpod.simulator.settings import Settings
from infra.runpod.simulator.simulation import Seen, Simulation


class Simulator:
    """One that runs."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.simulation: Simulation = server.sim
        self.address = server.address
        self.key = server.sim.state.keys[0]
        self.allowed: Path = server.sim.settings.allowed
        """Mount paths of pods must lie in it."""
        self.faults: Faults = server.sim.faults

    def variables(self) -> dict[str, str]:
        """What makes a client of Runpod a client of this."""
        return {"RUNPOD_REST_V2_API_URL": self.address, "RUNPOD_API_KEY": self.key}

    def meter(self) -> dict[str, Any]:
        """See `Simulation.meter`: now, running_usd_per_h, volumes_usd_per_h, total_usd, pods, volumes."""
        return self.simulation.meter()

    def requests(self) -> list[Seen]:
        """The last ones that came, oldest first."""
        return list(self.simulation.seen)

    def set_stock(
        self, units: int, *, id_: str | None = None, data_center: str | None = None, cloud: str | None = None
    ) -> None:
        """How many there are, before what one's own pods take; None is all."""
        with self.simulation.lock:
            self.simulation.catalogue.set_stock(units, id_=id_, data_center=data_center, cloud=cloud)

    def kill_pod(self, pod_id: str) -> None:
        """Its host dies: the pod vanishes with all that ran."""
        with self.simulation.lock:
            self.simulation.pods.end(pod_id)
            self.simulation.save()

    def stop_all(self) -> None:
        """End every pod; volumes stay."""
        with self.simulation.lock:
            for pod_id in list(self.simulation.state.pods):
                self.simulation.pods.end(pod_id)
            self.simulation.save()


@contextmanager
def serving(settings: Settings, *, keys: tuple[str, ...] = (), port: int = 0) -> Iterator[Simulator]:
    """Serve until left; then the pods' processes end, and the pods stay in the account's file.

    Raises:
        OSError: the port is taken.
        RuntimeError: at the end, if the simulator itself had an error.
    """
    simulation = Simulation(settings, keys)
    server = Server(simulation, port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    simulation.start(server.address)
    thread.start()
    try:
        yield Simulator(server)
    finally:
        simulation.closing.set()
        server.shutdown()
        thread.join()
        server.hang_up()
        server.server_close()
        simulation.close()
    if simulation.failures:
        raise RuntimeError(f"the simulator had {len(simulation.failures)} errors: {simulation.failures[0]}")


@contextmanager
def running(
    folder: Path, *, speed: float = 1.0, key: str | None = None, allowed: Path | None = None, **options: Any
) -> Iterator[Simulator]:
    """A simulator on a free port; everything that it started is ended on exit.

    Args:
        folder: of its state, pods and volumes.
        speed: simulated seconds per real second.
        key: of the account; one is made where None.
        allowed: mount paths of pods must lie in it; FOLDER/paths where None.
        options: further ones of `Settings`.
    """
    settings = Settings(folder=folder, allowed=allowed or folder / "paths", speed=speed, **options)
    with serving(settings, keys=(key,) if key is not None else ()) as simulator:
        try:
            yield simulator
        finally:
            simulator.stop_all()
