"""Variants of the accuracy benchmark: several together are what each of them is."""

import pytest

from app.training.recipe import baseline
from benchmarks.accuracy_variants import PLAIN, variant


def test_names_with_a_plus_between_change_all_that_they_change() -> None:
    both = variant("flat+no-smoothing+batch8+mosaic-always")
    config = both.train_config(epochs=3, seed=5, start_from="x.pt")
    assert (config.epochs, config.seed, config.batch_size) == (3, 5, 8)
    assert config.augmentation.mosaic == 0.9
    assert config.augmentation.scale == PLAIN.augmentation.scale
    network = both.network_config(("target",))
    assert (network.depths, network.smoothing) == ((0, 2, 2, 1), False)
    assert variant("plain").network_config(("target",)).smoothing


def test_the_recipe_is_the_variant_that_its_docstring_tells_of() -> None:
    config = variant("flat+no-smoothing").train_config(epochs=100, seed=0, start_from="x.pt")
    mine = baseline()
    for name in (
        "size_px",
        "batch_size",
        "optimiser",
        "warmup_steps",
        "final_rate",
        "ema_decay",
        "augmentation",
    ):
        assert getattr(config, name) == getattr(mine, name), name


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(KeyError, match="nonsense"):
        variant("flat+nonsense")
