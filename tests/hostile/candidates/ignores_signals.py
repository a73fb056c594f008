# Ignores every signal that can be ignored, and sleeps.
# expect: call fail timeout
import signal
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


for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass


def twice(x):
    while True:
        time.sleep(1000)
