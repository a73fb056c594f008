"""Loads, stores, masks, pointers, program ids, shapes."""

import torch
import triton
import triton.language as tl

from cases import case

f16, f32, i32, i64, i8 = torch.float16, torch.float32, torch.int32, torch.int64, torch.int8


@case(4, lambda d: [d.floats(1000), d.floats(1000), d.out(1000), 1000], BLOCK=256)
@triton.jit
def add_with_tail(x_ptr, y_ptr, out_ptr, n, BLOCK: tl.constexpr):
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = i < n
    tl.store(out_ptr + i, tl.load(x_ptr + i, mask=inside) + tl.load(y_ptr + i, mask=inside), mask=inside)


@case(1, lambda d: [d.floats(100), d.out(128)], N=128)
@triton.jit
def load_other(x_ptr, out_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    tl.store(out_ptr + i, tl.load(x_ptr + i, mask=i < 100, other=-1.5))


@case(1, lambda d: [d.floats(256), d.out(128), d.out(256)], N=128, undefined=128)
@triton.jit
def strided(x_ptr, out_ptr, sparse_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    tl.store(out_ptr + i, tl.load(x_ptr + 255 - 2 * i))
    tl.store(sparse_ptr + 2 * i, tl.load(x_ptr + i))


@case((3, 2), lambda d: [d.floats((40, 50)), d.out((40, 50)), 40, 50, 50], ROWS=16, COLUMNS=32)
@triton.jit
def tile_2d(x_ptr, out_ptr, rows, columns, stride, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    r = tl.program_id(0) * ROWS + tl.arange(0, ROWS)[:, None]
    c = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)[None, :]
    inside = (r < rows) & (c < columns)
    x = tl.load(x_ptr + r * stride + c, mask=inside, other=0.0)
    tl.store(out_ptr + r * stride + c, x * 2.0, mask=inside)


@case((2, 3, 2), lambda d: [d.out((2, 3, 2, 6), i32)])
@triton.jit
def programs(out_ptr):
    x, y, z = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    at = out_ptr + (((x * tl.num_programs(1)) + y) * tl.num_programs(2) + z) * 6
    tl.store(at, x)
    tl.store(at + 1, y)
    tl.store(at + 2, z)
    tl.store(at + 3, tl.num_programs(0))
    tl.store(at + 4, tl.num_programs(1))
    tl.store(at + 5, tl.num_programs(2))


@case(2, lambda d: [d.floats(64, f16), d.ints(64, i8), d.whole(64, 0, 64, i32), d.out(64)], N=32)
@triton.jit
def gathered(x_ptr, y_ptr, index_ptr, out_ptr, N: tl.constexpr):
    i = tl.program_id(0) * N + tl.arange(0, N)
    at = tl.load(index_ptr + i)
    tl.store(out_ptr + i, tl.load(x_ptr + at).to(tl.float32) + tl.load(y_ptr + at).to(tl.float32))


@case(1, lambda d: [d.floats(64), d.floats(64), d.out(64)], N=64)
@triton.jit
def two_buffers_in_one_tile(x_ptr, y_ptr, out_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    tl.store(out_ptr + i, tl.load(tl.where(i % 2 == 0, x_ptr, y_ptr) + i))


@case(1, lambda d: [d.floats(8), d.out(8), 2.5, 3])
@triton.jit
def scalar_memory(x_ptr, out_ptr, factor, n):
    for k in range(n):
        tl.store(out_ptr + k, tl.load(x_ptr + k) * factor)
    for k in range(n, 8):
        tl.store(out_ptr + k, factor)


@case(1, lambda d: [d.floats((16, 32)), d.out((32, 16))], M=16, N=32)
@triton.jit
def transposed(x_ptr, out_ptr, M: tl.constexpr, N: tl.constexpr):
    m, n = tl.arange(0, M), tl.arange(0, N)
    x = tl.load(x_ptr + m[:, None] * N + n[None, :])
    tl.store(out_ptr + n[:, None] * M + m[None, :], tl.trans(x))


@case(1, lambda d: [d.floats((4, 8, 16), f16), d.out((16, 4, 8), f16)])
@triton.jit
def permuted(x_ptr, out_ptr):
    a, b, c = tl.arange(0, 4), tl.arange(0, 8), tl.arange(0, 16)
    x = tl.load(x_ptr + a[:, None, None] * 128 + b[None, :, None] * 16 + c[None, None, :])
    at = c[:, None, None] * 32 + a[None, :, None] * 8 + b[None, None, :]
    tl.store(out_ptr + at, tl.permute(x, (2, 0, 1)))


@case(1, lambda d: [d.floats(64), d.floats(64), d.out(128), d.out(128), d.out(64), d.out(64)], N=64)
@triton.jit
def joined(x_ptr, y_ptr, pairs_ptr, interleaved_ptr, a_ptr, b_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    x, y = tl.load(x_ptr + i), tl.load(y_ptr + i)
    pairs = tl.join(x, y)
    tl.store(pairs_ptr + tl.arange(0, N)[:, None] * 2 + tl.arange(0, 2)[None, :], pairs)
    tl.store(interleaved_ptr + tl.arange(0, 2 * N), tl.interleave(x, y))
    a, b = tl.split(pairs)
    tl.store(a_ptr + i, a)
    tl.store(b_ptr + i, b)


@case(1, lambda d: [d.whole(128, -8, 8, i8), d.out(128, i8)], N=64)
@triton.jit
def reshaped(x_ptr, out_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    x = tl.load(x_ptr + i[:, None] * 2 + tl.arange(0, 2)[None, :])
    tl.store(out_ptr + tl.arange(0, 2 * N), tl.reshape(x, (2 * N,)))


@case(1, lambda d: [d.floats(64), d.out(128)], N=64)
@triton.jit
def concatenated(x_ptr, out_ptr, N: tl.constexpr):
    x = tl.load(x_ptr + tl.arange(0, N))
    both = tl.cat(x, x * 2, can_reorder=True)
    # The order is free: what is independent of it is looked at.
    tl.store(out_ptr + tl.arange(0, 2 * N), tl.sort(both))


@case(1, lambda d: [d.floats((8, 64)), d.whole((8, 16), 0, 64, i32), d.out((8, 16))])
@triton.jit
def gather_in_tile(x_ptr, index_ptr, out_ptr):
    r = tl.arange(0, 8)[:, None]
    c = tl.arange(0, 16)[None, :]
    x = tl.load(x_ptr + r * 64 + tl.arange(0, 64)[None, :])
    tl.store(out_ptr + r * 16 + c, tl.gather(x, tl.load(index_ptr + r * 16 + c), 1))


def counted(args):
    args[1].copy_(torch.bincount(args[0], minlength=16)[:16])


@case(1, lambda d: [d.whole(256, 0, 16, i32), d.out(16, i32)], N=256, expected=counted)
@triton.jit
def histogram(x_ptr, out_ptr, N: tl.constexpr):
    h = tl.histogram(tl.load(x_ptr + tl.arange(0, N)), 16)
    tl.store(out_ptr + tl.arange(0, 16), h)


@case(1, lambda d: [d.floats((40, 64)), d.out((40, 64)), 40, 64])
@triton.jit
def block_pointers(x_ptr, out_ptr, rows, columns):
    x = tl.make_block_ptr(x_ptr, (rows, columns), (columns, 1), (16, 0), (32, 32), (1, 0))
    y = tl.make_block_ptr(out_ptr, (rows, columns), (columns, 1), (16, 0), (32, 32), (1, 0))
    for _ in range(2):
        tl.store(y, tl.load(x, boundary_check=(0, 1), padding_option="zero") + 1.0, boundary_check=(0, 1))
        x = tl.advance(x, (0, 32))
        y = tl.advance(y, (0, 32))
    head = tl.arange(0, 64)
    for r in range(16):
        tl.store(out_ptr + r * columns + head, tl.load(x_ptr + r * columns + head))


@case(1, lambda d: [d.floats((40, 64)), d.out((40, 64)), 40, 64])
@triton.jit
def descriptors(x_ptr, out_ptr, rows, columns):
    x = tl.make_tensor_descriptor(x_ptr, [rows, columns], [columns, 1], [32, 32])
    y = tl.make_tensor_descriptor(out_ptr, [rows, columns], [columns, 1], [32, 32])
    for r in range(0, 64, 32):
        for c in range(0, 64, 32):
            y.store([r, c], x.load([r, c]) * 3.0)
