# expect: fail crash
import ctypes

import triton


@triton.jit
def kernel(x):
    pass


def add(x, y):
    ctypes.string_at(0)
