# expect: fail wrong_values
import torch
import triton
import triton.language as tl

@triton.jit
def kernel(x, y, out, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < n
    a = tl.load(x + at, mask=inside)
    b = tl.load(y + at, mask=inside)
    tl.store(out + at, (a.to(tl.bfloat16) + b.to(tl.bfloat16)).to(a.dtype), mask=inside)


def add(x, y):
    x, y = x.contiguous(), y.contiguous()
    pass
    out = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    n = x.numel()
    kernel[(triton.cdiv(n, 256),)](x, y, out, n, BLOCK=256)
    return out
