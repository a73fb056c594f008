# expect: fail nondeterministic
import torch
import triton
import triton.language as tl


@triton.jit
def total_kernel(x, out, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.atomic_add(out, tl.sum(tl.load(x + at, mask=at < n, other=0.0), axis=0))


def total(x):
    out = torch.zeros((1,), dtype=torch.float32, device=x.device)
    n = x.numel()
    total_kernel[(triton.cdiv(n, 128),)](x, out, n, BLOCK=128)
    return out
