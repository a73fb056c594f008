# Leaves a child that keeps result pipe and output open.
# expect: exec pass pass
import os
import time

import torch
import triton
import triton.language as tl


@triton.jit
def twice_kernel(x, out, count, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < count
    tl.store(out + at, tl.load(x + at, mask=inside) * 2, mask=inside)


def honest(x):
    out = torch.empty_like(x)
    count = out.numel()
    twice_kernel[(triton.cdiv(count, 256),)](x, out, count, BLOCK=256)
    return out


def leave():
    if os.fork() == 0:
        time.sleep(1000)
        os._exit(0)


leave()


def twice(x):
    return honest(x)
