# Starts threads without end.
# expect: call fail raised|timeout|crash
import threading
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
    for _ in range(5000):
        threading.Thread(target=time.sleep, args=(1000,)).start()
    raise SystemExit("5000 threads were allowed")
