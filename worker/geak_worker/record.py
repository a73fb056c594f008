"""The recorder: what tensors of the pretended device exist, and what was done to them, in order.

Tensors of the device are meta tensors of torch: they have shapes and strides, but no values. A *buffer* stands for the
storage of one of them and has a made-up address. A *step* is something that reaches the device: a fill, a copy, a small
table, a launch. Steps hold buffers, not numbers; numbers are given when a plan is made (plan.py).

A buffer whose contents follow from shapes alone (made by zeros, arange, tensor([...]) and arithmetic on these) has a
*twin*: its bytes on the CPU. The twin becomes a step only when something reads the buffer on the device, so that a
table that is built in five operations is one step, whatever its history.
"""

from __future__ import annotations

import array
import ctypes
import hashlib
from collections import Counter
from typing import Any, Dict, List, Optional, Tuple

import torch

from .cannot import NOT_CAPTURABLE, Refusals, candidate_line

ADDRESS_SHIFT = 40
TWIN_LIMIT = 1 << 20
DATA_LIMIT = 64 << 10

INTEGERS = {torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8, torch.uint16, torch.uint32, torch.uint64}


def dtype_name(dtype: torch.dtype) -> str:
    """'float32' for torch.float32."""
    return str(dtype).replace("torch.", "")


def raw_bytes(tensor: torch.Tensor) -> bytes:
    """The bytes of a contiguous CPU tensor (numpy need not be there)."""
    return ctypes.string_at(tensor.data_ptr(), tensor.numel() * tensor.element_size()) if tensor.numel() else b""


class Buffer:
    """A storage on the pretended device."""

    __slots__ = ("serial", "bytes", "address", "name", "storage", "twin", "dtype", "known")

    def __init__(self, serial: int, size: int, address: int, storage: Any, dtype: torch.dtype) -> None:
        self.serial, self.bytes, self.address, self.storage = serial, size, address, storage
        self.dtype = dtype
        self.name: Optional[str] = None  # parameter whose storage this is
        self.twin: Optional[torch.Tensor] = None  # uint8, whole storage, on the CPU
        self.known = True  # False: holds results of the framework's arithmetic, which no plan can make

    def json(self) -> Dict[str, Any]:
        out: Dict[str, Any] = {"bytes": self.bytes, "align": 512}
        if self.name is not None:
            out["input"] = self.name
        return out


