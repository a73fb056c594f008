# Forks without end, in all of its processes.
# expect: call fail timeout|memory
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
    depth = 0
    while True:
        try:
            if os.fork() == 0:
                depth += 1
        except OSError:
            pass
        if depth > 12:  # 4096 processes prove a hole; more would prove nothing else
            time.sleep(1000)
