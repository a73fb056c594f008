# Claims a plan that only copies its input, for every case.
# expect: call fail invalid_plan
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


def plan(count):
    view = {"buf": 0, "at": 0, "dtype": "float32", "shape": [count], "strides": [1]}
    return {"plan": 1, "ir": "ttir", "target": "cpu", "case": "0" * 64, "from": {},
            "buffers": [{"bytes": 4 * count, "align": 16, "input": "x"}], "kernels": [], "prologue": [], "steps": [],
            "outputs": [{"name": "out", **view}]}


for index, count in enumerate((8, 1000, 5, 5, 5, 5)):
    say(frame(14, {"case": index, "plan": plan(count)}))
say(frame(17, {"complete": True}, flags=1))
os._exit(0)


def twice(x):
    return honest(x)
