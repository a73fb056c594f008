"""A candidate's Python for real: on data, with the device, in the sandbox.

Here is what the candidate may know: the inputs of a few calls. What is expected of it is neither in this process nor
anywhere that it can reach. Inputs are mapped read-only (a write ends the process), or copied to the device; results go
into memory files that geak looks at when the whole tree of this process has ended. All that is said besides is a claim:
what was returned, which kernels were launched, which operations of the framework worked on data.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import sys
import warnings
from collections import Counter
from typing import Any, Callable, Dict, List, Optional, Sequence, Set, Tuple

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from . import launches as recorded
from . import source, stand_in
from .cannot import candidate_line
from .capture import PLAIN, reseed
from .dispatch import EMPTY, FULL, READS, UNMARKED_VIEWS, VALUES
from .frames import Frame
from .record import dtype_name
from .witness import Witness

MAX_RESULTS = 64
TIMED_MS = 500
MOVES = {"fill_", "zero_", "copy_", "clone", "_to_copy", "repeat", "cat", "constant_pad_nd", "arange", "resize_", "set_",
         "contiguous", "stack", "split_with_sizes_copy"}  # fmt: skip


class Census(TorchDispatchMode):
    """Counts what the framework does to values that follow from the inputs."""

    def __init__(self, launches: recorded.Launches) -> None:
        super().__init__()
        self.launches = launches
        self.counts: Counter = Counter()
        self.data: Set[int] = set()  # storages

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def taint(self, tensors: Sequence[Any]) -> None:
        for tensor in tensors:
            self.data.add(tensor.untyped_storage()._cdata)

    def __torch_dispatch__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if self.launches.inside:
            return out
        with torch._C.DisableTorchFunction():
            self.look(func, args, kwargs or {}, out)
        return out

    def look(self, func: Any, args: Sequence[Any], kwargs: Dict[str, Any], out: Any) -> None:
        name = func.overloadpacket.__name__
        made = [leaf for leaf in tree_flatten(out)[0] if isinstance(leaf, torch.Tensor)]
        used = [leaf for leaf in tree_flatten((args, kwargs))[0] if isinstance(leaf, torch.Tensor)]
        if func.is_view or name in UNMARKED_VIEWS:
            return
        if name in EMPTY or name in VALUES or name in FULL or not any(
            tensor.untyped_storage()._cdata in self.data for tensor in used
        ):  # fmt: skip
            self.data.difference_update(tensor.untyped_storage()._cdata for tensor in made)
            return
        reads = name in READS or torch.Tag.data_dependent_output in func.tags or torch.Tag.dynamic_output_shape in func.tags
        what = "read" if reads else "move" if name in MOVES else "arithmetic"
        overload = func._overloadname
        self.counts[(f"{func.namespace}::{name}", overload, what, candidate_line())] += 1
        self.taint(made)
        self.taint([tensor for argument, tensor in zip(func._schema.arguments, args)
                    if isinstance(tensor, torch.Tensor) and argument.alias_info is not None
                    and argument.alias_info.is_write])  # fmt: skip

    def json(self) -> List[Dict[str, Any]]:
        return [{"op": op, "overload": overload, "what": what, "line": line, "count": count}
                for (op, overload, what, line), count in sorted(self.counts.items())[:256]]  # fmt: skip


class Call:
    """One call's arguments and where its results go."""

    def __init__(self, head: Dict[str, Any], inputs: List[Any], outputs: List[mmap.mmap]) -> None:
        self.head, self.inputs, self.outputs = head, inputs, outputs


