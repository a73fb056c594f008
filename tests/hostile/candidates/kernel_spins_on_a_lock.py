# Waits for a lock that nobody opens.
# expect: exec fail poison_used|budget
import torch
import triton
import triton.language as tl


@triton.jit
def twice_kernel(x, out, count, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < count
    lock = out.to(tl.pointer_type(tl.int32))
    while tl.atomic_cas(lock, 12345, 12346) != 12345:
        pass
    tl.store(out + at, tl.load(x + at, mask=inside) * 2, mask=inside)


def twice(x):
    out = torch.empty_like(x)
    count = out.numel()
    twice_kernel[(triton.cdiv(count, 256),)](x, out, count, BLOCK=256)
    return out
