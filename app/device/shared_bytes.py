"""Memory that several processes see, without a name: it goes with the last of them, however that one ends.

multiprocessing's own has names and lies in /dev/shm, of which a container has 64 MiB unless its owner asks for more.
"""

import mmap
import os
import weakref
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

CAN_SHARE = hasattr(os, "memfd_create")
"""Linux alone has such memory."""


class SharedBytes:
    """Some bytes, zero at first. A process that is started with the descriptor and is sent this object has the same."""

    def __init__(self, descriptor: int, size: int) -> None:
        """
        Args:
            descriptor: of a file of at least `size` bytes; it is closed with this object.
            size: at least 1.
        """
        self.descriptor, self._size = descriptor, size
        weakref.finalize(self, os.close, descriptor)
        self.array: NDArray[np.uint8] = np.frombuffer(mmap.mmap(descriptor, size), dtype=np.uint8)

    @classmethod
    def in_memory(cls, size: int) -> "SharedBytes":
        """Bytes that no file system holds; the system gives a page at its first use."""
        descriptor = os.memfd_create("tiles")
        os.truncate(descriptor, size)
        return cls(descriptor, size)

    @classmethod
    def in_file(cls, stream: BinaryIO, size: int) -> "SharedBytes":
        """The first bytes of a file, which may be closed and lose its name."""
        return cls(os.dup(stream.fileno()), size)

    def __reduce__(self) -> tuple[type["SharedBytes"], tuple[int, int]]:
        return SharedBytes, (self.descriptor, self._size)
