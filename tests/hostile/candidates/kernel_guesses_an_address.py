# Makes a pointer out of a number.
# expect: exec fail out_of_bounds
import torch
import triton
import triton.language as tl


@triton.jit
def twice_kernel(x, out, count, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < count
    place = (tl.full([BLOCK], 0x7F0000000000, tl.int64) + at * 4).to(tl.pointer_type(tl.float32))
    tl.store(out + at, tl.load(place, mask=inside) * 2, mask=inside)


def twice(x):
    out = torch.empty_like(x)
    count = out.numel()
    twice_kernel[(triton.cdiv(count, 256),)](x, out, count, BLOCK=256)
    return out
