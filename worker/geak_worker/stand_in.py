"""A device that is none: with Triton's interpreter a candidate's tensors lie in host memory and say that they are on cuda:0.

Candidates ask for device cuda, check is_cuda and query properties; without this most could not be run for real where there
is no GPU. Only attributes and the names of devices are changed: values are real.
"""

from __future__ import annotations

from typing import Any, Callable, Dict

import torch
from torch.overrides import TorchFunctionMode
from triton.runtime.driver import driver as triton_driver

from . import device_facts, pretend
from .driver import RecordingDriver

CUDA = torch.device("cuda", 0)


class OnDevice(TorchFunctionMode):
    """Host tensors answer as device tensors; requests for device cuda are served by the host."""

    def __init__(self) -> None:
        super().__init__()
        tensor = torch.Tensor
        self.off = 0  # above 0 while Triton itself works
        self.answers: Dict[Any, Callable[[torch.Tensor], Any]] = {
            tensor.device.__get__: lambda t: CUDA,
            tensor.is_cuda.__get__: lambda t: True,
            tensor.is_cpu.__get__: lambda t: False,
            tensor.get_device: lambda t: 0,
            tensor.cuda: lambda t: t,
        }

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs) if kwargs else {}
        if self.off:
            return func(*args, **kwargs)
        answer = self.answers.get(func)
        if answer is not None and args and isinstance(args[0], torch.Tensor):
            return answer(args[0])
        if kwargs.get("device") is not None:
            kwargs["device"] = host(kwargs["device"])
        if func is torch.Tensor.pin_memory:
            return args[0]
        kwargs.pop("pin_memory", None)
        if func in (torch.Tensor.to, torch.Tensor.new_tensor):
            args = tuple(host(a) if isinstance(a, (torch.device, str)) else a for a in args)
        return func(*args, **kwargs)


def host(device: Any) -> Any:
    """cpu for cuda; everything else as it is."""
    if isinstance(device, int) and not isinstance(device, bool):
        return torch.device("cpu")
    name = device if isinstance(device, str) else getattr(device, "type", "")
    return torch.device("cpu") if name.split(":")[0] == "cuda" else device


class CudaDriver(RecordingDriver):
    """Looks like Triton's own."""


CudaDriver.__module__ = "triton.backends.nvidia.driver"


class _Refusals:
    def refuse(self, kind: str, op: str, message: str) -> RuntimeError:
        return RuntimeError(message)


class _Nobody:
    """What pretend.install() wants of a recorder."""

    buffers: Dict[int, Any] = {}
    refusals = _Refusals()

    def note(self, text: str) -> None:
        pass


def install(target: str) -> OnDevice:
    """torch.cuda and Triton's driver answer for the target; returns the mode to run the candidate under."""
    device = device_facts.find(target)
    nobody: Any = _Nobody()
    pretend.install(device, lambda: nobody)
    triton_driver.set_active(CudaDriver(device))
    if hasattr(triton_driver, "_default"):
        triton_driver._default = triton_driver.active
    return OnDevice()
