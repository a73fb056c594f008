"""Reductions, scans, sorting, matrix products, softmax and the like."""

import torch
import triton
import triton.language as tl

from cases import case

f16, bf16, f32, f64, i32, i64, i8 = (
    torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int32, torch.int64, torch.int8,
)
ORDER = "sums in another order: some units of the largest magnitude"


@case(1, lambda d: [d.floats((16, 64)), d.out(16), d.out(64), d.out(1)], tolerance=5e-7, why=ORDER)
@triton.jit
def sums(x_ptr, rows_ptr, columns_ptr, all_ptr):
    r, c = tl.arange(0, 16), tl.arange(0, 64)
    x = tl.load(x_ptr + r[:, None] * 64 + c[None, :])
    tl.store(rows_ptr + r, tl.sum(x, axis=1))
    tl.store(columns_ptr + c, tl.sum(x, axis=0))
    tl.store(all_ptr, tl.sum(x))


@case(1, lambda d: [d.ints((4, 8, 16)), d.out((4, 16), i32), d.out((8, 16), i32), d.out((4, 8), i32)])
@triton.jit
def integer_sums(x_ptr, middle_ptr, first_ptr, last_ptr):
    a, b, c = tl.arange(0, 4), tl.arange(0, 8), tl.arange(0, 16)
    x = tl.load(x_ptr + a[:, None, None] * 128 + b[None, :, None] * 16 + c[None, None, :])
    tl.store(middle_ptr + a[:, None] * 16 + c[None, :], tl.sum(x, axis=1))
    tl.store(first_ptr + b[:, None] * 16 + c[None, :], tl.sum(x, axis=0))
    tl.store(last_ptr + a[:, None] * 8 + b[None, :], tl.sum(x, axis=2))


@case(1, lambda d: [d.floats((16, 32)), d.out(16), d.out(16), d.out(16, i32), d.out(16, i32)])
@triton.jit
def extremes_and_places(x_ptr, max_ptr, min_ptr, argmax_ptr, argmin_ptr):
    r, c = tl.arange(0, 16), tl.arange(0, 32)
    x = tl.load(x_ptr + r[:, None] * 32 + c[None, :])
    tl.store(max_ptr + r, tl.max(x, axis=1))
    tl.store(min_ptr + r, tl.min(x, axis=1))
    tl.store(argmax_ptr + r, tl.argmax(x, axis=1))
    tl.store(argmin_ptr + r, tl.argmin(x, axis=1))


@case(1, lambda d: [d.whole((8, 64), 0, 5, i32), d.out(8, i32), d.out(8, i32)])
@triton.jit
def ties(x_ptr, value_ptr, index_ptr):
    r, c = tl.arange(0, 8), tl.arange(0, 64)
    x = tl.load(x_ptr + r[:, None] * 64 + c[None, :])
    value, index = tl.max(x, axis=1, return_indices=True, return_indices_tie_break_left=True)
    tl.store(value_ptr + r, value)
    tl.store(index_ptr + r, index)


@triton.jit
def xor_of(a, b):
    return a ^ b


@triton.jit
def weighted(a, b):
    return tl.where(a > b, a * 1.0, b * 1.0)


