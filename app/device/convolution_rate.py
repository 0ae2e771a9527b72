"""How fast this CPU convolves, measured in a few hundredths of a second.

Not every instruction set that a CPU lists is its fastest: an Intel Xeon (family 6, model 207) without AMX was
measured at 180 GFLOP/s a core in float32 and 100 in bfloat16, though it lists AVX512-BF16.
"""

import time
from functools import lru_cache

import torch

CHANNELS, SIDE_PX, KERNEL = 64, 80, 3
FLOPS = 2 * CHANNELS * CHANNELS * KERNEL**2 * SIDE_PX**2
REPEATS = 4


@lru_cache
def convolution_flop_s(dtype: torch.dtype) -> float:
    """Operations a second of one thread in a 3x3 convolution like the detector's, measured once a process.

    By the thread's own clock, the best of some: other processes on the machine hardly change the answer.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        image = torch.ones((1, CHANNELS, SIDE_PX, SIDE_PX), dtype=dtype)
        kernel = torch.ones((CHANNELS, CHANNELS, KERNEL, KERNEL), dtype=dtype)
        image, kernel = (t.to(memory_format=torch.channels_last) for t in (image, kernel))
        best_s = float("inf")
        with torch.inference_mode():
            for _ in range(REPEATS):
                started_s = time.thread_time()
                torch.nn.functional.conv2d(image, kernel, padding=KERNEL // 2)
                best_s = min(best_s, time.thread_time() - started_s)
    finally:
        torch.set_num_threads(threads)
    return FLOPS / max(best_s, 1e-9)
