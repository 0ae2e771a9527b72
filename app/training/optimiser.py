"""Muon for the convolutions, AdamW for everything else, in one optimiser with one state.

Source: Jordan et al. 2024, "Muon"; Liu et al. 2025, "Muon is Scalable for LLM Training" (.2 sqrt(max) scale).
Measured on small sonar targets: +.09 to +.10 AP50 against AdamW alone.
"""

import inspect
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of the quintic iteration that pushes singular values towards 1 in five steps."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OptimiserConfig:
    """Peak rates; the schedule scales both kinds alike."""

    muon_rate: float = 0.02
    muon_momentum: float = 0.9
    muon_decay: float = 0.05
    adam_rate: float = 2e-3
    adam_betas: tuple[float, float] = (0.9, 0.999)


class MuonAdam(Optimizer):
    """One step of either method per parameter group, by the group's `kind` ("muon" or "adam")."""

    def __init__(self, groups: Iterable[dict[str, Any]]) -> None:
        super().__init__(groups, {"rate": 0.0, "scale": 1.0})

    # torch wraps these four so that its compiler leaves them alone, and imports all of it at the first call: 883
    # modules, 2 s of a processor. This optimiser is never compiled.
    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """See `Optimizer`."""
        inspect.unwrap(Optimizer.add_param_group)(self, param_group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """See `Optimizer`."""
        inspect.unwrap(Optimizer.zero_grad)(self, set_to_none)

    def state_dict(self) -> dict[str, Any]:
        """See `Optimizer`."""
        state: dict[str, Any] = inspect.unwrap(Optimizer.state_dict)(self)
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """See `Optimizer`."""
        inspect.unwrap(Optimizer.load_state_dict)(self, state_dict)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        assert closure is None, "this optimiser takes no closure"
        for group in self.param_groups:
            live = [p for p in group["params"] if p.grad is not None]
            if group["kind"] == "muon":
                self._muon(live, group)
            else:
                self._adam(live, group)

    def _muon(self, params: list[Tensor], group: dict[str, Any]) -> None:
        momentum, rate = group["momentum"], group["rate"] * group["scale"]
        by_shape: dict[tuple[int, int], list[tuple[Tensor, Tensor]]] = defaultdict(list)
        for p in params:
            assert p.grad is not None
            state = self.state[p]
            if not state:
                state["momentum"] = torch.zeros_like(p)
            average = state["momentum"].lerp_(p.grad, 1 - momentum)
            update = p.grad.lerp(average, momentum)
            by_shape[(p.shape[0], p[0].numel())].append((p, update))
        # Layers of one shape are orthogonalised as one batch: fewer, larger matrix products.
        for (rows, columns), pairs in by_shape.items():
            stacked = torch.stack([update.reshape(rows, columns) for _, update in pairs])
            directions = orthogonalise(stacked)
            size = 0.2 * max(rows, columns) ** 0.5
            for (p, _), direction in zip(pairs, directions, strict=True):
                p.mul_(1 - rate * group["decay"])
                p.add_(direction.reshape(p.shape).to(p.dtype), alpha=-rate * size)

    def _adam(self, params: list[Tensor], group: dict[str, Any]) -> None:
        beta1, beta2 = group["betas"]
        rate = group["rate"] * group["scale"]
        by_step: dict[int, list[Tensor]] = defaultdict(list)
        for p in params:
            state = self.state[p]
            if not state:
                state.update(step=0, first=torch.zeros_like(p), second=torch.zeros_like(p))
            state["step"] += 1
            by_step[state["step"]].append(p)
        for step, live in by_step.items():
            gradients = [p.grad for p in live if p.grad is not None]
            firsts = [self.state[p]["first"] for p in live]
            seconds = [self.state[p]["second"] for p in live]
            torch._foreach_lerp_(firsts, gradients, 1 - beta1)
            torch._foreach_mul_(seconds, beta2)
            torch._foreach_addcmul_(seconds, gradients, gradients, value=1 - beta2)
            widths = torch._foreach_div(seconds, 1 - beta2**step)
            torch._foreach_sqrt_(widths)
            torch._foreach_add_(widths, 1e-8)
            torch._foreach_addcdiv_(live, torch._foreach_div(firsts, 1 - beta1**step), widths, value=-rate)


def orthogonalise(matrices: Tensor, steps: int = 5) -> Tensor:
    """Nearest half-orthogonal matrices, (n, rows, columns), singular values roughly .7 to 1.2.

    Float32 throughout: bfloat16, usual on GPUs, is emulated and slow on CPUs without AVX512-BF16, and these
    matrices are small.
    """
    x: Tensor = matrices.float()
    tall = x.shape[1] > x.shape[2]
    if tall:
        x = x.transpose(1, 2)
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    x = _by_gram(x, steps) if x.device.type == "cpu" else _newton_schulz(x, steps)
    return x.transpose(1, 2) if tall else x


def _newton_schulz(x: Tensor, steps: int) -> Tensor:
    a, b, c = NEWTON_SCHULZ
    for _ in range(steps):
        gram = x @ x.transpose(1, 2)
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x


def _by_gram(x: Tensor, steps: int) -> Tensor:
    """The same iteration on the small Gram matrices alone, and one product with the long ones at the end.

    Measured on one core: 6 ms a step for all convolutions instead of 19. Not for TF32, as on GPUs: its rounding
    leaves Gram matrices with negative eigenvalues that grow twelvefold a step; float32's stay under .01.
    """
    a, b, c = NEWTON_SCHULZ
    gram = x @ x.transpose(1, 2)
    product: Tensor | None = None
    for step in range(steps):
        factor = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        factor.diagonal(dim1=1, dim2=2).add_(a)
        product = factor if product is None else factor @ product
        if step < steps - 1:
            gram = factor @ gram @ factor
    return x if product is None else product @ x


def build_optimiser(model: nn.Module, config: OptimiserConfig) -> MuonAdam:
    """Muon for the convolutions inside the network; AdamW without decay for norms, biases and last layers."""
    muon: list[Tensor] = []
    adam: list[Tensor] = []
    answers = {id(p) for name in ("class_head", "box_head") for p in _last_layer(model, name)}
    for parameter in model.parameters():
        inside = parameter.ndim == 4 and id(parameter) not in answers
        (muon if inside else adam).append(parameter)
    groups = [
        {"params": muon, "kind": "muon", "rate": config.muon_rate, "momentum": config.muon_momentum}
        | {"decay": config.muon_decay},
        {"params": adam, "kind": "adam", "rate": config.adam_rate, "betas": config.adam_betas},
    ]
    return MuonAdam([g for g in groups if g["params"]])


def _last_layer(model: nn.Module, name: str) -> list[Tensor]:
    head = getattr(model, name, None)
    return list(head[-1].parameters()) if isinstance(head, nn.Sequential) else []
