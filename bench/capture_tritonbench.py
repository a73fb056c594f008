"""Captures the kernels of TritonBench-G: how many of its 184 files have launch plans, and why the others have none.

    PYTHONPATH=worker python bench/capture_tritonbench.py CHECKOUT/data/TritonBench_G_v1 OUT [--target sm_90] [--only NAME]
                                                          [--allow [OPERATION ...]]

There is no task; --allow stands for its list of operations of the framework that wrappers may use: aten::sum where it is
not given, none where nothing follows it.

Each file has a kernel part, a line of '#', and a test part. Both run once, on tensors without values. Every call from the
test part into the kernel part (a function, a module's forward, a launch) is an entry: it is made three times, and its
plan is written to OUT/NAME/N.json, its modules to OUT/ttir/HASH.ttir. What the test part computes itself is computed
beside on real values: it reads these (or made-up ones where a kernel's results are needed), and those of integer inputs
go to OUT/inputs/NAME.N.INPUT, for plans.c beside this file. Values that the kernel part reads are a reason why there is
no plan. OUT/summary.jsonl has one line for each file.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import hashlib
import json
import os
import re
import signal
import sys
import time
from typing import Any, Callable, Dict, Iterator, List, Optional

os.environ.setdefault("TRITON_DEFAULT_FP_FUSION", "1")

import torch
from geak_worker import plan, pretend, source, warm
from geak_worker.cannot import CANDIDATE_PATH, CannotCapture, Refusals
from geak_worker.capture import Call, Session, provenance, reseed
from geak_worker.dispatch import EMPTY, UNMARKED_VIEWS, Dispatch, device_tensors, is_device
from geak_worker.record import Buffer, raw_bytes
from torch.utils._pytree import tree_flatten, tree_map
from triton.runtime.autotuner import Autotuner, Heuristics
from triton.runtime.jit import JITFunction

SECONDS = 240
CALLS = 3
LARGEST = 4 << 20  # bytes of a buffer whose values are kept
TOGETHER = 256 << 20  # bytes of all of them
FOLLOWED = 10.0  # seconds that a file's test part may compute on values
SLOW = {"mm", "bmm", "addmm", "baddbmm", "mv", "dot", "convolution"}
WHOLE = {"zero_", "fill_", "copy_", "normal_", "uniform_", "random_"}  # what was there before does not matter


class Values:
    """Real values of what test code makes on the pretended device: by buffer, the bytes of its storage on the CPU.

    Calls into the kernel part leave no trace here: a buffer has the values that test code last gave it.
    """

    def __init__(self, recorder: Any) -> None:
        self.recorder = recorder
        self.kept: Dict[int, torch.Tensor] = {}
        self.bytes_kept = 0
        self.seconds = 0.0

    def view(self, tensor: torch.Tensor) -> Optional[torch.Tensor]:
        """The values of a device tensor, None when they are not known."""
        storage = self.kept.get(self.recorder.buffer(tensor).serial)
        if storage is None:
            return None
        flat = torch.empty(0, dtype=tensor.dtype)
        return flat.set_(storage.untyped_storage(), tensor.storage_offset(), tensor.shape, tensor.stride())

    def give(self, tensor: torch.Tensor, values: Optional[torch.Tensor]) -> None:
        """Makes `values` (zeros when None) those of a device tensor, unless its buffer is too large or has some."""
        buffer = self.recorder.buffer(tensor)
        if buffer.bytes > LARGEST or buffer.serial in self.kept or self.bytes_kept + buffer.bytes > TOGETHER:
            return
        self.bytes_kept += buffer.bytes
        self.kept[buffer.serial] = torch.zeros(max(buffer.bytes, 1), dtype=torch.uint8)
        if values is not None:
            known = self.view(tensor)
            assert known is not None
            known.copy_(values)

    def forget(self, tensor: torch.Tensor) -> None:
        self.kept.pop(self.recorder.buffer(tensor).serial, None)

    def on_cpu(self, tree: Any, by_shape: bool = False) -> Any:
        """Arguments with values instead of device tensors; KeyError where there are none. by_shape: any will do."""

        def move(leaf: Any) -> Any:
            if is_device(leaf):
                values = self.view(leaf)
                if values is None and by_shape and leaf.numel() * leaf.element_size() <= LARGEST:
                    values = torch.zeros_like(leaf, device="cpu")
                if values is None:
                    raise KeyError
                return values
            return torch.device("cpu") if isinstance(leaf, torch.device) else leaf

        return tree_map(move, tree)

    def follow(self, func: Any, out: Any, args: Any, kwargs: Any) -> None:
        """After an operation of test code with result `out`: the same on values, where they are known."""
        name = func.overloadpacket.__name__
        written = [t for argument, t in zip(func._schema.arguments, args)
                   if argument.alias_info is not None and argument.alias_info.is_write and is_device(t)]  # fmt: skip
        made = device_tensors(out)
        started = time.monotonic()
        try:
            if name in SLOW or self.seconds > FOLLOWED or any(t.numel() * t.element_size() > LARGEST for t in made):
                raise KeyError
            for tensor in written if name in WHOLE else []:
                self.give(tensor, None)
            by_shape = name.endswith("_like") or name.startswith("new_")
            kwargs = {key: value for key, value in kwargs.items() if key != "generator"}
            results = func(*self.on_cpu(list(args), by_shape), **self.on_cpu(kwargs))
        except Exception:
            for tensor in written:
                self.forget(tensor)
            return
        finally:
            self.seconds += time.monotonic() - started
        for tensor, values in zip(tree_flatten(out)[0], tree_flatten(results)[0]):
            if is_device(tensor) and isinstance(values, torch.Tensor):
                self.give(tensor, values)

    def bytes(self, buffer: Buffer) -> Optional[bytes]:
        """The bytes of a buffer of integers."""
        storage = self.kept.get(buffer.serial)
        if storage is None or buffer.dtype.is_floating_point or buffer.dtype.is_complex or not buffer.bytes:
            return None
        return raw_bytes(storage)


class StudyDispatch(Dispatch):
    """Within an entry as always; in test code nothing is refused, and what it reads is made up unless it is known."""

    inside = False

    def __init__(self, recorder: Any, custom: Callable[..., Any]) -> None:
        super().__init__(recorder, custom)
        self.values = Values(recorder)

    def _record(self, func: Any, tensors: Any, args: Any, kwargs: Any) -> Any:
        out = super()._record(func, tensors, args, kwargs)
        name = func.overloadpacket.__name__
        if self.inside or func.is_view or name in UNMARKED_VIEWS:
            return out
        if name in EMPTY:
            for tensor in device_tensors(out):
                self.values.give(tensor, None)
        elif device_tensors(out):
            self.values.follow(func, out, args, kwargs)
        return out

    def _read(self, func: Any, name: str, tensors: Any, args: Any, kwargs: Any) -> Any:
        if self.inside or self._foldable(tensors):
            return super()._read(func, name, tensors, args, kwargs)
        try:
            found = func(*self.values.on_cpu(list(args)), **self.values.on_cpu(kwargs))
            return tree_map(lambda leaf: self.upload(leaf) if isinstance(leaf, torch.Tensor) else leaf, found)
        except KeyError:
            pass
        ones = [torch.ones(t.shape, dtype=t.dtype) for t in args if is_device(t)]
        if name in ("_local_scalar_dense", "item", "is_nonzero"):
            return ones[0].reshape(-1)[0].item()
        if name in ("equal", "allclose"):
            return True
        mapped = tree_map(
            lambda leaf: torch.ones(leaf.shape, dtype=leaf.dtype) if is_device(leaf) else leaf, list(args)
        )
        return tree_map(
            lambda leaf: self.upload(leaf) if isinstance(leaf, torch.Tensor) else leaf, func(*mapped, **kwargs)
        )

    def _to_host(self, name: str, src: torch.Tensor, use: Callable[[torch.Tensor], Any]) -> Any:
        if self.inside or self.recorder.twin(src) is not None:
            return super()._to_host(name, src, use)
        known = self.values.view(src)
        return use(torch.zeros(src.shape, dtype=src.dtype) if known is None else known)

    def upload(self, values: torch.Tensor) -> torch.Tensor:
        if self.inside:
            return super().upload(values)
        out = torch.empty_like(values, device="meta")
        self.recorder.give_twin(out, values)
        self.values.give(out, values)
        return out


class Study:
    """One file."""

    def __init__(self, name: str, target: str, out: str, allow: List[str]) -> None:
        self.name, self.out = name, out
        self.target = target
        self.session = Session(target, "5d", allow, own_path=CANDIDATE_PATH)
        self.recorder = self.session.recorder
        self.dispatch = StudyDispatch(self.recorder, self.session.dispatch.custom)
        self.session.dispatch = self.dispatch
        pretend.set_modes(self.session.pretend, self.dispatch)
        self.session.pretend.answers[torch.Tensor.numpy] = self.numpy
        self.calls: List[Dict[str, Any]] = []
        self.counts: Dict[str, int] = {}  # calls of each entry so far
        self.leaves: List[torch.Tensor] = []  # of the call under way
        self.kept: List[plan.Step] = []
        self.refused: List[List[Any]] = []  # kind, operation and line of what the last call was refused for

    def numpy(self, tensor: torch.Tensor) -> Any:
        if self.dispatch.inside:
            return self.session.pretend._numpy(tensor)
        known = self.dispatch.values.view(tensor) if is_device(tensor) else tensor
        return (torch.zeros(tensor.shape, dtype=tensor.dtype) if known is None else known.clone()).numpy()

    def run(self, text: str) -> Dict[str, Any]:
        """Runs both parts; the summary of the file."""
        kernel_part, test_part = split(text)
        error = ""
        self.origin = provenance(text.encode(), "", [], [])
        try:
            module = source.prepare(text)
            reseed()
            self.session.run(lambda: exec(imports_of(test_part), module.__dict__))
            self.session.run(lambda: source.execute(module, kernel_part))
            self.kept = self.recorder.steps
            names = {**vars(module), "__name__": "__main__"}
            for key, value in list(names.items()):
                names[key] = self.wrap(key, value)
            code = compile(without_copies(test_part, names), CANDIDATE_PATH, "exec", dont_inherit=True)
            self.session.run(lambda: exec(code, names))
            if not self.calls:
                for key, value in list(names.items()):
                    if key.startswith("test") and callable(value):
                        self.session.run(value)
        except BaseException as caught:
            line = source.line_of(caught, module)
            error = f"{type(caught).__name__}: {source.message_of(caught)[-300:]} (line {line})"
        good = [call for call in self.calls if call["plan"]]
        bad = [call for call in self.calls if not call["plan"]]
        entries = {call["entry"] for call in self.calls}
        return {"file": self.name, "captured": bool(good), "whole": bool(good) and not bad, "calls": len(self.calls),
                "plans": len(good), "error": error, "bad": bad[:8], "entries": sorted(entries),
                "captured_entries": sorted(entries - {call["entry"] for call in bad}),
                "made": [[call["entry"], call["plan"]] for call in good]}  # fmt: skip

    # ---- what test code calls ----

    def wrap(self, name: str, value: Any) -> Any:
        """The same thing for test code, with its calls as entries."""
        if isinstance(value, (JITFunction, Autotuner, Heuristics)):
            return Launchable(self, name, value)
        owner = getattr(value, "__self__", None)
        if isinstance(owner, type) and owner.__module__ == source.MODULE_NAME:
            return self.entry(name, value)
        if getattr(value, "__module__", "") != source.MODULE_NAME:
            return value
        if isinstance(value, type):
            self.wrap_class(name, value)
            return value
        return self.entry(name, value) if callable(value) else value

    def wrap_class(self, name: str, kind: type) -> None:
        if issubclass(kind, torch.autograd.Function):
            kind.apply = staticmethod(self.entry(name, kind.apply))  # type: ignore[attr-defined]
            if "forward" in vars(kind):
                kind.forward = staticmethod(self.entry(name + ".forward", kind.forward))  # type: ignore[attr-defined]
            if "backward" in vars(kind):
                kind.backward = staticmethod(self.entry(name + ".backward", kind.backward, 1))  # type: ignore[attr-defined]
            return
        methods = (
            ["forward"] if issubclass(kind, torch.nn.Module) else [m for m in vars(kind) if not m.startswith("_")]
        )
        for method in methods + ["__call__"]:
            function = vars(kind).get(method)
            if callable(function) and not isinstance(function, (staticmethod, classmethod)):
                setattr(kind, method, self.entry(f"{name}.{method}", function))

    def entry(self, name: str, function: Callable[..., Any], times: int = CALLS) -> Callable[..., Any]:
        def called(*args: Any, **kwargs: Any) -> Any:
            if self.dispatch.inside:
                return function(*args, **kwargs)
            self.leaves = leaves(args, kwargs)
            self.counts[name] = self.counts.get(name, 0) + 1
            return self.call(name, lambda: function(*args, **kwargs), times)

        return called

    # ---- calls ----

    @contextlib.contextmanager
    def inputs_without_values(self) -> Iterator[None]:
        """What exists before a call is data: its values are hidden from the kernel part."""
        twins = {buffer: buffer.twin for buffer in self.recorder.by_serial if buffer.twin is not None}
        for buffer in self.recorder.by_serial:
            buffer.twin, buffer.known = None, True
        self.dispatch.inside = True
        try:
            yield
        finally:
            self.dispatch.inside = False
            for buffer, twin in twins.items():
                buffer.twin = twin

    def once(self, function: Callable[[], Any]) -> "tuple[Call, Any]":
        made, result = Call(), None
        self.recorder.start()
        before = len(self.recorder.by_serial)
        reseed()
        with self.inputs_without_values():
            try:
                result = function()
                with torch._C.DisableTorchFunction():  # else they would say that they are on the GPU
                    for tensor in unique(device_tensors(result)):
                        self.recorder.settle(self.recorder.buffer(tensor))
                        made.outputs.append({**self.recorder.view(tensor), "name": str(len(made.outputs))})
            except BaseException as error:
                made.error = error
        made.steps, made.refusal = self.recorder.steps, self.recorder.refusals.first()
        self.refused = [[r.kind, r.op, r.line] for r in self.recorder.refusals.entries]
        made.own = set(range(before, len(self.recorder.by_serial)))
        self.recorder.refusals = Refusals()
        self.recorder.steps = []
        return made, result

    def call(self, name: str, function: Callable[[], Any], times: int) -> Any:
        """An entry: its plan, or why it has none."""
        calls, result = [], None
        said: Dict[str, Any] = {"entry": name, "plan": "", "why": ""}
        for _ in range(times):
            made, result = self.once(function)
            calls.append(made)
            if made.error is not None or made.refusal is not None:
                break
        last = calls[-1]
        if isinstance(last.error, CannotCapture) and not launches(last.steps):
            return self.helper(said, last, function)
        self.calls.append(said)
        if last.error is None and not any(launches(call.steps) for call in calls):
            self.calls.pop()  # a helper of the tests that launches nothing
        elif last.refusal is not None:
            said["refused"] = self.refused
            said["why"] = f"{last.refusal.kind}: {last.refusal.message}"
        elif last.error is not None:
            said["why"] = f"{type(last.error).__name__}: {source.message_of(last.error)[-400:]}"
        else:
            self.write(said, calls)
        if last.error is not None:
            raise last.error
        return result

    def helper(self, said: Dict[str, Any], failed: Call, function: Callable[[], Any]) -> Any:
        """A function that reads values before it launches anything: one of the tests' helpers, unless it launches later."""
        self.recorder.start()
        result = function()
        if launches(self.recorder.steps):
            assert failed.refusal is not None
            self.calls.append({**said, "why": f"{failed.refusal.kind}: {failed.refusal.message}"})
        self.recorder.start()
        return result

    def write(self, said: Dict[str, Any], calls: List[Call]) -> None:
        try:
            body, kernels, inputs, places = self.compose(calls)
        except plan.Unstable as error:
            said["why"] = f"unstable_plan: {error}"
            return
        folder = os.path.join(self.out, self.name)
        for made in (folder, os.path.join(self.out, "ttir"), os.path.join(self.out, "inputs")):
            os.makedirs(made, exist_ok=True)
        number = len([name for name in os.listdir(folder) if name.endswith(".json")])
        said["plan"] = os.path.join(self.name, f"{number}.json")
        with open(os.path.join(self.out, said["plan"]), "w", encoding="utf-8") as file:
            json.dump(body, file)
        with open(os.path.join(folder, f"{number}.call"), "w", encoding="utf-8") as file:
            json.dump({"entry": said["entry"], "count": self.counts.get(said["entry"], 0), "inputs": places}, file)
        for key, values in inputs.items():
            with open(os.path.join(self.out, "inputs", f"{self.name}.{number}.{key}"), "wb") as data:
                data.write(values)
        for kernel in kernels:
            with open(os.path.join(self.out, "ttir", kernel.sha + ".ttir"), "w", encoding="utf-8") as file:
                file.write(kernel.ttir)

    def compose(self, calls: List[Call]) -> "tuple[Dict[str, Any], List[Any], Dict[str, bytes], Dict[str, int]]":
        """The plan, its kernels, the bytes of those inputs that are integers with known values, and by input which leaf it is."""
        last = calls[-1]
        if len(calls) > 2:
            found = plan.difference(calls[1].steps, last.steps, plan.Same())
            if found is not None:
                raise plan.Unstable(f"two calls with equal arguments did not do the same: {found}")
        used = [b for step in [*last.steps, {"out": last.outputs}] for b in plan.buffers_of(step)]
        own = {serial for call in calls for serial in call.own} - {
            b.serial for s in self.kept for b in plan.written(s)
        }
        rest = plan.extras(calls[0].steps, last.steps) if len(calls) > 1 else []
        before = plan.prologue((rest or []) + self.kept, last.steps, last.own, set()) if rest else []
        inputs: List[Buffer] = []
        for buffer in used:
            if buffer.serial not in own and buffer not in inputs and buffer not in plan_written(before):
                buffer.name = f"in{len(inputs)}"
                inputs.append(buffer)
        builder = plan.Builder(inputs)
        head = {
            "target": self.target,
            "case": hashlib.sha256(str(len(self.calls)).encode()).hexdigest(),
            "from": self.origin,
        }
        body = builder.plan(head, before, last.steps, last.outputs)
        values = {buffer.name: self.dispatch.values.bytes(buffer) for buffer in inputs}
        with torch._C.DisableTorchFunction():
            owners = [self.recorder.buffer(leaf) if is_device(leaf) else None for leaf in self.leaves]
        places = {str(buffer.name): owners.index(buffer) for buffer in inputs if buffer in owners}
        for buffer in inputs:
            buffer.name = None
        return body, builder.kernels, {str(key): found for key, found in values.items() if found is not None}, places


