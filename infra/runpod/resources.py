"""The plugin's Runpod resources as a Pulumi program declares them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from infra.runpod.spec import PodSpec, spec_inputs


class Leftovers(pulumi.CustomResource):
    """Comes before all that is rented and ends after it: what an `up` that was killed left goes with it."""

    def __init__(self, name: str, *, stamp: str, opts: pulumi.ResourceOptions | None = None) -> None:
        """`stamp` is the stack's."""
        _declare(self, "Leftovers", name, {"stamp": stamp}, (), opts)


class NetworkVolume(pulumi.CustomResource):
    """Storage that outlives pods, in the data centre where the wish is met most cheaply."""

    volume_id: pulumi.Output[str]
    data_center: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        volume_name: str,
        size_gib: int,
        spec: PodSpec,
        data_centers: Sequence[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`spec` tells of the pods that it will serve; a later change of it never moves the volume."""
        wished = ("stamp", "run", "gpus", "gpuCount", "minVramGib", "minCuda", "maxUsdPerH")
        told = {key: value for key, value in spec_inputs(spec).items() if key in wished}
        props = {"name": volume_name, "sizeGib": size_gib, "dataCenters": list(data_centers), **told}
        _declare(self, "NetworkVolume", name, props, ("volumeId", "dataCenter"), opts)


class RegistryCredential(pulumi.CustomResource):
    """What Runpod pulls a private image with."""

    registry_id: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        credential_name: str,
        username: str,
        password: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`password` is kept as a secret."""
        props = {
            "name": credential_name,
            "username": username,
            "password": pulumi.Output.secret(password),
        }
        _declare(self, "RegistryCredential", name, props, ("registryId",), opts)


class Pod(pulumi.CustomResource):
    """A rented machine; `create` returns as soon as it is rented."""

    pod_id: pulumi.Output[str]
    gpu: pulumi.Output[str]
    data_center: pulumi.Output[str]
    price_usd_per_h: pulumi.Output[float]
    lease_until: pulumi.Output[str]
    """ISO 8601."""
    status: pulumi.Output[str]
    """Runpod's, or ENDED (as planned) or GONE."""
    simulated: pulumi.Output[bool]

    def __init__(
        self,
        name: str,
        *,
        spec: PodSpec,
        job: str,
        volume_id: pulumi.Input[str] | None = None,
        data_centers: pulumi.Input[Sequence[str]] | None = None,
        registry_id: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Another `job` rents again after a pod that has ended; what the spec cannot know yet comes beside it."""
        props: dict[str, Any] = {**spec_inputs(spec), "job": job}
        later = {"volumeId": volume_id, "dataCenters": data_centers, "registryId": registry_id}
        props |= {key: value for key, value in later.items() if value is not None}
        computed = ("podId", "gpu", "dataCenter", "priceUsdPerH", "leaseUntil", "status", "simulated")
        _declare(self, "Pod", name, props, computed, opts)


class PodReady(pulumi.CustomResource):
    """A pod that can be worked on."""

    host: pulumi.Output[dict[str, Any]]
    """What `infra.machines.open_machine` takes."""
    ready_pod_id: pulumi.Output[str]
    address: pulumi.Output[str]
    host_key: pulumi.Output[str]
    gpus: pulumi.Output[str]
    key_accepted: pulumi.Output[bool]
    """Whether the pod may end itself with its own key."""
    price_usd_per_h: pulumi.Output[float]
    lease_until: pulumi.Output[str]
    """ISO 8601."""

    def __init__(
        self,
        name: str,
        *,
        pod: Pod,
        ready_minutes: float | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`ready_minutes` bounds the wait for one host."""
        props: Mapping[str, Any] = {
            "pod": pod.id,
            "podId": pod.pod_id,
            "dataCenter": pod.data_center,
            "readyMinutes": ready_minutes,
        }
        computed = (
            "host", "readyPodId", "address", "hostKey", "gpus", "keyAccepted", "priceUsdPerH", "leaseUntil",
        )  # fmt: skip
        _declare(self, "PodReady", name, props, computed, opts)


def _declare(
    resource: pulumi.CustomResource,
    kind: str,
    name: str,
    props: Mapping[str, Any],
    computed: Sequence[str],
    opts: pulumi.ResourceOptions | None,
) -> None:
    """Register it; outputs that the protocol has as camelCase are its attributes in Python's manner."""
    pulumi.CustomResource.__init__(
        resource, f"sonarstack:index:{kind}", name, {**props, **dict.fromkeys(computed)}, opts
    )
    for key in computed:
        resource.__dict__[re.sub("[A-Z]", lambda found: f"_{found[0].lower()}", key)] = resource.__dict__[key]
