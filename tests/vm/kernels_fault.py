"""Planted faults: each must be named, at the line marked "# fault"."""

import torch
import triton
import triton.language as tl

from cases import case

i32 = torch.int32
BOUNDS = dict(fault="out_of_bounds")


@case(4, lambda d: [d.floats(1000), d.out(1024)], BLOCK=256, message=r"byte 4000 of buffer x_ptr \(4000 bytes\), 0 bytes past its end; program \(3, 0, 0\), lane 232 of 256", **BOUNDS)
@triton.jit
def forgotten_mask(x_ptr, out_ptr, BLOCK: tl.constexpr):
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + i)  # fault
    tl.store(out_ptr + i, x)


@case(4, lambda d: [d.floats(1024), d.out(1000), 1024], BLOCK=256, message="writes 4 bytes at byte 4000 of buffer out_ptr", **BOUNDS)
@triton.jit
def wrong_count(x_ptr, out_ptr, n, BLOCK: tl.constexpr):
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = i < n
    x = tl.load(x_ptr + i, mask=inside)
    tl.store(out_ptr + i, x, mask=inside)  # fault


@case(1, lambda d: [d.floats(64), d.out(64)], N=64, message="4 bytes before its start", **BOUNDS)
@triton.jit
def one_before(x_ptr, out_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    x = tl.load(x_ptr + i - 1)  # fault
    tl.store(out_ptr + i, x)


@case((2, 2), lambda d: [d.floats((40, 40)), d.out((64, 64)), 40], B=32, message=r"element \[8, 0\]", **BOUNDS)
@triton.jit
def wrong_rows(x_ptr, out_ptr, n, B: tl.constexpr):
    r = tl.program_id(1) * B + tl.arange(0, B)[:, None]
    c = tl.program_id(0) * B + tl.arange(0, B)[None, :]
    x = tl.load(x_ptr + r * n + c, mask=c < n)  # fault
    tl.store(out_ptr + r * 64 + c, x, mask=(r < n) & (c < n))


@triton.jit
def load_row(p, i):
    return tl.load(p + i)


@case(1, lambda d: [d.floats(60), d.out(64)], N=64, **BOUNDS)
@triton.jit
def in_a_helper(x_ptr, out_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    x = load_row(x_ptr, i)
    tl.store(out_ptr + i, x)


@case(1, lambda d: [d.floats(1000), d.out(1), 1000], BLOCK=64, message=r"lane 40 of 64", **BOUNDS)
@triton.jit
def last_turn_of_a_loop(x_ptr, out_ptr, n, BLOCK: tl.constexpr):
    total = tl.zeros((BLOCK,), dtype=tl.float32)
    for start in range(0, n, BLOCK):
        total += tl.load(x_ptr + start + tl.arange(0, BLOCK))  # fault
    tl.store(out_ptr, tl.sum(total, axis=0))


@case(1, lambda d: [d.floats(64), torch.tensor([0, 3, 64, 2], dtype=i32), d.out(4)], message="lane 2 of 4", **BOUNDS)
@triton.jit
def bad_index(x_ptr, index_ptr, out_ptr):
    i = tl.arange(0, 4)
    tl.store(out_ptr + i, tl.load(x_ptr + tl.load(index_ptr + i)))  # fault


@case(3, lambda d: [d.zeros(2, i32)], message=r"tt.atomic_rmw: changes 4 bytes at byte 8", **BOUNDS)
@triton.jit
def atomic_outside(x_ptr):
    tl.atomic_add(x_ptr + tl.program_id(0), 1)  # fault


@case(1, lambda d: [d.out(8), 2**20], message="past its end", **BOUNDS)
@triton.jit
def scalar_outside(out_ptr, n):
    if n > 5:
        tl.store(out_ptr + n, 1.0)  # fault


@case(1, lambda d: [d.floats((32, 32)), d.out((32, 32)), 40], message="past its end", **BOUNDS)
@triton.jit
def descriptor_larger_than_the_buffer(x_ptr, out_ptr, rows):
    x = tl.make_tensor_descriptor(x_ptr, [rows, 32], [32, 1], [32, 32])
    tile = x.load([8, 0])  # fault
    tl.store(out_ptr + tl.arange(0, 32)[:, None] * 32 + tl.arange(0, 32)[None, :], tile)


@case(1, lambda d: [d.floats(64), d.out(64)], N=64, message="int64|8 bytes", fault="misaligned")
@triton.jit
def misaligned(x_ptr, out_ptr, N: tl.constexpr):
    p = (x_ptr + 1).to(tl.pointer_type(tl.int64))
    x = tl.load(p + tl.arange(0, 16))  # fault
    tl.store(out_ptr + tl.arange(0, 16), x.to(tl.float32))


@case(1, lambda d: [d.floats(64), d.out(64), 50], N=64, message="the mask is undefined", fault="poison_used")
@triton.jit
def undefined_mask(x_ptr, out_ptr, n, N: tl.constexpr):
    i = tl.arange(0, N)
    x = tl.load(x_ptr + i, mask=i < n)
    tl.store(out_ptr + i, x, mask=x > -100.0)  # fault


@case(1, lambda d: [d.whole(64, 0, 64, i32), d.out(64), 50], N=64, message="address", fault="poison_used")
@triton.jit
def undefined_address(x_ptr, out_ptr, n, N: tl.constexpr):
    i = tl.arange(0, N)
    at = tl.load(x_ptr + i, mask=i < n)
    tl.store(out_ptr + at, i.to(tl.float32))  # fault


@case(1, lambda d: [d.out(64), d.out(1)], N=64, message="branch", fault="poison_used")
@triton.jit
def undefined_branch(x_ptr, out_ptr, N: tl.constexpr):
    x = tl.load(x_ptr)
    if x > 0.0:  # fault
        tl.store(out_ptr, x)


@case(1, lambda d: [d.out(1, i32), d.out(1)], message="loop bound", fault="poison_used")
@triton.jit
def undefined_bound(n_ptr, out_ptr):
    n = tl.load(n_ptr)
    for k in range(n):  # fault
        tl.store(out_ptr, k.to(tl.float32))


@case(1, lambda d: [d.zeros(1, i32), d.out(1, i32)], budget=10**6, fault="budget")
@triton.jit
def endless(flag_ptr, out_ptr):
    x = 0
    while tl.load(flag_ptr) == 0:
        x += 1
    tl.store(out_ptr, x)


@case(4, lambda d: [d.zeros(1, i32), d.out(1, i32)], budget=10**6, fault="budget")
@triton.jit
def never_unlocked(lock_ptr, out_ptr):
    while tl.atomic_cas(lock_ptr, 0, 1) == 1:
        pass
    tl.store(out_ptr, 1)


@case(1, lambda d: [d.ints(64), d.out(64, i32)], N=64, fault="assert", message="must be positive")
@triton.jit
def asserted(x_ptr, out_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    x = tl.load(x_ptr + i)
    tl.device_assert(x > 0, "must be positive")  # fault
    tl.store(out_ptr + i, x)


@case(1, lambda d: [d.ints(64), d.out(64, i32)], N=64, fault="unsupported", message="tt.elementwise_inline_asm is not simulated yet")
@triton.jit
def assembler(x_ptr, out_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    x = tl.load(x_ptr + i)
    y = tl.inline_asm_elementwise("mov.b32 $0, $1;", "=r,r", [x], dtype=tl.int32, is_pure=True, pack=1)  # fault
    tl.store(out_ptr + i, y)


@case(1, lambda d: [d.floats(64), d.out(64)], N=64, fault="unsupported", message="__nv_cyl_bessel_i0f is not simulated yet")
@triton.jit
def unknown_function(x_ptr, out_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    x = tl.load(x_ptr + i)
    tl.store(out_ptr + i, tl.extra.cuda.libdevice.cyl_bessel_i0(x))  # fault


def halves(args):
    x, out, total = args
    out[:50] = x[:50]
    total[0] = x[:50].sum()


@case(1, lambda d: [d.whole(64, -9, 9, torch.float32), d.out(64), d.out(1), 50], N=64, undefined=14, expected=lambda a: halves(a[:3]))
@triton.jit
def undefined_only_where_unused(x_ptr, out_ptr, total_ptr, n, N: tl.constexpr):
    i = tl.arange(0, N)
    inside = i < n
    x = tl.load(x_ptr + i, mask=inside)
    tl.store(total_ptr, tl.sum(tl.where(inside, x, 0.0), axis=0))
    tl.store(out_ptr + i, x, mask=inside & (x > -100.0))


@case(1, lambda d: [d.whole(64, -9, 9, torch.float32), d.out(64), d.out(1), 50], N=64, undefined=15, expected=lambda a: halves(a[:3]))
@triton.jit
def undefined_is_stored(x_ptr, out_ptr, total_ptr, n, N: tl.constexpr):
    i = tl.arange(0, N)
    x = tl.load(x_ptr + i, mask=i < n)
    tl.store(total_ptr, tl.sum(x, axis=0))
    tl.store(out_ptr + i, x)
