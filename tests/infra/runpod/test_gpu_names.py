"""What people call a GPU, and what Runpod calls it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.prices import read_peaks, read_prices
from infra.runpod.errors import OfferError
from infra.runpod.gpu_names import KNOWN, PRICED, everyday, ids_of
from infra.runpod.wire import GpuType

A100 = ("NVIDIA A100 80GB PCIe", "NVIDIA A100-SXM4-80GB")
H100 = ("NVIDIA H100 80GB HBM3", "NVIDIA H100 NVL", "NVIDIA H100 PCIe")


def gpu(gpu_id: str, name: str = "", memory_gb: int = 24) -> GpuType:
    return GpuType(
        id=gpu_id,
        name=name or gpu_id,
        memory_gb=memory_gb,
        secure=True,
        community=True,
        secure_usd_per_h=1.0,
        community_usd_per_h=0.5,
        max_count_secure=8,
        max_count_community=4,
        stock="HIGH",
        data_centers={"US-KS-2": "HIGH"},
    )


LIVE = [gpu(one.id, one.name, one.memory_gb) for one in KNOWN]


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("RTX 4090", ("NVIDIA GeForce RTX 4090",)),
        ("rtx4090", ("NVIDIA GeForce RTX 4090",)),
        ("4090", ("NVIDIA GeForce RTX 4090",)),
        (" GeForce  RTX-4090 ", ("NVIDIA GeForce RTX 4090",)),
        ("3080", ("NVIDIA GeForce RTX 3080",)),
        ("3080ti", ("NVIDIA GeForce RTX 3080 Ti",)),
        ("RTX 3090", ("NVIDIA GeForce RTX 3090",)),
        ("A40", ("NVIDIA A40",)),
        ("A100", A100),
        ("A100-80GB", A100),
        ("A100 80 GB", A100),
        ("a100 80g", A100),
        ("A100 80GB PCIe", A100[:1]),
        ("A100 PCI-E", A100[:1]),
        ("A100 80GB SXM", A100[1:]),
        ("A100-SXM4-80GB", A100[1:]),
        ("H100", H100),
        ("H100 80GB", (H100[0], H100[2])),
        ("H100 SXM", H100[:1]),
        ("H100 NVL", H100[1:2]),
        ("L4", ("NVIDIA L4",)),
        ("L40", ("NVIDIA L40",)),
        ("L40S", ("NVIDIA L40S",)),
        ("V100 32GB", ("Tesla V100-SXM2-32GB",)),
        ("A4000", ("NVIDIA RTX A4000",)),
        ("RTX A6000", ("NVIDIA RTX A6000",)),
        ("RTX 6000", ("NVIDIA RTX 6000 Ada Generation",)),
        ("RTX 4000 Ada", ("NVIDIA RTX 4000 Ada Generation",)),
        ("H200", ("NVIDIA H200", "NVIDIA H200 NVL")),
        ("nvidia h200", ("NVIDIA H200",)),
    ],
)
@pytest.mark.parametrize("catalogue", [LIVE, []], ids=["live", "table"])
def test_everyday_names(name, ids, catalogue) -> None:
    assert ids_of(name, catalogue) == ids


def test_v100_means_every_v100() -> None:
    assert ids_of("V100") == tuple(sorted(one.id for one in KNOWN if "V100" in one.id))


@pytest.mark.parametrize("one", KNOWN, ids=lambda one: one.id)
def test_runpods_own_ids_and_names_mean_themselves(one) -> None:
    assert ids_of(one.id, LIVE) == (one.id,)
    assert one.id in ids_of(one.name, LIVE)
    assert one.id in ids_of(everyday(one.id), LIVE)


def test_the_catalogue_comes_before_the_table() -> None:
    new = gpu("NVIDIA GeForce RTX 6090", "RTX 6090", 48)
    assert ids_of("6090", [new]) == (new.id,)
    assert ids_of("A100", [gpu(A100[0], "A100 PCIe", 80)]) == A100[:1]
    assert ids_of("A100", [new]) == A100
    blackwell = [
        gpu("NVIDIA RTX PRO 6000 Blackwell Server Edition", "RTX PRO 6000", 96),
        gpu("NVIDIA RTX PRO 6000 Blackwell Workstation Edition", "RTX PRO 6000 WK", 96),
    ]
    assert ids_of("RTX PRO 6000", blackwell) == tuple(one.id for one in blackwell)
    assert ids_of("RTX 6000", [*blackwell, *LIVE]) == ("NVIDIA RTX 6000 Ada Generation",)
    part = gpu("NVIDIA H100 NVL MIG 1g.12gb", "H100 MIG", 12)
    assert ids_of("H100", [part, *LIVE]) == H100


@pytest.mark.parametrize("catalogue", [LIVE, [], [gpu("NVIDIA GeForce RTX 4090")]])
@pytest.mark.parametrize("name", ["A100-40GB", "A100 40GB SXM"])
def test_an_a100_with_40_gb_does_not_exist_and_the_two_with_80_are_offered(name, catalogue) -> None:
    with pytest.raises(OfferError, match=f'has no "{name}", but') as caught:
        ids_of(name, catalogue)
    assert all(f'"{one}"' in str(caught.value) for one in A100)


@pytest.mark.parametrize(
    ("name", "close"),
    [("RTX 4099", "RTX 4090"), ("A400", "A40"), ("H101", "H100"), ("Geforce 3O90", "RTX 3090")],
)
def test_an_unknown_gpu_is_told_with_the_closest_names(name, close) -> None:
    with pytest.raises(OfferError, match=f'no GPU "{name}"; the closest names are .*{close}'):
        ids_of(name, LIVE)


@pytest.mark.parametrize(
    "name", ["", " ", "RTX", "NVIDIA", "80GB", "PCIe", "RTX 4090 A40", "x" * 500, "a\nb"]
)
def test_what_names_no_gpu_is_one_line(name) -> None:
    with pytest.raises(OfferError) as caught:
        ids_of(name, LIVE)
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 300


@settings(deadline=None)
@given(st.text(max_size=30))
def test_any_text_is_a_gpu_or_one_line(name) -> None:
    try:
        assert ids_of(name, LIVE)
    except OfferError as error:
        told = str(error)
    else:
        told = ""
    assert len(told.splitlines()) <= 1


def test_the_price_tables_use_these_names() -> None:
    names = {price.gpu for price in read_prices() if price.provider == "runpod"}
    assert names <= set(PRICED.values()) <= set(read_peaks())
    assert len(set(PRICED.values())) == len(PRICED)
    assert len({one.id for one in KNOWN}) == len(KNOWN)


def test_a_gpu_without_an_everyday_name_is_called_as_the_catalogue_does() -> None:
    assert everyday("NVIDIA H100 80GB HBM3") == "H100 SXM"
    assert everyday("Tesla V100-FHHL-16GB") == "V100 FHHL"
    assert everyday("New", [gpu("New", "The new one")]) == "The new one"
    assert everyday("New") == "New"
