"""The table of types against AWS's own description, and the choice among them."""

import gzip
import json
from datetime import date
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from infra.aws.errors import InstanceTypeError
from infra.aws.types import CAPABILITIES, MIN_DRIVERS, TYPES, choose_types, on_demand_price, variant_of
from infra.prices import read_prices
from tests.conftest import REPOSITORY

GPU_NAMES = {"A100 40GB": "A100", "A100 80GB SXM": "A100", "H100 SXM": "H100", "V100 32GB": "V100"}


@pytest.fixture(scope="module")
def described() -> dict[str, dict]:
    """What DescribeInstanceTypes answered, as moto carries it."""
    spec = find_spec("moto")
    if spec is None or spec.origin is None:
        pytest.skip("needs moto: pip install 'sonarstack[dev]'")
    path = Path(spec.origin).with_name("ec2") / "resources" / "instance_types.json.gz"
    return json.loads(gzip.decompress(path.read_bytes()))


@pytest.mark.parametrize("name", [kind.name for kind in TYPES.values() if not kind.retired])
def test_the_table_says_what_aws_says(described, name: str) -> None:
    kind, told = TYPES[name], described[name]
    (gpu,) = told["GpuInfo"]["Gpus"]
    assert kind.vcpus == told["VCpuInfo"]["DefaultVCpus"]
    assert kind.memory_gib * 1024 == told["MemoryInfo"]["SizeInMiB"]
    assert (kind.gpu_count, kind.gpu_memory_mib) == (gpu["Count"], gpu["MemoryInfo"]["SizeInMiB"])
    assert GPU_NAMES.get(kind.gpu, kind.gpu) == gpu["Name"]
    assert kind.scratch_gb == told["InstanceStorageInfo"]["TotalSizeInGB"]
    assert {"on-demand", "spot"} <= set(told["SupportedUsageClasses"])
    assert "x86_64" in told["ProcessorInfo"]["SupportedArchitectures"]


def test_aws_describes_no_p3_2xlarge_any_more(described) -> None:
    assert {name for name, kind in TYPES.items() if kind.retired} - described.keys() == {
        "p3.2xlarge", "p3.8xlarge", "p3.16xlarge",
    }  # fmt: skip


def test_the_build_of_torch_fits_each_gpu() -> None:
    variants = yaml.safe_load((REPOSITORY / "images" / "cuda" / "variants.yaml").read_text())
    for kind in TYPES.values():
        variant = variants[kind.variant]
        assert float(kind.compute_capability) >= float(variant["min_compute"]), kind.name
        assert kind.min_driver == variant["min_driver"]
    assert MIN_DRIVERS.keys() == variants.keys()
    assert {kind.gpu for kind in TYPES.values()} == CAPABILITIES.keys()


def test_quotas_go_by_family_and_market() -> None:
    codes = {
        (kind, market): TYPES[kind].quota(market).code
        for kind in ("g4dn.xlarge", "g6e.xlarge", "p4d.24xlarge", "p5.48xlarge", "p3.2xlarge")
        for market in ("on_demand", "spot")
    }
    assert codes == {
        ("g4dn.xlarge", "on_demand"): "L-DB2E81BA",
        ("g4dn.xlarge", "spot"): "L-3819A6DF",
        ("g6e.xlarge", "on_demand"): "L-DB2E81BA",
        ("g6e.xlarge", "spot"): "L-3819A6DF",
        ("p4d.24xlarge", "on_demand"): "L-417A185B",
        ("p4d.24xlarge", "spot"): "L-7212CCBC",
        ("p5.48xlarge", "on_demand"): "L-417A185B",
        ("p5.48xlarge", "spot"): "L-C4BD4855",
        ("p3.2xlarge", "on_demand"): "L-417A185B",
        ("p3.2xlarge", "spot"): "L-7212CCBC",
    }


def test_types_come_in_the_wanted_order_each_once() -> None:
    chosen = choose_types(("g6.xlarge", "g4dn.xlarge", "g6.xlarge"))
    assert [kind.name for kind in chosen] == ["g6.xlarge", "g4dn.xlarge"]
    assert variant_of(chosen) == "cuda13"
    assert all(kind.stock_ami for kind in chosen)


def test_a_retired_type_is_answered_in_one_line_with_what_to_take() -> None:
    with pytest.raises(InstanceTypeError) as refused:
        choose_types(("p3.2xlarge",))
    said = str(refused.value)
    assert "\n" not in said
    for word in ("p3.2xlarge (1 x V100) is retired", "g4dn.xlarge, g5.xlarge, g6.xlarge", "sonarstack:allowRetired",
                 "sonarstack:ami", "CUDA 12.8"):  # fmt: skip
        assert word in said


def test_an_account_that_holds_one_needs_its_own_ami_and_the_older_build() -> None:
    with pytest.raises(InstanceTypeError, match=r"p3\.2xlarge needs an AMI of yours in sonarstack:ami"):
        choose_types(("p3.2xlarge",), allow_retired=True)
    chosen = choose_types(("g4dn.xlarge", "p3.2xlarge"), allow_retired=True, ami="ami-0123456789abcdef0")
    assert variant_of(chosen) == "cuda12"  # one image for whichever it will be
    assert [kind.stock_ami for kind in chosen] == [True, False]


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ((), "no instance type is named"),
        (("g4dn.xlarg",), "near it are g4dn.xlarge"),
        (("m5.large",), "no instance type with a GPU"),
        (("p2.xlarge",), "too old for every image"),
        (("zz", "p2.xlarge"), "'zz' is no instance type.*; p2.xlarge is too old"),
    ],
)
def test_what_is_no_type_is_refused(wanted: tuple[str, ...], says: str) -> None:
    with pytest.raises(InstanceTypeError, match=says):
        choose_types(wanted, allow_retired=True)


def test_a_price_comes_with_its_date_and_source() -> None:
    price = on_demand_price(TYPES["g4dn.xlarge"], read_prices(), "us-east-1")
    assert price is not None
    assert 0.3 < price.price_usd_per_h < 1
    assert price.as_of >= date(2026, 1, 1)
    assert price.source
    assert (price.gpu, price.gpu_count) == ("T4", 1)
    assert on_demand_price(TYPES["g4dn.xlarge"], read_prices(), "eu-west-1") is None
    assert on_demand_price(TYPES["g4dn.metal"], read_prices(), "us-east-1") is None


def test_prices_and_types_speak_of_the_same_machines() -> None:
    for price in read_prices():
        if price.provider == "aws":
            kind = TYPES[price.machine]
            assert (kind.gpu, kind.gpu_count) == (price.gpu, price.gpu_count)
