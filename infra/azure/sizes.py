"""Sizes of machines with NVIDIA GPUs that this project knows: a typed table, and the choice among them. Pure.

Source of sizes: learn.microsoft.com, azure/virtual-machines/sizes/gpu-accelerated, one page a series. Source of family
names: what `az vm list-usage` prints; the service's own word counts at run time (quota.py). All read 2026-11.
"""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from infra.azure.errors import SizeError
from infra.prices import Price

Market = Literal["spot", "on_demand"]
SPOT_QUOTA = "lowPriorityCores"
"""All spot machines of a region together, whatever their family."""
DEFAULT = "Standard_NC4as_T4_v3"
MIN_DRIVER = "580.65.06"
"""NVIDIA driver that the image's CUDA 13 needs (images/cuda/variants.yaml)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """A machine as Azure sells it."""

    name: str
    gpu: str
    """As in the price tables."""
    gpu_count: int
    gpu_memory_mib: int
    """Of one GPU."""
    vcpus: int
    memory_gib: int
    scratch_gib: int
    """The temporary disk; local NVMe disks are not counted."""
    family: str
    """As quotas on demand name it."""

    @property
    def compute_capability(self) -> str:
        """sm_75 is 7.5."""
        return CAPABILITIES[self.gpu]

    def quota(self, market: Market) -> str:
        """Name of what limits how many of it may run."""
        return SPOT_QUOTA if market == "spot" else self.family


CAPABILITIES = {
    "T4": "7.5",
    "A100 80GB PCIe": "8.0",
    "A100 40GB": "8.0",
    "A100 80GB SXM": "8.0",
    "H100 NVL": "9.0",
}
"""Source: NVIDIA, CUDA GPU compute capability."""

_T4, _A100, _H100 = "Standard NCASv3_T4 Family", "StandardNCADSA100v4Family", "StandardNCadsH100v5Family"
_ROWS = (
    ("Standard_NC4as_T4_v3", "T4", 1, 16, 4, 28, 180, _T4),
    ("Standard_NC8as_T4_v3", "T4", 1, 16, 8, 56, 360, _T4),
    ("Standard_NC16as_T4_v3", "T4", 1, 16, 16, 110, 360, _T4),
    ("Standard_NC64as_T4_v3", "T4", 4, 16, 64, 440, 2880, _T4),
    ("Standard_NC24ads_A100_v4", "A100 80GB PCIe", 1, 80, 24, 220, 64, _A100),
    ("Standard_NC48ads_A100_v4", "A100 80GB PCIe", 2, 80, 48, 440, 128, _A100),
    ("Standard_NC96ads_A100_v4", "A100 80GB PCIe", 4, 80, 96, 880, 256, _A100),
    ("Standard_ND96asr_v4", "A100 40GB", 8, 40, 96, 900, 6000, "Standard NDASv4_A100 Family"),
    ("Standard_ND96amsr_A100_v4", "A100 80GB SXM", 8, 80, 96, 1900, 6400, "Standard NDAMSv4_A100Family"),
    ("Standard_NC40ads_H100_v5", "H100 NVL", 1, 94, 40, 320, 128, _H100),
    ("Standard_NC80adis_H100_v5", "H100 NVL", 2, 94, 80, 640, 256, _H100),
)
SIZES = {
    name: Size(
        name=name,
        gpu=gpu,
        gpu_count=count,
        gpu_memory_mib=gpu_gib * 1024,
        vcpus=vcpus,
        memory_gib=memory_gib,
        scratch_gib=scratch_gib,
        family=family,
    )
    for name, gpu, count, gpu_gib, vcpus, memory_gib, scratch_gib, family in _ROWS
}
NEAR = ("Standard_NC4as_T4_v3", "Standard_NC24ads_A100_v4", "Standard_NC40ads_H100_v5")
"""One of each series, the cheapest first."""

_NCV3, _NDV2 = "V100, NCv3, retired 2025-09-30", "V100, NDv2, retired 2025-09-30"
_NC, _NCV2, _ND = (
    "K80, NC, retired 2023-09-06",
    "P100, NCv2, retired 2023-09-06",
    "P40, ND, retired 2023-09-06",
)
RETIRED = {
    **dict.fromkeys(
        ("Standard_NC6s_v3", "Standard_NC12s_v3", "Standard_NC24s_v3", "Standard_NC24rs_v3"), _NCV3
    ),
    "Standard_ND40rs_v2": _NDV2,
    **dict.fromkeys(("Standard_NC6", "Standard_NC12", "Standard_NC24", "Standard_NC24r"), _NC),
    **dict.fromkeys(
        ("Standard_NC6s_v2", "Standard_NC12s_v2", "Standard_NC24s_v2", "Standard_NC24rs_v2"), _NCV2
    ),
    **dict.fromkeys(("Standard_ND6s", "Standard_ND12s", "Standard_ND24s", "Standard_ND24rs"), _ND),
}
"""Source: MicrosoftDocs/azure-docs, pages on the retirement of each series."""
NO_CUDA_DRIVER = "Standard_NV"
"""NVads A10 and its like: a share of a GPU behind NVIDIA's GRID driver, which is not on the HPC image."""


def choose_sizes(wanted: Sequence[str]) -> tuple[Size, ...]:
    """The wanted sizes in their order, each once.

    Args:
        wanted: names such as Standard_NC4as_T4_v3, in any case of letters, as Azure takes them.

    Raises:
        SizeError: one is retired or unknown; one line for all of them.
    """
    exact = {name.lower(): name for name in (*SIZES, *RETIRED)}
    names = [exact.get(name.lower(), name) for name in wanted]
    problems = [problem for name in names for problem in _problems(name)]
    if not wanted:
        problems.append(f"no size is named; take {DEFAULT}, say")
    if problems:
        raise SizeError("; ".join(dict.fromkeys(problems)))
    return tuple(SIZES[name] for name in dict.fromkeys(names))


def on_demand_price(size: Size, prices: Sequence[Price], location: str) -> Price | None:
    """What the table of prices knows of it on demand: dated, with its source; None where it has no row."""
    return next(
        (
            price
            for price in prices
            if (price.provider, price.machine, price.market, price.region)
            == ("azure", size.name, "on_demand", location)
        ),
        None,
    )


def _problems(name: str) -> Iterator[str]:
    newer = ", ".join(NEAR)
    if name in SIZES:
        return
    if name in RETIRED:
        yield f"{name} ({RETIRED[name]}) cannot be rented any more: take one of {newer}"
    elif name.lower().startswith(NO_CUDA_DRIVER.lower()):
        yield (
            f"{name} is driven by NVIDIA's GRID driver, which the HPC image with its CUDA driver does not have: take "
            f"one of {newer}"
        )
    else:
        near = difflib.get_close_matches(name, SIZES, n=3) or list(NEAR)
        yield f"{name!r} is no size with a GPU that this project knows; near it are {', '.join(near)}"
