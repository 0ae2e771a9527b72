"""Random fields that are the same wherever two blocks meet."""

import numpy as np

from app.sonar.simulator.textures import SIDE_TEXELS, Texture, texture_bank


def grid(
    first_row: int, rows: int, columns: int = 256, spacing_m: float = 0.1
) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[first_row : first_row + rows, 0:columns].astype(np.float32) * np.float32(spacing_m)
    return x, y


def test_bank_is_standardised_and_ever_smoother() -> None:
    bank = texture_bank()
    steps = [float(np.abs(np.diff(field, axis=0)).mean()) for field in bank]
    assert all(abs(float(field.std()) - 1) < 1e-3 and field.shape == (SIDE_TEXELS,) * 2 for field in bank)
    assert steps == sorted(steps, reverse=True)


def test_overlapping_blocks_agree() -> None:
    texture = Texture.draw(np.random.default_rng(3), 3, 1.3)
    whole = texture.at(*grid(0, 512), 0.1)
    later = texture.at(*grid(256, 256), 0.1)
    np.testing.assert_allclose(whole[272:496, 16:-16], later[16:240, 16:-16], atol=0.02)
    assert whole.std() > 0.3


def test_it_repeats_and_never_runs_out() -> None:
    texture = Texture(field=2, texel_m=0.2, angle_rad=0.0, origin=(5.0, 7.0))
    x, y = grid(0, 64)
    period = np.float32(SIDE_TEXELS * 0.2)
    np.testing.assert_allclose(texture.at(x, y, 0.1), texture.at(x + 200 * period, y, 0.1), atol=0.2)
    assert np.isfinite(texture.at(x + 1e5, y - 1e5, 0.1)).all()
