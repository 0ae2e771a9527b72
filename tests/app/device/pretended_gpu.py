"""A GPU that is not there: its tensors compute on the CPU, and mind devices and waits as a real one's do.

What it shows: tensors of two devices in one operation, a NumPy view of a device's tensor, float64 on MPS, and how often
the host waits for the device. What it cannot show: a device's own arithmetic, formats, memory and speed.

A tensor that lies there is a wrapper around one of the CPU. To Python it says where it lies; torch's C++ sees the CPU
and so needs neither driver nor backend. Source: torch.utils._python_dispatch, and TwoTensor in torch's own tests.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.nn.utils import clip_grad
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map

MAY_CROSS = {"copy_", "_to_copy", "index", "index_put", "index_put_", "_index_put_impl_"}
"""Operations that take tensors of host and device together."""
WAITS = {"_local_scalar_dense", "nonzero", "masked_select", "equal"}
"""Operations whose answer the host has to see before it can go on."""


class FarTensor(Tensor):
    """Lies on the pretended GPU."""

    near: Tensor
    gpu: "PretendedGpu"

    @staticmethod
    def __new__(cls, near: Tensor, gpu: "PretendedGpu") -> "FarTensor":
        made: FarTensor = Tensor._make_wrapper_subclass(
            cls,
            near.size(),
            strides=near.stride(),
            storage_offset=near.storage_offset(),
            dtype=near.dtype,
            layout=near.layout,
            device=near.device,
            requires_grad=near.requires_grad,
        )
        made.near, made.gpu = near, gpu
        return made

    def __tensor_flatten__(self) -> tuple[list[str], "PretendedGpu"]:
        return ["near"], self.gpu

    @staticmethod
    def __tensor_unflatten__(parts: dict[str, Tensor], gpu: "PretendedGpu", *_: Any) -> "FarTensor":
        return FarTensor(parts["near"], gpu)

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Files hold what lies there as if it lay here; who reads them says where it is to be."""
        return self.near.detach().__reduce_ex__(protocol)

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func == Tensor.device.__get__:  # type: ignore[attr-defined]
            return args[0].gpu.device
        if func in (Tensor.numpy, Tensor.__array__):
            raise TypeError(f"can't convert {args[0].gpu.device} device type tensor to numpy")
        if func is Tensor.tolist:
            args[0].gpu.waits += 1
            return args[0].near.detach().tolist()
        if func is Tensor.cpu or (func is Tensor.to and _names_the_host(*args[1:], *kwargs.values())):
            args[0].gpu.waits += 1
            return func(args[0].near.detach().clone(), *args[1:], **kwargs)
        with torch._C.DisableTorchFunctionSubclass():
            return func(*args, **kwargs)

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        gpu = next(leaf.gpu for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, FarTensor))
        return gpu.compute(func, args, kwargs or {})


class PretendedGpu(TorchDispatchMode):
    """See `pretended_gpu`."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.device = torch.device(kind, 0)
        self.waits = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.compute(func, args, kwargs or {})

    def compute(self, func: Any, args: Any, kwargs: Any) -> Any:
        """One operation, on the CPU; what comes of it lies where it would."""
        name = func._schema.name.removeprefix("aten::")
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        far = [one for one in tensors if isinstance(one, FarTensor)]
        near = [one for one in tensors if not isinstance(one, FarTensor)]
        # Backward is C++ that makes tensors of its own; it mixes devices only where forward did.
        backward = torch._C._current_autograd_node() is not None
        if far and name not in MAY_CROSS and any(one.dim() for one in near) and not backward:
            raise RuntimeError(
                f"{name}: expected all tensors to be on the same device, found {self.device} and cpu"
            )
        is_far = bool(far) or _is_of(kwargs.get("device"), self.device)
        if name == "copy_":
            is_far = isinstance(args[0], FarTensor)
            self.waits += bool(far) and not is_far
        self.waits += bool(far) and name in WAITS
        here = {key: torch.device("cpu") if key == "device" else value for key, value in kwargs.items()}
        if "pin_memory" in here:
            here["pin_memory"] = False
        near_args, near_kwargs = tree_map(lambda x: x.near if isinstance(x, FarTensor) else x, (args, here))
        answer = func(*near_args, **near_kwargs)
        if not is_far:
            return answer
        if self.device.type == "mps":
            for leaf in tree_leaves(answer):
                if isinstance(leaf, Tensor) and leaf.dtype is torch.float64:
                    raise TypeError("the MPS framework doesn't support float64")
        wrapped = tree_map(lambda x: FarTensor(x, self) if isinstance(x, Tensor) else x, answer)
        return return_and_correct_aliasing(func, args, kwargs, wrapped) if far else wrapped


@contextmanager
def pretended_gpu(kind: str) -> Iterator[PretendedGpu]:
    """A device `cuda:0`, `mps:0` or `xpu:0` as long as this lasts, in this thread."""
    gpu = PretendedGpu(kind)
    module = getattr(torch, kind)
    load = torch.load

    def load_there(*args: Any, map_location: Any = None, **options: Any) -> Any:
        state = load(*args, map_location="cpu", **options)
        there = map_location if map_location is not None else "cpu"
        return tree_map(lambda x: x.to(there) if isinstance(x, Tensor) else x, state)

    group = clip_grad._group_tensors_by_device_and_dtype  # type: ignore[attr-defined]

    def group_there(*args: Any, **options: Any) -> Any:
        """C++ groups by what it sees."""
        return {(gpu.device, dtype): lists for (_, dtype), lists in group(*args, **options).items()}

    made_up: dict[str, Any] = {
        "get_rng_state": lambda *_: torch.get_rng_state(),
        "set_rng_state": lambda *_: None,
        "mem_get_info": lambda *_: (2**33, 2**34),
        "max_memory_allocated": lambda *_: 2**30,
        "memory_allocated": lambda *_: 2**30,
        "driver_allocated_memory": lambda: 2**30,
        "recommended_max_memory": lambda: 2**34,
        "reset_peak_memory_stats": lambda *_: None,
        "get_device_properties": lambda *_: type("Properties", (), {"total_memory": 2**34}),
        "_lazy_init": lambda: None,
    }
    patches = [patch.object(module, name, value) for name, value in made_up.items() if hasattr(module, name)]
    patches += [
        patch.object(torch, "load", load_there),
        # Its tensors count no versions, without which a wrapper has no views.
        patch.object(torch, "inference_mode", torch.no_grad),
        patch.object(clip_grad, "_group_tensors_by_device_and_dtype", group_there),
        patch.object(Tensor, "pin_memory", lambda tensor, *_: tensor),
    ]
    for one in patches:
        one.start()
    try:
        with gpu:
            yield gpu
    finally:
        for one in reversed(patches):
            one.stop()


def _names_the_host(*words: Any) -> bool:
    return any(
        _is_of(word.device if isinstance(word, Tensor) else word, torch.device("cpu")) for word in words
    )


def _is_of(word: Any, device: torch.device) -> bool:
    """Whether a word of a call is this kind of device."""
    return isinstance(word, str | torch.device) and torch.device(word).type == device.type
