"""Flip by address: a block of rows is loaded from mirrored columns and stored in order.

One of two ways to flip that the case study of the GEAK paper (appendix A) sets against each other; written anew.
"""

import torch
import triton
import triton.language as tl


@triton.jit
def flip_kernel(x_ptr, out_ptr, rows, columns, row_stride, column_stride, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    row = (tl.program_id(0) * ROWS + tl.arange(0, ROWS)).to(tl.int64)[:, None]
    column = (tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS))[None, :]
    inside = (row < rows) & (column < columns)
    x = tl.load(x_ptr + row * row_stride + (columns - 1 - column) * column_stride, mask=inside, other=0.0)
    tl.store(out_ptr + row * columns + column, x, mask=inside)


def flip(x: torch.Tensor) -> torch.Tensor:
    rows, columns = x.shape
    out = torch.empty((rows, columns), dtype=x.dtype, device=x.device)
    width = min(1024, triton.next_power_of_2(columns))
    height = max(1, 4096 // width)
    grid = (triton.cdiv(rows, height), triton.cdiv(columns, width))
    flip_kernel[grid](x, out, rows, columns, x.stride(0), x.stride(1), ROWS=height, COLUMNS=width)
    return out
