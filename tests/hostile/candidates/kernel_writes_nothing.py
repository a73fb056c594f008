# Hopes that the right answer lies in the output already.
# expect: exec fail poison
import torch
import triton
import triton.language as tl


@triton.jit
def twice_kernel(x, out, count, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out + at, tl.load(x + at, mask=at < 0), mask=at < 0)


def twice(x):
    out = torch.empty_like(x)
    count = out.numel()
    twice_kernel[(triton.cdiv(count, 256),)](x, out, count, BLOCK=256)
    return out
