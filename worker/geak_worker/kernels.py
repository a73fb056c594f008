"""Kernels as the recorder sees them: compiled to Triton IR, launched onto a list.

`Recorded` stands in for Triton's CompiledKernel. It compiles on to machine code only when the candidate asks for
something that the code object alone knows (registers, shared memory, assembly).
"""

from __future__ import annotations

import hashlib
import inspect
import json
import re
import struct
from typing import Any, Callable, Dict, List, Optional, Set, Tuple

import torch
import triton
from triton.compiler import compiler as triton_compiler
from triton.runtime.errors import OutOfResources

from .cannot import FOREIGN_KERNEL, NOT_CAPTURABLE, candidate_line
from .device_facts import Device
from .record import Recorder, dtype_name, raw_bytes

OPTIONS = ("num_warps", "num_stages", "num_ctas", "maxnreg", "enable_fp_fusion", "launch_cooperative_grid", "launch_pdl",
           "waves_per_eu", "matrix_instr_nonkdim", "kpack", "schedule_hint", "allow_flush_denorm")  # fmt: skip
ALWAYS = ("num_warps", "num_stages", "num_ctas", "enable_fp_fusion")
REFUSED = ("ir_override", "ptx_options", "extern_libs", "ptx_version", "instrumentation_mode")
INT_LIMITS = {"i1": 1, "i8": 8, "i16": 16, "i32": 32, "i64": 64}
ASKED_OF_CODE = {"asm", "metadata", "n_regs", "n_spills", "n_max_threads", "kernel", "module", "metadata_group",
                 "packed_metadata", "name", "hash"}  # fmt: skip

real_compile = triton_compiler.compile


class Kernel:
    """One module of Triton IR with the options it was asked to be compiled with."""

    def __init__(self, text: str, options: Dict[str, Any]) -> None:
        self.ttir = text
        self.sha = hashlib.sha256(text.encode()).hexdigest()
        self.options = options
        self.name, self.params = read_signature(text)
        self.inline_asm = "tt.elementwise_inline_asm" in text
        self.key = (self.sha, json.dumps(options, sort_keys=True))

    def json(self) -> Dict[str, Any]:
        return {"ttir": self.sha, "name": self.name, "options": self.options, "inline_asm": self.inline_asm}


def bare(text: str) -> str:
    """Lines without indentation: how a function's text stands in a file, whatever it was dedented by."""
    return "\n".join(line.strip() for line in text.strip().splitlines())


def read_signature(text: str) -> Tuple[str, List[str]]:
    """Name and parameter types of the public function of a module, from its text."""
    start = re.search(r"tt\.func public @(?:\"([^\"]+)\"|([\w.$-]+))\(", text)
    if start is None:
        raise ValueError("a module without a public function")
    depth, at, quoted = 1, start.end(), False
    while depth:
        char = text[at]
        if char == '"':
            quoted = not quoted
        elif not quoted:
            depth += (char in "([{<") - (char in ")]}>" and text[at - 1] != "-")
        at += 1
    return start.group(1) or start.group(2), _parameter_types(text[start.end() : at - 1])


def _parameter_types(text: str) -> List[str]:
    """'!tt.ptr<f32>' and the like, in order; attributes and locations dropped."""
    types, depth, quoted, begin = [], 0, False, 0
    for at, char in enumerate(text + ","):
        if char == '"':
            quoted = not quoted
        elif quoted:
            continue
        elif char == "," and depth == 0:
            piece = text[begin:at].strip()
            if piece:
                types.append(_type_alone(piece.split(":", 1)[1].strip()))
            begin = at + 1
        else:
            depth += (char in "([{<") - (char in ")]}>")
    return types


def _type_alone(text: str) -> str:
    depth = 0
    for at, char in enumerate(text):
        if depth == 0 and char in " {":
            return text[:at]
        depth += (char == "<") - (char == ">")
    return text


# ---- compiling to Triton IR ----


class Watched:
    """Options as Triton's first stage sees them, and which of them it has looked at."""

    def __init__(self, options: Any) -> None:
        self.values: Dict[str, Any] = dict(options.__dict__)
        self.read: Set[str] = set()
        watch = self.watch

        class Options(type(options)):  # type: ignore[misc]
            def __getattribute__(self, name: str) -> Any:
                watch(name)
                return super().__getattribute__(name)

        self.options = object.__new__(Options)
        object.__getattribute__(self.options, "__dict__").update(self.values)

    def watch(self, name: str) -> None:
        if name in self.values:
            self.read.add(name)
        elif name not in ("__class__", "hash"):  # a method may look at any
            self.read.update(self.values)


