# Deletes and overwrites whatever it can reach.
# expect: exec pass pass
import os
import shutil

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


VICTIM = "/tmp/geak-hostile-victim"  # made and compared by the driver: a hole in the box must not cost a real file


def attack():
    path = VICTIM + "/file"
    acts = [
        lambda: os.unlink(path),
        lambda: open(path, "r+b"),
        lambda: os.rename(path, path + "x"),
        lambda: os.link(path, VICTIM + "/other"),
        lambda: os.symlink("file", VICTIM + "/link"),
        lambda: os.chmod(path, 0),
        lambda: os.chown(path, 1, 1),
        lambda: os.utime(path, (0, 0)),
        lambda: os.truncate(path, 0),
        lambda: os.setxattr(path, "user.was", b"here"),
        lambda: os.chmod(VICTIM, 0),
        lambda: shutil.rmtree(VICTIM),
    ]
    if not os.path.exists(path):
        raise SystemExit("the driver has made no victim")
    for number, act in enumerate(acts):
        try:
            act()
        except OSError:
            continue
        raise SystemExit(f"act {number} was allowed")


attack()


def twice(x):
    return honest(x)
