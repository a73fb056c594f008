"""Small candidates that several tests of capture build on."""

from __future__ import annotations

from helper import Result, source

SCALE = """
@triton.jit
def scale(x, out, n, factor, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out + at, tl.load(x + at, mask=at < n) * factor, mask=at < n)

def run(x, out, factor=2.0):
    n = x.numel()
    scale[(triton.cdiv(n, 256),)](x, out, n, factor, BLOCK=256)
    return out
"""

MATMUL = source(
    """
    @triton.autotune(
        configs=[triton.Config({"BM": bm, "BN": bn, "BK": 32}, num_stages=s, num_warps=w)
                 for bm, bn, s, w in [(64, 64, 3, 4), (128, 64, 4, 8), (0, 64, 3, 4)]],
        key=["M", "N", "K"])
    @triton.jit
    def mm(a, b, c, M, N, K, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr):
        tl.static_assert(BM > 0)
        rm = tl.program_id(0) * BM + tl.arange(0, BM)
        rn = tl.program_id(1) * BN + tl.arange(0, BN)
        rk = tl.arange(0, BK)
        acc = tl.zeros((BM, BN), tl.float32)
        for k in range(0, K, BK):
            x = tl.load(a + rm[:, None] * K + (k + rk)[None, :], mask=rm[:, None] < M, other=0.0)
            y = tl.load(b + (k + rk)[:, None] * N + rn[None, :], mask=rn[None, :] < N, other=0.0)
            acc = tl.dot(x, y, acc)
        tl.store(c + rm[:, None] * N + rn[None, :], acc, mask=(rm[:, None] < M) & (rn[None, :] < N))

    def matmul(a, b):
        M, K = a.shape
        N = b.shape[1]
        c = torch.empty((M, N), device=a.device)
        mm[lambda meta: (triton.cdiv(M, max(meta["BM"], 1)), triton.cdiv(N, meta["BN"]))](a, b, c, M, N, K)
        return c
    """
)


def with_scale(text: str) -> str:
    return source(SCALE) + source(text)


def one(result: Result) -> None:
    assert result.ended and len(result.plans) == 1, [frame.json for frame in result.frames]
