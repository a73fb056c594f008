"""The list of conformance cases: each a kernel, its arguments, and how close the machine must come to the interpreter."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Optional, Tuple

import torch


@dataclass
class Case:
    """One launch of one kernel.

    tolerance: largest difference in units in the last place of the output's dtype (0: equal bits, NaN equals NaN),
    or a float: largest absolute difference, relative to the largest magnitude of the expected output; why says why.
    expected: computes the outputs where Triton's interpreter cannot run the kernel: takes the arguments, changes them.
    fault: kind of the finding that must come instead of a result; its line is the one marked "# fault".
    """

    name: str
    fn: Any
    grid: Tuple[int, ...]
    make: Callable[["Data"], List[Any]]
    consts: Dict[str, Any] = field(default_factory=dict)
    tolerance: Any = 0
    why: str = ""
    expected: Optional[Callable[[List[Any]], None]] = None
    fault: str = ""
    message: str = ""
    undefined: int = 0
    budget: int = 0
    seed: int = 0
    target: str = "sm_90"

    def arguments(self) -> List[Any]:
        return self.make(Data(self.name))


class Data:
    """Deterministic inputs: the same in every process."""

    def __init__(self, name: str) -> None:
        self.generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))

    def floats(self, shape: Any, dtype: torch.dtype = torch.float32, scale: float = 1.0) -> torch.Tensor:
        return (torch.randn(shape, generator=self.generator, dtype=torch.float64) * scale).to(dtype)

    def uniform(self, shape: Any, low: float, high: float, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        unit = torch.rand(shape, generator=self.generator, dtype=torch.float64)
        return (unit * (high - low) + low).to(dtype)

    def whole(self, shape: Any, low: int, high: int, dtype: torch.dtype) -> torch.Tensor:
        """Whole numbers from low to high - 1: exact in small float formats."""
        return torch.randint(low, high, shape if isinstance(shape, tuple) else (shape,), generator=self.generator).to(dtype)

    def ints(self, shape: Any, dtype: torch.dtype = torch.int32) -> torch.Tensor:
        """All values of the dtype, extremes among them."""
        info = torch.iinfo(dtype)
        shape = shape if isinstance(shape, tuple) else (shape,)
        wide = torch.randint(-(2**62), 2**62, shape, generator=self.generator) * 2 + 1
        values = (wide >> (64 - info.bits)).to(dtype)
        corners = torch.tensor([0, 1, info.max, info.min, -1 if info.min else info.max, 2], dtype=dtype)
        flat = values.flatten()
        flat[: len(corners)] = corners[: flat.numel()]
        return flat.reshape(shape)

    @staticmethod
    def specials(count: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        corners = [0.0, -0.0, 1.0, -1.0, float("inf"), float("-inf"), float("nan"), 0.5, -2.5, 3.0e-39, 1.5]
        return torch.tensor((corners * count)[:count], dtype=dtype)

    @staticmethod
    def out(shape: Any, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        """An output: the machine starts with nothing of it defined."""
        tensor = torch.full(shape if isinstance(shape, tuple) else (shape,), 7, dtype=torch.float32).to(dtype)
        tensor.is_output = True
        return tensor

    @staticmethod
    def zeros(shape: Any, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        return torch.zeros(shape, dtype=dtype)


CASES: List[Case] = []


def case(grid: Any, make: Callable[[Data], List[Any]], name: str = "", **options: Any) -> Callable[[Any], Any]:
    """Decorates a @triton.jit kernel; options in capitals are its constexpr arguments."""
    consts = {k: v for k, v in options.items() if k.isupper()}
    rest = {k: v for k, v in options.items() if not k.isupper()}

    def add(fn: Any) -> Any:
        base = getattr(fn, "__name__", None) or fn.fn.__name__
        CASES.append(Case(name or base, fn, grid if isinstance(grid, tuple) else (grid,), make, consts, **rest))
        return fn

    return add


DTYPES = {
    torch.float32: "fp32", torch.float16: "fp16", torch.bfloat16: "bf16", torch.float64: "fp64",
    torch.int8: "i8", torch.int16: "i16", torch.int32: "i32", torch.int64: "i64", torch.uint8: "u8",
    torch.uint16: "u16", torch.uint32: "u32", torch.uint64: "u64", torch.bool: "i1",
    torch.float8_e4m3fn: "fp8e4nv", torch.float8_e5m2: "fp8e5", torch.float8_e4m3fnuz: "fp8e4b8",
    torch.float8_e5m2fnuz: "fp8e5b16",
}


def type_of(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return "*" + DTYPES[value.dtype]
    if isinstance(value, float):
        return "fp32"
    return "i32" if -(2**31) <= value < 2**31 else "i64"


def raw(tensor: torch.Tensor) -> bytes:
    if tensor.numel() == 0:
        return b""
    return bytes(tensor.contiguous().flatten().view(torch.uint8).tolist())


def from_raw(data: bytes, like: torch.Tensor) -> torch.Tensor:
    return torch.frombuffer(bytearray(data), dtype=torch.uint8).view(like.dtype).reshape(like.shape)
