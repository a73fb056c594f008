"""Flip in registers: a block of rows is loaded in order, flipped by tl.flip, stored in order.

One of two ways to flip that the case study of the GEAK paper (appendix A) sets against each other; written anew.
"""

import torch
import triton
import triton.language as tl


@triton.jit
def flip_kernel(x_ptr, out_ptr, rows, columns, row_stride, column_stride, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    row = (tl.program_id(0) * ROWS + tl.arange(0, ROWS)).to(tl.int64)[:, None]
    lane = tl.arange(0, COLUMNS)[None, :]
    # the block ends with the row's last column, so that its flip begins with it
    column = columns - COLUMNS * (tl.program_id(1) + 1) + lane
    inside = (row < rows) & (column >= 0)
    x = tl.load(x_ptr + row * row_stride + column * column_stride, mask=inside, other=0.0)
    flipped = tl.flip(x, 1)
    target = COLUMNS * tl.program_id(1) + lane
    tl.store(out_ptr + row * columns + target, flipped, mask=(row < rows) & (target < columns))


def flip(x: torch.Tensor) -> torch.Tensor:
    rows, columns = x.shape
    out = torch.empty((rows, columns), dtype=x.dtype, device=x.device)
    width = min(1024, triton.next_power_of_2(columns))
    height = max(1, 4096 // width)
    grid = (triton.cdiv(rows, height), triton.cdiv(columns, width))
    flip_kernel[grid](x, out, rows, columns, x.stride(0), x.stride(1), ROWS=height, COLUMNS=width)
    return out
