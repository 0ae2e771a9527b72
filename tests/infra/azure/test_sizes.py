"""The table of sizes, the choice among them, and what the images and prices know of the same machines."""

import re

import pytest
import yaml

from infra.azure.errors import SizeError
from infra.azure.sizes import (
    CAPABILITIES,
    DEFAULT,
    MIN_DRIVER,
    NEAR,
    RETIRED,
    SIZES,
    choose_sizes,
    on_demand_price,
)
from infra.prices import read_prices
from tests.conftest import REPOSITORY

FORM = re.compile(r"Standard_N[CD](?P<vcpus>\d+)[a-z]+_(?:(?:T4|A100|H100)_)?v\d")


def test_a_size_s_name_says_its_virtual_cpus() -> None:
    for size in SIZES.values():
        named = FORM.fullmatch(size.name)
        assert named, size.name
        assert int(named["vcpus"]) == size.vcpus


def test_larger_sizes_of_a_series_have_more_of_the_same() -> None:
    for head, names in {
        "A100": ("Standard_NC24ads_A100_v4", "Standard_NC48ads_A100_v4", "Standard_NC96ads_A100_v4"),
        "H100": ("Standard_NC40ads_H100_v5", "Standard_NC80adis_H100_v5"),
    }.items():
        one, *larger = (SIZES[name] for name in names)
        for size in larger:
            times = size.vcpus // one.vcpus
            assert head in size.gpu
            assert (size.gpu, size.gpu_memory_mib, size.family) == (one.gpu, one.gpu_memory_mib, one.family)
            assert (size.gpu_count, size.memory_gib, size.scratch_gib) == (
                times, times * one.memory_gib, times * one.scratch_gib,
            )  # fmt: skip


def test_the_image_s_build_of_torch_drives_every_gpu() -> None:
    variants = yaml.safe_load((REPOSITORY / "images" / "cuda" / "variants.yaml").read_text())
    assert variants["cuda13"]["min_driver"] == MIN_DRIVER
    for size in SIZES.values():
        assert float(size.compute_capability) >= float(variants["cuda13"]["min_compute"]), size.name
    assert {size.gpu for size in SIZES.values()} == CAPABILITIES.keys()


def test_spot_machines_stand_under_one_quota_and_others_under_their_family_s() -> None:
    assert {size.quota("spot") for size in SIZES.values()} == {"lowPriorityCores"}
    assert SIZES[DEFAULT].quota("on_demand") == "Standard NCASv3_T4 Family"
    assert len({size.quota("on_demand") for size in SIZES.values()}) == 5


def test_sizes_come_in_the_wanted_order_each_once_and_in_any_spelling() -> None:
    chosen = choose_sizes(("standard_nc24ads_a100_v4", DEFAULT, "Standard_NC24ads_A100_v4"))
    assert [size.name for size in chosen] == ["Standard_NC24ads_A100_v4", DEFAULT]


@pytest.mark.parametrize("name", sorted(RETIRED))
def test_a_retired_size_is_answered_in_one_line_with_what_to_take(name: str) -> None:
    with pytest.raises(SizeError) as refused:
        choose_sizes((name, DEFAULT))
    said = str(refused.value)
    assert "\n" not in said
    assert re.match(rf"{name} \(\w+, \w+, retired 20\d\d-\d\d-\d\d\) cannot be rented any more", said)
    assert all(near in said for near in NEAR)


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ((), f"no size is named; take {DEFAULT}"),
        (("Standard_NC4as_T4_v33",), f"no size with a GPU.*near it are {DEFAULT}"),
        (("Standard_D4s_v5",), "no size with a GPU"),
        (("Standard_NV36ads_A10_v5",), "driven by NVIDIA's GRID driver.*take one of Standard_NC4as_T4_v3"),
        (("zz", "Standard_NC6s_v3"), r"'zz' is no size.*; Standard_NC6s_v3 \(V100"),
    ],
)
def test_what_cannot_be_rented_is_refused(wanted: tuple[str, ...], says: str) -> None:
    with pytest.raises(SizeError, match=says):
        choose_sizes(wanted)


def test_prices_and_sizes_speak_of_the_same_machines() -> None:
    rows = [price for price in read_prices() if price.provider == "azure"]
    assert rows
    for price in rows:
        size = SIZES[price.machine]
        assert (size.gpu, size.gpu_count, size.gpu_memory_mib) == (
            price.gpu, price.gpu_count, price.vram_gib * 1024,
        )  # fmt: skip
    found = on_demand_price(SIZES[DEFAULT], rows, "eastus")
    assert found is not None
    assert found.source
    assert on_demand_price(SIZES[DEFAULT], rows, "westeurope") is None
