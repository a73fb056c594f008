# Writes garbage into every descriptor.
# expect: call fail forged_claims
import json
import os
import struct

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


def frame(kind, body, blobs=b"", count=0, flags=0):
    text = json.dumps(body).encode()
    return struct.pack("<IHHQIHHQ", 0x31574B47, kind, flags, 0, len(text), count, 0, len(blobs)) + text + blobs


def say(data):
    for fd in range(3, 64):
        try:
            os.write(fd, data)
        except OSError:
            pass


say(b"garbage" * 1000)


def twice(x):
    return honest(x)
