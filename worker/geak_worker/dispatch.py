"""Recording of torch's operations: every one that touches a device tensor passes here, classed by its schema.

Views are free. Allocations make buffers. Fills and copies become steps. Operations on tensors whose values follow from
shapes alone are computed here (record.py, twins). Whatever reads other values ends capture, and what is left is
arithmetic of the framework, which is not what a candidate is for.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Sequence

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

from . import assist
from .cannot import NOT_A_KERNEL, NOT_CAPTURABLE
from .record import TWIN_LIMIT, Recorder

EMPTY = {"empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "empty_permuted"}
UNMARKED_VIEWS = {"_unsafe_view", "_reshape_alias", "lift", "lift_fresh", "detach_", "alias", "squeeze_", "unsqueeze_",
                  "t_", "transpose_", "as_strided_", "_conj", "_neg_view"}  # fmt: skip
READS = {"_local_scalar_dense", "is_nonzero", "equal", "allclose", "item"}
VALUES = {"zeros": 0, "zeros_like": 0, "new_zeros": 0, "ones": 1, "ones_like": 1, "new_ones": 1}
FULL = {"full": 1, "full_like": 1, "new_full": 2, "scalar_tensor": 0}


def is_device(value: Any) -> bool:
    """Whether a value is a tensor of the pretended device."""
    return isinstance(value, torch.Tensor) and value.device.type == "meta"


def device_tensors(*trees: Any) -> List[torch.Tensor]:
    return [leaf for leaf in tree_flatten(trees)[0] if is_device(leaf)]


class Dispatch(TorchDispatchMode):
    """Sends each operation to the recorder."""

    def __init__(self, recorder: Recorder, custom: Callable[..., Any]) -> None:
        super().__init__()
        self.recorder = recorder
        self.custom = custom  # runs the real implementation of a custom operator
        self.handlers: Dict[str, Callable[..., Any]] = {
            "arange": self._arange,
            "fill_": self._fill_,
            "zero_": self._fill_,
            "copy_": self._copy_,
            "clone": self._clone,
            "_to_copy": self._clone,
            "repeat": self._repeat,
            "cat": self._cat,
            "constant_pad_nd": self._pad,
        }

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Asked by torch: without the wrapper for torch.compile, which would import half of it on the first call."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        with torch._C.DisableTorchFunction():
            makes = False
            if kwargs.get("device") is not None:
                device = torch.device(kwargs["device"])
                if device.type == "cuda":  # it came past the function mode: a default device, or torch's own code
                    device = torch.device("meta")
                    kwargs = dict(kwargs, device=device)
                makes = device.type == "meta"
            tensors = device_tensors(args, kwargs)
            if not tensors and not makes:
                return func(*args, **kwargs)
            if func.namespace in ("aten", "prim", "prims"):
                return self._record(func, tensors, args, kwargs)
        return self.custom(func, args, kwargs)

    def _record(self, func: Any, tensors: List[torch.Tensor], args: Sequence[Any], kwargs: Dict[str, Any]) -> Any:
        name = func.overloadpacket.__name__
        if func.is_view or name in UNMARKED_VIEWS:
            return func(*args, **kwargs)
        if (
            name in READS
            or torch.Tag.data_dependent_output in func.tags
            or torch.Tag.dynamic_output_shape in func.tags
        ):
            return self._read(func, name, tensors, args, kwargs)
        if name in EMPTY:
            return self._empty(func, args, kwargs)
        self.recorder.count(name)
        if name in VALUES or name in FULL:
            return self._full(func, name, args, kwargs)
        if name in self.handlers:
            return self.handlers[name](func, args, kwargs)
        if torch.Tag.nondeterministic_seeded not in func.tags and self._foldable(tensors):
            return self._fold(func, args, kwargs)
        return self._arithmetic(func, name, args, kwargs)

    # ---- allocations ----

    def _empty(self, func: Any, args: Sequence[Any], kwargs: Dict[str, Any]) -> Any:
        out = func(*args, **kwargs)
        if is_device(out):
            self.recorder.buffer(out)
        return out

    def _full(self, func: Any, name: str, args: Sequence[Any], kwargs: Dict[str, Any]) -> Any:
        value = VALUES[name] if name in VALUES else args[FULL[name]]
        if not isinstance(value, (int, float, bool, complex)):
            value = value.item()
        out = func(*args, **kwargs)
        if not is_device(out):
            return out
        if not self.recorder.give_twin(out, torch.full((), value, dtype=out.dtype)):
            self.recorder.fill(out, value)
        return out

    def _arange(self, func: Any, args: Sequence[Any], kwargs: Dict[str, Any]) -> Any:
        out = func(*args, **kwargs)
        if out.numel() * out.element_size() <= TWIN_LIMIT:
            self.recorder.give_twin(out, func(*args, **dict(kwargs, device="cpu")))
            return out
        numbers = list(args) + [1] * (3 - len(args)) if len(args) > 1 else [0, args[0], 1]
        start, step = numbers[0], kwargs.get("step", numbers[2])
        if isinstance(start, int) and isinstance(step, int):
            self.recorder.buffer(out)
            self.recorder.iota(out, start, step)
            return out
        return self._arithmetic_result(func, "arange", out)

    # ---- values that follow from shapes ----

    def _foldable(self, tensors: Sequence[torch.Tensor]) -> bool:
        return all(self.recorder.buffer(tensor).twin is not None for tensor in tensors)

    def _on_cpu(self, tree: Any) -> Any:
        def move(leaf: Any) -> Any:
            if is_device(leaf):
                return self.recorder.twin(leaf)
            if isinstance(leaf, torch.device) and leaf.type == "meta":
                return torch.device("cpu")
            return leaf

        return tree_map(move, tree)

    def _fold(self, func: Any, args: Sequence[Any], kwargs: Dict[str, Any]) -> Any:
        """Runs an operation on twins. Results get twins of their own; what it writes is written in the twins."""
        shape = func(*args, **kwargs)
        leaves, _ = tree_flatten(shape)
        large = sum(t.numel() * t.element_size() for t in leaves if is_device(t))
        if large > TWIN_LIMIT:
            return self._arithmetic_result(func, func.overloadpacket.__name__, shape)
        if isinstance(kwargs.get("device"), str):
            kwargs = dict(kwargs, device="cpu")
        values = func(*self._on_cpu(list(args)), **self._on_cpu(kwargs))
        for made, value in zip(leaves, tree_flatten(values)[0]):
            if is_device(made) and self.recorder.buffer(made).twin is None:
                self.recorder.give_twin(made, value)
        return shape

    def _read(self, func: Any, name: str, tensors: Any, args: Sequence[Any], kwargs: Dict[str, Any]) -> Any:
        if not self._foldable(tensors):
            raise self.recorder.refusals.refuse(
                NOT_CAPTURABLE,
                name,
                f"the wrapper reads values of a tensor on the host ({_words(name)}); launches must follow from shapes, "
                "dtypes and scalars alone, so keep such decisions inside the kernel",
            )
        values = func(*self._on_cpu(list(args)), **self._on_cpu(kwargs))

        def upload(leaf: Any) -> Any:
            return self.upload(leaf) if isinstance(leaf, torch.Tensor) else leaf

        return tree_map(upload, values)

    def upload(self, values: torch.Tensor) -> torch.Tensor:
        """A device tensor with the values of a CPU tensor."""
        out = torch.empty_like(values, device="meta")
        if not self.recorder.give_twin(out, values):
            size = values.numel() * values.element_size()
            raise self.recorder.refusals.refuse(
                NOT_CAPTURABLE, "upload", f"the wrapper uploads {size} bytes from the host to the device"
            )
        return out

    # ---- fills and copies ----

    def _fill_(self, func: Any, args: Sequence[Any], kwargs: Dict[str, Any]) -> Any:
        tensor = args[0]
        value = args[1] if len(args) > 1 else kwargs.get("value", 0)
        if self.recorder.buffer(tensor).twin is not None and self._foldable(device_tensors(value)):
            func(*self._on_cpu(list(args)), **self._on_cpu(kwargs))
        elif is_device(value) and self.recorder.twin(value) is None:
            self.recorder.copy(tensor, value)
        else:
            number = self.recorder.twin(value) if is_device(value) else value
            self.recorder.fill(tensor, number.item() if isinstance(number, torch.Tensor) else number)
        return tensor

    def _copy_(self, func: Any, args: Sequence[Any], kwargs: Dict[str, Any]) -> Any:
        dst, src = args[0], args[1]
        if not is_device(dst):
            return self._to_host("copy_", src, lambda values: dst.copy_(values))
        if not is_device(src):
            src = self.upload(src.detach())
        self._move(dst, src)
        return dst

    def _move(self, dst: torch.Tensor, src: torch.Tensor) -> None:
        """Contents of `src`, broadcast and cast, into `dst`: on the twins where both are known, else as a step."""
        target, source = self.recorder.twin(dst), self.recorder.twin(src)
        fresh = not self.recorder.has(dst)
        if source is not None and (target is not None or fresh and self.recorder.give_twin(dst, source)):
            if target is not None:
                target.copy_(source)
            return
        self.recorder.copy(dst, src)

    def _to_host(self, name: str, src: torch.Tensor, use: Callable[[torch.Tensor], Any]) -> Any:
        twin = self.recorder.twin(src)
        if twin is not None:
            return use(twin)
        raise self.recorder.refusals.refuse(
            NOT_CAPTURABLE,
            name,
            "the wrapper copies a tensor from the device to the host; launches must follow from shapes, dtypes and "
            "scalars alone",
        )

    def _clone(self, func: Any, args: Sequence[Any], kwargs: Dict[str, Any]) -> Any:
        src = args[0]
        device = kwargs.get("device")
        if is_device(src) and device is not None and torch.device(device).type != "meta":
            return self._to_host("to", src, lambda values: func(values, **kwargs))
        if not is_device(src):
            return self.upload(func(src, **dict(kwargs, device="cpu")))
        out = func(*args, **kwargs)
        if out.is_complex() or src.is_complex():
            return self._arithmetic_result(func, "to", out)
        source = self.recorder.twin(src)
        if source is None or not self.recorder.give_twin(out, source):
            self.recorder.copy(out, src)
        return out

    def _repeat(self, func: Any, args: Sequence[Any], kwargs: Dict[str, Any]) -> Any:
        src, counts = args[0], list(args[1])
        out = func(*args, **kwargs)
        if self._foldable([src]):
            return self._fold(func, args, kwargs)
        lead = len(counts) - src.dim()
        shape = [1] * lead + list(src.shape)
        split = [number for pair in zip(counts, shape) for number in pair]
        narrow = src.reshape([n for size in shape for n in (1, size)]) if src.is_contiguous() else None
        if narrow is None or 0 in counts:
            return self._arithmetic_result(func, "repeat", out)
        self.recorder.copy(out.view(split), narrow.expand(split))
        return out

    def _cat(self, func: Any, args: Sequence[Any], kwargs: Dict[str, Any]) -> Any:
        tensors = list(args[0])
        axis = args[1] if len(args) > 1 else kwargs.get("dim", 0)
        if self._foldable([t for t in tensors if is_device(t)]):
            return self._fold(func, args, kwargs)
        out = func(*args, **kwargs)
        start = 0
        for tensor in tensors:
            if tensor.dim() == 1 and tensor.numel() == 0 and out.dim() != 1:
                continue
            size = tensor.shape[axis]
            self.recorder.copy(out.narrow(axis, start, size), tensor)
            start += size
        return out

    def _pad(self, func: Any, args: Sequence[Any], kwargs: Dict[str, Any]) -> Any:
        src, pad = args[0], list(args[1])
        value = args[2] if len(args) > 2 else kwargs.get("value", 0)
        if self._foldable([src]):
            return self._fold(func, args, kwargs)
        out = func(*args, **kwargs)
        inner, outer = out, src
        for i in range(len(pad) // 2):
            axis, before, after = src.dim() - 1 - i, pad[2 * i], pad[2 * i + 1]
            if before < 0 or after < 0:
                return self._arithmetic_result(func, "pad", out)
            inner = inner.narrow(axis, before, outer.shape[axis])
        self.recorder.buffer(out)
        self.recorder.fill(out, value)
        self.recorder.copy(inner, src)
        return out

    # ---- everything else ----

    def _arithmetic(self, func: Any, name: str, args: Sequence[Any], kwargs: Dict[str, Any]) -> Any:
        try:
            out = func(*args, **kwargs)
        except NotImplementedError:
            raise self.recorder.refusals.refuse(
                NOT_A_KERNEL, name, f"torch.{name} cannot be recorded and computes outside a Triton kernel"
            ) from None
        if assist.is_allowed(func, self.recorder.allow) and self._assist(func, out, args, kwargs):
            return out
        return self._arithmetic_result(func, name, out, args)

    def _assist(self, func: Any, out: Any, args: Sequence[Any], kwargs: Dict[str, Any]) -> bool:
        """Allowed arithmetic as a step of the plan; False when it cannot be one."""
        step = assist.step_of(func, out, args, kwargs)
        if step is None:
            return False
        if "does" in step:
            self.recorder.assist(step["does"], out, step["src"], step["dims"])
        else:
            self.recorder.copy(out, step["src"])
        return True

    def _arithmetic_result(self, func: Any, name: str, out: Any, args: Sequence[Any] = ()) -> Any:
        """Notes arithmetic of the framework on the path. What it makes is unknown from here on."""
        shown = name.strip("_")
        if assist.is_allowed(func, self.recorder.allow):
            why = "is allowed by the task, and cannot be part of a launch plan"
            if assist.is_known(name):
                why = "is allowed by the task, but no launch plan can hold it in this form (" + assist.FORMS + ")"
            self.recorder.refusals.note(NOT_CAPTURABLE, name, f"torch.{shown} {why}")
        else:
            self.recorder.refusals.note(
                NOT_A_KERNEL,
                name,
                f"torch.{shown} computes with PyTorch; the whole computation must be done by Triton kernels defined in "
                "the candidate (allocations, views, fills, copies and casts are fine)",
            )
        for tensor in device_tensors(out):
            buffer = self.recorder.buffer(tensor)
            buffer.known, buffer.twin = False, None
        for argument, tensor in zip(func._schema.arguments, args):
            if argument.alias_info is not None and argument.alias_info.is_write and is_device(tensor):
                self.recorder.buffer(tensor).known = False
        return out


def _words(name: str) -> str:
    """How a model knows an operation."""
    known = {
        "_local_scalar_dense": ".item(), float(), int(), bool() or a comparison in an `if`",
        "is_nonzero": "bool() or a comparison in an `if`",
        "equal": "torch.equal",
        "nonzero": "torch.nonzero or a boolean index",
        "masked_select": "a boolean index",
    }
    return known.get(name, f"torch.{name.strip('_')}")
