# Never ends.
# expect: exec fail budget
import torch
import triton
import triton.language as tl


@triton.jit
def twice_kernel(x, out, count, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < count
    value = tl.load(x + at, mask=inside) * 2
    rounds = count
    while rounds > 0:
        value += 1e-30
        rounds += 1
        if rounds > 1000000:
            rounds = 1
    tl.store(out + at, value, mask=inside)


def twice(x):
    out = torch.empty_like(x)
    count = out.numel()
    twice_kernel[(triton.cdiv(count, 256),)](x, out, count, BLOCK=256)
    return out
