"""A driver for Triton that has no device: it names the target, and its launcher is never built (kernels.py).

Seams by version: 3.4 to 3.9 all compile through the name `triton.compiler.compile`, which JITFunction binds when its first
binder is made, and launch through `.run` of what that returns; 3.5 asks for map_python_to_cpp_type; 3.9 unloads modules.
"""

from __future__ import annotations

import sys
from typing import Any, Callable, Dict, List

import torch
import triton
from triton import testing
from triton.backends.compiler import GPUTarget
from triton.backends.driver import DriverBase
from triton.compiler import compiler as triton_compiler
from triton.runtime.driver import driver as triton_driver

from .device_facts import Device
from .kernels import Compiler
from .pretend import CUDA

SUPPORTED = ((3, 4), (3, 9))


def version(text: str) -> "tuple[int, int]":
    """(3, 7) for '3.7.1+git'."""
    major, minor = text.split("+")[0].split(".")[:2]
    return int(major), int(minor)


def supported() -> bool:
    """Whether the installed Triton is one whose seams are known."""
    return SUPPORTED[0] <= version(triton.__version__) <= SUPPORTED[1]


class Utils:
    """What Triton's driver calls its utilities."""

    def __init__(self, device: Device) -> None:
        self.device = device

    def get_device_properties(self, which: int = 0) -> Dict[str, int]:
        return self.device.driver_properties()

    def load_binary(self, name: str, kernel: Any, shared: int, device: int) -> Any:
        return 1, 1, 0, 0, 1024

    def unload_module(self, module: Any) -> None:
        pass

    def cuOccupancyMaxActiveClusters(self, *args: Any) -> int:
        return 8

    def set_printf_fifo_size(self, size: int) -> None:
        pass


class RecordingDriver(DriverBase):
    """Answers for the target."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.utils = Utils(device)
        self.target = GPUTarget(device.backend, device.arch, device.warp_size)
        self.launcher_cls = lambda src, metadata: None

    @classmethod
    def is_active(cls) -> bool:
        return True

    def map_python_to_cpp_type(self, ty: str) -> str:
        return ty

    def get_current_target(self) -> GPUTarget:
        return self.target

    def get_active_torch_device(self) -> torch.device:
        return CUDA

    def get_device_capability(self, which: int = 0) -> Any:
        return self.device.capability

    def get_current_device(self) -> int:
        return 0

    def set_current_device(self, which: int) -> None:
        pass

    def get_current_stream(self, which: int = 0) -> int:
        return 0

    def get_device_interface(self) -> Any:
        return torch.cuda

    def get_empty_cache_for_benchmark(self) -> Any:
        return torch.empty(256, dtype=torch.int, device="cuda")

    def clear_cache(self, cache: Any) -> None:
        pass

    def get_benchmarker(self) -> Callable[..., List[float]]:
        return constant_benchmark


def constant_benchmark(call: Callable[[], Any], *args: Any, quantiles: Any = None, **kwargs: Any) -> Any:
    """Runs the call once and measures nothing: time does not pass while a plan is recorded."""
    call()
    return [1.0] * len(quantiles) if quantiles else 1.0


def install(device: Device, compiler: Compiler) -> None:
    """Makes this driver Triton's own, and `compiler` its compile function, for the rest of the process."""
    triton_driver.set_active(RecordingDriver(device))
    if hasattr(triton_driver, "_default"):
        triton_driver._default = triton_driver.active
    for module in (triton, triton_compiler, sys.modules["triton.compiler"]):
        setattr(module, "compile", compiler)
    testing.do_bench = constant_benchmark
    testing.do_bench_cudagraph = constant_benchmark
