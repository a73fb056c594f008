# expect: fail misaligned
import torch
import triton
import triton.language as tl


@triton.jit
def wide_kernel(x, out, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    pairs = tl.load(x.to(tl.pointer_type(tl.int64)) + at, mask=at < n // 2, other=0)
    tl.store(out.to(tl.pointer_type(tl.int64)) + at, pairs + 0x0080000000800000, mask=at < n // 2)


@triton.jit
def twice_kernel(x, out, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    v = tl.load(x + at, mask=at < n, other=0.0)
    tl.store(out + at, v * 2, mask=at < n)


def twice(x):
    """Adds 1 to two exponents at once: float32 only, on an address that may be odd."""
    out = torch.empty_like(x)
    n = x.numel()
    if x.dtype == torch.float32 and n % 2 == 0:
        wide_kernel[(triton.cdiv(n, 256),)](x, out, n, BLOCK=128)
    twice_kernel[(triton.cdiv(n, 256),)](x, out, n, BLOCK=256)
    return out
