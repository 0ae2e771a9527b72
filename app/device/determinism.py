"""Bit-equal repeats on devices whose fastest kernels add in changing order."""

import os

import torch


def make_deterministic() -> None:
    """Let torch choose kernels that always add in the same order, and fail where there is none.

    Source: PyTorch's notes on reproducibility; cuBLAS needs its workspace fixed before its first use.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(True)
