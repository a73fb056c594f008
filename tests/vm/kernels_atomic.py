"""Atomics, and programs that wait for each other."""

import torch
import triton
import triton.language as tl

from cases import case

i32, i64, f16 = torch.int32, torch.int64, torch.float16


@case(8, lambda d: [d.floats(512), d.zeros(1), d.zeros(4, i32)], N=64, tolerance=1e-6, why="programs add in another order",
      seed=5)
@triton.jit
def atomic_sums(x_ptr, total_ptr, count_ptr, N: tl.constexpr):
    i = tl.program_id(0) * N + tl.arange(0, N)
    tl.atomic_add(total_ptr, tl.sum(tl.load(x_ptr + i), axis=0))
    tl.atomic_add(count_ptr + i % 4, 1)


@case(4, lambda d: [d.ints(256), torch.tensor([0, 0, -1, 0, 0, 2**31 - 1, 0, 0], dtype=i32)], N=64, seed=9)
@triton.jit
def atomic_kinds(x_ptr, out_ptr, N: tl.constexpr):
    i = tl.program_id(0) * N + tl.arange(0, N)
    x = tl.load(x_ptr + i)
    tl.atomic_max(out_ptr + i * 0, x)
    tl.atomic_min(out_ptr + 1 + i * 0, x)
    tl.atomic_and(out_ptr + 2 + i * 0, x)
    tl.atomic_or(out_ptr + 3 + i * 0, x, mask=i % 3 == 0)
    tl.atomic_xor(out_ptr + 4 + i * 0, x)
    tl.atomic_min(out_ptr + 5 + i * 0, x & 0x7FFFFFFF)


@case(1, lambda d: [d.whole(64, -8, 8, f16), d.zeros(4, f16), d.zeros(2, torch.float64)], N=64)
@triton.jit
def atomic_floats(x_ptr, out_ptr, wide_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    x = tl.load(x_ptr + i)
    tl.atomic_add(out_ptr + i % 4, x)
    tl.atomic_add(wide_ptr + i % 2, x.to(tl.float64))


def exchange_in_torch(args):
    args[1].copy_(args[0])
    args[0].copy_(torch.tensor([8, 0, 3, -1], dtype=i32))


@case(1, lambda d: [torch.tensor([5, 0, 7, 0], dtype=i32), d.out(4, i32)], expected=exchange_in_torch)
@triton.jit
def exchanges(x_ptr, old_ptr):
    tl.store(old_ptr, tl.atomic_cas(x_ptr, 5, 8))
    tl.store(old_ptr + 1, tl.atomic_cas(x_ptr + 1, 1, 8))
    tl.store(old_ptr + 2, tl.atomic_xchg(x_ptr + 2, 3))
    tl.store(old_ptr + 3, tl.atomic_cas(x_ptr + 3, 0, -1))


def locked(args):
    x, lock, total = args
    total += x.sum()


@case(16, lambda d: [d.whole(16, 1, 9, torch.float32), d.zeros(1, i32), d.zeros(1)], expected=locked, seed=3)
@triton.jit
def spin_lock(x_ptr, lock_ptr, total_ptr):
    x = tl.load(x_ptr + tl.program_id(0))
    while tl.atomic_cas(lock_ptr, 0, 1) == 1:
        pass
    tl.store(total_ptr, tl.load(total_ptr) + x)
    tl.debug_barrier()
    tl.atomic_xchg(lock_ptr, 0)


def chained(args):
    x, flags, out = args
    out.copy_(torch.cumsum(x, 0))
    flags.fill_(1)


@case(32, lambda d: [d.whole(32, -9, 9, i32), d.zeros(32, i32), d.out(32, i32)], expected=chained, seed=77)
@triton.jit
def waits_for_the_one_before(x_ptr, flag_ptr, out_ptr):
    pid = tl.program_id(0)
    total = tl.load(x_ptr + pid)
    if pid > 0:
        while tl.atomic_add(flag_ptr + pid - 1, 0) == 0:
            pass
        total += tl.load(out_ptr + pid - 1)
    tl.store(out_ptr + pid, total)
    tl.debug_barrier()
    tl.atomic_xchg(flag_ptr + pid, 1)
