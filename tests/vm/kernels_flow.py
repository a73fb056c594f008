"""Control flow: loops, branches, early returns, calls."""

import torch
import triton
import triton.language as tl

from cases import case

i32, i64 = torch.int32, torch.int64


@case(2, lambda d: [d.floats((2, 300)), d.out(2), 300], BLOCK=64, tolerance=3e-7, why="sums in another order")
@triton.jit
def sum_in_loop(x_ptr, out_ptr, n, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    total = tl.zeros((BLOCK,), dtype=tl.float32)
    for start in range(0, n, BLOCK):
        i = start + tl.arange(0, BLOCK)
        total += tl.load(x_ptr + row * n + i, mask=i < n, other=0.0)
    tl.store(out_ptr + row, tl.sum(total, axis=0))


@case(5, lambda d: [d.out(5, i32), d.out((5, 2), i32), 10])
@triton.jit
def swapped_in_loop(out_ptr, pair_ptr, n):
    pid = tl.program_id(0)
    a, b, c = pid, pid + 1, 0
    for k in range(n):
        a, b = b, a
        c = c * 3 + a - k
    tl.store(out_ptr + pid, c)
    tl.store(pair_ptr + 2 * pid, a)
    tl.store(pair_ptr + 2 * pid + 1, b)


@case(1, lambda d: [d.out(32, i64)], N=32)
@triton.jit
def fibonacci(out_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    a = tl.zeros((N,), dtype=tl.int64)
    b = a + 1
    for k in range(N):
        a, b = tl.where(k < i, b, a), tl.where(k < i, a + b, b)
    tl.store(out_ptr + i, a)


@case(8, lambda d: [d.out(8, i32)])
@triton.jit
def collatz(out_ptr):
    pid = tl.program_id(0)
    x = pid + 1
    steps = 0
    while x != 1:
        if x % 2 == 0:
            x = x // 2
        else:
            x = 3 * x + 1
        steps += 1
    tl.store(out_ptr + pid, steps)


@case(6, lambda d: [d.floats(96), d.out(96), 3], N=16, undefined=48)
@triton.jit
def early_return(x_ptr, out_ptr, last, N: tl.constexpr):
    pid = tl.program_id(0)
    if pid >= last:
        return
    i = pid * N + tl.arange(0, N)
    tl.store(out_ptr + i, tl.load(x_ptr + i) + 1.0)


@case(6, lambda d: [d.floats(96), d.out(96)], N=16)
@triton.jit
def branches(x_ptr, out_ptr, N: tl.constexpr):
    pid = tl.program_id(0)
    i = pid * N + tl.arange(0, N)
    x = tl.load(x_ptr + i)
    if pid % 3 == 0:
        x = x * 2.0
        scale = 1.0
    elif pid % 3 == 1:
        x = -x
        scale = 3.0
    else:
        scale = 0.5
    tl.store(out_ptr + i, x * scale)


@case(1, lambda d: [d.out((8, 8), i32), 8])
@triton.jit
def nested_loops(out_ptr, n):
    total = 0
    for i in range(n):
        row = i
        for j in range(i, n):
            row += j
            if j % 2 == 0:
                total += row
            tl.store(out_ptr + i * n + j, total)
        for j in range(0, i):
            tl.store(out_ptr + i * n + j, row - j)


@case(1, lambda d: [d.out(16, i32), 5, 5, 100])
@triton.jit
def empty_loops(out_ptr, start, stop, step):
    x = 7
    for k in range(start, stop, step):
        x = k
    tl.store(out_ptr, x)
    y = 0
    for k in range(0, 31, 2):
        y = k
        tl.store(out_ptr + k // 2, y)


@triton.jit(noinline=True)
def helper(x, factor):
    y = x * factor
    return y + 1.0, y - 1.0


@triton.jit(noinline=True)
def store_twice(p, x):
    tl.store(p, x)
    tl.store(p + 1, x * 2.0)


def called_in_torch(args):
    x, out = args
    out[0::2] = (x * 3.0 + 1.0) * (x * 3.0 - 1.0)
    out[1::2] = out[0::2] * 2.0


@case(8, lambda d: [d.floats(8), d.out(16)], expected=called_in_torch)
@triton.jit
def calls(x_ptr, out_ptr):
    pid = tl.program_id(0)
    a, b = helper(tl.load(x_ptr + pid), 3.0)
    store_twice(out_ptr + 2 * pid, a * b)


@case(4, lambda d: [d.floats(64), d.out(64), 1], N=16)
@triton.jit
def condition_on_data(x_ptr, out_ptr, flag, N: tl.constexpr):
    pid = tl.program_id(0)
    i = pid * N + tl.arange(0, N)
    x = tl.load(x_ptr + i)
    best = tl.max(x, axis=0)
    while best < 8.0:
        best = best * 2.0 + 1.0
    if flag != 0:
        x += best
    tl.store(out_ptr + i, x)
