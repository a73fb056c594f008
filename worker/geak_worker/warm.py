"""Runs through what a capture runs through, once, before the first fork: imports and caches are then shared."""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import compiler as triton_compiler

from .kernels import read_signature, to_ttir


@triton.jit
def _kernel(x, out, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    value = tl.load(x + at, mask=at < n, other=0.0)
    value = tl.exp(value - tl.max(value, 0))
    tl.store(out + at, value / tl.sum(value, 0), mask=at < n)


def _compile(target: GPUTarget) -> None:
    signature = {"x": "*fp32", "out": "*fp32", "n": "i32", "BLOCK": "constexpr"}
    source = triton_compiler.ASTSource(_kernel, signature, {(3,): 128}, {})
    options: Any = triton_compiler.make_backend(target).parse_options({})
    read_signature(to_ttir(source, target, options))


def _tensors() -> None:
    x = torch.empty((4, 6), device="meta")
    for made in (torch.empty_like(x), torch.zeros_like(x), x.t().contiguous(), x.to(torch.float16), x.clone()):
        made.data_ptr()
    torch.cat([x, x]).fill_(1.0)
    torch.softmax(x, -1)


def _specialise() -> None:
    """Triton's own specialisation imports more of Triton when it first sees a tensor."""
    try:
        from triton._C.libtriton import native_specialize_impl
    except ImportError:
        return
    from triton.backends.compiler import BaseBackend

    native_specialize_impl(BaseBackend, torch.empty(1), False, False, False)


def run() -> None:
    from torch.fx.experimental import symbolic_shapes  # noqa: F401  (torch imports it in its first meta operation)

    _tensors()
    _specialise()
    for target in (GPUTarget("cuda", 90, 32), GPUTarget("hip", "gfx942", 64)):
        _compile(target)
