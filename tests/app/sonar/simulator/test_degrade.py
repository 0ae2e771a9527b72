"""What is laid over the picture has the statistics it claims."""

import numpy as np
import pytest

from app.sonar.simulator.degrade import drop_pings, furniture, interfere, row_gain, smooth, sparkle, speckle

SHAPE = (256, 256)


def test_one_look_gives_rayleigh_amplitudes() -> None:
    amplitude = np.sqrt(speckle(np.random.default_rng(0), SHAPE, looks=1, sigma_px=(0, 0)))
    # Rayleigh: deviation over mean is sqrt(4 / pi - 1) = 0.5227, median over mean 0.9394.
    assert amplitude.std() / amplitude.mean() == pytest.approx(0.5227, abs=0.01)
    assert np.median(amplitude) / amplitude.mean() == pytest.approx(0.9394, abs=0.01)


def test_looks_calm_it_by_their_square_root() -> None:
    rng = np.random.default_rng(0)
    spread = [float(speckle(rng, SHAPE, looks=n, sigma_px=(0, 0)).std()) for n in (1, 4)]
    assert spread[0] == pytest.approx(1, abs=0.03)
    assert spread[1] == pytest.approx(0.5, abs=0.02)


def test_overlap_correlates_neighbours_along_its_own_axis_only() -> None:
    field = speckle(np.random.default_rng(0), SHAPE, looks=1, sigma_px=(0.8, 0)) - 1
    along = float((field[1:] * field[:-1]).mean() / field.var())
    across = float((field[:, 1:] * field[:, :-1]).mean() / field.var())
    assert along > 0.2
    assert abs(across) < 0.03


def test_sparkle_strengthens_a_few_samples_and_leaves_shadows_dark() -> None:
    energy = np.ones(SHAPE, np.float32)
    energy[:64] = 0
    sparkle(np.random.default_rng(0), energy, density=0.01, strength=20)
    assert not energy[:64].any()
    brighter = energy[64:] > 1
    # Up to six heaps of 40 come on top of what is scattered.
    assert 0.009 < brighter.mean() < 0.01 + 240 / brighter.size
    assert energy[64:][brighter].mean() == pytest.approx(21, rel=0.3)


def test_smooth_leaves_an_axis_of_width_zero_alone() -> None:
    image = np.zeros((9, 9), np.float32)
    image[4, 4] = 1
    blurred = smooth(image, (1.0, 0.0))
    assert np.count_nonzero(blurred.sum(0)) == 1
    assert np.count_nonzero(blurred.sum(1)) > 3
    assert smooth(image, (0.0, 0.0)) is image


def test_row_gain_is_one_factor_a_ping_about_one() -> None:
    gain = row_gain(np.random.default_rng(1), 500, strength=0.05)
    assert gain.shape == (500, 1)
    assert 0.9 < float(gain.mean()) < 1.1
    assert 0.01 < float(gain.std()) < 0.2


def test_dropped_pings_lose_what_was_there() -> None:
    image = np.ones((1000, 50), np.float32)
    drop_pings(np.random.default_rng(0), image, rate=0.02)
    lost = (image != 1).any(1)
    assert 10 < lost.sum() < 80
    assert ((image != 1).mean(1)[lost] > 0.9).all()


def test_interference_touches_few_samples_of_many_pings() -> None:
    image = np.ones((200, 400), np.float32)
    interfere(np.random.default_rng(0), image, strength=2.0)
    hit = image > 1
    assert hit.any(1).mean() > 0.3
    assert hit.mean() < 0.05


def test_furniture_covers_the_rectangle_it_names_and_nothing_else() -> None:
    for seed in range(6):
        image = np.full((120, 120), 90, np.uint8)
        covered = furniture(np.random.default_rng(seed), image)
        assert covered is not None
        left, top, right, bottom = covered
        assert image[top:bottom, left:right].max() > 200
        assert (image[top:bottom, left:right] != 90).mean() > 0.95
        image[top:bottom, left:right] = 90
        assert (image == 90).all()
    assert furniture(np.random.default_rng(0), np.zeros((8, 8), np.uint8)) is None
