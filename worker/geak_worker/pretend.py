"""The pretence that a GPU is there: attributes and functions of torch answer as they would on the target.

Tensors of the device are meta tensors (record.py). This function mode makes them say that they are on cuda:0 and have an
address, and turns every request for device cuda into one for meta. Functions of torch.cuda are replaced for the process.
"""

from __future__ import annotations

import contextlib
from typing import Any, Callable, Dict, Iterator, Tuple

import torch
from torch.overrides import TorchFunctionMode

from .cannot import NOT_A_KERNEL, NOT_CAPTURABLE
from .device_facts import Device, Properties
from .record import Recorder

CUDA = torch.device("cuda", 0)
_TYPE_NAMES = {
    torch.float32: "Float", torch.float64: "Double", torch.float16: "Half", torch.bfloat16: "BFloat16",
    torch.int32: "Int", torch.int64: "Long", torch.int16: "Short", torch.int8: "Char", torch.uint8: "Byte",
    torch.bool: "Bool",
}  # fmt: skip


def _is_device(tensor: torch.Tensor) -> bool:
    return tensor.device.type == "meta"


class Pretend(TorchFunctionMode):
    """Answers for device tensors; passes everything else on, with cuda replaced by meta."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self.recorder = recorder
        tensor = torch.Tensor
        self.answers: Dict[Any, Callable[[torch.Tensor], Any]] = {
            tensor.device.__get__: lambda t: CUDA,
            tensor.is_cuda.__get__: lambda t: True,
            tensor.is_meta.__get__: lambda t: False,
            tensor.is_cpu.__get__: lambda t: False,
            tensor.get_device: lambda t: 0,
            tensor.data_ptr: recorder.address,
            tensor.__repr__: _show,
            tensor.__format__: _show,
            tensor.numpy: self._numpy,
            tensor.__array__: self._numpy,
            tensor.is_pinned: lambda t: False,
            tensor.pin_memory: self._pin,
        }
        self.special: Dict[Any, Callable[..., Any]] = {
            torch.tensor: self._tensor,
            torch.as_tensor: self._tensor,
            torch.asarray: self._tensor,
            tensor.cuda: lambda t, *a, **k: t if _is_device(t) else t.to("meta"),
            tensor.cpu: lambda t, *a, **k: t.to("cpu"),
            tensor.type: self._type,
            tensor.record_stream: lambda *a, **k: None,
        }

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        answer = self.answers.get(func)
        if answer is not None and args and isinstance(args[0], torch.Tensor) and _is_device(args[0]):
            return answer(args[0])
        kwargs = dict(kwargs) if kwargs else {}
        if kwargs.get("device") is not None:
            kwargs["device"] = self.device(kwargs["device"])
        if kwargs.get("pin_memory"):
            kwargs["pin_memory"] = False
        if func in _TAKES_DEVICE:
            args = tuple(self.device(a) if isinstance(a, (torch.device, str)) else a for a in args)
        special = self.special.get(func)
        return special(*args, **kwargs) if special is not None else func(*args, **kwargs)

    def device(self, device: Any) -> Any:
        """meta for cuda:0, unchanged for others. A second device is refused by name."""
        if isinstance(device, int):
            device = torch.device("cuda", device)
        if isinstance(device, str):
            device = torch.device(device) if device.split(":")[0] in ("cuda", "cpu", "meta") else device
        if not isinstance(device, torch.device) or device.type != "cuda":
            return device
        if device.index not in (None, 0):
            raise self.recorder.refusals.refuse(
                NOT_CAPTURABLE, str(device), f"there is one device, cuda:0; the wrapper asks for {device}"
            )
        return torch.device("meta")

    def _tensor(self, data: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        device = kwargs.pop("device", None)
        if isinstance(data, torch.Tensor):
            dtype = kwargs.get("dtype") or data.dtype
            return data.to(device=device or data.device, dtype=dtype)
        out = torch.tensor(data, *args, **kwargs)
        return out if device is None else out.to(device)

    def _type(self, tensor: torch.Tensor, dtype: Any = None, *args: Any, **kwargs: Any) -> Any:
        if dtype is None and _is_device(tensor):
            return f"torch.cuda.{_TYPE_NAMES.get(tensor.dtype, 'Float')}Tensor"
        if dtype is None:
            return tensor.type()
        if isinstance(dtype, str):
            names = {f"torch.cuda.{name}Tensor": made for made, name in _TYPE_NAMES.items()}
            dtype = names.get(dtype, dtype)
        return tensor.to(dtype) if isinstance(dtype, torch.dtype) else tensor.type(dtype)

    def _pin(self, tensor: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("cannot pin a tensor of cuda: only dense CPU tensors can be pinned")

    def _numpy(self, tensor: torch.Tensor) -> Any:
        self.recorder.refusals.note(
            NOT_CAPTURABLE, "numpy", "the wrapper asks for the values of a device tensor as a numpy array"
        )
        raise TypeError(
            "can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory first."
        )


_TAKES_DEVICE = {torch.Tensor.to, torch.Tensor.cuda, torch.Tensor.new_tensor}


def _show(tensor: torch.Tensor) -> str:
    """A device tensor has no values to print: its shape says that it was printed, and reads nothing."""
    return f"tensor(..., device='cuda:0', size={tuple(tensor.shape)}, dtype={tensor.dtype})"


class Stream:
    """Streams are serialised: there is one order of launches."""

    cuda_stream = 0
    device = CUDA
    device_index = 0
    stream_id = 0
    priority = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def wait_stream(self, other: Any) -> None:
        pass

    wait_event = wait_stream

    def synchronize(self) -> None:
        pass

    def query(self) -> bool:
        return True

    def record_event(self, event: Any = None) -> Any:
        return event or Event()

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *exc: Any) -> None:
        pass


class Event:
    """Time does not pass while a plan is recorded."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def record(self, *args: Any) -> None:
        pass

    wait = record

    def synchronize(self) -> None:
        pass

    def query(self) -> bool:
        return True

    def elapsed_time(self, other: Any) -> float:
        return 1.0


