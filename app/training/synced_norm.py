"""Batch norm over the batches of all processes, so that several of them learn what one would from the same batch.

torch has it for accelerators alone (SyncBatchNorm); on a CPU the class below does the same.
"""

from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional


def synced_norms(model: nn.Module, *, on_accelerator: bool, processes: int) -> nn.Module:
    """The same network, parameters included, with batch norms that count over all processes."""
    if on_accelerator:
        converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
        return converted
    for name, child in list(model.named_children()):
        if isinstance(child, nn.BatchNorm2d):
            setattr(model, name, SyncedBatchNorm.over(child, processes))
        else:
            synced_norms(child, on_accelerator=False, processes=processes)
    return model


class SyncedBatchNorm(nn.BatchNorm2d):
    """Batch norm of equal parts of one batch, a part in each process."""

    processes = 1

    @classmethod
    def over(cls, norm: nn.BatchNorm2d, processes: int) -> "SyncedBatchNorm":
        """With the parameters and statistics of `norm`, not copies of them."""
        made = cls(norm.num_features, norm.eps, norm.momentum)
        made.processes = processes
        made.weight, made.bias = norm.weight, norm.bias
        made.running_mean, made.running_var = norm.running_mean, norm.running_var
        made.num_batches_tracked = norm.num_batches_tracked
        return made.train(norm.training)

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def forward(self, x_BChw: Tensor) -> Tensor:
        """As `nn.BatchNorm2d`."""
        if not self.training:
            return super().forward(x_BChw)
        y, mean, var = _Normalise.apply(x_BChw, self.weight, self.bias, self.eps, self.processes)
        count = x_BChw.numel() // x_BChw.shape[1] * self.processes
        with torch.no_grad():
            assert self.running_mean is not None
            assert self.running_var is not None
            assert self.num_batches_tracked is not None
            assert self.momentum is not None
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(var * (count / (count - 1)), self.momentum)
        answer: Tensor = y
        return answer


class _Normalise(torch.autograd.Function):
    """(x - mean) / deviation x weight + bias with statistics of all parts, and its gradient."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float, processes: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        own = torch.stack(torch.var_mean(x.float(), (0, 2, 3), correction=0))
        every = [torch.empty_like(own) for _ in range(processes)]
        distributed.all_gather(every, own)
        vars_RC, means_RC = torch.stack(every).unbind(1)
        mean = means_RC.mean(0)
        var = (vars_RC + (means_RC - mean).square()).mean(0)
        ctx.save_for_backward(x, weight, mean, var)
        ctx.eps, ctx.processes = eps, processes
        ctx.mark_non_differentiable(mean, var)
        return functional.batch_norm(x, mean, var, weight, bias, False, 0.0, eps), mean, var

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        x, weight, mean, var = ctx.saved_tensors
        # Statistics as constants first: that gives the sums over pixels too. Then what flows through them.
        direct, by_weight, by_bias = torch.ops.aten.native_batch_norm_backward(
            gradients[0].contiguous(memory_format=_format(x)),
            x,
            weight,
            mean,
            var,
            None,
            None,
            False,
            ctx.eps,
            [True, True, True],
        )
        sums = torch.stack((by_weight, by_bias))
        distributed.all_reduce(sums)
        count = x.numel() // x.shape[1] * ctx.processes
        scale = torch.rsqrt(var + ctx.eps)
        slope = weight * scale * scale * sums[0] / count
        offset = weight * scale * sums[1] / count - slope * mean
        through = x * _channels(slope, x) + _channels(offset, x)
        return direct - through, by_weight, by_bias, None, None


def _channels(values_C: Tensor, like: Tensor) -> Tensor:
    return values_C.to(like.dtype).view(1, -1, 1, 1)


def _format(x: Tensor) -> torch.memory_format:
    last = x.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last and not x.is_contiguous() else torch.contiguous_format
