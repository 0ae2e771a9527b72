"""Random states of the host and of one device, for runs that continue as if they had never stopped."""

import torch
from torch import Tensor


def random_states(device: torch.device) -> dict[str, Tensor]:
    """States of the generators that training may draw from: `host` always, the device's by its kind if it has one."""
    states = {"host": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    elif device.type == "xpu":
        states["xpu"] = torch.xpu.get_rng_state(device)
    return states


def restore_random_states(states: dict[str, Tensor], device: torch.device) -> None:
    """Set what `random_states` gave; a state of another kind of device is left alone."""
    torch.set_rng_state(states["host"].cpu())
    if device.type not in states:
        return
    state = states[device.type].cpu()
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    elif device.type == "mps":
        torch.mps.set_rng_state(state)
    elif device.type == "xpu":
        torch.xpu.set_rng_state(state, device)
