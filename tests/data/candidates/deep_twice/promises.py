# expect: fail misaligned
import torch
import triton
import triton.language as tl


@triton.jit
def twice_kernel(x, out, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    v = tl.load(tl.multiple_of(x + at, [16]), mask=at < n, other=0.0)
    tl.store(out + at, v * 2, mask=at < n)


def twice(x):
    out = torch.empty_like(x)
    n = x.numel()
    twice_kernel[(triton.cdiv(n, 256),)](x, out, n, BLOCK=256)
    return out
