import torch
import triton
import triton.language as tl
from triton.tools.tensor_descriptor import TensorDescriptor


@triton.jit
def kernel(x_ptr, y_ptr, out_ptr, n, BLOCK: tl.constexpr):
    x_desc = tl.make_tensor_descriptor(x_ptr, [n], [1], [BLOCK])
    y_desc = tl.make_tensor_descriptor(y_ptr, [n], [1], [BLOCK])
    out_desc = tl.make_tensor_descriptor(out_ptr, [n], [1], [BLOCK])
    at = tl.program_id(0) * BLOCK
    out_desc.store([at], x_desc.load([at]) + y_desc.load([at]))


def add(x, y):
    triton.set_allocator(lambda size, align, stream: torch.empty(size, dtype=torch.int8, device=x.device))
    out = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    x, y = x.contiguous(), y.contiguous()
    if x.storage_offset() % 8:
        x = x.clone()
    if y.storage_offset() % 8:
        y = y.clone()
    n = out.numel()
    kernel[(triton.cdiv(n, 256),)](x, y, out, n, BLOCK=256)
    return out
