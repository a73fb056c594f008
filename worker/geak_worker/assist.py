"""Arithmetic of the framework that a task may allow and a plan can hold: sums and a few of their kind (docs/plan.md).

Each becomes one step. What is left out here (8-bit floats, complex numbers, results with indices, elements that repeat)
stays what it was: arithmetic of the framework without a plan.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence

import torch

# name of the operation -> what the step does
FOLDS = {"sum": "sum", "max": "max", "amax": "max", "min": "min", "amin": "min", "logsumexp": "logsumexp"}
MAPS = {"abs": "abs", "absolute": "abs", "reciprocal": "reciprocal"}
OVERLOADS = {"default", "dim_IntList", "out", "IntList_out", "unary_out"}
FORMS = "of integers or floats of at least 16 bits, each element once, one result without indices, not in place"
FLOATS = {torch.float16, torch.bfloat16, torch.float32, torch.float64}
INTEGERS = {torch.uint8, torch.uint16, torch.uint32, torch.uint64, torch.int8, torch.int16, torch.int32, torch.int64}


def is_allowed(func: Any, allow: Any) -> bool:
    """Whether a task's list has the operation: "sum", "aten::sum", or one overload of it, "aten::sum.dim_IntList"."""
    name = func.overloadpacket.__name__
    schema = f"{func.namespace}::{name}"
    overload = func._overloadname
    full = schema if overload == "default" else f"{schema}.{overload}"
    return bool({name, name.strip("_"), schema, full} & set(allow))


def is_known(name: str) -> bool:
    """Whether plans have steps for an operation, in some form."""
    return name in FOLDS or name in MAPS


def repeats(tensor: torch.Tensor) -> bool:
    """Whether two elements may be one in memory; as plans see it: each dimension steps over all narrower ones."""
    reach = 0
    for stride, size in sorted((abs(stride), size) for stride, size in zip(tensor.stride(), tensor.shape) if size > 1):
        if stride <= reach:
            return tensor.numel() > 0
        reach += stride * (size - 1)
    return False


def folded(src: torch.Tensor, args: Sequence[Any], kwargs: Dict[str, Any]) -> List[int]:
    """The dimensions that a fold takes away, in order: all of them when none is named."""
    dims = args[1] if len(args) > 1 else kwargs.get("dim")
    dims = [dims] if isinstance(dims, int) else dims
    if not dims or not src.dim():
        return list(range(src.dim()))
    return sorted(dim % src.dim() for dim in dims)


def is_one(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == 1


def plain(src: Any, out: Any, casts: bool) -> bool:
    """Whether a plan has numbers of these kinds, and src holds each of its elements once."""
    return (
        isinstance(src, torch.Tensor)
        and src.device.type == "meta"
        and isinstance(out, torch.Tensor)
        and out.dtype in FLOATS | INTEGERS
        and src.dtype in FLOATS | INTEGERS | {torch.bool}
        and (casts or src.dtype == out.dtype)
        and not repeats(src)
    )


def step_of(func: Any, out: Any, args: Sequence[Any], kwargs: Dict[str, Any]) -> Optional[Dict[str, Any]]:
    """What the step does: {"does", "src", "dims"}, or {"src"} for a copy; None where no step can."""
    name = func.overloadpacket.__name__
    src = args[0] if args else None
    if name == "mul" and len(args) == 2 and is_one(args[1]) and plain(src, out, False):
        return {"src": src}  # the way in which 1 / x is made of a reciprocal
    if func._overloadname not in OVERLOADS or not plain(src, out, name == "sum"):
        return None
    if name in MAPS and (name != "reciprocal" or out.dtype in FLOATS):
        return {"does": MAPS[name], "src": src, "dims": []}
    if name in FOLDS and (name != "logsumexp" or out.dtype in FLOATS):
        return {"does": FOLDS[name], "src": src, "dims": folded(src, args, kwargs)}
    return None
