import torch
import triton
import triton.language as tl
from triton.tools.tensor_descriptor import TensorDescriptor


@triton.jit
def kernel(x_desc, y_desc, out_desc, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK
    out_desc.store([at], x_desc.load([at]) + y_desc.load([at]))


def add(x, y):
    out = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    x, y = x.contiguous(), y.contiguous()
    if x.storage_offset() % 8:
        x = x.clone()
    if y.storage_offset() % 8:
        y = y.clone()
    n = out.numel()
    a, b, c = (TensorDescriptor(t, [n], [1], [256]) for t in (x, y, out))
    kernel[(triton.cdiv(n, 256),)](a, b, c, BLOCK=256)
    return out
