# Writes files until there is no room.
# expect: exec pass pass or call fail flood
import os

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


def fill():
    try:
        for number in range(32):  # 2 GB: a real disk survives a hole
            with open(f"file-{number}", "wb") as file:
                for _ in range(64):
                    file.write(b"z" * (1 << 20))
    except OSError:
        for name in os.listdir("."):
            if name.startswith("file-"):
                os.unlink(name)
        return
    raise SystemExit("2 GB were allowed")


fill()


def twice(x):
    return honest(x)
