# Hides what it does in inline assembly.
# expect: call fail invalid_plan
import torch
import triton
import triton.language as tl


@triton.jit
def twice_kernel(x, out, count, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < count
    value = tl.load(x + at, mask=inside)
    value = tl.inline_asm_elementwise("add.f32 $0, $1, $1;", "=f,f", [value], dtype=tl.float32, is_pure=True, pack=1)
    tl.store(out + at, value, mask=inside)


def twice(x):
    out = torch.empty_like(x)
    count = out.numel()
    twice_kernel[(triton.cdiv(count, 256),)](x, out, count, BLOCK=256)
    return out