def leaves(args: Any, kwargs: Any) -> List[torch.Tensor]:
    """The tensors that a call is given, in an order that depends on its arguments alone; a module stands for those it holds."""
    found: List[torch.Tensor] = []
    for leaf in tree_flatten((list(args), kwargs))[0]:
        if isinstance(leaf, torch.nn.Module):
            found += [*leaf.parameters(), *leaf.buffers()]
        if not isinstance(leaf, torch.Tensor) and hasattr(leaf, "__dict__"):
            found += [value for value in vars(leaf).values() if isinstance(value, torch.Tensor)]
        if isinstance(leaf, torch.Tensor):
            found.append(leaf)
    return found


def plan_written(steps: List[plan.Step]) -> List[Buffer]:
    return [buffer for step in steps for buffer in plan.written(step)]


def unique(tensors: List[torch.Tensor]) -> List[torch.Tensor]:
    out: List[torch.Tensor] = []
    for tensor in tensors:
        if not any(tensor is other for other in out):
            out.append(tensor)
    return out


def launches(steps: List[plan.Step]) -> bool:
    return any(step["op"] in ("launch", "choose") for step in steps)


def imports_of(text: str) -> Any:
    """The imports of the test part: upstream both parts are one module, and some kernel parts rely on them."""
    tree = ast.parse(text)
    tree.body = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    return compile(tree, CANDIDATE_PATH, "exec", dont_inherit=True)


