# Does something else at every call.
# expect: call fail unstable_plan
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


calls = 0


def twice(x):
    global calls
    calls += 1
    out = torch.empty_like(x)
    twice_kernel[(triton.cdiv(out.numel(), 256) + calls,)](x, out, out.numel(), BLOCK=256)
    return out
