"""Small kernels that between them use the operations geak's IR reader knows. make.py compiles them to TTIR."""

import triton
import triton.language as tl
from triton.language.extra import libdevice


@triton.jit
def integers(x, y, o, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    m = i < n
    a = tl.load(x + i, mask=m, other=1)
    b = tl.load(y + i, mask=m, other=3)
    c = (a + b) * (a - b) // (b | 1) + a % (b | 1)
    c = c ^ (a << 2) ^ (a >> 1) & b
    c = tl.minimum(c, a) + tl.maximum(c, b) + tl.abs(a)
    u = a.to(tl.uint32, bitcast=True)
    v = b.to(tl.uint32, bitcast=True)
    w = u // (v | 1) + u % (v | 1) + (u >> 3) + tl.umulhi(u, v) + tl.minimum(u, v) + tl.maximum(u, v)
    z = w.to(tl.int32, bitcast=True) + tl.where(u > v, c, -c) + tl.where(a >= b, 1, 0)
    tl.store(o + i, z, mask=m)


@triton.jit
def floats(x, y, o, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    m = i < n
    a = tl.load(x + i, mask=m, other=0.5)
    b = tl.load(y + i, mask=m)
    s = a + b - a * b / (b + 2.0)
    s += tl.exp(a) + tl.exp2(a) + tl.log(b) + tl.log2(b) + tl.sqrt(b) + tl.rsqrt(b) + tl.sin(a) + tl.cos(a)
    s += tl.abs(a) + tl.floor(a) + tl.ceil(a) + tl.erf(a) + tl.fma(a, b, s) + a % b
    s += tl.sqrt_rn(b) + tl.div_rn(a, b) + tl.clamp(a, -1.0, 1.0) + tl.clamp(b, -1.0, 1.0, tl.PropagateNan.ALL)
    s = tl.maximum(s, a, tl.PropagateNan.ALL) + tl.minimum(s, b, tl.PropagateNan.ALL)
    s = tl.maximum(s, a) + tl.minimum(s, b)
    s = tl.where(a != b, s, -a)
    s = tl.where(s == s, s, float("nan")) + tl.where(a <= b, float("inf"), 0.1)
    s += libdevice.tanh(a) + libdevice.pow(a, b)
    tl.store(o + i, s, mask=m)


@triton.jit
def casts(x, o, p, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    m = i < n
    a = tl.load(x + i, mask=m)
    h = a.to(tl.float16)
    b = a.to(tl.bfloat16)
    e = h.to(tl.float8e5)
    f = a.to(tl.float8e4nv)
    r = a.to(tl.float16, fp_downcast_rounding="rtz")
    d = a.to(tl.float64)
    k = a.to(tl.int32)
    u = a.to(tl.uint8)
    t = k.to(tl.int8).to(tl.int64) + k.to(tl.int16).to(tl.int64) + u.to(tl.int64)
    z = (a > 0).to(tl.int32) + (k != 0).to(tl.float32).to(tl.int32)
    q = u.to(tl.float32) + t.to(tl.float32) + e.to(tl.float32) + f.to(tl.float32) + r.to(tl.float32)
    q += b.to(tl.float32) + h.to(tl.float32) + d.to(tl.float32) + z.to(tl.float32)
    q += a.to(tl.int32, bitcast=True).to(tl.float32)
    tl.store(o + i, q, mask=m)
    tl.store(p + i, h + 1.0, mask=m)


@triton.jit
def softmax(x, o, stride, n, B: tl.constexpr):
    row = tl.program_id(0)
    c = tl.arange(0, B)
    m = c < n
    v = tl.load(x + row * stride + c, mask=m, other=-float("inf")).to(tl.float32)
    e = tl.exp(v - tl.max(v, 0))
    tl.store(o + row * stride + c, e / tl.sum(e, 0), mask=m)


@triton.jit
def _pair(a, b, c, d):
    return a * c, b * c + d


@triton.jit
def reductions(x, o, p, B: tl.constexpr, C: tl.constexpr):
    i = tl.arange(0, B)[:, None] * C + tl.arange(0, C)[None, :]
    v = tl.load(x + i)
    s = tl.sum(v, 1) + tl.min(v, 1)
    best, at = tl.max(v, 1, return_indices=True)
    tl.store(o + tl.arange(0, B), s + best + at)
    a, b = tl.associative_scan((v, v), 1, _pair)
    tl.store(p + i, tl.cumsum(v, 0) + tl.cumprod(v, 1, reverse=True) + a + b)
    tl.store(o + tl.arange(0, B), tl.xor_sum(v.to(tl.int32), 1))
    tl.store(o + tl.arange(0, B), tl.argmin(v, 1))


@triton.jit
def shapes(x, o, B: tl.constexpr):
    i = tl.arange(0, B)
    a = tl.load(x + i)
    b = tl.load(x + B + i)
    j = tl.join(a, b)
    lo, hi = tl.split(j)
    c = tl.cat(lo, hi, can_reorder=True)
    t = tl.trans(tl.reshape(c, (2, B)))
    q = tl.permute(tl.reshape(c, (2, 2, B // 2)), (2, 0, 1))
    g = tl.gather(a, i ^ 1, 0)
    h = tl.histogram(a.to(tl.int32), 16)
    tl.store(o + tl.arange(0, 2 * B), tl.reshape(t, (2 * B,)) + tl.reshape(q, (2 * B,)))
    tl.store(o + i, g + tl.sum(tl.reshape(tl.interleave(a, b), (B, 2)), 1) + tl.flip(a, 0))
    tl.store(o + tl.arange(0, 16), h.to(tl.float32))
    tl.store(o + i, tl.sort(b))


@triton.jit
def matmul(a, b, c, M, N, K, sa, sb, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr):
    rm = tl.program_id(0) * BM + tl.arange(0, BM)
    rn = tl.program_id(1) * BN + tl.arange(0, BN)
    rk = tl.arange(0, BK)
    pa = a + rm[:, None] * sa + rk[None, :]
    pb = b + rk[:, None] * sb + rn[None, :]
    acc = tl.zeros((BM, BN), tl.float32)
    for k in tl.range(0, K, BK, num_stages=3):
        x = tl.load(pa, mask=(rm[:, None] < M) & (rk[None, :] < K - k), other=0.0)
        y = tl.load(pb, mask=(rk[:, None] < K - k) & (rn[None, :] < N), other=0.0)
        acc = tl.dot(x, y, acc)
        pa += BK
        pb += BK * sb
    z = tl.dot(acc, acc, input_precision="ieee") + tl.dot(acc, acc, input_precision="tf32x3")
    pc = c + rm[:, None] * N + rn[None, :]
    tl.store(pc, z.to(tl.float16), mask=(rm[:, None] < M) & (rn[None, :] < N))


@triton.jit
def dot_integers(a, b, c, sa, sb, S: tl.constexpr):
    i = tl.arange(0, S)[:, None] * S + tl.arange(0, S)[None, :]
    x = tl.load(a + i)
    y = tl.load(b + i)
    tl.store(c + i, tl.dot(x, y, out_dtype=tl.int32))


@triton.jit
def dot_scaled(a, b, sa, sb, c, S: tl.constexpr):
    i = tl.arange(0, S)[:, None] * S + tl.arange(0, S)[None, :]
    k = tl.arange(0, S)[:, None] * (S // 32) + tl.arange(0, S // 32)[None, :]
    r = tl.dot_scaled(tl.load(a + i), tl.load(sa + k), "e4m3", tl.load(b + i), tl.load(sb + k), "e5m2")
    r = tl.dot_scaled(tl.load(a + i), tl.load(sa + k), "e4m3", tl.load(b + i), None, "e5m2", r)
    tl.store(c + i, r)


@triton.jit
def control(x, o, n, flag, B: tl.constexpr):
    i = tl.arange(0, B)
    if flag > 7:
        return
    acc = tl.zeros((B,), tl.float32)
    count = 0
    if flag > 3:
        acc += 1.0
        count = 2
    else:
        acc -= 1.0
    k = n
    while k > 0:
        acc += tl.load(x + k + i)
        k = k // 2
        if k == 5:
            count += k
    for q in range(0, n.to(tl.int64)):
        for r in range(3):
            acc = acc * 2.0 + count
        if q == 11:
            tl.store(o + B + i, acc)
    tl.store(o + i, acc + count)


@triton.jit
def atomics(x, f, lock, o, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    m = i < n
    while tl.atomic_cas(lock, 0, 1, sem="acquire", scope="gpu") == 1:
        pass
    a = tl.atomic_add(x + i, 1, mask=m)
    a += tl.atomic_max(x + i, 3, mask=m) + tl.atomic_min(x + i, 3, mask=m) + tl.atomic_and(x + i, 3, mask=m)
    a += tl.atomic_or(x + i, 3, mask=m) + tl.atomic_xor(x + i, 3, mask=m) + tl.atomic_xchg(x + i, 3, mask=m)
    tl.atomic_add(f + i, 1.5, mask=m, sem="relaxed", scope="cta")
    tl.atomic_max(f, 2.5)
    tl.atomic_add(f, 2.5, scope="sys")
    tl.debug_barrier()
    tl.atomic_xchg(lock, 0, sem="release")
    tl.store(o + i, a, mask=m)


@triton.jit
def pointers(table, o, n, B: tl.constexpr):
    i = tl.arange(0, B)
    p = tl.load(table + tl.program_id(1)).to(tl.pointer_type(tl.float32))
    q = o.to(tl.int64) + tl.program_id(2) + tl.num_programs(0)
    v = tl.load(p + i, cache_modifier=".cg", eviction_policy="evict_last", volatile=True)
    tl.store(q.to(tl.pointer_type(tl.float32)) + i, v, cache_modifier=".wt", eviction_policy="evict_first")
    tl.assume(n > 0)
    tl.multiple_of(n, 8)


@triton.jit
def blocks(x, o, M, N, B: tl.constexpr):
    p = tl.make_block_ptr(x, (M, N), (N, 1), (0, 0), (B, B), (1, 0))
    v = tl.load(p, boundary_check=(0, 1), padding_option="zero")
    q = tl.make_block_ptr(o, (M, N), (N, 1), (0, 0), (B, B), (1, 0))
    tl.store(tl.advance(q, (0, B)), v, boundary_check=(0, 1))


@triton.jit
def descriptors(x, o, M, N, B: tl.constexpr):
    d = tl.make_tensor_descriptor(x, [M, N], [N, 1], [B, B])
    e = tl.make_tensor_descriptor(o, [M, N], [N, 1], [B, B])
    v = d.load([0, B])
    e.store([B, 0], v + 1.0)
    e.atomic_add([0, 0], v)


@triton.jit
def host_descriptor(d, o, B: tl.constexpr):
    i = tl.arange(0, B)[:, None] * B + tl.arange(0, B)[None, :]
    tl.store(o + i, d.load([0, 0]))


@triton.jit(noinline=True)
def _helper(a, b):
    return a * b + 1, a - b


@triton.jit
def calls(o, n, B: tl.constexpr):
    a, b = _helper(n, n + 1)
    i = tl.arange(0, B)
    tl.device_print("n", i, hex=True)
    tl.device_assert(i < n, "in \"range\"")
    v = tl.inline_asm_elementwise("shl.b32 $0, $1, 3;", "=r,r", [i], dtype=tl.int32, is_pure=True, pack=1)
    tl.store(o + i, v + a + b)


@triton.jit
def _less(a, b):
    return a < b, a + b


@triton.jit
def mapped(x, y, o, B: tl.constexpr):
    i = tl.arange(0, B)
    c, s = tl.map_elementwise(_less, tl.load(x + i), tl.load(y + i))
    tl.store(o + i, tl.where(c, s, 0.0))


CONSTANTS = {"B": 64, "C": 32, "S": 64, "BM": 32, "BN": 32, "BK": 32}
KERNELS = [
    (integers, "*i32 *i32 *i32 i32"),
    (floats, "*fp32 *fp32 *fp32 i32"),
    (casts, "*fp32 *fp32 *fp16 i32"),
    (softmax, "*bf16 *fp32 i32 i32"),
    (reductions, "*fp32 *fp32 *fp32"),
    (shapes, "*fp32 *fp32"),
    (matmul, "*fp16 *fp16 *fp16 i32 i32 i32 i32 i32"),
    (dot_integers, "*i8 *i8 *i32 i32 i32"),
    (dot_scaled, "*fp8e4nv *fp8e5 *u8 *u8 *fp32"),
    (control, "*fp32 *fp32 i32 i32"),
    (atomics, "*i32 *fp32 *i32 *i32 i32"),
    (pointers, "*i64 *fp32 i32"),
    (blocks, "*fp32 *fp32 i32 i32"),
    (descriptors, "*fp32 *fp32 i32 i32"),
    (host_descriptor, "tensordesc<fp32[64,64]> *fp32"),
    (calls, "*i32 i32"),
    (mapped, "*fp32 *fp32 *fp32"),
]
