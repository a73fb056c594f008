"""Allowed arithmetic of the framework: what PyTorch does itself, against the machine that executes the captured plan."""

from __future__ import annotations

import ctypes
import json
import os
import struct
import subprocess
import sys
from typing import Any, Dict, List, Optional, Tuple

import torch
from helper import Tests, capture, source

tests = Tests()
test = tests.add
MAGIC = 0x31574B47
ALLOWED = ["aten::sum", "aten::logsumexp", "aten::amax", "aten::amin", "aten::max", "aten::min", "aten::abs", "aten::reciprocal", "aten::mul"]


def receive(file: Any) -> Tuple[Dict[str, Any], List[bytes]]:
    _, _, _, _, size, blobs, _, _ = struct.unpack("<IHHQIHHQ", file.read(32))
    body = json.loads(file.read(size))
    return body, [file.read(struct.unpack("<Q", file.read(8))[0]) for _ in range(blobs)]


class Launcher:
    """The machine, over its standard input and output."""

    def __init__(self) -> None:
        command = [os.environ["GEAK"], "launcher", "--device", "cpu"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        receive(self.process.stdout)

    def execute(self, plan: Dict[str, Any], data: bytes) -> Tuple[bytes, int]:
        """The bytes of the output, and how many of its elements are undefined."""
        body = {"plan": plan, "ttir": [], "objects": [], "inputs": [0], "outputs": 1, "seed": 5, "budget": 0, "threads": 1}
        text = json.dumps(body).encode()
        head = struct.pack("<IHHQIHHQ", MAGIC, 40, 1 | 2, 7, len(text), 1, 0, len(data))
        assert self.process.stdin is not None
        self.process.stdin.write(head + text + struct.pack("<Q", len(data)) + data)
        self.process.stdin.flush()
        answer, blobs = receive(self.process.stdout)
        assert "outputs" in answer and not answer.get("finding"), answer
        return blobs[0], answer["outputs"][0]["poisoned"]


_launcher: Optional[Launcher] = None


def launcher() -> Launcher:
    global _launcher
    if _launcher is None:
        _launcher = Launcher()
    return _launcher


def make(dtype: torch.dtype, *shape: int, strides: Optional[List[int]] = None) -> torch.Tensor:
    """An input: its storage holds numbers throughout, whatever its strides leave out."""
    torch.manual_seed(3)
    strides = strides or list(torch.empty(shape).stride())
    size = 1 + sum((n - 1) * s for n, s in zip(shape, strides)) if 0 not in shape else 0
    wide = torch.randn(size, dtype=torch.float64) * (3 if dtype.is_floating_point else 60)
    flat = (wide > 0) if dtype == torch.bool else wide.to(dtype) if dtype.is_signed else wide.abs().to(dtype)
    return flat.as_strided(shape, strides)


def of_the_plan(expression: str, x: torch.Tensor) -> torch.Tensor:
    """What the machine makes of an expression's plan, in which no kernel has a part."""
    storage = x.untyped_storage()
    arg = {"name": "x", "kind": "tensor", "dtype": str(x.dtype).replace("torch.", ""), "shape": list(x.shape),
           "strides": list(x.stride()), "offset": 0, "bytes": storage.nbytes()}  # fmt: skip
    result = capture(source(f"def f(x):\n    return {expression}\n"), "f", [arg], allow=ALLOWED)
    assert {step["op"] for step in result.plan["steps"]} <= {"assist", "copy"}, result.plan["steps"]
    data = ctypes.string_at(storage.data_ptr(), storage.nbytes()) if storage.nbytes() else b""
    made, poisoned = launcher().execute(result.plan, data)
    view = result.plan["outputs"][0]
    assert poisoned == 0
    out = torch.empty(view["shape"], dtype=getattr(torch, view["dtype"]))
    assert len(made) == out.numel() * out.element_size()
    ctypes.memmove(out.data_ptr(), made, len(made))
    return out


def check(expression: str, x: torch.Tensor) -> None:
    want, got = eval(expression, {"torch": torch, "x": x}), of_the_plan(expression, x)
    assert got.dtype == want.dtype and got.shape == want.shape, (expression, got.dtype, got.shape, want.dtype, want.shape)
    if want.dtype.is_floating_point:
        # float32 sums go in another order; a half rounds once, or twice where that order matters
        close = {torch.float64: 1e-13, torch.float32: 1e-5, torch.float16: 1e-3, torch.bfloat16: 8e-3}[want.dtype]
        slack = close * max(1.0, float(want.double().abs().nan_to_num(0, 0, 0).max())) if want.numel() else 0.0
        assert torch.allclose(got.double(), want.double(), rtol=close, atol=slack, equal_nan=True), (expression, x.dtype)
    else:
        assert torch.equal(got, want), (expression, x.dtype)


FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
WHOLE = [torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8]


@test
def sums_of_every_dtype() -> None:
    for dtype in FLOATS + WHOLE + [torch.bool]:
        check("x.sum(1)", make(dtype, 5, 7, 3))
        check("torch.sum(x)", make(dtype, 40, 30))


@test
def sums_over_all_kinds_of_dims() -> None:
    x = make(torch.float32, 4, 5, 6)
    for dims in ("0", "-1", "(0, 2)", "(-1, 0, 1)", "()", "None"):
        for keep in (False, True):
            check(f"x.sum({dims}, keepdim={keep})", x)
    check("x.sum()", make(torch.float32))
    check("x.sum(0)", make(torch.float32))
    check("x.sum((1, 3, 5, 7))", make(torch.int32, 2, 3, 2, 3, 2, 3, 2, 3))


@test
def sums_of_views() -> None:
    check("x.sum(0)", make(torch.float32, 6, 9, strides=[1, 6]))
    check("x.sum(1)", make(torch.float32, 6, 9, strides=[31, 3]))
    check("x.t().sum(0)", make(torch.float16, 30, 20))
    check("x[::2, 3:].sum((0, 1))", make(torch.float64, 9, 11))
    check("x[2].sum(0)", make(torch.int32, 4, 5, 6))


@test
def sums_of_nothing_are_zero() -> None:
    check("x.sum(0)", make(torch.float32, 0, 4))
    check("x.sum()", make(torch.int32, 0))
    check("x.sum(1)", make(torch.float32, 0, 4))
    check("x.logsumexp(0)", make(torch.float32, 0, 4))
    check("x.logsumexp(0)", torch.full((3, 2), float("-inf")))
    check("x.logsumexp(0)", make(torch.float32, 3, 4) * 1e4)


@test
def sums_of_another_dtype() -> None:
    for from_, to in (("float16", "float32"), ("float32", "float64"), ("float32", "float16"), ("int32", "float32"),
                      ("uint8", "int32"), ("float32", "int64"), ("bool", "int8"), ("float64", "float32")):  # fmt: skip
        check(f"x.sum(0, dtype=torch.{to})", make(getattr(torch, from_), 9, 8))


@test
def long_sums() -> None:
    check("x.sum(0).to(torch.float16)", make(torch.float32, 2, 600))
    check("x.sum()", make(torch.float32, 1000, 1000))
    check("x.sum(0)", make(torch.bfloat16, 5000, 3))
    check("x.sum()", torch.ones(3000, dtype=torch.float16) * 40)  # more than a half can hold


@test
def the_others() -> None:
    for dtype in FLOATS + WHOLE:
        check("x.amax((0, 1))", make(dtype, 4, 5, 6))
        check("x.amin(-1, keepdim=True)", make(dtype, 4, 5, 6))
        check("x.max()", make(dtype, 4, 5))
        check("x.abs()", make(dtype, 4, 5, strides=[1, 4]))
    for dtype in FLOATS:
        check("1.0 / x", make(dtype, 4, 5))
        check("x.logsumexp(-1)", make(dtype, 4, 600))
        check("torch.logsumexp(x, (0, 1), keepdim=True)", make(dtype, 4, 50))
    odd = torch.tensor([[1.0, float("nan"), -0.0], [float("-inf"), 3.0, 0.0]])
    for expression in ("x.amax(1)", "x.amin(0)", "x.abs()", "torch.reciprocal(x)", "x.sum(0)", "x.logsumexp(1)", "x.logsumexp(0)"):
        check(expression, odd)
    check("1.0 / x.abs().max()", make(torch.float32, 30, 40))


if __name__ == "__main__":
    if "GEAK" not in os.environ:
        print("1..0 # SKIP GEAK names no program")
        sys.exit(0)
    tests.main()
