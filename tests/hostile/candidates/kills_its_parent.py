# Signals its parent, its group and everybody.
# expect: exec pass pass
import os
import signal

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


def may_signal(target):
    try:
        os.kill(target, 0)  # asks for the same right as a real signal, and hurts nobody if it is there
    except OSError:
        return False
    return True


def attack():
    parent = os.getppid()
    if parent > 1:
        try:
            os.kill(parent, signal.SIGKILL)
        except OSError:
            pass
    seen = [target for target in (-1, *range(2, 70000)) if target != os.getpid() and may_signal(target)]
    if seen:
        raise SystemExit(f"could signal {seen[:5]}")


attack()


def twice(x):
    return honest(x)
