# expect: fail exited
import os

import triton


@triton.jit
def kernel(x):
    pass


def add(x, y):
    os._exit(0)
