"""The benchmark measures this machine's CPU; figures are figures, not zeros."""

from importlib.util import find_spec

import pytest

from app.benchmark.environments import EPOCH_IMAGES, MultiEnvironmentBenchmark
from app.errors import DeviceError


@pytest.mark.slow
def test_cpu_is_measured_and_priced() -> None:
    (result,) = MultiEnvironmentBenchmark(("cpu",), price_usd_per_h=3.6, quick=True).run()
    assert result.device == "cpu"
    assert result.rates.matmul_tflops > 0.001
    assert result.rates.convolution_tflops > 0.001
    assert result.rates.memory_gb_per_s > 0.1
    assert result.rates.transfer_gb_per_s is None
    assert result.train_images_per_s > 0.5
    assert result.inference_images_per_s > result.train_images_per_s
    figures = {r.runtime: r for r in result.runtimes}
    assert {"torch float32", "onnx float32"} <= set(figures)
    assert ("openvino float32" in figures) is (find_spec("openvino") is not None)
    for runtime in figures.values():
        assert runtime.ms_per_image is not None
        assert runtime.images_per_s == pytest.approx(1000 / runtime.ms_per_image)
        assert runtime.usd_per_1000_images == pytest.approx(runtime.ms_per_image / 1000)
    rows = result.as_dict()["runtimes"]
    assert [row["ms_per_image"] for row in rows] == sorted(row["ms_per_image"] for row in rows)
    assert result.usd_per_1000_images == pytest.approx(1 / result.train_images_per_s)
    assert result.usd_per_epoch == pytest.approx(EPOCH_IMAGES / 1000 * result.usd_per_1000_images)


def test_missing_device_is_named() -> None:
    with pytest.raises(DeviceError, match="xpu:7 is not here"):
        MultiEnvironmentBenchmark(("xpu:7",))