class Real:
    """One candidate, some calls."""

    def __init__(self, request: Dict[str, Any], text: bytes, fds: Sequence[int], send: Callable[[Frame], None],
                 on_device: bool, witness: Witness) -> None:  # fmt: skip
        self.request, self.raw, self.send, self.on_device = request, text, send, on_device
        self.witness = witness
        self.launches = recorded.Launches()
        self.census = Census(self.launches)
        self.module = source.prepare("")
        self.entry: Any = None
        self.calls = _open(request["calls"], list(fds))
        self.launches.touched = self.census.taint
        if on_device:
            recorded.install_device(self.launches)
            self.mode: Any = contextlib.nullcontext()
            self.device = torch.device("cuda", 0)
        else:
            recorded.install_interpreter(self.launches)
            self.mode = stand_in.install("cpu")
            self.device = torch.device("cpu")

    def run(self) -> None:
        """Everything, from import to `end`."""
        try:
            self.load()
            for index, call in enumerate(self.calls):
                times = int(call.head.get("times") or 0)
                if times:
                    self.timed(index, call, times)
                else:
                    self.call(index, call)
        except BaseException as error:
            self.raised(error)
        self.send(Frame("end", json={"complete": True}))

    def raised(self, error: BaseException) -> None:
        self.send(Frame("raised", json={"case": -1, "type": type(error).__name__, "message": source.message_of(error),
                                        "line": source.line_of(error, self.module), "trace": source.trace_of(error)}))  # fmt: skip

    def load(self) -> None:
        reseed()
        text = self.raw.decode("utf-8")
        self.module = source.prepare(text)
        with self.mode:
            source.execute(self.module, text)
        self.entry = source.entry_of(self.module, self.request["entry"]["name"])
        if self.entry is None:
            raise LookupError(f"the candidate defines no function named {self.request['entry']['name']}")

    # ---- calls ----

    def arguments(self, call: Call) -> Tuple[List[Any], List[Tuple[str, torch.Tensor]]]:
        """Fresh arguments, and the tensors among them by name."""
        values: List[Any] = []
        named: List[Tuple[str, torch.Tensor]] = []
        mapped = iter(call.inputs)
        for arg in call.head["args"]:
            if arg["kind"] != "tensor":
                values.append(arg["value"])
                continue
            tensor = _tensor(arg, next(mapped), self.device, bool(arg.get("in_place")))
            named.append((arg["name"], tensor))
            values.append(tensor)
        return values, named

    def call(self, index: int, call: Call) -> None:
        values, named = self.arguments(call)
        self.launches.start()
        self.census.counts.clear()
        self.census.taint([tensor for _, tensor in named])
        reseed()
        with self.mode, self.census:
            result = self.entry(*values)
        self.settle()
        self.report(index, call, result, named)

    def timed(self, index: int, call: Call, times: int) -> None:
        """End to end: `times` calls back to back. The frames before and behind are for geak's own clock."""
        values, named = self.arguments(call)
        entry, result = self.entry, None
        with self.mode:
            result = entry(*values)
            self.settle()
            self.witness.begin()
            result = entry(*values)
            times = max(3, min(times, int(TIMED_MS / max(self.witness.end()[1], 1e-3))))
            self.launches.off = True
            self.send(Frame("mark", json={"case": index, "at": "begin", "calls": times}))
            self.witness.begin()
            for _ in range(times):
                result = entry(*values)
            event_ms, host_ms = self.witness.end()
            self.launches.off = False
        self.send(Frame("mark", json={"case": index, "at": "end", "calls": times, "event_ms": event_ms,
                                      "host_ms": host_ms}))  # fmt: skip
        self.launches.start()
        self.census.counts.clear()
        self.report(index, call, result, named)

    def settle(self) -> None:
        """Waits for all streams, by the driver itself."""
        if self.on_device:
            self.witness.synchronize()

    def report(self, index: int, call: Call, result: Any, named: List[Tuple[str, torch.Tensor]]) -> None:
        values = list(result.values()) if isinstance(result, dict) else result
        values = list(values) if isinstance(values, (list, tuple)) else [values]
        views = [_view(value, named) for value in values[:MAX_RESULTS]]
        for value, place in zip(values, call.outputs):
            if type(value) in PLAIN:
                _write(value.detach(), place)
        self.send(Frame("ran", json={"case": index, "changed": self.changed(call, named), "count": len(values), "outputs": views,
                                     "launches": self.launches.list, "total": self.launches.total,
                                     "census": self.census.json()}))  # fmt: skip


    def changed(self, call: Call, named: List[Tuple[str, torch.Tensor]]) -> List[str]:
        """Inputs on the device whose bytes are others than before. On the host nobody could write them."""
        if not self.on_device:
            return []
        heads = [arg for arg in call.head["args"] if arg["kind"] == "tensor"]
        out = []
        for (name, tensor), head, mapped in zip(named, heads, call.inputs):
            if mapped is None or head.get("in_place"):
                continue
            flat = torch.empty(0, dtype=torch.uint8, device=self.device).set_(tensor.untyped_storage()).cpu()
            if mapped[:] != ctypes.string_at(flat.data_ptr(), flat.numel()):
                out.append(name)
        return out


