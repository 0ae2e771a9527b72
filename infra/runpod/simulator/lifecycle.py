"""What happens to pods as time goes by: they get ready, start again, die, are measured, and stop without balance."""

import time

from infra.runpod.simulator import launch
from infra.runpod.simulator.assumptions import follows
from infra.runpod.simulator.clock import Clock
from infra.runpod.simulator.pods import Pods
from infra.runpod.simulator.settings import Settings
from infra.runpod.simulator.state import PodState, State

MEASURE_EVERY_S = 2.0


class Lifecycle:
    """Moves all pods on; `address` is the simulator's, for the pods' own use."""

    def __init__(self, settings: Settings, state: State, clock: Clock, pods: Pods) -> None:
        self._settings, self._state, self._clock, self._pods = settings, state, clock, pods
        self._measured = 0.0
        self.address = ""

    def tick(self) -> bool:
        """Whether anything changed that must be kept."""
        changed = self._stop_the_broke()
        for pod in list(self._state.pods.values()):
            changed = self._move(pod) or changed
        if time.monotonic() > self._measured + MEASURE_EVERY_S:
            self._measured = time.monotonic()
            for pod in self._state.pods.values():
                self._measure(pod)
        return changed

    def _move(self, pod: PodState) -> bool:
        now = self._clock.now()
        if pod.dies_at_s is not None and now >= pod.dies_at_s:
            self._pods.end(pod.id)
            return True
        if pod.status == "PROVISIONING" and now >= pod.since_s + self._settings.provision_s:
            pod.status, pod.since_s = "STARTING", pod.since_s + self._settings.provision_s
            return True
        if pod.status == "STARTING" and now >= pod.since_s + self._settings.start_s:
            return not pod.never_ready and self._start(pod)
        if pod.status == "RUNNING" and not self._pods.processes.alive(pod.id):
            # Its keeper died, or the simulator was away: the host starts what it has.
            self._launch(pod)
            return True
        return False

    def _start(self, pod: PodState) -> bool:
        if pod.wipe_first and self._pods.processes.alive(pod.id):
            return False  # what was told to stop has its grace
        if pod.fails:
            pod.status, pod.since_s = "ERROR", self._clock.now()
            self._pods.processes.note(pod.id, "container cannot be started on this host")
            return True
        if pod.wipe_first:
            self._pods.processes.wipe(pod.id)
            pod.wipe_first = False
        self._launch(pod)
        pod.status, pod.since_s = "RUNNING", self._clock.now()
        pod.started_s = pod.since_s
        return True

    def _launch(self, pod: PodState) -> None:
        processes = self._pods.processes
        folder = processes.prepare(pod.id)
        pod.ssh_port = launch.free_port()
        launch.forbid_installing(folder)
        launch.write_gpu(pod, folder)
        processes.launch(
            pod.id,
            launch.words(pod, self._settings),
            launch.variables(pod, folder, self.address),
            launch.links(pod, folder, self._pods.volumes),
            delay_s=pod.slow_s,
        )

    @follows("gpu-use")
    def _measure(self, pod: PodState) -> None:
        if pod.status != "RUNNING" or pod.use_given:
            return
        cores, memory = self._pods.processes.use(pod.id)
        busy = min(100, round(100 * cores))
        pod.cpu_percent, pod.memory_percent = busy, round(100 * memory)
        if pod.gpu_id is not None:
            pod.gpu_percent, pod.gpu_memory_percent = busy, round(100 * memory)
            launch.write_gpu(pod, self._pods.processes.folder(pod.id))

    @follows("balance-stops-pods")
    def _stop_the_broke(self) -> bool:
        if not self._pods.broke():
            return False
        active = [pod for pod in self._state.pods.values() if pod.active]
        for pod in active:
            if pod.volume_id is None:
                self._pods.end(pod.id)
            else:
                self._pods.stop(pod)
        return bool(active)
