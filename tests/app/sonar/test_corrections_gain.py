"""The look that the network is trained on: even brightness, whatever the sonar did."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from app.sonar.corrections.bottom import choose_altitude
from app.sonar.corrections.gain import LOCAL_MEAN, normalise_gain, normalise_gain_after
from app.sonar.corrections.geometry import slant_to_ground
from app.sonar.corrections.speckle import despeckle
from app.sonar.recording import read_waterfall
from app.sonar.waterfall import Side

ROWS, WIDTH = 700, 500


def bottom(rows: int = ROWS, *, seed: int = 0) -> NDArray[np.float32]:
    """Speckle of mean 1."""
    return np.random.default_rng(seed).gamma(5, 0.2, (rows, WIDTH)).astype(np.float32)


FALLOFF = np.linspace(2.0, 0.3, WIDTH, dtype=np.float32) * (1 + 0.4 * np.sin(np.arange(WIDTH) / 40))


def local_means(image: NDArray[np.generic]) -> NDArray[np.float64]:
    """Means of cells of 50 x 50."""
    rows, width = image.shape[0] // 50 * 50, image.shape[1] // 50 * 50
    cells: NDArray[np.float64] = image[:rows, :width].reshape(-1, 50, width // 50, 50).mean((1, 3))
    return cells


@pytest.mark.parametrize(
    ("scale", "dtype"),
    [(40, np.uint8), (10, np.uint8), (9000, np.uint16), (0.001, np.float32), (9000, np.int32)],
)
def test_every_depth_and_gain_gives_the_same_look(scale: float, dtype: type[np.generic]) -> None:
    raw = bottom() * FALLOFF * scale
    image = normalise_gain((np.clip(raw, 0, 255) if dtype is np.uint8 else raw).astype(dtype))
    assert image.dtype == np.uint8
    # Of 8 bits at a mean of 10 the far range keeps two or three levels: 15 % there.
    np.testing.assert_allclose(local_means(image), LOCAL_MEAN, rtol=0.15 if scale == 10 else 0.08)


def test_single_pings_of_other_gain_disappear() -> None:
    raw = bottom() * 60
    raw[300] *= 1.8
    raw[301] *= 0.6
    image = normalise_gain(raw)
    for row in (300, 301):
        assert image[row].mean() == pytest.approx(LOCAL_MEAN, rel=0.1)


def test_targets_stay_bright_and_shadows_dark_without_a_halo() -> None:
    raw = bottom() * FALLOFF * 50
    raw[200:300, 100:160] *= 6
    raw[200:300, 160:260] *= 0.05
    image = normalise_gain(raw)
    assert image[205:295, 105:155].mean() > 190
    assert image[205:295, 170:250].mean() < 25
    around = local_means(image)[:, [0, 6, 7, 8, 9]]
    np.testing.assert_allclose(around, LOCAL_MEAN, rtol=0.25)
    # Before and behind the target, in its own columns; with the whole target in the trend it is half.
    assert local_means(image)[[0, 2, 7, 9], 2].min() > 0.6 * LOCAL_MEAN


def test_what_was_not_recorded_stays_zero_and_pulls_nothing_down() -> None:
    raw = bottom() * 50
    raw[:, 420:] = 0
    image = normalise_gain(raw)
    assert not image[:, 420:].any()
    # Once the padding was part of the trend, and the last columns before it came out twice as bright.
    assert image[:, 410:420].mean() == pytest.approx(LOCAL_MEAN, rel=0.1)
    raw[300:340] = 0
    dropped = normalise_gain(raw)
    assert not dropped[300:340].any()
    assert dropped[345:400, :400].mean() == pytest.approx(LOCAL_MEAN, rel=0.1)


def test_no_seam_between_blocks() -> None:
    raw = bottom(1200) * FALLOFF * 40
    # The gain drifts by a half over the line, most of it where the blocks meet.
    raw *= (1 + 0.5 / (1 + np.exp(-(np.arange(1200) - 600) / 60)))[:, None].astype(np.float32)
    first, state = normalise_gain_after(raw[:600], None)
    second, _ = normalise_gain_after(raw[600:], state)
    alone = normalise_gain(raw[600:])

    def step(after: NDArray[np.uint8]) -> float:
        """Brightness lost at the seam, beyond what the drift itself does over the same rows."""
        return abs(float(after[:16].mean()) - float(first[-16:].mean()))

    assert step(second) < 4
    assert step(alone) > 2 * step(second)


def test_state_of_another_width_is_set_aside() -> None:
    raw = (bottom() * 50).astype(np.uint8)
    _, state = normalise_gain_after(raw, None)
    image, _ = normalise_gain_after(raw[:, :300], state)
    np.testing.assert_array_equal(image, normalise_gain(raw[:, :300]))
    empty, same = normalise_gain_after(raw[:0], state)
    assert empty.shape == (0, WIDTH)
    assert same is state


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (7, 9), (15, 200), (16, 200), (17, 200), (129, 8)])
def test_small_pictures(shape: tuple[int, int]) -> None:
    image = normalise_gain(np.full(shape, 30, dtype=np.uint8))
    assert image.shape == shape
    np.testing.assert_allclose(image, LOCAL_MEAN, atol=1)
    assert not normalise_gain(np.zeros(shape, dtype=np.uint8)).any()


@pytest.mark.parametrize("name", ["Demowreck.xtf", "000_1236.xtf", "scotsman-iver2.xtf"])
def test_real_recordings_look_alike(real_data: Path, name: str) -> None:
    made = read_waterfall(real_data / "xtf" / name)
    altitude_m = np.nan_to_num(choose_altitude(made)[0])
    for side in Side:
        raw = made.side(side)
        assert raw is not None
        pixel_m = float(np.nanmedian(made.slant_range_m)) / raw.shape[1]
        image = normalise_gain(
            slant_to_ground(raw, made.slant_range_m, altitude_m, pixel_m=pixel_m, width_px=raw.shape[1])
        )
        seen = image[image > 0]
        assert 85 < seen.mean() < 105
        assert 30 < seen.std() < 65
        assert (image == 255).mean() < 0.025


def test_despeckle_smooths_the_bottom_and_keeps_an_edge() -> None:
    raw = np.clip(bottom() * 80, 0, 255)
    raw[:, 250:] = np.clip(raw[:, 250:] * 0.1, 0, 255)
    image = despeckle(raw.astype(np.uint8))
    assert image[:, :240].std() < 0.6 * raw[:, :240].std()
    assert float(image[:, 245:249].mean()) - float(image[:, 251:255].mean()) > 55
    with pytest.raises(ValueError, match="window_px=4 must be odd and at least 3; try 5"):
        despeckle(image, window_px=4)
