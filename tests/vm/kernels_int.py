"""Integers: wrap-around, signs, shifts, division, comparison. All results equal, bit for bit."""

import torch
import triton
import triton.language as tl

from cases import case

i8, i16, i32, i64, u8, u32, u64 = (
    torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8, torch.uint32, torch.uint64,
)


def integer_arithmetic(x_ptr, y_ptr, out_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    x = tl.load(x_ptr + i)
    y = tl.load(y_ptr + i)
    tl.store(out_ptr + i, x + y)
    tl.store(out_ptr + N + i, x - y)
    tl.store(out_ptr + 2 * N + i, x * y)
    tl.store(out_ptr + 3 * N + i, x & y)
    tl.store(out_ptr + 4 * N + i, x | y)
    tl.store(out_ptr + 5 * N + i, x ^ y)
    tl.store(out_ptr + 6 * N + i, tl.minimum(x, y))
    tl.store(out_ptr + 7 * N + i, tl.maximum(x, y))
    tl.store(out_ptr + 8 * N + i, -x)
    tl.store(out_ptr + 9 * N + i, x ^ (y - x))


integer_arithmetic = triton.jit(integer_arithmetic)
for dtype in (i8, i16, i32, i64, u8, u32):
    case(1, lambda d, t=dtype: [d.ints(128, t), d.ints(128, t), d.out(1280, t)], N=128,
         name=f"integer_arithmetic_{str(dtype)[6:]}")(integer_arithmetic)


@triton.jit
def division(x_ptr, y_ptr, out_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    x = tl.load(x_ptr + i)
    y = tl.load(y_ptr + i)
    tl.store(out_ptr + i, x // y)
    tl.store(out_ptr + N + i, x % y)


def divisors(d, dtype):
    y = d.ints(256, dtype)
    y[(y == 0) | (y == -1)] = 3
    return y


for dtype in (i8, i16, i32, i64):
    case(1, lambda d, t=dtype: [d.ints(256, t), divisors(d, t), d.out(512, t)], N=256,
         name=f"division_{str(dtype)[6:]}")(division)


@case(1, lambda d: [d.ints(256, u32), (d.ints(256, i32) | 1).view(u32), d.out(512, u32)], N=256)
@triton.jit
def division_unsigned(x_ptr, y_ptr, out_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    x = tl.load(x_ptr + i)
    y = tl.load(y_ptr + i)
    tl.store(out_ptr + i, x // y)
    tl.store(out_ptr + N + i, x % y)


@triton.jit
def shifts(x_ptr, s_ptr, out_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    x = tl.load(x_ptr + i)
    s = tl.load(s_ptr + i)
    tl.store(out_ptr + i, x << s)
    tl.store(out_ptr + N + i, x >> s)


for dtype, bits in ((i8, 8), (i16, 16), (i32, 32), (i64, 64), (u8, 8), (u32, 32)):
    case(1, lambda d, t=dtype, b=bits: [d.ints(128, t), d.whole(128, 0, b, torch.int64).to(t), d.out(256, t)], N=128,
         name=f"shifts_{str(dtype)[6:]}")(shifts)


@triton.jit
def comparisons(x_ptr, y_ptr, out_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    x = tl.load(x_ptr + i)
    y = tl.load(y_ptr + i)
    tl.store(out_ptr + i, x < y)
    tl.store(out_ptr + N + i, x <= y)
    tl.store(out_ptr + 2 * N + i, x > y)
    tl.store(out_ptr + 3 * N + i, x >= y)
    tl.store(out_ptr + 4 * N + i, x == y)
    tl.store(out_ptr + 5 * N + i, x != y)


for dtype in (i8, i32, i64, u8, u32):
    case(1, lambda d, t=dtype: [d.ints(128, t), d.ints(128, t), d.out(768, torch.bool)], N=128,
         name=f"comparisons_{str(dtype)[6:]}")(comparisons)


@case(1, lambda d: [d.ints(64, i32), d.ints(64, i32), d.out(64, i32), d.out(64, i32), d.out(64, i32)], N=64)
@triton.jit
def booleans(x_ptr, y_ptr, and_ptr, or_ptr, count_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    positive = tl.load(x_ptr + i) > 0
    odd = (tl.load(y_ptr + i) & 1) == 1
    tl.store(and_ptr + i, (positive & odd).to(tl.int32))
    tl.store(or_ptr + i, (positive | odd).to(tl.int32))
    tl.store(count_ptr + i, (positive ^ odd).to(tl.int32) + (positive == odd).to(tl.int32) * 4)


@case(1, lambda d: [d.ints(256, u32), d.ints(256, u32), d.out(256, u32)], N=256)
@triton.jit
def high_half(x_ptr, y_ptr, out_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    tl.store(out_ptr + i, tl.umulhi(tl.load(x_ptr + i), tl.load(y_ptr + i)))


@case(1, lambda d: [d.ints(256, i64), d.ints(256, i64), d.out(256, i64)], N=256)
@triton.jit
def high_half_64(x_ptr, y_ptr, out_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    x = tl.load(x_ptr + i).to(tl.uint64, bitcast=True)
    y = tl.load(y_ptr + i).to(tl.uint64, bitcast=True)
    tl.store(out_ptr + i, tl.umulhi(x, y).to(tl.int64, bitcast=True))


@case(1, lambda d: [d.out(1024, torch.float32), 1234], N=1024)
@triton.jit
def random_numbers(out_ptr, seed, N: tl.constexpr):
    i = tl.arange(0, N)
    tl.store(out_ptr + i, tl.rand(seed, i))


@case(1, lambda d: [d.ints(64, i32), d.out(64, i8), d.out(64, i16), d.out(64, i64), d.out(64, u8), d.out(64, u64)], N=64)
@triton.jit
def integer_casts(x_ptr, a_ptr, b_ptr, c_ptr, e_ptr, f_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    x = tl.load(x_ptr + i)
    tl.store(a_ptr + i, x.to(tl.int8))
    tl.store(b_ptr + i, x.to(tl.int16))
    tl.store(c_ptr + i, x.to(tl.int64))
    tl.store(e_ptr + i, x.to(tl.uint8))
    tl.store(f_ptr + i, x.to(tl.uint32, bitcast=True).to(tl.uint64))


@case(1, lambda d: [d.ints(128, i32), d.out(128, i32), 7, 2**40], N=128)
@triton.jit
def scalars(x_ptr, out_ptr, a, b, N: tl.constexpr):
    i = tl.arange(0, N)
    c = (a * 3 - b // 5) % 1000003
    d = tl.where(c > 500, c.to(tl.int32), -c.to(tl.int32))
    tl.store(out_ptr + i, tl.abs(~tl.load(x_ptr + i) // 4) + d + min(a, 5) + max(a, 9))