class Metadata(Dict[str, Any]):
    """The same, where Triton hands them on as a dictionary."""

    def __init__(self, watched: Watched) -> None:
        super().__init__(watched.values)
        self.watched = watched

    def __getitem__(self, name: str) -> Any:
        self.watched.watch(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.watched.watch(name)
        return super().get(name, default)


def to_ttir(src: Any, target: Any, options: Any) -> str:
    """The text of a kernel after Triton's own first stage for the target. Raises what Triton raises."""
    return first_stage(src, target, Watched(options))


class FirstStage:
    """
    Texts by what they hang on: most autotune configurations differ in options (warps, stages) that this stage never
    looks at, and their text is one.
    """

    def __init__(self) -> None:
        self.known: Dict[Tuple[str, str], List[Tuple[Dict[str, Any], str]]] = {}

    def text(self, src: Any, target: Any, options: Any) -> str:
        entries = self.known.setdefault((src.hash(), str(target)), [])
        for read, text in entries:
            if all(name in options.__dict__ and options.__dict__[name] == value for name, value in read.items()):
                return text
        watched = Watched(options)
        text = first_stage(src, target, watched)
        entries.append(({name: watched.values[name] for name in watched.read}, text))
        return text


def first_stage(src: Any, target: Any, watched: Watched) -> str:
    options: Any = watched.options
    backend = triton_compiler.make_backend(target)
    context = triton_compiler.ir.context()
    triton_compiler.ir.load_dialects(context)
    backend.load_dialects(context)
    codegen, modules = backend.get_codegen_implementation(options), backend.get_module_map()
    try:
        if "target" in inspect.signature(src.make_ir).parameters:
            module = src.make_ir(target, options, codegen, modules, context)
        else:
            module = src.make_ir(options, codegen, modules, context)
    except Exception as error:
        triton_compiler.filter_traceback(error)
        raise
    stages: Dict[str, Callable[..., Any]] = {}
    language = getattr(src, "language", None)
    if "language" in inspect.signature(backend.add_stages).parameters:
        backend.add_stages(stages, options, language)
    else:
        backend.add_stages(stages, options)
    return str(stages["ttir"](module, Metadata(watched)))


class Compiler:
    """Takes the place of triton.compile for the process."""

    def __init__(self, device: Device, recorder: Callable[[], Recorder], own_path: str,
                 own_text: Optional[str] = None) -> None:  # fmt: skip
        self.device, self.recorder, self.own_path = device, recorder, own_path
        self.own_text = None if own_text is None else bare(own_text)
        self.kernels: Dict[Tuple[str, str], Kernel] = {}
        self.first = FirstStage()
        self.compiling: Any = None  # the source that is being compiled: an error in it is reported with its line

    def __call__(self, src: Any, target: Any = None, options: Any = None, **_: Any) -> "Recorded":
        recorder = self.recorder()
        target = target or triton.runtime.driver.active.get_current_target()
        backend = triton_compiler.make_backend(target)
        self.compiling = src
        if not isinstance(src, triton_compiler.ASTSource):
            raise recorder.refusals.refuse(
                NOT_CAPTURABLE,
                "triton.compile",
                "the candidate compiles IR text or Gluon; only @triton.jit functions count",
            )
        self._check_origin(src, recorder)
        parsed = backend.parse_options(dict(options or {}))
        self._check_options(options or {}, backend, recorder)
        kernel = Kernel(self.first.text(src, target, parsed), self.requested(parsed))
        kernel = self.kernels.setdefault(kernel.key, kernel)
        if "tt.print" in kernel.ttir:
            recorder.note(f"kernel {kernel.name} prints")
        self.compiling = None
        return Recorded(self, kernel, src, target, parsed)

    def _check_origin(self, src: Any, recorder: Recorder) -> None:
        fn = src.fn.fn
        path = getattr(getattr(fn, "__code__", None), "co_filename", "")
        if self.own_path and path != self.own_path:
            name = getattr(fn, "__name__", "?")
            raise recorder.refusals.refuse(
                FOREIGN_KERNEL,
                name,
                f"kernel {name} is defined in {path}, not in the candidate's file; copy what you need into the candidate",
            )
        if self.own_text is not None and bare(getattr(src.fn, "src", "")) not in self.own_text:
            name = getattr(fn, "__name__", "?")
            raise recorder.refusals.refuse(
                FOREIGN_KERNEL,
                name,
                f"the text of kernel {name} does not stand in the candidate; write it down as an ordinary function",
            )
        if type(src).__name__ != "ASTSource":
            raise recorder.refusals.refuse(
                NOT_CAPTURABLE,
                "gluon",
                "Gluon kernels have no Triton IR and cannot be captured yet; use triton.language",
            )

    def _check_options(self, options: Dict[str, Any], backend: Any, recorder: Recorder) -> None:
        default = backend.parse_options({}).__dict__
        for name in REFUSED:
            value = options.get(name)
            if value and value != default.get(name):
                raise recorder.refusals.refuse(
                    NOT_CAPTURABLE, name, f"the launch option {name} is not allowed; options are {', '.join(OPTIONS)}"
                )

    def requested(self, parsed: Any) -> Dict[str, Any]:
        """The scalars of the allow-list: some always, others where they differ from the default."""
        default = type(parsed)(**({"arch": parsed.arch} if hasattr(parsed, "arch") else {})).__dict__
        out = {}
        for name in OPTIONS:
            value = getattr(parsed, name, None)
            if value is not None and (name in ALWAYS or value != default.get(name)):
                out[name] = value
        return out


class Recorded:
    """A kernel that can be launched onto the recorder."""

    def __init__(self, compiler: Compiler, kernel: Kernel, src: Any, target: Any, options: Any) -> None:
        self._compiler, self._kernel, self.src = compiler, kernel, src
        self._target, self._options = target, options
        self._real: Optional[Any] = None
        self.function = None

    def __getattr__(self, name: str) -> Any:
        if name in ASKED_OF_CODE:
            if name == "packed_metadata" and self.__dict__.get("_real") is None:
                return ()
            return getattr(self.real(), name)
        raise AttributeError(f"a compiled kernel has no attribute {name!r} while its launches are recorded")

    def real(self) -> Any:
        """The kernel compiled to machine code: slow, done once, only where the candidate asks."""
        if self._real is None:
            made = real_compile(self.src, target=self._target, options=self._options.__dict__)
            made.n_regs, made.n_spills, made.n_max_threads = _registers(made)
            made.module = made.function = 1
            self._real = made
            shared, limit = made.metadata.shared, self._compiler.device.shared_per_block
            if shared > limit:
                raise OutOfResources(shared, limit, "shared memory")
        return self._real

    def _init_handles(self) -> None:
        self.real()

    def launch_metadata(self, *args: Any) -> None:
        return None

    def run(self, x: int, y: int, z: int, stream: Any, function: Any, packed: Any, metadata: Any, enter: Any,
            leave: Any, *args: Any) -> None:  # fmt: skip
        """Called by JITFunction.run in every supported version of Triton."""
        self.launch((x, y, z), args)

    def __getitem__(self, grid: Tuple[int, ...]) -> Callable[..., None]:
        full = tuple(grid) + (1,) * (3 - len(grid))
        return lambda *args, stream=None: self.launch(full, args)

    def launch(self, grid: Tuple[Any, ...], args: Tuple[Any, ...]) -> None:
        """Records one launch; an empty grid launches nothing, as the driver does."""
        recorder = self._compiler.recorder()
        numbers = [int(n) for n in grid]
        if 0 in numbers:
            recorder.note("a launch with an empty grid")
            return
        values: List[Any] = []
        _flatten(list(self.src.signature.values()), list(args), values)
        line = candidate_line(self._compiler.own_path)
        step = {"op": "launch", "kernel": self._kernel, "grid": numbers, "line": line}
        step["args"] = Arguments(recorder, self._kernel).all(values)
        recorder.launch(step)


def _flatten(signature: Any, values: Any, out: List[Any]) -> None:
    """Values whose type in Triton's signature is not constexpr, tuples opened."""
    for kind, value in zip(signature, values):
        if isinstance(kind, tuple):
            _flatten(kind, tuple(value), out)
        elif kind != "constexpr":
            out.append((kind, value))


class Arguments:
    """Arguments of one launch, as the parameters of the module's function ask for them."""

    def __init__(self, recorder: Recorder, kernel: Kernel) -> None:
        self.recorder, self.kernel = recorder, kernel
        self.types = list(kernel.params)

    def all(self, values: List[Tuple[str, Any]]) -> List[Dict[str, Any]]:
        out: List[Dict[str, Any]] = []
        for kind, value in values:
            if isinstance(kind, str) and kind.startswith("tensordesc"):
                out += self.descriptor(value)
            else:
                out.append(self.one(value))
        if self.types:
            raise ValueError(f"kernel {self.kernel.name} has more parameters than arguments")
        return out

    def one(self, value: Any) -> Dict[str, Any]:
        kind = self.types.pop(0)
        if kind.startswith("!tt.ptr"):
            return self.pointer(value)
        if kind in INT_LIMITS:
            return self.integer(kind, value)
        return {"t": kind, "bits": float_bits(kind, float(value))}

    def pointer(self, value: Any) -> Dict[str, Any]:
        if value is None:
            return {"t": "null"}
        tensor = getattr(value, "base", value) if not isinstance(value, torch.Tensor) else value
        if isinstance(tensor, torch.Tensor):
            with torch._C.DisableTorchFunction():
                if tensor.device.type != "meta":
                    raise ValueError(
                        f"Pointer argument (at {len(self.kernel.params) - len(self.types) - 1}) cannot be accessed from "
                        "Triton (cpu tensor?)"
                    )
                self.known(tensor)
                return {"t": "ptr", "buf": self.recorder.buffer(tensor),
                        "at": tensor.storage_offset() * tensor.element_size()}  # fmt: skip
        address = tensor.data_ptr() if hasattr(tensor, "data_ptr") else int(tensor)
        found = self.recorder.find_address(address)
        if found is None:
            return {"t": "null"} if address == 0 else self._stray(address)
        return {"t": "ptr", "buf": found[0], "at": found[1]}

    def known(self, tensor: torch.Tensor) -> None:
        if not self.recorder.buffer(tensor).known and not self.recorder.refusals.entries:
            self.recorder.refusals.note(
                NOT_CAPTURABLE,
                self.kernel.name,
                f"kernel {self.kernel.name} gets a tensor made by PyTorch's arithmetic",
            )

    def _stray(self, address: int) -> Dict[str, Any]:
        raise self.recorder.refusals.refuse(
            NOT_CAPTURABLE,
            self.kernel.name,
            f"kernel {self.kernel.name} gets the address {address:#x}, which is no tensor's",
        )

    def integer(self, kind: str, value: Any) -> Dict[str, Any]:
        number = int(value)
        found = self.recorder.find_address(number) if kind == "i64" else None
        if found is not None:
            return {"t": "reloc", "buf": found[0], "at": found[1]}
        if kind == "i1":
            return {"t": "i1", "v": number & 1}
        width = INT_LIMITS[kind]
        number &= (1 << width) - 1
        return {"t": kind, "v": number - (1 << width) if number >> (width - 1) else number}

    def descriptor(self, value: Any) -> List[Dict[str, Any]]:
        """A tensor descriptor made on the host: as one argument where the target has them, else taken apart."""
        shape, strides = [int(n) for n in value.shape], [int(n) for n in value.strides]
        padding = getattr(value, "padding", "zero") or "zero"
        rounded = bool(getattr(value, "round_f32_to_tf32", False))
        if self.types[0].startswith("!tt.tensordesc"):
            self.types.pop(0)
            first = [self._whole(value, shape, strides, padding, rounded)]
        else:
            rank = len(shape)
            first = [self.one(value.base)] + [self.one(number) for number in shape + strides]
            # padding came with triton 3.6, rounding with 3.7
            for flag in (padding == "nan", rounded):
                if self.types and self.types[0] == "i1" and len(self.types) > 2 * rank:
                    first.append(self.one(flag))
        return first + [self.one(number) for number in shape + strides]

    def _whole(self, value: Any, shape: List[int], strides: List[int], padding: str, rounded: bool) -> Dict[str, Any]:
        with torch._C.DisableTorchFunction():
            base = value.base
            view = {"buf": self.recorder.buffer(base), "at": base.storage_offset() * base.element_size(),
                    "dtype": dtype_name(base.dtype), "shape": shape, "strides": strides}  # fmt: skip
            self.known(base)
        return {"t": "desc", "view": view, "block": [int(n) for n in value.block_shape], "pad": padding,
                "round_tf32": rounded}  # fmt: skip


def float_bits(kind: str, value: float) -> str:
    """The bits of a Python number in f16, bf16, f32 or f64, rounded to nearest even, as '0x...'."""
    if kind == "f64":
        return "0x" + struct.pack(">d", value).hex()
    dtype = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}[kind]
    with torch._C.DisableTorchFunction():
        raw = raw_bytes(torch.tensor([value], dtype=dtype))
    return "0x" + raw[::-1].hex()


def _registers(made: Any) -> Tuple[int, int, int]:
    """Registers, spills and largest block of a code object, as the driver would answer after loading it."""
    text = made.asm.get("amdgcn")
    if text is not None:
        registers = re.search(r"\.vgpr_count:\s*(\d+)", text)
        spills = re.search(r"\.vgpr_spill_count:\s*(\d+)", text)
        return int(registers.group(1)) if registers else 0, int(spills.group(1)) if spills else 0, 1024
    return _cubin_registers(made.asm["cubin"]), 0, 1024


REGCOUNT = b"\x04\x2f\x08\x00"  # an attribute of .nv.info: format 4, kind 0x2f, 8 bytes: symbol and count


def _cubin_registers(code: bytes) -> int:
    """Registers a thread of the one kernel in a cubin."""
    offset, size, count = (*struct.unpack_from("<Q", code, 40), *struct.unpack_from("<HH", code, 58))
    for i in range(count):
        kind, _, _, begin, length = struct.unpack_from("<IQQQQ", code, offset + i * size + 4)
        found = code.find(REGCOUNT, begin, begin + length) if kind == 0x70000000 else -1
        if found >= 0:
            return int(struct.unpack_from("<I", code, found + 8)[0])
    return 0