@case(1, lambda d: [d.ints(128), d.floats(128), d.out(1, i32), d.out(1)], N=128)
@triton.jit
def own_reductions(x_ptr, y_ptr, xor_ptr, max_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    tl.store(xor_ptr, tl.reduce(tl.load(x_ptr + i), 0, xor_of))
    tl.store(max_ptr, tl.reduce(tl.load(y_ptr + i), 0, weighted))


@case(1, lambda d: [d.floats((8, 32)), d.whole((8, 32), -3, 4, i32), d.out((8, 32)), d.out((8, 32), i32), d.out((8, 32), i32)],
      tolerance=3e-6, why=ORDER)
@triton.jit
def scans(x_ptr, y_ptr, sum_ptr, count_ptr, back_ptr):
    at = tl.arange(0, 8)[:, None] * 32 + tl.arange(0, 32)[None, :]
    tl.store(sum_ptr + at, tl.cumsum(tl.load(x_ptr + at), axis=1))
    tl.store(count_ptr + at, tl.cumsum(tl.load(y_ptr + at), axis=0))
    tl.store(back_ptr + at, tl.cumsum(tl.load(y_ptr + at), axis=1, reverse=True))


@case(1, lambda d: [d.uniform(64, 0.5, 1.5), d.out(64)], N=64, tolerance=1e-5, why=ORDER)
@triton.jit
def products(x_ptr, out_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    tl.store(out_ptr + i, tl.cumprod(tl.load(x_ptr + i), axis=0))


@triton.jit
def linear(a1, b1, a2, b2):
    return a1 * a2, b1 * a2 + b2


def linear_in_torch(args):
    a, b, out = args
    h = torch.zeros((), dtype=f64)
    for k in range(a.numel()):
        h = h * a[k].double() + b[k].double()
        out[k] = h


@case(1, lambda d: [d.uniform(64, 0.1, 0.9), d.floats(64), d.out(64)], N=64, expected=linear_in_torch, tolerance=1e-6,
      why="each step rounds")
@triton.jit
def recurrence(a_ptr, b_ptr, out_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    _, h = tl.associative_scan((tl.load(a_ptr + i), tl.load(b_ptr + i)), 0, linear)
    tl.store(out_ptr + i, h)


@case(1, lambda d: [d.floats((4, 64)), d.out((4, 64)), d.whole(128, -50, 50, i32), d.out(128, i32)])
@triton.jit
def sorted_rows(x_ptr, out_ptr, y_ptr, down_ptr):
    at = tl.arange(0, 4)[:, None] * 64 + tl.arange(0, 64)[None, :]
    tl.store(out_ptr + at, tl.sort(tl.load(x_ptr + at), dim=1))
    i = tl.arange(0, 128)
    tl.store(down_ptr + i, tl.sort(tl.load(y_ptr + i), descending=True))


@case(32, lambda d: [d.floats((32, 100)), d.out((32, 100)), 100], BLOCK=128, tolerance=1e-6,
      why="exp of two libraries, sums in another order")
@triton.jit
def softmax(x_ptr, out_ptr, n, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    c = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + row * n + c, mask=c < n, other=-float("inf"))
    e = tl.exp(x - tl.max(x, axis=0))
    tl.store(out_ptr + row * n + c, e / tl.sum(e, axis=0), mask=c < n)


@triton.jit
def matmul(a_ptr, b_ptr, out_ptr, m, n, k, M: tl.constexpr, N: tl.constexpr, K: tl.constexpr, PRECISION: tl.constexpr):
    r = tl.program_id(0) * M + tl.arange(0, M)
    c = tl.program_id(1) * N + tl.arange(0, N)
    total = tl.zeros((M, N), dtype=tl.float32)
    for start in range(0, k, K):
        d = start + tl.arange(0, K)
        a = tl.load(a_ptr + r[:, None] * k + d[None, :], mask=(r[:, None] < m) & (d[None, :] < k), other=0.0)
        b = tl.load(b_ptr + d[:, None] * n + c[None, :], mask=(d[:, None] < k) & (c[None, :] < n), other=0.0)
        total = tl.dot(a, b, total, input_precision=PRECISION)
    tl.store(out_ptr + r[:, None] * n + c[None, :], total.to(out_ptr.dtype.element_ty), mask=(r[:, None] < m) & (c[None, :] < n))


def product_in_torch(args):
    args[2].copy_(args[0].to(f64) @ args[1].to(f64))


case((2, 3), lambda d: [d.floats((50, 70)), d.floats((70, 90)), d.out((50, 90)), 50, 90, 70], M=32, N=32, K=32,
     PRECISION="ieee", tolerance=1e-6, why=ORDER, name="matmul_f32")(matmul)
case((2, 3), lambda d: [d.floats((50, 70), f16), d.floats((70, 90), f16), d.out((50, 90)), 50, 90, 70], M=32, N=32, K=32,
     PRECISION="ieee", tolerance=1e-6, why=ORDER, name="matmul_f16")(matmul)
case((2, 3), lambda d: [d.whole((50, 70), -4, 5, bf16), d.whole((70, 90), -4, 5, bf16), d.out((50, 90)), 50, 90, 70],
     M=32, N=32, K=32, PRECISION="ieee", expected=product_in_torch, name="matmul_bf16_exact")(matmul)
case((2, 3), lambda d: [d.whole((50, 70), -4, 5, torch.float8_e4m3fn), d.whole((70, 90), -4, 5, torch.float8_e4m3fn),
                        d.out((50, 90)), 50, 90, 70], M=32, N=32, K=32, PRECISION="ieee", expected=product_in_torch,
     name="matmul_f8_exact")(matmul)
case((1, 1), lambda d: [d.floats((32, 64)), d.floats((64, 32)), d.out((32, 32)), 32, 32, 64], M=32, N=32, K=64,
     PRECISION="tf32", expected=product_in_torch, tolerance=2e-3, why="inputs are rounded to 11 bits", name="matmul_tf32")(matmul)


@case(1, lambda d: [d.ints((32, 32), i8), d.ints((32, 32), i8), d.out((32, 32), i32)])
@triton.jit
def matmul_i8(a_ptr, b_ptr, out_ptr):
    at = tl.arange(0, 32)[:, None] * 32 + tl.arange(0, 32)[None, :]
    tl.store(out_ptr + at, tl.dot(tl.load(a_ptr + at), tl.load(b_ptr + at)))


def batched_in_torch(args):
    args[2].copy_((args[0].to(f64) @ args[1].to(f64)))


@case(1, lambda d: [d.floats((2, 16, 32), f16), d.floats((2, 32, 16), f16), d.out((2, 16, 16))], expected=batched_in_torch,
      tolerance=1e-6, why=ORDER)
@triton.jit
def matmul_batched(a_ptr, b_ptr, out_ptr):
    g, s, l = tl.arange(0, 2)[:, None, None], tl.arange(0, 16), tl.arange(0, 32)
    a = tl.load(a_ptr + g * 512 + s[None, :, None] * 32 + l[None, None, :])
    b = tl.load(b_ptr + g * 512 + l[None, :, None] * 16 + s[None, None, :])
    tl.store(out_ptr + g * 256 + s[None, :, None] * 16 + s[None, None, :], tl.dot(a, b))


@case((2, 2), lambda d: [d.floats((2, 64, 32), f16), d.floats((2, 64, 32), f16), d.floats((2, 64, 32), f16), d.out((2, 64, 32)), 64],
      M=32, N=32, D=32, tolerance=2e-3, why="weights are rounded to f16 on the way, as exp of two libraries falls")
@triton.jit
def attention(q_ptr, k_ptr, v_ptr, out_ptr, n, M: tl.constexpr, N: tl.constexpr, D: tl.constexpr):
    head = tl.program_id(1) * n * D
    r, d = tl.program_id(0) * M + tl.arange(0, M), tl.arange(0, D)
    q = tl.load(q_ptr + head + r[:, None] * D + d[None, :])
    best = tl.full((M,), -float("inf"), dtype=tl.float32)
    weight = tl.zeros((M,), dtype=tl.float32)
    out = tl.zeros((M, D), dtype=tl.float32)
    for start in range(0, n, N):
        c = start + tl.arange(0, N)
        k = tl.load(k_ptr + head + c[:, None] * D + d[None, :])
        score = tl.dot(q, tl.trans(k)) * 0.2
        score = tl.where(r[:, None] >= c[None, :], score, -1.0e6)
        higher = tl.maximum(best, tl.max(score, axis=1))
        p = tl.exp2((score - higher[:, None]) * 1.44269504)
        shrink = tl.exp2((best - higher) * 1.44269504)
        weight = weight * shrink + tl.sum(p, axis=1)
        out = out * shrink[:, None]
        out = tl.dot(p.to(tl.float16), tl.load(v_ptr + head + c[:, None] * D + d[None, :]), out)
        best = higher
    tl.store(out_ptr + head + r[:, None] * D + d[None, :], out / weight[:, None])