class DeviceGenerator:
    """The device's random generator: its state is known, the same before each call. Its numbers are never drawn."""

    device = CUDA

    def __init__(self) -> None:
        self.manual_seed(0)

    def manual_seed(self, seed: int) -> "DeviceGenerator":
        self.state = (int(seed), 0)
        return self

    def initial_seed(self) -> int:
        return self.state[0]

    seed = initial_seed

    def get_state(self) -> torch.Tensor:
        """uint8 [16] on the CPU: seed and offset as int64."""
        return torch.tensor(self.state, dtype=torch.int64).view(torch.uint8)

    def set_state(self, state: torch.Tensor) -> None:
        self.state = tuple(state.view(torch.int64).tolist())

    def get_offset(self) -> int:
        return int(self.state[1])

    def set_offset(self, offset: int) -> None:
        self.state = (self.state[0], int(offset))


generator = DeviceGenerator()


class DeviceGuard:
    """torch.cuda.device(x): a context in which nothing changes."""

    def __init__(self, which: Any = 0) -> None:
        if which not in (0, None, -1) and torch.device(which).index not in (None, 0):
            raise RuntimeError(f"there is one device, cuda:0, not {which}")

    def __enter__(self) -> None:
        return None

    def __exit__(self, *exc: Any) -> None:
        return None


class DeviceOf(DeviceGuard):
    """torch.cuda.device_of(tensor)."""

    def __init__(self, tensor: Any) -> None:
        super().__init__(0)


def install(device: Device, recorder: Callable[[], Recorder]) -> None:
    """Replaces the functions of torch.cuda for the rest of the process. `recorder` gives the one that records now."""
    for name, answer in {**_answers_about(device), **_answers_of_streams(recorder)}.items():
        setattr(torch.cuda, name, answer)
    for name in ("init", "_lazy_init", "synchronize", "set_device", "empty_cache", "ipc_collect", "manual_seed",
                 "manual_seed_all", "seed", "seed_all", "reset_peak_memory_stats", "set_stream"):  # fmt: skip
        setattr(torch.cuda, name, _nothing())
    torch._C._cuda_getCurrentRawStream = lambda *a: 0  # type: ignore[attr-defined]
    # what torch's own compiler writes into the kernels that candidates are sometimes modelled on
    torch._C._dynamo.guards._empty_strided_cuda = lambda size, stride, dtype: torch.empty_strided(
        size, stride, dtype=dtype, device="cuda"
    )
    _install_more(recorder)
    _install_version(device)
    _install_storage(recorder)
    _install_backward()


