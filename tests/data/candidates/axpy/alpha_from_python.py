# expect: pass pass
import torch
import triton
import triton.language as tl


@triton.jit
def axpy_kernel(acc, x, positive, alpha, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < n
    a = tl.load(acc + at, mask=inside, other=0.0).to(tl.float32)
    b = tl.load(x + at, mask=inside, other=0.0).to(tl.float32)
    out = a + alpha * 0.5 * b
    tl.store(acc + at, out.to(acc.dtype.element_ty), mask=inside)
    tl.atomic_add(positive, tl.sum((b > 0).to(tl.int32), axis=0))


def axpy(acc, x, alpha):
    positive = torch.zeros((1,), dtype=torch.int32, device=acc.device)
    n = acc.numel()
    axpy_kernel[(triton.cdiv(n, 256),)](acc, x, positive, alpha * 2.0, n, BLOCK=256)
    return acc, positive
