"""Prints in every place: alone in a branch, alone in a loop, between other things."""

import torch
import triton
import triton.language as tl


@triton.jit
def softmax_kernel(x_ptr, out_ptr, n, x_row, x_column, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    if row == 0:
        tl.device_print("the first row, tt.print \\", n)
    for i in range(0, n):
        tl.device_print("i", i)
    if n > 1 << 20:
        tl.device_print("many", n)
    else:
        tl.device_print("few", n, at)
    x = tl.load(x_ptr + row * x_row + at * x_column, mask=at < n, other=-float("inf")).to(tl.float32)
    tl.device_print("x", x, hex=True)
    e = tl.exp(x - tl.max(x, 0))
    tl.store(out_ptr + row * n + at, e / tl.sum(e, 0), mask=at < n)


def softmax(x):
    out = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    m, n = x.shape
    softmax_kernel[(m,)](x, out, n, x.stride(0), x.stride(1), BLOCK=triton.next_power_of_2(n))
    return out
