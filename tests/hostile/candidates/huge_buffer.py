# Asks for a tensor of 100 GB.
# expect: call fail invalid_plan
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


def twice(x):
    room = torch.empty(25 << 30, dtype=torch.float32, device=x.device)
    twice_kernel[(1,)](x, room, x.numel(), BLOCK=256)
    return honest(x)
