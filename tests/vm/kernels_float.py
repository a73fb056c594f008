"""Floats: arithmetic in every format, functions, conversions, special values."""

import torch
import triton
import triton.language as tl

from cases import case

f16, bf16, f32, f64 = torch.float16, torch.bfloat16, torch.float32, torch.float64
LIBM = "libm and numpy each round their own way, within a unit or two"


@triton.jit
def float_arithmetic(x_ptr, y_ptr, out_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    x = tl.load(x_ptr + i)
    y = tl.load(y_ptr + i)
    tl.store(out_ptr + i, x + y)
    tl.store(out_ptr + N + i, x - y)
    tl.store(out_ptr + 2 * N + i, x * y)
    tl.store(out_ptr + 3 * N + i, (x / y).to(x.dtype))
    tl.store(out_ptr + 4 * N + i, -x)
    tl.store(out_ptr + 5 * N + i, tl.abs(y))


def exact_in_torch(args):
    """numpy has no bf16, and Triton's interpreter truncates some of its results: torch rounds each operation once."""
    x, y, out = args
    n = x.numel()
    for at, value in enumerate((x + y, x - y, x * y, x / y, -x, y.abs())):
        out[at * n : (at + 1) * n] = value


for dtype in (f16, f32, f64):
    case(1, lambda d, t=dtype: [d.floats(256, t, 50), d.floats(256, t), d.out(1536, t)], N=256,
         name=f"float_arithmetic_{str(dtype)[6:]}")(float_arithmetic)
case(1, lambda d: [d.floats(256, bf16, 50), d.floats(256, bf16), d.out(1536, bf16)], N=256, expected=exact_in_torch,
     tolerance=0, name="float_arithmetic_bfloat16")(float_arithmetic)
case(1, lambda d: [d.specials(256), d.specials(253 + 3).flip(0), d.out(1536)], N=256,
     name="float_arithmetic_specials")(float_arithmetic)
case(1, lambda d: [d.floats(256, f16, 1e-6), d.floats(256, f16, 3), d.out(1536, f16)], N=256,
     name="float_arithmetic_subnormal_f16")(float_arithmetic)
case(1, lambda d: [d.floats(256, bf16, 1e-19), d.floats(256, bf16, 1e-20), d.out(1536, bf16)], N=256,
     expected=exact_in_torch, tolerance=0, name="float_arithmetic_tiny_bf16")(float_arithmetic)


@triton.jit
def functions(x_ptr, out_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    x = tl.load(x_ptr + i)
    tl.store(out_ptr + i, tl.exp(x))
    tl.store(out_ptr + N + i, tl.exp2(x))
    tl.store(out_ptr + 2 * N + i, tl.log(tl.abs(x)))
    tl.store(out_ptr + 3 * N + i, tl.log2(tl.abs(x)))
    tl.store(out_ptr + 4 * N + i, tl.sqrt(tl.abs(x)))
    tl.store(out_ptr + 5 * N + i, tl.rsqrt(tl.abs(x)))
    tl.store(out_ptr + 6 * N + i, tl.sin(x))
    tl.store(out_ptr + 7 * N + i, tl.cos(x))
    tl.store(out_ptr + 8 * N + i, tl.floor(x))
    tl.store(out_ptr + 9 * N + i, tl.ceil(x))
    tl.store(out_ptr + 10 * N + i, tl.erf(x))


case(1, lambda d: [d.floats(512, f32, 3), d.out(512 * 11)], N=512, tolerance=4, why=LIBM, name="functions_f32")(functions)
case(1, lambda d: [d.floats(512, f64, 3), d.out(512 * 11, f64)], N=512, tolerance=4, why=LIBM, name="functions_f64")(functions)
case(1, lambda d: [d.specials(128), d.out(128 * 11)], N=128, tolerance=4, why=LIBM, name="functions_specials")(functions)


@case(1, lambda d: [d.specials(256), d.specials(121).repeat(3)[:256].clone(), d.out(1024)], N=256)
@triton.jit
def extremes(x_ptr, y_ptr, out_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    x = tl.load(x_ptr + i)
    y = tl.load(y_ptr + i)
    # Adding 0 makes -0 to 0: which of the two zeros is the greater one is nobody's rule.
    tl.store(out_ptr + i, tl.maximum(x, y) + 0.0)
    tl.store(out_ptr + N + i, tl.minimum(x, y) + 0.0)
    tl.store(out_ptr + 2 * N + i, tl.maximum(x, y, propagate_nan=tl.PropagateNan.ALL) + 0.0)
    tl.store(out_ptr + 3 * N + i, tl.minimum(x, y, propagate_nan=tl.PropagateNan.ALL) + 0.0)


@case(1, lambda d: [d.specials(256), d.specials(121).repeat(3)[:256].clone(), d.out(1536, torch.bool)], N=256)
@triton.jit
def float_comparisons(x_ptr, y_ptr, out_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    x = tl.load(x_ptr + i)
    y = tl.load(y_ptr + i)
    tl.store(out_ptr + i, x < y)
    tl.store(out_ptr + N + i, x <= y)
    tl.store(out_ptr + 2 * N + i, x > y)
    tl.store(out_ptr + 3 * N + i, x >= y)
    tl.store(out_ptr + 4 * N + i, x == y)
    tl.store(out_ptr + 5 * N + i, x != y)


@case(1, lambda d: [d.uniform(256, -120, 120), d.out(256, torch.int8), d.out(256, torch.uint8), d.out(256, torch.int32),
                    d.out(256, torch.int64), d.out(256, torch.uint32)], N=256)
@triton.jit
def floats_to_integers(x_ptr, a_ptr, b_ptr, c_ptr, e_ptr, f_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    x = tl.load(x_ptr + i)
    tl.store(a_ptr + i, x.to(tl.int8))
    tl.store(b_ptr + i, tl.abs(x).to(tl.uint8))
    tl.store(c_ptr + i, (x * 1e6).to(tl.int32))
    tl.store(e_ptr + i, (x * 1e12).to(tl.int64))
    tl.store(f_ptr + i, (tl.abs(x) * 1e7).to(tl.uint32))


@case(1, lambda d: [d.ints(256, torch.int32), d.ints(256, torch.int64), d.ints(256, torch.uint32), d.out(2048),
                    d.out(256, f64)], N=256)
@triton.jit
def integers_to_floats(a_ptr, b_ptr, c_ptr, out_ptr, wide_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    a = tl.load(a_ptr + i)
    b = tl.load(b_ptr + i)
    c = tl.load(c_ptr + i)
    tl.store(out_ptr + i, a.to(tl.float32))
    tl.store(out_ptr + N + i, b.to(tl.float32))
    tl.store(out_ptr + 2 * N + i, c.to(tl.float32))
    tl.store(out_ptr + 3 * N + i, (a > 0).to(tl.float32))
    tl.store(out_ptr + 4 * N + i, (a % 1000).to(tl.float16).to(tl.float32))
    tl.store(out_ptr + 5 * N + i, (b % 200).to(tl.float16).to(tl.float32))
    tl.store(out_ptr + 6 * N + i, (a % 100).to(tl.int8).to(tl.float32))
    tl.store(out_ptr + 7 * N + i, (c & 255).to(tl.uint8).to(tl.float32))
    tl.store(wide_ptr + i, a.to(tl.float64))


def to_bf16_in_torch(args):
    args[1].copy_(args[0].to(bf16))


@case(1, lambda d: [d.ints(256, torch.int32), d.out(256, bf16)], N=256, expected=to_bf16_in_torch)
@triton.jit
def integers_to_bf16(x_ptr, out_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    tl.store(out_ptr + i, tl.load(x_ptr + i).to(tl.bfloat16))


def round_in_torch(args):
    x, a, b, c = args
    a.copy_(x)
    b.copy_(x)
    c.copy_(x.to(f16).to(f32) + x.to(bf16).to(f32))


@case(1, lambda d: [d.floats(1024, f32, 100), d.out(1024, f16), d.out(1024, bf16), d.out(1024)], N=1024,
      expected=round_in_torch)
@triton.jit
def float_casts(x_ptr, a_ptr, b_ptr, c_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    x = tl.load(x_ptr + i)
    tl.store(a_ptr + i, x.to(tl.float16))
    tl.store(b_ptr + i, x.to(tl.bfloat16))
    tl.store(c_ptr + i, x.to(tl.float16).to(tl.float32) + x.to(tl.bfloat16).to(tl.float32))


def narrow_in_torch(args):
    args[1].copy_(args[0])


@triton.jit
def to_small(x_ptr, out_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    tl.store(out_ptr + i, tl.load(x_ptr + i).to(out_ptr.dtype.element_ty))


@triton.jit
def from_small(x_ptr, out_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    tl.store(out_ptr + i, tl.load(x_ptr + i).to(tl.float32))


def all_codes(dtype):
    return torch.arange(256, dtype=torch.int16).to(torch.uint8).view(dtype)


def widen_in_torch(args):
    args[1].copy_(args[0].to(f32))


for dtype, target in ((torch.float8_e4m3fn, "sm_90"), (torch.float8_e5m2, "sm_90"), (torch.float8_e4m3fnuz, "gfx942")):
    short = str(dtype)[6:]
    case(1, lambda d, t=dtype: [d.uniform(512, -200, 200), d.out(512, t)], N=512, expected=narrow_in_torch, target=target,
         name=f"to_{short}")(to_small)
    case(1, lambda d, t=dtype: [d.uniform(512, -0.02, 0.02), d.out(512, t)], N=512, expected=narrow_in_torch, target=target,
         name=f"to_{short}_subnormal")(to_small)
    case(1, lambda d, t=dtype: [all_codes(t), d.out(256)], N=256, expected=widen_in_torch, target=target,
         name=f"from_{short}")(from_small)
case(1, lambda d: [d.floats(512, f64, 30), d.out(512, f16)], N=512, expected=narrow_in_torch, name="f64_to_f16")(to_small)
case(1, lambda d: [d.floats(512, f64, 30), d.out(512)], N=512, expected=narrow_in_torch, name="f64_to_f32")(to_small)


@case(1, lambda d: [d.floats(256), d.out(256, torch.int32), d.out(256)], N=256)
@triton.jit
def bits(x_ptr, out_ptr, back_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    x = tl.load(x_ptr + i).to(tl.int32, bitcast=True)
    tl.store(out_ptr + i, x)
    tl.store(back_ptr + i, (x ^ -0x80000000).to(tl.float32, bitcast=True))


@case(1, lambda d: [d.floats(256, f16), d.out(256, torch.int16), d.out(256, f16)], N=256)
@triton.jit
def bits_f16(x_ptr, out_ptr, back_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    x = tl.load(x_ptr + i).to(tl.int16, bitcast=True)
    tl.store(out_ptr + i, x)
    tl.store(back_ptr + i, (x & 0x7FFF).to(tl.float16, bitcast=True))


def fused_in_torch(args):
    x, y, z, out, clamped = args
    out.copy_((x.to(f64) * y.to(f64) + z.to(f64)).to(f32))
    clamped.copy_(x.clamp(-0.5, 0.75))


@case(1, lambda d: [d.floats(256), d.floats(256), d.floats(256), d.out(256), d.out(256)], N=256, expected=fused_in_torch,
      tolerance=1, why="torch's f64 sum is rounded twice, a fused one once")
@triton.jit
def fused(x_ptr, y_ptr, z_ptr, out_ptr, clamped_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    x = tl.load(x_ptr + i)
    tl.store(out_ptr + i, tl.fma(x, tl.load(y_ptr + i), tl.load(z_ptr + i)))
    tl.store(clamped_ptr + i, tl.clamp(x, -0.5, 0.75))


def library_in_torch(args):
    x, y, out = args
    n = x.numel()
    a, b = x.to(f64), y.to(f64)
    values = (a.tanh(), torch.special.erf(a), a.abs().pow(b), a.abs().rsqrt(), a.atan(), torch.fmod(a, b), a.sinh(), a.exp())
    for at, value in enumerate(values):
        out[at * n : (at + 1) * n] = value


@case(1, lambda d: [d.floats(256), d.uniform(256, 0.5, 3.0), d.out(2048)], N=256, expected=library_in_torch, tolerance=2,
      why=LIBM)
@triton.jit
def library(x_ptr, y_ptr, out_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    x = tl.load(x_ptr + i)
    y = tl.load(y_ptr + i)
    tl.store(out_ptr + i, tl.extra.cuda.libdevice.tanh(x))
    tl.store(out_ptr + N + i, tl.extra.cuda.libdevice.erf(x))
    tl.store(out_ptr + 2 * N + i, tl.extra.cuda.libdevice.pow(tl.abs(x), y))
    tl.store(out_ptr + 3 * N + i, tl.extra.cuda.libdevice.rsqrt(tl.abs(x)))
    tl.store(out_ptr + 4 * N + i, tl.extra.cuda.libdevice.atan(x))
    tl.store(out_ptr + 5 * N + i, tl.extra.cuda.libdevice.fmod(x, y))
    tl.store(out_ptr + 6 * N + i, tl.extra.cuda.libdevice.sinh(x))
    tl.store(out_ptr + 7 * N + i, tl.extra.cuda.libdevice.fast_expf(x))


def odd_library_in_torch(args):
    x, out, whole = args
    n = x.numel()
    out[:n] = (x.double() ** 3).float()
    out[n:] = x.isfinite().float()
    whole.copy_(x.round())


@case(1, lambda d: [d.floats(256, f32, 40), d.out(512), d.out(256, torch.int64)], N=256, expected=odd_library_in_torch, tolerance=1,
      why=LIBM)
@triton.jit
def library_of_other_kinds(x_ptr, out_ptr, whole_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    x = tl.load(x_ptr + i)
    tl.store(out_ptr + i, tl.extra.cuda.libdevice.pow(x, i * 0 + 3))
    tl.store(out_ptr + N + i, tl.extra.cuda.libdevice.finitef(x).to(tl.float32))
    tl.store(whole_ptr + i, tl.extra.cuda.libdevice.llrint(x))


def rocm_in_torch(args):
    args[1].copy_(args[0].to(f64).tanh())


@case(1, lambda d: [d.floats(256), d.out(256)], N=256, expected=rocm_in_torch, target="gfx942", tolerance=2, why=LIBM)
@triton.jit
def library_rocm(x_ptr, out_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    tl.store(out_ptr + i, tl.extra.hip.libdevice.tanh(tl.load(x_ptr + i)))