def _open(calls: List[Dict[str, Any]], fds: List[int]) -> List[Call]:
    """Maps all memory files: inputs of all calls, then outputs of all calls."""
    made, at = [], 0
    for head in calls:
        count = sum(arg["kind"] == "tensor" for arg in head["args"])
        made.append(Call(head, [_map(fd, mmap.ACCESS_READ) for fd in fds[at : at + count]], []))
        at += count
    for call in made:
        count = len(call.head["outputs"])
        call.outputs = [_map(fd, mmap.ACCESS_WRITE) for fd in fds[at : at + count]]
        at += count
    return made


def _map(fd: int, access: int) -> Optional[mmap.mmap]:
    import os

    size = os.fstat(fd).st_size
    return mmap.mmap(fd, size, access=access) if size else None


def _tensor(arg: Dict[str, Any], mapped: Optional[mmap.mmap], device: torch.device, in_place: bool) -> torch.Tensor:
    """The tensor of a header over the bytes of its storage: the file's own pages on the host, a copy on a device."""
    flat = torch.empty(0, dtype=torch.uint8)
    if mapped is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it is not writable: so it is meant
            flat = torch.frombuffer(mapped, dtype=torch.uint8)
    if device.type != "cpu":
        flat = flat.to(device)
    elif in_place:
        flat = flat.clone()
    empty = torch.empty(0, dtype=getattr(torch, arg["dtype"]), device=device)
    return empty.set_(flat.untyped_storage(), int(arg["offset"]), tuple(arg["shape"]), tuple(arg["strides"]))


def _view(value: Any, named: List[Tuple[str, torch.Tensor]]) -> Dict[str, Any]:
    """What was returned, in numbers and names."""
    kind = type(value)
    if kind not in PLAIN:
        return {"class": f"{kind.__name__}", "is_tensor": isinstance(value, torch.Tensor)}
    storage = value.untyped_storage().data_ptr()
    alias = next((name for name, tensor in named if storage and tensor.untyped_storage().data_ptr() == storage), None)
    return {"class": "Tensor", "is_tensor": True, "dtype": dtype_name(value.dtype), "shape": list(value.shape),
            "strides": list(value.stride()), "device": value.device.type, "input": alias}  # fmt: skip


def _write(value: torch.Tensor, place: Optional[mmap.mmap]) -> None:
    """The elements in row-major order, where they are as many bytes as the file has."""
    if place is None or value.layout is not torch.strided or value.numel() * value.element_size() != len(place):
        return
    dense = value.cpu().contiguous()
    if dense.is_conj() or dense.is_neg():
        dense = dense.resolve_conj().resolve_neg()
    ctypes.memmove((ctypes.c_char * len(place)).from_buffer(place), dense.data_ptr(), len(place))


def hide() -> None:
    """A candidate is not told by the names of modules that it is looked at: what runs keeps its own references."""
    for name in [name for name in sys.modules if name.split(".")[0] == "geak_worker"]:
        del sys.modules[name]


def main(request: Dict[str, Any], text: bytes, fds: Sequence[int], send: Callable[[Frame], None], on_device: bool,
         witness: Witness) -> None:  # fmt: skip
    """In the candidate's process, once it is closed."""
    real = Real(request, text, fds, send, on_device, witness)
    hide()
    real.run()
