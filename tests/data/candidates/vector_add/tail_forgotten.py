# expect: fail poison
import torch
import triton
import triton.language as tl

@triton.jit
def kernel(x, y, out, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < n
    a = tl.load(x + at, mask=inside)
    b = tl.load(y + at, mask=inside)
    tl.store(out + at, a + b, mask=inside)


def add(x, y):
    x, y = x.contiguous(), y.contiguous()
    pass
    out = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    n = max(x.numel() - 1, 1)
    kernel[(triton.cdiv(n, 256),)](x, y, out, n, BLOCK=256)
    return out
