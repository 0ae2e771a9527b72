"""Instance types with NVIDIA GPUs that this project knows: a typed table, and the choice among them. Pure.

Source of sizes: EC2's DescribeInstanceTypes, as moto 5.2.5 carries it; P3 is no longer in it, and from AWS's own page.
Source of quota codes: Service Quotas, EC2; asked again at run time (quota.py). All read 2026-11.
"""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from infra.aws.errors import InstanceTypeError
from infra.prices import Price

Market = Literal["spot", "on_demand"]
Variant = Literal["cuda13", "cuda12"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Quota:
    """A ceiling on virtual CPUs that run at once, for a family and a market."""

    code: str
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class InstanceType:
    """A machine as AWS sells it."""

    name: str
    gpu: str
    """As in the price tables."""
    gpu_count: int
    gpu_memory_mib: int
    """Of one GPU."""
    vcpus: int
    memory_gib: int
    scratch_gb: int
    """Local NVMe disks together; 0 for none."""

    @property
    def family(self) -> str:
        """What stands before the dot."""
        return self.name.partition(".")[0]

    @property
    def compute_capability(self) -> str:
        """sm_75 is 7.5."""
        return CAPABILITIES[self.gpu]

    @property
    def retired(self) -> bool:
        """Whether AWS has taken it from its list."""
        return self.family in RETIRED

    @property
    def variant(self) -> Variant:
        """Which build of torch drives it (images/cuda/variants.yaml)."""
        return "cuda12" if self.retired else "cuda13"

    @property
    def min_driver(self) -> str:
        """NVIDIA driver that this build needs; the Deep Learning AMI of 2026-10 has 595.91.07."""
        return MIN_DRIVERS[self.variant]

    @property
    def stock_ami(self) -> bool:
        """Whether the default AMI drives it: its open kernel module needs Turing or newer."""
        return not self.retired

    def quota(self, market: Market) -> Quota:
        """What limits how many of it may run."""
        return QUOTAS[self.family[:2] if self.family.startswith("p") else "g"][market]


CAPABILITIES = {
    "T4": "7.5", "A10G": "8.6", "L4": "8.9", "L40S": "8.9", "A100 40GB": "8.0", "A100 80GB SXM": "8.0",
    "H100 SXM": "9.0", "V100": "7.0", "V100 32GB": "7.0",
}  # fmt: skip
"""Source: NVIDIA, CUDA GPU compute capability."""
MIN_DRIVERS: dict[Variant, str] = {"cuda13": "580.65.06", "cuda12": "525.60.13"}
RETIRED = ("p3", "p3dn")
GONE = ("p2", "g2", "g3", "g3s")
"""Older than any build of torch that we have."""
NEWER = ("g4dn.xlarge", "g5.xlarge", "g6.xlarge")

_ON_P = Quota(code="L-417A185B", name="Running On-Demand P instances")
_SPOT_P = Quota(code="L-7212CCBC", name="All P4, P3 and P2 Spot Instance Requests")
QUOTAS: dict[str, dict[Market, Quota]] = {
    "g": {
        "on_demand": Quota(code="L-DB2E81BA", name="Running On-Demand G and VT instances"),
        "spot": Quota(code="L-3819A6DF", name="All G and VT Spot Instance Requests"),
    },
    "p3": {"on_demand": _ON_P, "spot": _SPOT_P},
    "p4": {"on_demand": _ON_P, "spot": _SPOT_P},
    "p5": {"on_demand": _ON_P, "spot": Quota(code="L-C4BD4855", name="All P5 Spot Instance Requests")},
}

_ROWS = """
g4dn.xlarge     T4             1  16384    4    16    125
g4dn.2xlarge    T4             1  16384    8    32    225
g4dn.4xlarge    T4             1  16384   16    64    225
g4dn.8xlarge    T4             1  16384   32   128    900
g4dn.16xlarge   T4             1  16384   64   256    900
g4dn.12xlarge   T4             4  16384   48   192    900
g4dn.metal      T4             8  16384   96   384   1800
g5.xlarge       A10G           1  22888    4    16    250
g5.2xlarge      A10G           1  22888    8    32    450
g5.4xlarge      A10G           1  22888   16    64    600
g5.8xlarge      A10G           1  22888   32   128    900
g5.16xlarge     A10G           1  22888   64   256   1900
g5.12xlarge     A10G           4  22888   48   192   3800
g5.24xlarge     A10G           4  22888   96   384   3800
g5.48xlarge     A10G           8  22888  192   768   7600
g6.xlarge       L4             1  22888    4    16    250
g6.2xlarge      L4             1  22888    8    32    450
g6.4xlarge      L4             1  22888   16    64    600
g6.8xlarge      L4             1  22888   32   128    900
g6.16xlarge     L4             1  22888   64   256   1880
g6.12xlarge     L4             4  22888   48   192   3760
g6.24xlarge     L4             4  22888   96   384   3760
g6.48xlarge     L4             8  22888  192   768   7520
g6e.xlarge      L40S           1  45776    4    32    250
g6e.2xlarge     L40S           1  45776    8    64    450
g6e.4xlarge     L40S           1  45776   16   128    600
g6e.8xlarge     L40S           1  45776   32   256    900
g6e.16xlarge    L40S           1  45776   64   512   1900
g6e.12xlarge    L40S           4  45776   48   384   3800
g6e.24xlarge    L40S           4  45776   96   768   3800
g6e.48xlarge    L40S           8  45776  192  1536   7600
p4d.24xlarge    A100_40GB      8  40960   96  1152   8000
p4de.24xlarge   A100_80GB_SXM  8  81920   96  1152   8000
p5.4xlarge      H100_SXM       1  81920   16   256   3800
p5.48xlarge     H100_SXM       8  81920  192  2048  30400
p3.2xlarge      V100           1  16384    8    61      0
p3.8xlarge      V100           4  16384   32   244      0
p3.16xlarge     V100           8  16384   64   488      0
p3dn.24xlarge   V100_32GB      8  32768   96   768   1800
"""


def _table() -> Iterator[InstanceType]:
    for row in _ROWS.strip().splitlines():
        name, gpu, *figures = row.split()
        count, gpu_mib, vcpus, memory_gib, scratch_gb = map(int, figures)
        yield InstanceType(
            name=name,
            gpu=gpu.replace("_", " "),
            gpu_count=count,
            gpu_memory_mib=gpu_mib,
            vcpus=vcpus,
            memory_gib=memory_gib,
            scratch_gb=scratch_gb,
        )


TYPES = {kind.name: kind for kind in _table()}


def choose_types(
    wanted: Sequence[str], *, allow_retired: bool = False, ami: str | None = None
) -> tuple[InstanceType, ...]:
    """The wanted types in their order, each once.

    Args:
        wanted: names such as g4dn.xlarge.
        allow_retired: for an account that still holds a retired one.
        ami: the user's own image of a disk; None for the default.

    Raises:
        InstanceTypeError: one is retired or unknown; one line for all of them.
    """
    problems = [problem for name in wanted for problem in _problems(name, allow_retired, ami)]
    if not wanted:
        problems.append(f"no instance type is named; take {NEWER[0]}, say")
    if problems:
        raise InstanceTypeError("; ".join(dict.fromkeys(problems)))
    return tuple(TYPES[name] for name in dict.fromkeys(wanted))


def variant_of(types: Sequence[InstanceType]) -> Variant:
    """The one build of the image that all of them run: nobody knows beforehand which of them it will be."""
    return "cuda12" if any(kind.variant == "cuda12" for kind in types) else "cuda13"


def on_demand_price(kind: InstanceType, prices: Sequence[Price], region: str) -> Price | None:
    """What the table of prices knows of it on demand: dated, with its source; None where it has no row."""
    return next(
        (
            price
            for price in prices
            if (price.provider, price.machine, price.market, price.region)
            == ("aws", kind.name, "on_demand", region)
        ),
        None,
    )


def dearest_on_demand(
    types: Sequence[InstanceType], prices: Sequence[Price], region: str
) -> tuple[float, list[str]]:
    """Dollars an hour of the dearest type that the table of prices knows, and the names of those it does not."""
    found = {kind.name: on_demand_price(kind, prices, region) for kind in types}
    known = [one.price_usd_per_h for one in found.values() if one is not None]
    return max(known, default=0.0), [name for name, one in found.items() if one is None]


def _problems(name: str, allow_retired: bool, ami: str | None) -> Iterator[str]:
    kind = TYPES.get(name)
    newer = ", ".join(NEWER)
    if kind is None and name.partition(".")[0] in GONE:
        yield f"{name} is too old for every image of this project; take one of {newer}"
    elif kind is None:
        near = difflib.get_close_matches(name, TYPES, n=3) or list(NEWER)
        yield f"{name!r} is no instance type with a GPU that this project knows; near it are {', '.join(near)}"
    elif kind.retired and not allow_retired:
        yield (
            f"{name} ({kind.gpu_count} x {kind.gpu}) is retired, AWS lists no P3 since 2026-05: take one of {newer}; "
            "an account that still holds one sets sonarstack:allowRetired, with an AMI of its own (sonarstack:ami) "
            "whose driver knows the V100, and gets the CUDA 12.8 image"
        )
    elif kind.retired and ami is None:
        yield (
            f"{name} needs an AMI of yours in sonarstack:ami: the default one's open driver does not drive a {kind.gpu}"
        )