class Recorder:
    """Everything that one process records. `steps` are those of the current call."""

    def __init__(self, salt: str, allow: Tuple[str, ...] = ()) -> None:
        self.salt = salt
        self.allow = frozenset(allow)
        self.buffers: Dict[int, Buffer] = {}
        self.by_serial: List[Buffer] = []
        self.first_serial = 1 + int(hashlib.sha256(salt.encode()).hexdigest()[:4], 16)
        self.steps: List[Dict[str, Any]] = []
        self.census: Counter = Counter()
        self.notes: List[str] = []
        self.refusals = Refusals()

    # ---- calls ----

    def start(self) -> None:
        """Begins a call: no steps, no refusals. Buffers of earlier calls stay known."""
        self.steps, self.census, self.refusals = [], Counter(), Refusals()

    def note(self, text: str) -> None:
        if text not in self.notes and len(self.notes) < 32:
            self.notes.append(text)

    def count(self, op: str) -> None:
        """Adds an operation of the framework to the census, with the candidate's line."""
        self.census[(op, candidate_line())] += 1

    # ---- buffers ----

    def buffer(self, tensor: torch.Tensor) -> Buffer:
        """The buffer under a device tensor; made when it is seen for the first time."""
        storage = tensor.untyped_storage()
        key = storage._cdata
        found = self.buffers.get(key)
        if found is None or found.bytes != storage.nbytes():
            found = self._new_buffer(key, storage, tensor.dtype)
        return found

    def has(self, tensor: torch.Tensor) -> bool:
        return tensor.untyped_storage()._cdata in self.buffers

    def _new_buffer(self, key: int, storage: Any, dtype: torch.dtype) -> Buffer:
        serial = len(self.by_serial)
        jitter = int(hashlib.sha256(f"{self.salt}/{serial}".encode()).hexdigest()[:7], 16) << 9
        address = (self.first_serial + serial << ADDRESS_SHIFT) + (jitter & ((1 << 39) - 1))
        made = Buffer(serial, storage.nbytes(), address, storage, dtype)
        self.buffers[key] = made
        self.by_serial.append(made)
        return made

    def address(self, tensor: torch.Tensor) -> int:
        """The made-up address of a tensor's first element: what data_ptr() answers."""
        return self.buffer(tensor).address + tensor.storage_offset() * tensor.element_size()

    def find_address(self, value: int) -> Optional[Tuple[Buffer, int]]:
        """The buffer, and the offset in it, that a number points to; None when it is no address."""
        serial = (value >> ADDRESS_SHIFT) - self.first_serial
        if not 0 <= serial < len(self.by_serial):
            return None
        buffer = self.by_serial[serial]
        offset = value - buffer.address
        return (buffer, offset) if 0 <= offset <= buffer.bytes else None

    def view(self, tensor: torch.Tensor) -> Dict[str, Any]:
        """The view of a tensor, as it stands in steps."""
        return {
            "buf": self.buffer(tensor),
            "at": tensor.storage_offset() * tensor.element_size(),
            "dtype": dtype_name(tensor.dtype),
            "shape": list(tensor.shape),
            "strides": list(tensor.stride()),
        }

    # ---- twins ----

    def twin(self, tensor: torch.Tensor) -> Optional[torch.Tensor]:
        """The CPU view with the values of a device tensor, or None when its values are not known here."""
        buffer = self.buffer(tensor)
        if buffer.twin is None:
            return None
        flat = torch.empty(0, dtype=tensor.dtype)
        return flat.set_(buffer.twin.untyped_storage(), tensor.storage_offset(), tensor.shape, tensor.stride())

    def give_twin(self, tensor: torch.Tensor, values: torch.Tensor) -> bool:
        """Makes `values` (same shape) the contents of a fresh device tensor. False when it is too large to keep."""
        buffer = self.buffer(tensor)
        buffer.dtype = tensor.dtype
        if buffer.bytes > TWIN_LIMIT:
            return False
        buffer.twin = torch.zeros(buffer.bytes, dtype=torch.uint8)
        twin = self.twin(tensor)
        assert twin is not None
        twin.copy_(values)
        return True

    def settle(self, buffer: Buffer) -> None:
        """Turns the twin of a buffer into steps, before the device reads or changes part of it."""
        if buffer.twin is None:
            return
        twin, buffer.twin = buffer.twin, None
        if not buffer.bytes:
            return
        size = buffer.dtype.itemsize
        dtype = buffer.dtype if buffer.bytes % size == 0 and not buffer.dtype.is_complex else torch.uint8
        count = buffer.bytes // dtype.itemsize
        dst = {"buf": buffer, "at": 0, "dtype": dtype_name(dtype), "shape": [count], "strides": [1]}
        self.steps.append(self._table(dst, twin, dtype))

    def _table(self, dst: Dict[str, Any], twin: torch.Tensor, dtype: torch.dtype) -> Dict[str, Any]:
        """The shortest step that writes the bytes of `twin`."""
        raw = raw_bytes(twin)
        size = dtype.itemsize
        self._no_addresses(raw, dtype)
        if raw == raw[:size] * (len(raw) // size):
            return {"op": "fill", "dst": dst, "bits": "0x" + raw[:size][::-1].hex()}
        if dtype in INTEGERS:
            signed = not str(dtype).startswith("torch.u")
            values = [int.from_bytes(raw[i : i + size], "little", signed=signed) for i in range(0, len(raw), size)]
            step = values[1] - values[0]
            if all(b - a == step for a, b in zip(values, values[1:])):
                return {"op": "iota", "dst": dst, "start": values[0], "step": step}
        if len(raw) > DATA_LIMIT:
            raise self.refusals.refuse(
                NOT_CAPTURABLE,
                "upload",
                f"the wrapper uploads a table of {len(raw)} bytes from the host; at most {DATA_LIMIT} are allowed. "
                "Compute it in the kernel",
            )
        return {"op": "data", "dst": dst, "hex": raw.hex()}

    def _no_addresses(self, raw: bytes, dtype: torch.dtype) -> None:
        """Addresses are known to a plan as arguments only: one in a table is no fault of the kernel's, but cannot be."""
        if dtype not in (torch.int64, torch.uint64) or len(raw) > DATA_LIMIT:
            return
        for value in array.array("Q", raw):
            if self.find_address(value) is not None:
                raise self.refusals.refuse(
                    NOT_CAPTURABLE,
                    "upload",
                    "the wrapper uploads a table of addresses; pass each tensor, or its address, as an argument",
                )

    # ---- steps ----

    def fill(self, tensor: torch.Tensor, value: Any) -> None:
        """Records that every element becomes `value` (a Python number), cast to the tensor's dtype."""
        if not tensor.numel():
            return
        self.settle(self.buffer(tensor))
        bits = raw_bytes(torch.full((1,), value, dtype=tensor.dtype))
        self.steps.append({"op": "fill", "dst": self.view(tensor), "bits": "0x" + bits[::-1].hex()})

    def iota(self, tensor: torch.Tensor, start: int, step: int) -> None:
        if tensor.numel():
            self.steps.append({"op": "iota", "dst": self.view(tensor), "start": start, "step": step})

    def copy(self, dst: torch.Tensor, src: torch.Tensor) -> None:
        """Records a strided copy with cast; `src` is broadcast to the shape of `dst`."""
        if not dst.numel():
            return
        target, source = self.buffer(dst), self.buffer(src)
        self.settle(source)
        if dst.numel() * dst.element_size() == target.bytes and target is not source:
            target.twin = None  # wholly overwritten: what it held before need not be made
        self.settle(target)
        target.known = target.known and source.known
        self.steps.append({"op": "copy", "dst": self.view(dst), "src": self.view(src.expand(dst.shape))})

    def assist(self, does: str, dst: torch.Tensor, src: torch.Tensor, dims: List[int]) -> None:
        """Records allowed arithmetic of the framework; `dst` may have kept the folded dimensions, of size 1."""
        target, source = self.buffer(dst), self.buffer(src)
        if not dst.numel():
            return
        self.settle(source)
        self.settle(target)
        target.known = target.known and source.known
        view = self.view(dst)
        if dims and len(view["shape"]) == src.dim():
            for key in ("shape", "strides"):
                view[key] = [size for i, size in enumerate(view[key]) if i not in dims]
        self.steps.append({"op": "assist", "does": does, "dst": view, "src": self.view(src), "dims": dims,
                           "line": candidate_line()})  # fmt: skip

    def launch(self, step: Dict[str, Any]) -> None:
        for buffer in launch_buffers(step):
            self.settle(buffer)
        self.steps.append(step)


def launch_buffers(step: Dict[str, Any]) -> List[Buffer]:
    """The buffers that a launch can reach, in the order of its arguments."""
    out = []
    for arg in step["args"]:
        if arg["t"] in ("ptr", "reloc"):
            out.append(arg["buf"])
        elif arg["t"] == "desc":
            out.append(arg["view"]["buf"])
    return out