def _answers_about(device: Device) -> Dict[str, Any]:
    """What torch.cuda says about the one device, its memory and its random numbers."""
    properties = Properties(device)
    return {
        "is_available": lambda: True,
        "is_initialized": lambda: True,
        "device_count": lambda: 1,
        "current_device": lambda: 0,
        "get_device_capability": lambda *a, **k: device.capability,
        "get_device_properties": lambda *a, **k: properties,
        "get_device_name": lambda *a, **k: device.name,
        "get_arch_list": lambda: [device.target],
        "is_bf16_supported": lambda *a, **k: True,
        "mem_get_info": lambda *a, **k: (device.memory // 2, device.memory),
        "memory_allocated": lambda *a, **k: 0,
        "max_memory_allocated": lambda *a, **k: 0,
        "memory_reserved": lambda *a, **k: 0,
        "device": DeviceGuard,
        "_DeviceGuard": DeviceGuard,
        "device_of": DeviceOf,
        "default_generators": (generator,),
        "get_rng_state": lambda *a, **k: generator.get_state(),
        "set_rng_state": lambda state, *a, **k: generator.set_state(state),
        "initial_seed": lambda: generator.initial_seed(),
    }


def _answers_of_streams(recorder: Callable[[], Recorder]) -> Dict[str, Any]:
    """Streams and events, which order nothing: launches are recorded one after the other. Graphs would hide them."""

    def stream(chosen: Any = None) -> Any:
        if chosen is not None:
            recorder().note("streams are serialised")
        return contextlib.nullcontext(chosen)

    class Graph:
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            raise recorder().refusals.refuse(
                NOT_CAPTURABLE, "CUDAGraph", "CUDA graphs cannot be recorded; launch the kernels directly"
            )

    return {
        "current_stream": lambda *a, **k: Stream(),
        "default_stream": lambda *a, **k: Stream(),
        "stream": stream,
        "Stream": Stream,
        "ExternalStream": Stream,
        "Event": Event,
        "CUDAGraph": Graph,
        "graph": Graph,
    }


def _install_more(recorder: Callable[[], Recorder]) -> None:
    """What else asks for a device, and what would make kernels of its own."""
    cuda = torch.cuda
    cuda.is_current_stream_capturing = lambda: False
    cuda.can_device_access_peer = lambda *a: False
    for name in ("range_push", "range_pop", "mark", "range_start", "range_end"):
        setattr(cuda.nvtx, name, _nothing())
    cuda.nvtx.range = lambda *a, **k: contextlib.nullcontext()
    accelerator = getattr(torch, "accelerator", None)
    if accelerator is not None:
        accelerator.is_available = lambda: True
        accelerator.device_count = lambda: 1
        accelerator.current_accelerator = lambda *a, **k: torch.device("cuda")
        accelerator.current_device_index = lambda: 0
        accelerator.current_stream = lambda *a: Stream()
        accelerator.synchronize = _nothing()
        accelerator.set_device_index = _nothing()

    def compile_(model: Any = None, *args: Any, **kwargs: Any) -> Any:
        def compiled(*call_args: Any, **call_kwargs: Any) -> Any:
            raise recorder().refusals.refuse(
                NOT_A_KERNEL, "torch.compile", "torch.compile makes kernels of its own; write them in the candidate"
            )

        return compiled if model is not None else compile_

    torch.compile = compile_  # type: ignore[assignment]


def _nothing() -> Callable[..., None]:
    """A function that does nothing; a new one each time, since torch.compile insists on distinct functions."""

    def nothing(*args: Any, **kwargs: Any) -> None:
        return None

    return nothing


def _install_version(device: Device) -> None:
    if device.backend == "hip":
        torch.version.hip, torch.version.cuda = "6.4.0", None
    else:
        torch.version.hip, torch.version.cuda = None, "12.8"


def _install_storage(recorder: Callable[[], Recorder]) -> None:
    """untyped_storage().data_ptr() of a device tensor is the made-up address of its buffer."""
    original = torch.UntypedStorage.data_ptr

    def data_ptr(storage: Any) -> int:
        buffer = recorder().buffers.get(storage._cdata)
        return buffer.address if buffer is not None else original(storage)

    torch.UntypedStorage.data_ptr = data_ptr  # type: ignore[method-assign]


_modes: Tuple[Any, ...] = ()


def set_modes(*modes: Any) -> None:
    """Names the function mode and the dispatch mode that record, for code that torch calls back with them off."""
    global _modes
    _modes = modes


@contextlib.contextmanager
def recording() -> Iterator[None]:
    """The recording modes, each where it is not active already."""
    with contextlib.ExitStack() as stack:
        for mode, active in zip(_modes, (torch._C._len_torch_function_stack(), torch._C._len_torch_dispatch_stack())):
            if not active:
                stack.enter_context(mode)
        yield


def _install_backward() -> None:
    """Tensor.backward() passes the function mode, which is off while it runs: autograd's engine gets it again."""
    original = torch.autograd._engine_run_backward  # type: ignore[attr-defined]

    def run(*args: Any, **kwargs: Any) -> Any:
        with recording():
            return original(*args, **kwargs)

    torch.autograd._engine_run_backward = run  # type: ignore[attr-defined]
