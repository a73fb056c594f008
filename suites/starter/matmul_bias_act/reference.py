"""Tiled matrix product with the bias and the activation applied to the accumulator."""

import torch
import triton
import triton.language as tl


@triton.jit
def matmul_bias_act_kernel(
    a_ptr,
    b_ptr,
    bias_ptr,
    out_ptr,
    rows,
    columns,
    depth,
    a_row_stride,
    a_depth_stride,
    b_depth_stride,
    b_column_stride,
    ACTIVATION: tl.constexpr,
    PRECISION: tl.constexpr,
    BLOCK_ROWS: tl.constexpr,
    BLOCK_COLUMNS: tl.constexpr,
    BLOCK_DEPTH: tl.constexpr,
    GROUP_ROWS: tl.constexpr,
):
    program = tl.program_id(0)
    row_blocks = tl.cdiv(rows, BLOCK_ROWS)
    column_blocks = tl.cdiv(columns, BLOCK_COLUMNS)
    blocks_in_group = GROUP_ROWS * column_blocks
    first_row_block = (program // blocks_in_group) * GROUP_ROWS
    group_rows = min(row_blocks - first_row_block, GROUP_ROWS)
    row_block = first_row_block + (program % blocks_in_group) % group_rows
    column_block = (program % blocks_in_group) // group_rows

    row = (row_block * BLOCK_ROWS + tl.arange(0, BLOCK_ROWS)).to(tl.int64)[:, None]
    column = (column_block * BLOCK_COLUMNS + tl.arange(0, BLOCK_COLUMNS)).to(tl.int64)[None, :]
    step = tl.arange(0, BLOCK_DEPTH)
    accumulator = tl.zeros((BLOCK_ROWS, BLOCK_COLUMNS), dtype=tl.float32)
    for start in range(0, depth, BLOCK_DEPTH):
        k = start + step
        a = tl.load(
            a_ptr + row * a_row_stride + k[None, :] * a_depth_stride,
            mask=(row < rows) & (k[None, :] < depth),
            other=0.0,
        )
        b = tl.load(
            b_ptr + k[:, None] * b_depth_stride + column * b_column_stride,
            mask=(k[:, None] < depth) & (column < columns),
            other=0.0,
        )
        accumulator = tl.dot(a, b, accumulator, input_precision=PRECISION)

    bias = tl.load(bias_ptr + column, mask=column < columns, other=0.0).to(tl.float32)
    value = accumulator + bias
    if ACTIVATION == "relu":
        value = tl.maximum(value, 0.0)
    if ACTIVATION == "gelu":
        value = 0.5 * value * (1.0 + tl.erf(value * 0.7071067811865476))
    tl.store(
        out_ptr + row * columns + column,
        value.to(out_ptr.dtype.element_ty),
        mask=(row < rows) & (column < columns),
    )


def matmul_bias_act(a: torch.Tensor, b: torch.Tensor, bias: torch.Tensor, activation: str) -> torch.Tensor:
    rows, depth = a.shape
    columns = b.shape[1]
    out = torch.empty((rows, columns), dtype=a.dtype, device=a.device)
    is_large = rows * columns >= 1024 * 1024 and a.dtype != torch.float32
    block_rows, block_columns = (128, 128) if is_large else (64, 64)
    block_depth = 64 if is_large else 32
    grid = (triton.cdiv(rows, block_rows) * triton.cdiv(columns, block_columns),)
    matmul_bias_act_kernel[grid](
        a,
        b,
        bias,
        out,
        rows,
        columns,
        depth,
        a.stride(0),
        a.stride(1),
        b.stride(0),
        b.stride(1),
        ACTIVATION=activation,
        PRECISION="ieee",  # of float32; not every target has another, and narrower dtypes need none
        BLOCK_ROWS=block_rows,
        BLOCK_COLUMNS=block_columns,
        BLOCK_DEPTH=block_depth,
        GROUP_ROWS=8,
        num_warps=8 if is_large else 4,
        num_stages=3,
    )
    return out
