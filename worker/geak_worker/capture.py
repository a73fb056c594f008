"""Capture: runs the candidate's entry on tensors without values and says what it would launch.

For each case the entry is called three times on fresh inputs. Calls 2 and 3 must do the same; what call 1 does besides
becomes the prologue. All that happens here happens in the candidate's own process: everything sent is a claim.
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Optional, Sequence, Set, Tuple

import torch
import triton

from . import autotune, custom, device_facts, driver, plan, pretend, source
from .cannot import CANDIDATE_PATH, NOT_CAPTURABLE, WRONG_CONTRACT, CannotCapture, Refusal
from .dispatch import Dispatch, is_device
from .frames import MAX_BLOB_BYTES, Frame, FrameError
from .kernels import Compiler, Kernel
from .record import Buffer, Recorder

CALLS = 3
PLAIN = (torch.Tensor, torch.nn.Parameter)
TEXTS_A_FRAME = 32


@dataclass
class Call:
    """What one call of the entry did."""

    steps: List[plan.Step] = field(default_factory=list)
    inputs: List[Buffer] = field(default_factory=list)
    outputs: List[Dict[str, Any]] = field(default_factory=list)
    own: Set[int] = field(default_factory=set)
    census: List[Dict[str, Any]] = field(default_factory=list)
    refusal: Optional[Refusal] = None
    error: Optional[BaseException] = None


class Session:
    """The recording state of one process: modes, compiler, driver, all installed once."""

    def __init__(self, target: str, salt: str, allow: Sequence[str] = (), pick: Optional[Sequence[int]] = None,
                 own_path: str = CANDIDATE_PATH, own_text: Optional[str] = None) -> None:  # fmt: skip
        self.device = device_facts.find(target)
        self.target = target
        self.recorder = Recorder(salt, tuple(allow))
        self.compiler = Compiler(self.device, lambda: self.recorder, own_path, own_text)
        self.pretend = pretend.Pretend(self.recorder)
        self.dispatch = Dispatch(self.recorder, custom.run)
        pretend.install(self.device, lambda: self.recorder)
        pretend.set_modes(self.pretend, self.dispatch)
        custom.install()
        driver.install(self.device, self.compiler)
        autotune.install(lambda: self.recorder, lambda site: pick[site] if pick and site < len(pick) else None)

    def run(self, function: Callable[[], Any]) -> Any:
        """Calls a function with everything recorded."""
        with pretend.recording():
            return function()


def reseed() -> None:
    """The same random numbers before each call."""
    random.seed(0)
    torch.default_generator.manual_seed(0)
    pretend.generator.manual_seed(0)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed(0)


def make_tensor(arg: Dict[str, Any]) -> torch.Tensor:
    """A device tensor as the case describes it: dtype, shape, strides and offset in elements, bytes of its storage."""
    dtype = getattr(torch, arg["dtype"])
    storage = torch.UntypedStorage(int(arg["bytes"]), device="meta")
    flat = torch.empty(0, dtype=dtype, device="meta")
    return flat.set_(storage, int(arg["offset"]), tuple(arg["shape"]), tuple(arg["strides"]))


class Capture:
    """One candidate, all cases."""

    def __init__(self, request: Dict[str, Any], text: bytes, send: Callable[[Frame], None], build: str) -> None:
        self.request, self.send, self.build = request, send, build
        self.raw = text
        self.session = Session(request["target"], request["salt"], request.get("allow") or (), request.get("pick"),
                               own_text=text.decode("utf-8", "replace"))  # fmt: skip
        self.recorder = self.session.recorder
        self.kept: List[plan.Step] = []
        self.sent: Set[str] = set()
        self.module = source.prepare("")
        self.entry: Any = None

    def run(self) -> None:
        """Everything, from import to `end`."""
        if self.load():
            for index, case in enumerate(self.request["cases"]):
                self.case(index, case)
        self.send(Frame("end", json={"complete": True}))

    # ---- import ----

    def load(self) -> bool:
        """Imports the candidate. False when it cannot be called at all."""
        reseed()
        self.recorder.start()
        try:
            text = self.raw.decode("utf-8")
            self.module = source.prepare(text)
            self.session.run(lambda: source.execute(self.module, text))
        except BaseException as error:
            refusal = self.recorder.refusals.first()
            if refusal is not None:
                self.cannot(-1, refusal)
            else:
                self.raised(-1, error)
            return False
        refusal = self.recorder.refusals.first()
        if refusal is not None:
            self.cannot(-1, refusal)
            return False
        self.kept = self.recorder.steps
        name = self.request["entry"]["name"]
        self.entry = source.entry_of(self.module, name)
        if self.entry is None:
            self.raise_words(-1, "MissingEntry", f"the candidate defines no function named {name}")
        return self.entry is not None

    # ---- calls ----

    def call(self, case: Dict[str, Any], shift: bool = False) -> Call:
        """Calls the entry once. `shift` gives scalars that stand for data other values."""
        made = Call()
        recorder = self.recorder
        recorder.start()
        before = len(recorder.by_serial)
        args = []
        for arg in case["args"]:
            if arg["kind"] == "tensor":
                tensor = make_tensor(arg)
                buffer = recorder.buffer(tensor)
                buffer.name = arg["name"]
                made.inputs.append(buffer)
                args.append(tensor)
            else:
                args.append(_shifted(arg) if shift and arg.get("data") else arg["value"])
        reseed()
        try:
            result = self.session.run(lambda: self.entry(*args))
            made.outputs = self.outputs(result)
        except BaseException as error:
            made.error = error
        if made.error is not None and "meta tensor" in source.message_of(made.error):
            recorder.refusals.note(
                NOT_CAPTURABLE,
                "",
                "the wrapper needs the values of a tensor on the host",
                source.line_of(made.error, self.module),
            )
        made.refusal = recorder.refusals.first()
        made.steps = recorder.steps
        made.own = set(range(before, len(recorder.by_serial)))
        made.census = [{"op": op, "line": line, "count": n} for (op, line), n in sorted(recorder.census.items())]
        return made

    def outputs(self, result: Any) -> List[Dict[str, Any]]:
        """Views of the results, numbered in order. Adds a refusal when the entry returned something else."""
        values = list(result.values()) if isinstance(result, dict) else result
        values = list(values) if isinstance(values, (list, tuple)) else [values]
        views, buffers = [], []
        for i, value in enumerate(values):
            # a class of its own could compute whenever somebody looks: only plain tensors are results
            if type(value) not in PLAIN or not is_device(value):
                self.recorder.refusals.note(WRONG_CONTRACT, "return", _wrong_return(value, i, len(values)), 0)
                continue
            buffer = self.recorder.buffer(value)
            self.recorder.settle(buffer)
            buffers.append(buffer)
            views.append({**self.recorder.view(value), "name": str(i)})
        unknown = plan.check_known(buffers)
        if unknown is not None and not self.recorder.refusals.entries:
            self.recorder.refusals.entries.append(unknown)
        return views

    def case(self, index: int, case: Dict[str, Any]) -> None:
        """Captures one case and sends its plan, or the reason why there is none."""
        calls: List[Call] = []
        for _ in range(CALLS):
            calls.append(self.call(case))
            if self.failed(index, calls[-1]):
                return
        try:
            message = self.compose(case, calls)
        except plan.Unstable as error:
            self.cannot(index, error.refusal)
            return
        try:
            self.send_plan(index, *message)
        except FrameError as error:
            self.cannot(index, Refusal(NOT_CAPTURABLE, "plan", 0, f"the plan is too large: {error}"))

    def failed(self, index: int, call: Call) -> bool:
        if call.refusal is not None:
            self.cannot(index, call.refusal)
        elif call.error is not None:
            self.raised(index, call.error)
        return call.refusal is not None or call.error is not None

    def compose(self, case: Dict[str, Any], calls: List[Call]) -> Tuple[Dict[str, Any], List[Kernel]]:
        """The plan of a case and its kernels. Raises Unstable."""
        first, second, third = calls
        _agree(second, third)
        rest = plan.extras(first.steps, second.steps)
        kept = self.kept + (first.steps if rest is None else rest)
        inputs = {buffer.serial for buffer in third.inputs}
        before = plan.prologue(kept, third.steps + [{"op": "out", "views": third.outputs}], third.own, inputs)
        if rest is not None:
            self.kept = kept
        self.check_data(case, third)
        builder = plan.Builder(third.inputs)
        return builder.plan(self.head(case, third), before, third.steps, third.outputs), builder.kernels

    def check_data(self, case: Dict[str, Any], call: Call) -> None:
        """Scalars that stand for data must not steer the plan: one more call, with other values."""
        names = [arg["name"] for arg in case["args"] if arg.get("data")]
        if not names:
            return
        other = self.call(case, shift=True)
        found = plan.difference(call.steps, other.steps, plan.Same(loose_scalars=True))
        if found is not None or other.error is not None or other.refusal is not None:
            raise plan.Unstable(
                f"{', '.join(names)} stands for data, yet its value changes what is launched "
                f"({found or 'the call fails with another value'}); pass it to the kernel as an ordinary argument"
            )

    def head(self, case: Dict[str, Any], call: Call) -> Dict[str, Any]:
        canonical = json.dumps(case, sort_keys=True, separators=(",", ":"))
        return {
            "target": self.request["target"],
            "case": hashlib.sha256(canonical.encode()).hexdigest(),
            "from": provenance(self.raw, self.build, call.census, self.recorder.notes),
        }

    # ---- messages ----

    def send_plan(self, index: int, body: Dict[str, Any], kernels: List[Kernel]) -> None:
        fresh = {k.sha: k.ttir.encode() for k in kernels if k.sha not in self.sent}
        batch: Dict[str, bytes] = {}
        for sha, text in fresh.items():
            if batch and (len(batch) == TEXTS_A_FRAME or sum(map(len, batch.values())) + len(text) > MAX_BLOB_BYTES):
                self.send_texts(batch)
                batch = {}
            batch[sha] = text
        self.send_texts(batch)
        self.send(Frame("plan", json={"case": index, "plan": body}))

    def send_texts(self, batch: Dict[str, bytes]) -> None:
        if batch:
            self.send(Frame("ttir", json={"hashes": list(batch)}, blobs=list(batch.values())))
            self.sent.update(batch)

    def cannot(self, index: int, refusal: Refusal) -> None:
        self.send(Frame("cannot", json={"case": index, "kind": refusal.kind, "op": refusal.op, "line": refusal.line,
                                        "message": refusal.message}))  # fmt: skip

    def raised(self, index: int, error: BaseException) -> None:
        line = source.line_of(error, self.module)
        self.raise_words(index, type(error).__name__, source.message_of(error), line, source.trace_of(error))

    def raise_words(self, index: int, kind: str, message: str, line: int = 0, trace: str = "") -> None:
        self.send(
            Frame("raised", json={"case": index, "type": kind, "message": message, "line": line, "trace": trace})
        )


def provenance(candidate: bytes, build: str, census: List[Dict[str, Any]], notes: Sequence[str]) -> Dict[str, Any]:
    """Where a plan comes from."""
    return {
        "candidate": hashlib.sha256(candidate).hexdigest(),
        "triton": triton.__version__,
        "torch": torch.__version__,
        "capture": build,
        "env": {},
        "census": census,
        "notes": list(notes),
    }


def _agree(second: Call, third: Call) -> None:
    same = plan.Same()
    found = plan.difference(second.steps, third.steps, same)
    if found is None and not same.step({"out": second.outputs}, {"out": third.outputs}):
        found = "the results were different views"
    if found is not None:
        raise plan.Unstable(f"two calls with equal arguments did not do the same: {found}")


def _shifted(arg: Dict[str, Any]) -> Any:
    """Another value of a scalar, alike in what Triton specialises on."""
    value = arg["value"]
    if arg["kind"] == "int":
        return value + 16
    return value * 1.25 + 0.125 if arg["kind"] == "float" else value


def _wrong_return(value: Any, index: int, count: int) -> str:
    which = "the entry" if count == 1 else f"result {index} of the entry"
    if isinstance(value, torch.Tensor) and type(value) not in PLAIN:
        return f"{which} is a {type(value).__name__}, a class of tensors of its own, not a plain tensor"
    if isinstance(value, torch.Tensor):
        return f"{which} is a tensor on the CPU, not on the device of the inputs"
    verb = "returned" if count == 1 else "is"
    return f"{which} {verb} {type(value).__name__}, not a tensor"


__all__ = ["Capture", "Call", "CannotCapture", "Session", "make_tensor", "provenance", "reseed"]
