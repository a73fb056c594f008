# Takes memory bit by bit, and touches it.
# expect: call fail memory|timeout
import torch
import triton
import triton.language as tl


@triton.jit
def twice_kernel(x, out, count, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < count
    tl.store(out + at, tl.load(x + at, mask=inside) * 2, mask=inside)


def honest(x):
    out = torch.empty_like(x)
    count = out.numel()
    twice_kernel[(triton.cdiv(count, 256),)](x, out, count, BLOCK=256)
    return out


def twice(x):
    rooms = []
    for _ in range(128):  # 8 GB
        rooms.append(bytearray(b"x" * (64 << 20)))
    raise SystemExit("8 GB were allowed")
