"""Every price has a source and a date; old ones are told; comparisons hold no invented figure."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.azure.sizes import SIZES
from infra.compare import Assumptions, Measured, compare, recommend
from infra.errors import PriceError
from infra.prices import read_peaks, read_prices, stale

CPU = Measured(device="cpu", name="Xeon", images_per_s=60.0, convolution_tflops=0.3, memory_gb_per_s=20.0)
HEADER = "machine,gpu,gpu_count,vram_gib,region,market,price_usd_per_h,as_of,source\n"


def test_every_row_is_sourced_and_dated() -> None:
    prices = read_prices()
    assert {p.provider for p in prices} >= {"aws", "azure", "gcp", "lambda", "runpod"}
    today = datetime.now(UTC).date()
    for price in prices:
        assert len(price.source) > 10
        assert date(2025, 1, 1) < price.as_of <= today
        assert price.gpu in read_peaks() or price.gpu == "A10G"


def test_every_size_that_azure_rents_to_us_has_its_row() -> None:
    prices = {p.machine: p for p in read_prices() if (p.provider, p.region) == ("azure", "eastus")}
    assert prices.keys() >= SIZES.keys()
    for name, size in SIZES.items():
        told = prices[name]
        assert (told.gpu, told.gpu_count, told.vram_gib * 1024) == (
            size.gpu, size.gpu_count, size.gpu_memory_mib,
        )  # fmt: skip
        assert told.market == "on_demand"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("m,T4,1,16,r,spot,0.5,2026-01-01,", "prices.csv line 2: a field is empty"),
        ("m,T4,1,16,r,spot,-1,2026-01-01,s", "-1 is not a number above 0"),
        ("m,T4,1,16,r,spot,0.5,soon,s", "line 2"),
        ("m,T4,one,16,r,spot,0.5,2026-01-01,s", "line 2"),
        ("m,T4", "line 2"),
    ],
)
def test_a_damaged_row_is_refused_with_its_place(tmp_path, row, message) -> None:
    (tmp_path / "prices.csv").write_text(HEADER + row + "\n")
    with pytest.raises(PriceError, match=message):
        read_prices(tmp_path)


def test_old_prices_are_told_once_a_provider() -> None:
    prices = read_prices()
    newest = max(p.as_of for p in prices)
    assert len(stale(prices, newest + timedelta(days=400))) == len({p.provider for p in prices})
    assert stale([p for p in prices if p.as_of == newest], newest + timedelta(days=90)) == []


PRICES, PEAKS = read_prices(), read_peaks()


def rows(images: int, epochs: int, measured=(CPU,)):
    assumed = Assumptions()
    made = compare(
        images=images, epochs=epochs, measured=measured, prices=PRICES, peaks=PEAKS, assumed=assumed
    )
    return made, recommend(made, assumed)


def test_little_work_stays_at_home_and_much_is_rented() -> None:
    assert rows(200, 100)[1][0].where == "this machine"
    best, why = rows(200_000, 300)[1]
    assert best.where != "this machine"
    assert "lowest" in why


def test_a_gpu_of_ones_own_is_recommended_only_where_there_is_one() -> None:
    paid = Assumptions(own_gpu_usd=0.0, have_own_gpu=True)
    made = compare(
        images=200_000, epochs=300, measured=[CPU], prices=read_prices(), peaks=read_peaks(), assumed=paid
    )
    best, why = recommend(made, paid)
    assert (best.where, why) == ("own GPU", "its high end in dollars is the lowest")
    best, why = recommend(made, Assumptions())
    assert best.where != "own GPU"
    assert "beside the own GPU, which counts with --have-gpu" in why


def test_what_nobody_measured_and_no_data_sheet_tells_has_no_figure() -> None:
    a10g = next(r for r in rows(1000, 10)[0] if r.device == "A10G")
    assert (a10g.basis, a10g.hours, a10g.usd) == ("not measured", None, None)
    made, (best, why) = rows(1000, 10, measured=())
    assert all(r.usd is None for r in made)
    assert best is None
    assert "app benchmark" in why


def test_the_formula_by_hand() -> None:
    t4 = next(r for r in rows(1000, 100)[0] if r.device == "T4")
    low, high = 60 * 320 / 20, 60 * 65.1 / 0.3
    assert t4.hours == pytest.approx((10 / 60 + 100_000 / high / 3600, 10 / 60 + 100_000 / low / 3600))
    assert t4.usd == pytest.approx(tuple(h * 0.526 for h in t4.hours))


def test_a_gpu_that_was_measured_needs_no_formula() -> None:
    gpu = Measured(
        device="cuda", name="NVIDIA RTX 4090", images_per_s=900, convolution_tflops=80, memory_gb_per_s=900
    )
    pod = next(r for r in rows(1000, 100, measured=(CPU, gpu))[0] if r.where.startswith("runpod"))
    assert pod.basis == "measured"
    assert pod.hours is not None
    assert pod.hours[0] == pod.hours[1]


@given(images=st.integers(1, 10**6), epochs=st.integers(1, 1000), more=st.integers(0, 1000))
def test_more_work_never_costs_less(images, epochs, more) -> None:
    def usd(made):
        return {(r.where, r.device): r.usd for r in made}

    less, much = usd(rows(images, epochs)[0]), usd(rows(images, epochs + more)[0])
    for key, pair in less.items():
        if pair is not None:
            assert pair[0] <= pair[1]
            assert much[key][1] >= pair[1]
