"""Waiting for a device: GPUs take work and go on, a clock must not."""

import torch


def synchronise(device: torch.device) -> None:
    """Return when the device has done all that it was given; at once on a CPU."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
    elif device.type == "xpu":
        torch.xpu.synchronize(device)
