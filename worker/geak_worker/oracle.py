"""The oracle: runs a task's own Python, which is trusted, and reads candidates' syntax trees without running them.

Tensors come and go as sealed memory files with the bytes of whole storages; the header stands in the JSON.
"""

from __future__ import annotations

import ctypes
import importlib.util
import math
import os
import sys
import traceback
from types import ModuleType
from typing import Any, Callable, Dict, List, Sequence, Tuple

import torch

from . import facts, lint, special, task_entry
from .frames import Channel, Frame, FrameError, read_memfd, sealed_memfd
from .record import dtype_name

MAX_TENSOR = 64 << 30
MAX_CACHED = 64


class TaskError(Exception):
    """The task's own code or files are at fault, in words."""


class Task:
    """A task's folder: its oracle module and its entry, as they were at one moment."""

    def __init__(self, folder: str, stamp: Tuple[int, ...]) -> None:
        self.folder, self.stamp = folder, stamp
        self.entry = task_entry.Entry()
        manifest = os.path.join(folder, "task.yaml")
        if os.path.exists(manifest):
            with open(manifest, encoding="utf-8") as file:
                self.entry = task_entry.read(file.read())
        self.module = _load(os.path.join(folder, "oracle.py"))

    def function(self, name: str) -> Callable[..., Any]:
        found = getattr(self.module, name, None)
        if not callable(found):
            raise TaskError(f"{self.folder}/oracle.py defines no function {name}")
        return found


def _load(path: str) -> ModuleType:
    name = "geak_oracle_" + "".join(c if c.isalnum() else "_" for c in path)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not os.path.exists(path):
        raise TaskError(f"{path}: no such file")
    module = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode = True
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        raise TaskError(f"{path}: {_words(error, path)}") from None
    return module


def _words(error: BaseException, path: str) -> str:
    """'line 12: ValueError: ...' for an exception that went through a file."""
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == path]
    if isinstance(error, SyntaxError) and error.filename == path:
        lines.append(error.lineno or 0)
    where = f"line {lines[-1]}: " if lines else ""
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{where}{type(error).__name__}: {text}".replace("\n", " ")[:2000]


class Oracle:
    """Answers one request at a time."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.tasks: Dict[str, Task] = {}

    def serve(self) -> None:
        """Until the end of the stream."""
        while True:
            frame = self.channel.receive()
            if frame is None:
                return
            try:
                self.answer(frame)
            finally:
                frame.close()

    def answer(self, frame: Frame) -> None:
        handlers = {"lint": self.lint, "inputs": self.inputs, "expected": self.expected}
        if frame.type == "cancel":
            return
        made = Frame("error", frame.id, last=True)
        try:
            if frame.type not in handlers:
                raise FrameError(f"an oracle does not understand {frame.type}")
            made = handlers[frame.type](frame)
            made.id, made.last = frame.id, True
        except TaskError as error:
            made = Frame("error", frame.id, {"kind": "task", "message": str(error)}, last=True)
        except (FrameError, KeyError, TypeError, ValueError) as error:
            made = Frame("error", frame.id, {"kind": "protocol", "message": f"{frame.type}: {error!r}"}, last=True)
        except (MemoryError, RuntimeError, OSError) as error:
            made = Frame("error", frame.id, {"kind": "system", "message": f"{frame.type}: {error}"[:2000]}, last=True)
        try:
            self.channel.send(made)
        finally:
            made.close()

    def task(self, folder: str) -> Task:
        """The task of a folder, loaded again when a file of it has changed."""
        stamp: List[int] = []
        for name in ("oracle.py", "task.yaml"):
            try:
                status = os.stat(os.path.join(folder, name))
                stamp += [status.st_mtime_ns, status.st_size]
            except OSError:
                stamp += [0, 0]
        found = self.tasks.get(folder)
        if found is None or found.stamp != tuple(stamp):
            if len(self.tasks) >= MAX_CACHED:
                self.tasks.clear()
            found = self.tasks[folder] = Task(folder, tuple(stamp))
        return found

    # ---- requests ----

    def lint(self, frame: Frame) -> Frame:
        source = frame.blobs[0] if frame.blobs else read_memfd(frame.fds[0], lint.SOURCE_LIMIT)
        return Frame("linted", json=lint.check(source, frame.json["entry"]).json())

    def inputs(self, frame: Frame) -> Frame:
        task = self.task(frame.json["task"])
        case, seed = dict(frame.json["case"]), int(frame.json["seed"])
        values = _call(task, "make_inputs", case, seed, "cpu", str(frame.json["dist"]))
        if not isinstance(values, dict):
            raise TaskError(f"{task.folder}/oracle.py: make_inputs returned {type(values).__name__}, not a dict")
        ordered = special.apply(_ordered(values, task), frame.json)
        return _tensors("args", [_argument(name, value, task) for name, value in ordered])

    def expected(self, frame: Frame) -> Frame:
        task = self.task(frame.json["task"])
        fds, values = iter(frame.fds), {}
        blobs = iter(frame.blobs)
        for arg in frame.json["args"]:
            if arg["kind"] == "tensor":
                data = next(blobs) if frame.blobs else read_memfd(next(fds), MAX_TENSOR)
                values[arg["name"]] = tensor_from(arg, data)
            else:
                values[arg["name"]] = scalar_from(arg)
        made = _call(task, "expected", values, dict(frame.json["case"]))
        if not isinstance(made, dict):
            raise TaskError(f"{task.folder}/oracle.py: expected returned {type(made).__name__}, not a dict")
        names = list(task.entry.returns) or list(made)
        missing = [name for name in names if not isinstance(made.get(name), torch.Tensor)]
        if missing:
            raise TaskError(f"{task.folder}/oracle.py: expected gives no tensor named {missing[0]}")
        return _tensors("outputs", [_output(name, made[name], values, task) for name in names])


def _call(task: Task, name: str, *args: Any) -> Any:
    """Calls a function of the task. Raises TaskError with its file and line when it raises."""
    function = task.function(name)
    try:
        with torch.no_grad():
            return function(*args)
    except MemoryError:
        raise
    except BaseException as error:
        path = os.path.join(task.folder, "oracle.py")
        raise TaskError(f"{path}: {name}: {_words(error, path)}") from None


def _ordered(values: Dict[str, Any], task: Task) -> List[Tuple[str, Any]]:
    """Items in the order of the entry's parameters. Raises TaskError for names that are not parameters."""
    params = task.entry.params or list(values)
    strange = [name for name in values if name not in params]
    if strange:
        raise TaskError(
            f"{task.folder}/oracle.py: make_inputs gives {strange[0]}, which is no parameter of the entry"
        )
    return [(name, values[name]) for name in params if name in values]


