"""Takes memory of a card through CUDA's driver API, and holds it until its input ends.

    python tests/support/nvml/cuda.py UUID BYTES

Needs neither nvcc nor a toolkit: libcuda.so.1 comes with the driver. One line is written when the
memory is held, or an error and the exit code 1.
"""

from __future__ import annotations

import ctypes
import os
import sys


class CudaFailed(Exception):
    """A call of CUDA returned an error."""


def take(size: int) -> None:
    """Hold so many bytes of the first card that can be seen."""
    cuda = ctypes.CDLL("libcuda.so.1")
    device, context, memory = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_uint64()
    for name, arguments in (
        ("cuInit", (0,)),
        ("cuDeviceGet", (ctypes.byref(device), 0)),
        ("cuCtxCreate_v2", (ctypes.byref(context), 0, device)),
        ("cuMemAlloc_v2", (ctypes.byref(memory), ctypes.c_size_t(size))),
    ):
        code = getattr(cuda, name)(*arguments)
        if code:
            raise CudaFailed(f"{name} returned {code}")


def main() -> int:
    os.environ["CUDA_VISIBLE_DEVICES"] = sys.argv[1]
    try:
        take(int(sys.argv[2]))
    except (CudaFailed, OSError) as error:
        print(error, flush=True)
        return 1
    print("held", flush=True)
    sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main())