def without_copies(text: str, names: Dict[str, Any]) -> ast.Module:
    """The test part without the functions of the kernel part that it repeats."""
    tree = ast.parse(text)
    tree.body = [n for n in tree.body if not (isinstance(n, ast.FunctionDef) and n.name in names)]
    return tree


class Launchable:
    """A kernel that test code launches itself."""

    def __init__(self, study: Study, name: str, kernel: Any) -> None:
        self._study, self._name, self._kernel = study, name, kernel

    def __getitem__(self, grid: Any) -> Callable[..., Any]:
        return self._study.entry(self._name, self._kernel[grid])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kernel, name)


def split(text: str) -> "tuple[str, str]":
    """Kernel part and test part; the test part keeps the file's line numbers."""
    found = re.search(r"^#{40,}[ \t]*$", text, re.MULTILINE)
    if found is None:
        return text, ""
    return text[: found.start()], "\n" * text[: found.start()].count("\n") + text[found.end() :]


def child(path: str, target: str, out: str, allow: List[str], write: int) -> None:
    """Studies one file and writes its summary into a pipe. Never returns."""
    name = os.path.basename(path)[:-3]
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (1, 2):
        os.dup2(null, fd)
    signal.alarm(SECONDS)
    started = time.monotonic()
    with open(path, encoding="utf-8") as file:
        text = file.read()
    try:
        summary = Study(name, target, out, allow).run(text)
    except BaseException as error:
        import traceback

        summary = {"file": name, "captured": False, "calls": 0, "plans": 0, "error": traceback.format_exc()[-1500:],
                   "bad": [], "entries": [], "broken": str(error)}  # fmt: skip
    summary["seconds"] = round(time.monotonic() - started, 2)
    os.write(write, json.dumps(summary).encode())
    os._exit(0)


