import torch
import triton
import triton.language as tl
from triton.tools.tensor_descriptor import TensorDescriptor


@triton.jit
def kernel(x_desc, y_desc, out_ptr, n, ROWS: tl.constexpr):
    row = tl.program_id(0) * ROWS
    total = x_desc.load([row, 0]) + y_desc.load([row, 0])
    at = (row + tl.arange(0, ROWS))[:, None] * 64 + tl.arange(0, 64)[None, :]
    tl.store(out_ptr + at, total, mask=at < n)


def add(x, y):
    out = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    n = out.numel()
    rows = triton.cdiv(n, 64)
    pads = []
    for t in (x, y):
        pad = torch.zeros(rows * 64, dtype=t.dtype, device=t.device)
        pad[:n].view(t.shape).copy_(t)
        pads.append(TensorDescriptor(pad, [rows, 64], [64, 1], [16, 64]))
    kernel[(triton.cdiv(rows, 16),)](pads[0], pads[1], out, n, ROWS=16)
    return out
