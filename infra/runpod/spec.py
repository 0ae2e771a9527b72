"""A pod as the stack wants it, and the request that rents it. Pure."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any, Literal

from infra.naming import DIGEST_LETTERS, resource_name
from infra.runpod.bootstrap import machine_variables, start_command
from infra.runpod.offers import Offer, Wish

STOCK_IMAGE = "runpod/pytorch:1.0.3-cu1281-torch291-ubuntu2404"
"""Runpod's own, with sshd and torch 2.9.1 on CUDA 12.8 (cloud facts 7, 2026-11)."""
STOCK_CUDA = "12.8"
SSH_PORT = "22/tcp"
NOTEBOOK_PORT = "8888/http"
SPEC_VARIABLE = "SONARSTACK_MACHINE_SPEC"
"""In the pod's variables, which the API tells in the clear: what was asked for, so that any machine can take it up."""
LEASE_VARIABLE = "SONARSTACK_MACHINE_LEASE_UNTIL"
SHAPE = (
    "stamp", "image", "gpus", "gpu_count", "min_vram_gib", "min_cuda", "cloud", "data_centers", "disk_gib",
    "volume_id", "workspace", "registry_id", "expose",
)  # fmt: skip
"""Another one of these is another pod; everything else counts at the next rent."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PodSpec:
    """What is rented, and what it is told. Nothing in it is secret."""

    stamp: str
    run: str
    """Whose dollars its hours are."""
    gpus: tuple[str, ...]
    gpu_count: int = 1
    min_vram_gib: float | None = None
    min_cuda: str | None = None
    cloud: Literal["secure", "community"] = "secure"
    data_centers: tuple[str, ...] = ()
    max_usd_per_h: float
    max_hours: float
    machines_usd: float | None = None
    """For all machines of the run together, those before included, with their disks."""
    image: str = STOCK_IMAGE
    own_image: bool = False
    """An image of ours starts by itself; a stock one is given its start command."""
    disk_gib: int = 50
    volume_id: str | None = None
    workspace: str = "/workspace"
    registry_id: str | None = None
    authorized_keys: tuple[str, ...] = ()
    """Public keys besides the stack's own."""
    linger_minutes: float | None = None
    """After its job's end, for its owner to look; the machine's own default if None."""
    expose: bool = False
    """Whether Jupyter answers at Runpod's public proxy, behind its token."""

    @property
    def name(self) -> str:
        """The pod's own name, the same for the same shape: known before anything is rented."""
        # 20 and 20.0 are one size, however a value came here.
        shape = {
            key: float(value) if isinstance(value, int | float) else value
            for key, value in asdict(self).items()
            if key in SHAPE
        }
        digest = hashlib.sha256(json.dumps(shape, sort_keys=True).encode()).hexdigest()
        return resource_name("runpod", self.stamp, digest[:DIGEST_LETTERS])

    @property
    def folder(self) -> str:
        """Of this stack, on the pod."""
        return f"{self.workspace}/{self.stamp}"

    def wish(self) -> Wish:
        """What the catalogue is searched for."""
        return Wish(
            gpus=self.gpus,
            count=self.gpu_count,
            min_vram_gib=self.min_vram_gib,
            cloud=self.cloud,
            data_centers=self.data_centers,
            max_usd_per_h=self.max_usd_per_h,
        )

    def request(self, offer: Offer, lease_until: datetime, public_key: str) -> dict[str, Any]:
        """The contract's `CreatePodRequest`."""
        gpu = {"id": offer.gpu_id, "count": self.gpu_count}
        if self.min_cuda is not None:
            gpu["minCudaVersion"] = self.min_cuda
        body = self._body(lease_until, public_key, gpus=self.gpu_count)
        body |= {"gpu": gpu, "cloud": self.cloud.upper()}
        centers = [offer.data_center] if offer.data_center else list(self.data_centers)
        return {**body, "dataCenterIds": centers} if centers else body

    def reader_request(
        self, name: str, cpu: str, center: str, lease_until: datetime, key: str
    ) -> dict[str, Any]:
        """A CPU pod on the same volume, for as long as it takes to read it."""
        body = self._body(lease_until, key, gpus=0)
        # The job's folder of the pod that is gone must not end this one: it is told of another.
        body["env"]["SONARSTACK_MACHINE_JOB"] = f"{self.workspace}/{self.stamp}/reader"
        body |= {
            "name": name,
            "cloud": "SECURE",
            "cpu": {"id": cpu, "vcpuCount": 2},
            "dataCenterIds": [center],
        }
        return {**body, "disk": min(self.disk_gib, 20)}

    def as_dict(self) -> dict[str, Any]:
        """For journal and pod."""
        return asdict(self)

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> "PodSpec":
        """The same again.

        Raises:
            TypeError: these are no such values.
        """
        lists = ("gpus", "data_centers", "authorized_keys")
        told: dict[str, Any] = {k: tuple(v) if k in lists else v for k, v in values.items()}
        return cls(**told)

    def _body(self, lease_until: datetime, public_key: str, *, gpus: int) -> dict[str, Any]:
        variables = machine_variables(
            lease_until=lease_until,
            job=f"{self.folder}/job",
            runs=self.folder,
            public_keys=(public_key, *self.authorized_keys),
            gpus=gpus,
            linger_minutes=self.linger_minutes,
            expose=self.expose and gpus > 0,
        )
        body: dict[str, Any] = {
            "name": self.name,
            "image": self.image,
            "disk": self.disk_gib,
            "ports": [SSH_PORT, *([NOTEBOOK_PORT] if self.expose and gpus else [])],
            "env": {**variables, SPEC_VARIABLE: json.dumps(self.as_dict())},
            # Its own keys of the account would let other people's machines in; ours alone are given.
            "startSsh": False,
        }
        if not self.own_image:
            body["args"] = start_command()
        if self.registry_id is not None:
            body["registry"] = self.registry_id
        if self.volume_id is not None:
            body["mounts"] = {"network": [{"volumeId": self.volume_id, "path": self.workspace}]}
        return body


def told_lease(variables: Mapping[str, str]) -> datetime | None:
    """Until when a pod may live, by what it was told; None for one that is not ours."""
    text = variables.get(LEASE_VARIABLE, "")
    try:
        return datetime.fromtimestamp(float(text), UTC)
    except (ValueError, OverflowError):
        return None


def spec_of(variables: Mapping[str, str]) -> PodSpec | None:
    """What a pod was rented as, by what it was told; None for one that is not ours."""
    text = variables.get(SPEC_VARIABLE)
    if text is None:
        return None
    try:
        return PodSpec.read(json.loads(text))
    except (ValueError, TypeError):
        return None


def camel(field: str) -> str:
    """A field's name as the plugin's protocol has it."""
    first, *rest = field.split("_")
    return first + "".join(word.capitalize() for word in rest)


def spec_inputs(spec: PodSpec) -> dict[str, Any]:
    """A spec as properties of a resource; what is not set is left out."""
    return {
        camel(key): list(value) if isinstance(value, tuple) else value
        for key, value in spec.as_dict().items()
        if value is not None
    }


def spec_from_inputs(inputs: Mapping[str, Any]) -> PodSpec:
    """The spec that properties of a resource mean; properties of other purposes are left out."""
    known = {camel(one.name): one.name for one in fields(PodSpec)}
    return PodSpec.read(
        {known[key]: value for key, value in inputs.items() if key in known and value is not None}
    )
