"""Runpod's REST v2 API (contract of 2026-08-18). The only part of this project that speaks to it.

There is no idempotency key: what may be repeated is repeated here, and a create whose answer was lost is looked up by
its own unique name before it is asked for again.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, Self, TypeVar

import httpx

from infra.runpod.errors import (
    CancelledError,
    KeyRefusedError,
    MissingError,
    RateLimitError,
    RunpodError,
    ServiceError,
)
from infra.runpod.logs import log_lines
from infra.runpod.owner import KEYS_VARIABLE
from infra.runpod.transport import ATTEMPTS, TIMEOUT, Transport, at, pause_s, read
from infra.runpod.wire import (
    CpuType,
    DataCenter,
    GpuType,
    LogLine,
    NetworkVolume,
    Pod,
    PodBill,
    RegistryCredential,
    VolumeBill,
)

DEFAULT_ADDRESS = "https://api.runpod.io/v2"
LOOKS = 3
"""How often a name is looked for after a lost answer: a list may lag behind (an assumption, the contract is silent)."""
PODS, VOLUMES, REGISTRIES = "/pods", "/network-volumes", "/registries"

T = TypeVar("T")

OURS = "sonarstack-"
"""What every stamp of this project begins with."""


class RunpodClient:
    """One account. Use as a context manager.

    Args:
        key: of the account; RUNPOD_API_KEY where None.
        address: RUNPOD_REST_V2_API_URL or the service's own where None.
        http: one that its owner closes; None opens one.
        sleep: how it waits; whoever must react to a cancel gives one that raises.

    Raises:
        KeyRefusedError: there is no key.
        RefusedError: the address is none.
    """

    def __init__(
        self,
        key: str | None = None,
        address: str | None = None,
        *,
        http: httpx.Client | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        key = (key or os.environ.get("RUNPOD_API_KEY") or "").strip()
        if not key:
            raise KeyRefusedError(
                "Runpod needs RUNPOD_API_KEY; make a key in the console (Settings, API keys) and export it"
            )
        self.address = (address or os.environ.get("RUNPOD_REST_V2_API_URL") or DEFAULT_ADDRESS).rstrip("/")
        self._http = http or httpx.Client(timeout=TIMEOUT)
        self._owned = http is None
        self._asks = Transport(key, self.address, self._http, sleep)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._owned:
            self._http.close()

    @property
    def simulated(self) -> bool:
        """Whether any answer so far came from the simulator."""
        return self._asks.simulated

    # Pods

    def pods(self) -> list[Pod]:
        """All pods of the account, stopped ones too; other people's that cannot be read are left out."""
        what, found = "list pods", []
        for one in self._asks.listed(PODS, what, "pods"):
            try:
                found.append(read(Pod.read, one, what))
            except ServiceError:
                # One odd pod must not hide what of ours bills.
                if str(one.get("name", "")).startswith(OURS):
                    raise
        return found

    def pod(self, pod_id: str) -> Pod | None:
        """One pod; None if it is gone."""
        found = self._one(PODS, pod_id, f"look at pod {pod_id}", Pod.read)
        return None if found is None or found.status == "TERMINATED" else found

    def pods_named(self, name: str) -> list[Pod]:
        """The living pods of this name, the oldest first; more than one means that an answer was lost."""
        found = self._named(PODS, "pods", name, Pod.read)
        return sorted((one for one in found if one.status != "TERMINATED"), key=lambda one: one.created_at)

    def pod_named(self, name: str) -> Pod | None:
        """The living pod of this name; names of ours are unique."""
        return next(iter(self.pods_named(name)), None)

    def create_pod(self, request: Mapping[str, Any]) -> Pod:
        """Rent one; its name must be unique, since a lost answer is looked up by it.

        Args:
            request: the contract's CreatePodRequest.

        Raises:
            NoCapacityError, PoolRefusedError, BalanceError, RefusedError: nothing was rented.
            ServiceError: no answer; the text says whether such a pod was looked for.
        """
        what = f"create pod {request['name']}"
        return self._created(PODS, what, request, Pod.read, self.pod_named, again=self._end_first)

    def _end_first(self, made: Pod) -> None:
        """End what a request with a lost answer made after all, if it is seen by now; else its name tells of it."""
        key = made.env.get(KEYS_VARIABLE)
        try:
            for one in self.pods_named(made.name):
                # Another machine's of the same name has another key.
                if one.id != made.id and one.env.get(KEYS_VARIABLE) == key:
                    self.delete_pod(one.id)
        except CancelledError:
            raise
        except RunpodError:
            return  # what was made must be known; whoever looks by its name ends the other

    def delete_pod(self, pod_id: str) -> None:
        """End it; one that is gone already is a success."""
        self._asks.delete(at(PODS, pod_id), f"end pod {pod_id}")

    def logs(
        self,
        pod_id: str,
        *,
        source: Literal["container", "system"] | None = "container",
        tail: int | None = None,
        since: str | None = None,
        timeout_s: float = 30.0,
    ) -> Iterator[LogLine]:
        """Lines of its log, as they come, until the stream ends or `timeout_s` are over.

        The stream of a living pod does not end by itself. Nothing for `timeout_s` ends it without an error, so that
        a call takes at most about twice as long.

        Args:
            source: None for both.
            tail: lines from before, up to 5000; 100 where None.
            since: RFC 3339, such as a line's `ts`; `tail` does not count then.

        Raises:
            MissingError: there is no such pod.
            ServiceError: no answer, a connection that broke, or lines that are none.
        """
        what = f"read the log of pod {pod_id}"
        asked = {"source": source, "tail": None if tail is None else str(tail), "since": since}
        params = {name: value for name, value in asked.items() if value is not None}
        end_s = time.monotonic() + timeout_s

        def pieces(answer: httpx.Response) -> Iterator[bytes]:
            for piece in answer.iter_bytes():
                yield piece
                if time.monotonic() >= end_s:
                    return

        try:
            with self._asks.streamed(at(PODS, pod_id) + "/logs", what, params, timeout_s) as answer:
                yield from log_lines(pieces(answer), what)
        except httpx.ReadTimeout:
            return
        except httpx.HTTPError as error:
            raise ServiceError(f"Runpod: {what}: the connection broke ({type(error).__name__})") from error

    # Network volumes

    def volumes(self) -> list[NetworkVolume]:
        """All network volumes of the account."""
        return self._all(VOLUMES, "list network volumes", "networkVolumes", NetworkVolume.read)

    def volume(self, volume_id: str) -> NetworkVolume | None:
        """One network volume; None if it is gone."""
        return self._one(VOLUMES, volume_id, f"look at network volume {volume_id}", NetworkVolume.read)

    def volume_named(self, name: str) -> NetworkVolume | None:
        """The network volume of this name; names of ours are unique."""
        return next(iter(self._named(VOLUMES, "networkVolumes", name, NetworkVolume.read)), None)

    def create_volume(self, *, name: str, size_gb: int, data_center: str) -> NetworkVolume:
        """Set one up, of the data centre's own kind; its name must be unique, as in `create_pod`."""
        # Lowercase ids are accepted and then break other things (dstack's notes on Runpod).
        body = {"name": name, "size": size_gb, "dataCenter": data_center.upper()}
        what = f"create network volume {name}"
        return self._created(VOLUMES, what, body, NetworkVolume.read, self.volume_named)

    def grow_volume(self, volume_id: str, size_gb: int) -> NetworkVolume:
        """Make it larger; it never gets smaller again.

        Raises:
            MissingError: there is no such volume.
            RefusedError: it is larger already.
        """
        what, path = f"grow network volume {volume_id}", at(VOLUMES, volume_id)
        answer = self._asks.repeated(lambda: self._asks.send("PATCH", path, what, {"size": size_gb}))
        return read(NetworkVolume.read, answer, what)

    def delete_volume(self, volume_id: str) -> None:
        """Remove it with all it holds; one that is gone already is a success."""
        self._asks.delete(at(VOLUMES, volume_id), f"remove network volume {volume_id}")

    # Registry credentials

    def registries(self) -> list[RegistryCredential]:
        """All registry credentials of the account."""
        return self._all(REGISTRIES, "list registry credentials", "registries", RegistryCredential.read)

    def registry(self, registry_id: str) -> RegistryCredential | None:
        """One registry credential; None if it is gone."""
        what = f"look at registry credential {registry_id}"
        return self._one(REGISTRIES, registry_id, what, RegistryCredential.read)

    def registry_named(self, name: str) -> RegistryCredential | None:
        """The registry credential of this name; names of ours are unique."""
        return next(iter(self._named(REGISTRIES, "registries", name, RegistryCredential.read)), None)

    def create_registry(self, *, name: str, username: str, password: str) -> RegistryCredential:
        """Store one; there is no changing it. Its name must be unique, as in `create_pod`."""
        body = {"name": name, "username": username, "password": password}
        what = f"create registry credential {name}"
        return self._created(REGISTRIES, what, body, RegistryCredential.read, self.registry_named)

    def delete_registry(self, registry_id: str) -> None:
        """Remove it; one that is gone already is a success.

        Raises:
            RefusedError: a pod uses it.
        """
        self._asks.delete(at(REGISTRIES, registry_id), f"remove registry credential {registry_id}")

    # Catalogue, account, bills

    def gpus(
        self,
        *,
        count: int = 1,
        cloud: str = "SECURE",
        min_cuda: str | None = None,
    ) -> list[GpuType]:
        """The catalogue for pods; its stock is that of `count` GPUs in `cloud`, its prices are of one, in both.

        Args:
            cloud: SECURE or COMMUNITY.
            min_cuda: lowest CUDA version of the host, such as 12.8.
        """
        params = {"include": "AVAILABILITY", "product": "POD", "count": str(count), "cloud": cloud}
        if min_cuda is not None:
            params["minCudaVersion"] = min_cuda
        return self._all("/catalog/gpus", "read the catalogue of GPUs", "gpus", GpuType.read, params)

    def cpus(self) -> list[CpuType]:
        """The catalogue of CPU flavours for pods, with stock."""
        params = {"include": "AVAILABILITY", "product": "POD"}
        return self._all("/catalog/cpus", "read the catalogue of CPUs", "cpus", CpuType.read, params)

    def data_centers(self) -> list[DataCenter]:
        """All data centres, with their GPUs."""
        params = {"include": "GPU_AVAILABILITY"}
        return self._all("/catalog/datacenters", "list data centres", "dataCenters", DataCenter.read, params)

    def pod_bills(self, pod_id: str | None = None, *, last_n: int = 30) -> list[PodBill]:
        """What pods cost on each of the last days, today included; of all pods where None."""
        params = {"lastN": str(last_n)} | ({} if pod_id is None else {"podId": pod_id})
        return self._all("/billing/pods", "read the bills of pods", "records", PodBill.read, params)

    def volume_bills(self, volume_id: str | None = None, *, last_n: int = 30) -> list[VolumeBill]:
        """What network volumes cost on each of the last days, today included; of all volumes where None."""
        params = {"lastN": str(last_n)} | ({} if volume_id is None else {"networkVolumeId": volume_id})
        what = "read the bills of network volumes"
        return self._all("/billing/network-volumes", what, "records", VolumeBill.read, params)

    def _all(
        self,
        path: str,
        what: str,
        field: str,
        kind: Callable[[Mapping[str, Any]], T],
        params: Mapping[str, str] | None = None,
    ) -> list[T]:
        return [read(kind, one, what) for one in self._asks.listed(path, what, field, params)]

    def _named(self, path: str, field: str, name: str, kind: Callable[[Mapping[str, Any]], T]) -> list[T]:
        what = f"look for {name}"
        # What carries another name need not be readable.
        found = [one for one in self._asks.listed(path, what, field) if one.get("name") == name]
        return [read(kind, one, what) for one in found]

    def _one(self, path: str, identity: str, what: str, kind: Callable[[Mapping[str, Any]], T]) -> T | None:
        try:
            return read(kind, self._asks.get(at(path, identity), what), what)
        except MissingError:
            return None

    def _created(
        self,
        path: str,
        what: str,
        body: Mapping[str, Any],
        kind: Callable[[Mapping[str, Any]], T],
        named: Callable[[str], T | None],
        *,
        again: Callable[[T], None] = lambda _: None,
    ) -> T:
        """Create; after a lost answer its name is looked for several times before it is asked for again.

        What is refused once an answer was lost is no plain refusal: the lost one may have taken the last GPU.

        Args:
            again: is told of what another request than the first made.
        """
        lost: RunpodError | None = None
        for attempt in range(ATTEMPTS):
            try:
                made = read(kind, self._asks.send("POST", path, what, body), what)
                if lost is not None:
                    again(made)
                return made
            except CancelledError:
                raise
            except RunpodError as error:
                if lost is None and (
                    isinstance(error, RateLimitError) or not isinstance(error, ServiceError)
                ):
                    raise
                lost = error
            for look in range(LOOKS):
                self._asks.sleep(pause_s(look))
                found = _looked_for(body["name"], named, lost)
                if found is not None:
                    return found
            if not isinstance(lost, ServiceError) or isinstance(lost, RateLimitError):
                break
            if attempt < ATTEMPTS - 1:
                self._asks.sleep(pause_s(attempt))
        assert lost is not None
        raise ServiceError(
            f"{lost}; an answer was lost, and no {body['name']} is seen: "
            "run the same again, which looks for it by its name"
        ) from lost


def _looked_for(name: str, named: Callable[[str], T | None], lost: RunpodError) -> T | None:
    try:
        return named(name)
    except CancelledError:
        raise
    except RunpodError as error:
        # A refusal of the look, such as 403, says nothing of what was created.
        raise ServiceError(
            f"{lost}; whether it is there could not be seen either ({error}): it may be, and cost money; "
            "run the same again, which looks for it by its name"
        ) from error
