"""Where a training step's time goes, by what the operators are for: torch's profiler, grouped.

Self times of the operators, of one thread's clock each; what an operator of torch's threads does beside it is in it.
"""

from collections.abc import Callable
from typing import Any

from torch.profiler import ProfilerActivity, profile, record_function

GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("convolution", ("convolution", "conv2d")),
    ("batch norm", ("batch_norm",)),
    ("activation", ("relu", "clamp_min", "threshold")),
    ("optimiser", ("bmm", "baddbmm", "lerp", "addcdiv", "addcmul", "linalg", "_foreach")),
    (
        "copies and conversions",
        ("copy_", "clone", "pixel_unshuffle", "upsample", "cat", "stack", "fill_", "zero_"),
    ),
)
"""Name of a group and parts of its operators' names; what fits none is called other."""
STAGES = ("optimiser step", "average", "loss")
"""Stretches that are marked as a whole and counted to their group with all that they call."""


def marked(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with its stretch named in the profile."""

    def call(*values: Any, **named: Any) -> Any:
        with record_function(name):
            return function(*values, **named)

    return call


def grouped_ms(step: Callable[[], object], steps: int) -> dict[str, float]:
    """Milliseconds a step by group, largest first."""
    step()
    with profile(activities=[ProfilerActivity.CPU], acc_events=True) as profiler:
        for _ in range(steps):
            step()
    groups: dict[str, float] = {}
    for event in profiler.events() or ():
        name = _stage(event) or _group(event.name)
        groups[name] = groups.get(name, 0.0) + event.self_cpu_time_total / 1e3 / steps
    return dict(sorted(groups.items(), key=lambda item: -item[1]))


def _stage(event: Any) -> str | None:
    """The marked stretch that an operator was called from, if any."""
    while event is not None:
        if event.name in STAGES:
            return str(event.name)
        event = event.cpu_parent
    return None


def _group(name: str) -> str:
    return next((group for group, parts in GROUPS if any(part in name for part in parts)), "other")