def _argument(name: str, value: Any, task: Task) -> Tuple[Dict[str, Any], Any]:
    """Header and tensor (or None) of one argument."""
    if isinstance(value, torch.Tensor):
        return {"name": name, "kind": "tensor", **header(value)}, value
    kinds = ((bool, "bool"), (int, "int"), (float, "float"), (str, "string"), (type(None), "none"))
    for type_, kind in kinds:
        if isinstance(value, type_):
            if isinstance(value, float) and not math.isfinite(value):
                raise TaskError(f"{task.folder}/oracle.py: {name} is {value}; scalars must be finite")
            return {"name": name, "kind": kind, "value": value}, None
    raise TaskError(f"{task.folder}/oracle.py: {name} is a {type(value).__name__}; tensors and scalars are allowed")


def _output(
    name: str, value: torch.Tensor, inputs: Dict[str, Any], task: Task
) -> Tuple[Dict[str, Any], torch.Tensor]:
    """Header and contiguous bytes of an expected output: float64 where a float is declared."""
    declared = task.entry.returns.get(name) or dtype_name(value.dtype)
    if declared.startswith("like:"):
        like = inputs.get(declared[5:])
        if not isinstance(like, torch.Tensor):
            raise TaskError(f"{task.folder}: {name} is declared {declared}, which is no tensor among the inputs")
        declared = dtype_name(like.dtype)
    dtype = getattr(torch, declared.replace("torch.", ""), None)
    if not isinstance(dtype, torch.dtype):
        raise TaskError(f"{task.folder}: {name} is declared {declared}, which is no dtype")
    value = value.to(torch.float64 if dtype.is_floating_point else dtype).contiguous()
    return {"name": name, **header(value), "declared": dtype_name(dtype)}, value


def _tensors(key: str, items: Sequence[Tuple[Dict[str, Any], Any]]) -> Frame:
    """The answer with a sealed memory file for each tensor, in order."""
    frame = Frame("tensors", json={key: [head for head, _ in items]})
    try:
        for head, value in items:
            if value is not None:
                frame.fds.append(sealed_memfd(head["name"], storage_bytes(value)))
    except BaseException:
        frame.close()
        raise
    return frame


# ---- tensors ----


def header(tensor: torch.Tensor) -> Dict[str, Any]:
    """dtype, shape, strides and offset in elements, bytes of the whole storage."""
    return {
        "dtype": dtype_name(tensor.dtype),
        "shape": list(tensor.shape),
        "strides": list(tensor.stride()),
        "offset": tensor.storage_offset(),
        "bytes": tensor.untyped_storage().nbytes(),
    }


def storage_bytes(tensor: torch.Tensor) -> memoryview:
    """The bytes of a CPU tensor's whole storage. They live as long as the tensor does."""
    storage = tensor.detach().untyped_storage()
    size = storage.nbytes()
    return memoryview((ctypes.c_ubyte * size).from_address(storage.data_ptr()) if size else b"")


def tensor_from(head: Dict[str, Any], data: bytes) -> torch.Tensor:
    """The tensor of a header and the bytes of its storage. Raises FrameError when they do not agree."""
    dtype = getattr(torch, head["dtype"])
    if len(data) != head["bytes"]:
        raise FrameError(f"{head['name']}: {len(data)} bytes came, {head['bytes']} are promised")
    storage = torch.UntypedStorage(len(data))
    if data:
        flat = torch.frombuffer(bytearray(data), dtype=torch.uint8)
        torch.empty(0, dtype=torch.uint8).set_(storage, 0, (len(data),), (1,)).copy_(flat)
    return torch.empty(0, dtype=dtype).set_(storage, head["offset"], head["shape"], head["strides"])


def scalar_from(arg: Dict[str, Any]) -> Any:
    """The Python value of a scalar argument: a float may have come as an integer."""
    value: Any = arg.get("value")
    return float(value) if arg["kind"] == "float" else value


def main(build: str) -> int:
    """The oracle's process. Returns its exit status."""
    channel = Channel.from_environment()
    torch.set_num_threads(max(1, min(4, len(os.sched_getaffinity(0)))))
    channel.send(facts.hello("oracle", build, 1, facts.versions()))
    Oracle(channel).serve()
    return 0
