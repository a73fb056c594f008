"""Plans from steps: comparison of calls, prologue, numbering of buffers and kernels, JSON (the launch plan's own page)."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Optional, Set, Tuple

from .cannot import NOT_CAPTURABLE, UNSTABLE_PLAN, Refusal, at
from .kernels import Kernel
from .record import Buffer, launch_buffers

Step = Dict[str, Any]


class Same:
    """Equality of steps up to the identity of buffers: a one-to-one map that grows as steps are matched."""

    def __init__(self, loose_scalars: bool = False) -> None:
        self.forth: Dict[int, Buffer] = {}
        self.back: Dict[int, Buffer] = {}
        self.loose = loose_scalars
        self.new: List[Tuple[Buffer, Buffer]] = []

    def step(self, a: Any, b: Any) -> bool:
        """Whether two steps are the same; only then does what was learned about buffers stay."""
        self.new = []
        if self._same(a, b):
            return True
        for left, right in self.new:
            del self.forth[left.serial], self.back[right.serial]
        return False

    def _same(self, a: Any, b: Any) -> bool:
        if isinstance(a, Buffer) or isinstance(b, Buffer):
            return isinstance(a, Buffer) and isinstance(b, Buffer) and self._buffers(a, b)
        if isinstance(a, Kernel) or isinstance(b, Kernel):
            return a is b
        if isinstance(a, dict):
            if not isinstance(b, dict) or a.keys() != b.keys():
                return False
            skip = self.loose and a.get("t") in SCALARS and a["t"] == b["t"]
            return skip or all(key == "line" or self._same(a[key], b[key]) for key in a)
        if isinstance(a, list):
            return isinstance(b, list) and len(a) == len(b) and all(map(self._same, a, b))
        return bool(a == b)

    def _buffers(self, a: Buffer, b: Buffer) -> bool:
        known = self.forth.get(a.serial)
        if known is not None or b.serial in self.back:
            return known is b
        if a.bytes != b.bytes or a.name != b.name:
            return False
        self.forth[a.serial], self.back[b.serial] = b, a
        self.new.append((a, b))
        return True


SCALARS = {"i1", "i8", "i16", "i32", "i64", "f16", "bf16", "f32", "f64"}


def buffers_of(step: Any) -> Iterator[Buffer]:
    """All buffers that a step names."""
    if isinstance(step, Buffer):
        yield step
    elif isinstance(step, dict):
        for value in step.values():
            yield from buffers_of(value)
    elif isinstance(step, list):
        for value in step:
            yield from buffers_of(value)


def written(step: Step) -> List[Buffer]:
    """The buffers that a step may write."""
    if step["op"] == "launch":
        return launch_buffers(step)
    if step["op"] == "choose":
        return [b for v in step["variants"] for s in [*v["pre"], v["launch"]] for b in written(s)]
    return [step["dst"]["buf"]]


def describe(step: Optional[Step]) -> str:
    """A step in words, for messages."""
    if step is None:
        return "nothing"
    if step["op"] == "launch":
        return f"a launch of {step['kernel'].name}{step['grid']}" + at(step["line"])
    if step["op"] == "choose":
        return "an autotuned " + describe(step["variants"][0]["launch"])
    if step["op"] == "assist":
        return f"a {step['does']} by PyTorch" + at(step["line"])
    return f"a {step['op']} of {step['dst']['dtype']}{step['dst']['shape']}"


def difference(a: List[Step], b: List[Step], same: Same) -> Optional[str]:
    """None when two calls did the same, else where they part."""
    for i in range(max(len(a), len(b))):
        left, right = (a[i] if i < len(a) else None), (b[i] if i < len(b) else None)
        if left is None or right is None or not same.step(left, right):
            return f"step {i + 1} was {describe(left)} in one call and {describe(right)} in the next"
    return None


def extras(first: List[Step], steady: List[Step]) -> Optional[List[Step]]:
    """What the first call did besides the steady steps, in order; None when it lacks one of them."""
    same, rest, i = Same(), [], 0
    for step in first:
        if i < len(steady) and same.step(step, steady[i]):
            i += 1
        else:
            rest.append(step)
    return rest if i == len(steady) else None


class Unstable(Exception):
    """The calls of a candidate do not amount to one plan."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.refusal = Refusal(UNSTABLE_PLAN, "", line, message)


def prologue(kept: List[Step], steady: List[Step], own: Set[int], inputs: Set[int]) -> List[Step]:
    """Those of the earlier steps `kept` that make what the steady steps find in buffers from before the call.

    `own` are the serials of buffers made in the call; `inputs` those of inputs. Raises Unstable.
    """
    needed = {b.serial for step in steady for b in buffers_of(step)} - own - inputs
    chosen: List[Step] = []
    for step in reversed(kept):
        touched = {b.serial for b in written(step)}
        if touched & needed:
            chosen.append(step)
            needed |= {b.serial for b in buffers_of(step)}
    for step in chosen:
        if step["op"] == "choose" or any(b.name is not None for b in buffers_of(step)):
            raise Unstable(
                f"the first call does {describe(step)} and later calls rely on it; results must not be kept between calls",
                step.get("line", 0),
            )
    return chosen[::-1]


class Builder:
    """Numbers buffers (inputs first, then by first use) and kernels, and turns steps into JSON."""

    def __init__(self, inputs: List[Buffer]) -> None:
        self.buffers: List[Buffer] = []
        self.numbers: Dict[int, int] = {}
        self.kernels: List[Kernel] = []
        for buffer in inputs:
            self.number(buffer)

    def number(self, buffer: Buffer) -> int:
        if buffer.serial not in self.numbers:
            self.numbers[buffer.serial] = len(self.buffers)
            self.buffers.append(buffer)
        return self.numbers[buffer.serial]

    def kernel(self, kernel: Kernel) -> int:
        if kernel not in self.kernels:
            self.kernels.append(kernel)
        return self.kernels.index(kernel)

    def json(self, value: Any) -> Any:
        if isinstance(value, Buffer):
            return self.number(value)
        if isinstance(value, Kernel):
            return self.kernel(value)
        if isinstance(value, dict):
            return {key: self.json(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.json(item) for item in value]
        return value

    def plan(self, head: Dict[str, Any], before: List[Step], steps: List[Step],
             outputs: List[Dict[str, Any]]) -> Dict[str, Any]:  # fmt: skip
        """The plan; `head` has its target, case and provenance."""
        body = {"prologue": self.json(before), "steps": self.json(steps), "outputs": self.json(outputs)}
        return {
            "plan": 1,
            "ir": "ttir",
            **head,
            "buffers": [buffer.json() for buffer in self.buffers],
            "kernels": [kernel.json() for kernel in self.kernels],
            **body,
        }


def check_known(outputs: List[Buffer]) -> Optional[Refusal]:
    """A result that the framework's arithmetic made has no plan."""
    if all(buffer.known for buffer in outputs):
        return None
    return Refusal(NOT_CAPTURABLE, "return", 0, "the entry returns a tensor made by PyTorch's arithmetic")
