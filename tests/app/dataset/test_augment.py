"""Augmentation: boxes follow their pixels, the sonar's geometry holds, every draw comes from the generator."""

from dataclasses import replace

import numpy as np
import pytest

from app.dataset.augment import Augmentation, Source, augment
from app.dataset.copy_paste import paste

GEOMETRY_ONLY = Augmentation(mosaic=0, gain_log=0, gamma_log=0, ramp_log=0, banding=0, speckle=0)
STILL = replace(
    GEOMETRY_ONLY, along_flip=0, across_flip=0, scale=(1.0, 1.0), aspect_log=0, shift=0, keep_visible=0.15
)


def generator(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=seed))


def block(size: int = 256, box: tuple[int, int, int, int] = (100, 60, 140, 90)) -> Source:
    """A white block on black, and its box."""
    image = np.zeros((size, size), np.uint8)
    left, top, right, bottom = box
    image[top:bottom, left:right] = 255
    return image, np.array([box], np.float32), np.array([0])


def white_extent(image: np.ndarray) -> np.ndarray:
    """Left, top, right, bottom of what is bright, to a fraction of a pixel by the sums along the edges."""
    bright = image.astype(np.float64) / 255
    columns, rows = bright.max(axis=0), bright.max(axis=1)
    x, y = np.flatnonzero(columns > 0.01), np.flatnonzero(rows > 0.01)
    return np.array(
        [x[0] + 1 - columns[x[0]], y[0] + 1 - rows[y[0]], x[-1] + columns[x[-1]], y[-1] + rows[y[-1]]]
    )


def test_nothing_drawn_is_nothing_changed() -> None:
    image, boxes, labels = augment([block()], 256, STILL, generator(0))
    np.testing.assert_array_equal(image, block()[0])
    np.testing.assert_array_equal(boxes, block()[1])
    assert labels.tolist() == [0]


@pytest.mark.parametrize(("across", "along"), [(1, 0), (0, 1), (1, 1)])
def test_flips_are_exact_to_the_pixel(across: float, along: float) -> None:
    config = replace(STILL, across_flip=across, along_flip=along)
    image, boxes, _ = augment([block()], 256, config, generator(0))
    expected = block()[0][:: -1 if along else 1, :: -1 if across else 1]
    np.testing.assert_array_equal(image, expected)
    np.testing.assert_array_equal(boxes[0], white_extent(image))


@pytest.mark.parametrize("seed", range(30))
def test_boxes_stay_on_their_pixels(seed: int) -> None:
    image, boxes, _ = augment([block()], 256, GEOMETRY_ONLY, generator(seed))
    if image.any() and len(boxes):
        np.testing.assert_allclose(boxes[0], white_extent(image), atol=0.8)


def test_over_many_draws_boxes_have_no_offset() -> None:
    """A shift of half a pixel between box and picture would cost overlap on every small target."""
    offsets = []
    for seed in range(300):
        image, boxes, _ = augment([block()], 256, GEOMETRY_ONLY, generator(seed))
        whole = len(boxes) and boxes[0].min() > 2 and boxes[0].max() < 254
        if whole:
            offsets.append(boxes[0] - white_extent(image))
    assert len(offsets) > 150
    np.testing.assert_allclose(np.mean(offsets, axis=0), 0, atol=0.12)


def test_a_box_mostly_out_of_sight_is_dropped_and_a_visible_one_clipped() -> None:
    config = replace(STILL, shift=0.9)
    seen = 0
    for seed in range(200):
        image, boxes, labels = augment([block()], 256, config, generator(seed))
        visible = (image > 127).sum() / (40 * 30)
        assert len(boxes) == len(labels)
        if abs(visible - 0.15) > 0.05:
            assert len(boxes) == (visible > 0.15)
        if len(boxes):
            assert boxes.min() >= 0
            assert boxes.max() <= 256
            seen += visible < 0.9
    assert seen > 3


def test_mosaic_shows_boxes_of_all_four() -> None:
    sources = [(*block()[:2], np.array([number])) for number in range(4)]
    labels = set()
    for seed in range(20):
        image, boxes, found = augment(sources, 256, GEOMETRY_ONLY, generator(seed))
        assert image.shape == (256, 256)
        for left, top, right, bottom in boxes.round().astype(int).tolist():
            assert image[top + 2 : bottom - 2, left + 2 : right - 2].mean() > 250
        labels |= set(found.tolist())
    assert labels == {0, 1, 2, 3}


@pytest.mark.parametrize("size", [640, 1024])
def test_large_originals_are_shown_whole_and_at_their_own_resolution(size: int) -> None:
    source = block(size, (size // 2, size // 2, size // 2 + 40, size // 2 + 30))
    config = replace(STILL, shift=0.1)
    widths = [
        float(np.ptp(boxes[0, ::2]))
        for seed in range(60)
        for _, boxes, _ in [augment([source], 256, config, generator(seed))]
        if len(boxes)
    ]
    assert len(widths) > 50
    assert min(widths) == pytest.approx(40 * 256 / size, rel=0.05)
    assert max(widths) > 30


def test_wide_zoom_shows_objects_smaller() -> None:
    wide = replace(STILL, wide=1.0, wide_scale=(0.3, 0.3))
    _, boxes, _ = augment([block()], 256, wide, generator(1))
    assert float(np.ptp(boxes[0, ::2])) == pytest.approx(12)


def test_brightness_changes_and_geometry_does_not() -> None:
    config = replace(
        Augmentation(), mosaic=0, along_flip=0, across_flip=0, scale=(1.0, 1.0), aspect_log=0, shift=0
    )
    grey = (np.full((64, 64), 100, np.uint8), np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    means = [augment([grey], 64, config, generator(seed))[0].mean() for seed in range(60)]
    assert min(means) < 70
    assert max(means) > 130
    image = augment([grey], 64, config, generator(3))[0]
    assert image.dtype == np.uint8
    assert image.std() > 0


def test_without_mosaic_changes_nothing_else() -> None:
    config = Augmentation(speckle=0.1)
    assert config.without_mosaic() == replace(config, mosaic=0.0)


def test_pasted_target_keeps_its_column_and_brings_its_shadow() -> None:
    image, boxes, labels = block()
    image[:] = np.maximum(image, 60)
    image[60:90, 140:160] = 5  # the shadow beside it
    base = (np.full((256, 256), 60, np.uint8), np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    out, out_boxes, out_labels = paste((image, boxes, labels), base, generator(2))
    assert out_labels.tolist() == [0]
    assert out_boxes[0, ::2].tolist() == [100, 140]
    top, bottom = (int(v) for v in out_boxes[0, 1::2])
    assert out[top + 3 : bottom - 3, 104:136].mean() > 1.5 * out[top + 3 : bottom - 3, 143:157].mean()
    assert (base[0] == 60).all()


def test_nothing_is_pasted_over_a_target() -> None:
    full = (np.full((256, 256), 60, np.uint8), np.array([[0, 0, 256, 256]], np.float32), np.array([0]))
    assert paste(block(), full, generator(0)) is full
