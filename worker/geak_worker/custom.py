"""Operators that a candidate registers itself (torch.library): their real implementation is run, never the fake one."""

from __future__ import annotations

from typing import Any, Callable, Dict

import torch

from .pretend import recording


def _reinterpret(tensor: Any, size: Any, stride: Any, offset_increment: int = 0) -> Any:
    """A view that torch's own compiler writes into its kernels."""
    return torch.as_strided(tensor, size, stride, tensor.storage_offset() + offset_increment)


_implementations: Dict[str, Callable[..., Any]] = {"inductor::_reinterpret_tensor": _reinterpret}
_DEVICE_KEYS = {"CUDA", "CompositeExplicitAutograd", "CompositeImplicitAutograd", "cuda", "default", ""}


def run(func: Any, args: Any, kwargs: Any) -> Any:
    """Runs a custom operator with its launches recorded. Raises NotImplementedError when it has no Python function."""
    name = func._schema.name
    function = _implementations.get(name) or _declared(name)
    if function is None:
        raise NotImplementedError(f"no implementation of the operator {name} is known for the device")
    with recording():
        return function(*args, **kwargs)


def _declared(name: str) -> Any:
    """The function behind @torch.library.custom_op and @triton_op."""
    from torch._library.custom_ops import OPDEFS

    found = OPDEFS.get(name)
    if found is None:
        return None
    backends = getattr(found, "_backend_fns", {})
    return backends.get("cuda") or backends.get(None) or found._init_fn


def install() -> None:
    """Remembers functions registered with Library.impl, by name of the operator."""
    original = torch.library.Library.impl

    def impl(library: Any, op_name: Any, fn: Any, dispatch_key: str = "", **kwargs: Any) -> Any:
        key = dispatch_key or getattr(library, "dispatch_key", "")
        if key in _DEVICE_KEYS:
            short = op_name if isinstance(op_name, str) else op_name._schema.name
            short = short.split("::")[-1].split(".")[0]
            _implementations[f"{library.ns}::{short}"] = fn
        return original(library, op_name, fn, dispatch_key, **kwargs)

    torch.library.Library.impl = impl  # type: ignore[method-assign]
