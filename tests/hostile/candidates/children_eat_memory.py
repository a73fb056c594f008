# Many processes, each of them modest.
# expect: call fail memory
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


def twice(x):
    for _ in range(10):
        if os.fork() == 0:
            room = bytearray(b"x" * (1 << 30))
            time.sleep(1000)
    time.sleep(1000)