def study(path: str, target: str, out: str, allow: List[str]) -> Dict[str, Any]:
    """The summary of one file, studied in a forked process."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        child(path, target, out, allow, write)
    os.close(write)
    data = b""
    while True:
        chunk = os.read(read, 1 << 16)
        if not chunk:
            break
        data += chunk
    os.close(read)
    _, status = os.waitpid(pid, 0)
    if data:
        return json.loads(data)
    return {"file": os.path.basename(path)[:-3], "captured": False, "calls": 0, "plans": 0, "bad": [], "entries": [],
            "error": f"the process ended with status {status:#x}", "seconds": SECONDS}  # fmt: skip


def reason(summary: Dict[str, Any]) -> str:
    """Why a file is not captured, in one line."""
    if summary["bad"]:
        return f"{summary['bad'][0]['entry']}: {summary['bad'][0]['why']}"
    return summary["error"] or "no call launches anything"


def main(arguments: Optional[List[str]] = None) -> int:
    parser = argparse.ArgumentParser(description="captures the kernels of a TritonBench-G folder")
    parser.add_argument("folder")
    parser.add_argument("out")
    parser.add_argument("--target", default="sm_90")
    parser.add_argument("--only", default="")
    parser.add_argument("--allow", nargs="*", default=["aten::sum"])
    chosen = parser.parse_args(arguments)
    warm.run()
    os.makedirs(chosen.out, exist_ok=True)
    names = sorted(n for n in os.listdir(chosen.folder) if n.endswith(".py") and chosen.only in n)
    all_of_them: List[Dict[str, Any]] = []
    with open(os.path.join(chosen.out, "summary.jsonl"), "w", encoding="utf-8") as file:
        for name in names:
            summary = study(os.path.join(chosen.folder, name), chosen.target, chosen.out, chosen.allow)
            file.write(json.dumps(summary) + "\n")
            file.flush()
            all_of_them.append(summary)
            if not summary.get("whole"):
                mark = "part" if summary["captured"] else "none"
                print(f"{mark} {summary['file']:40} {summary['plans']:3}/{summary['calls']:<3} {reason(summary)[:300]!r}",
                      flush=True)  # fmt: skip
    count = {key: sum(bool(s.get(key)) for s in all_of_them) for key in ("captured", "whole")}
    entries = [sum(len(s.get(key, [])) for s in all_of_them) for key in ("captured_entries", "entries")]
    print(f"{count['captured']} of {len(names)} files captured, {count['whole']} of them in every call; "
          f"{entries[0]} of {entries[1]} entries, {sum(s['plans'] for s in all_of_them)} plans, "
          f"{sum(s['seconds'] for s in all_of_them):.0f} s")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
