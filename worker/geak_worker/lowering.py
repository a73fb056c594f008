"""Lowering workers: from Triton IR to a code object, with no candidate's Python anywhere near.

The text that comes was read and printed again by geak; options are an allow-list of scalars; libraries are Triton's own.
Triton's stages are run one after the other, without its cache. What the compilers print is kept: it is the log of a
kernel that does not compile. A worker that crashes or hangs takes nothing along but its own process, and geak asks a
fresh one again.
"""

from __future__ import annotations

import hashlib
import inspect
import os
import re
import sys
import tempfile
from typing import Any, Dict, Iterator, List, Tuple

from contextlib import contextmanager

from . import toolchain
from .code_object import CodeObjectError, Facts, read
from .facts import hello
from .frames import Channel, Frame, FrameError, read_memfd, sealed_memfd

MAX_TEXT = 8 << 20
MAX_CODE = 64 << 20
MAX_LOG = 64 << 10
MAP_TYPES = {8: 10, 9: 8, 10: 9}  # element types that the device counts otherwise than the driver
OPTIONS = {"num_warps": int, "num_stages": int, "num_ctas": int, "maxnreg": int, "waves_per_eu": int,
           "matrix_instr_nonkdim": int, "kpack": int, "enable_fp_fusion": bool, "launch_cooperative_grid": bool,
           "launch_pdl": bool, "allow_flush_denorm": bool, "schedule_hint": str}  # fmt: skip
# Texts that Triton and libdevice bring along; Triton IR cannot name them.
OWN_DATA = re.compile(r"_\$_str|printfFormat_|assert(Func|File|Message)_")


class Rejected(Exception):
    """The kernel is at fault, in the compilers' words."""


def target_of(name: str) -> Any:
    """Triton's target: 'sm_90' is ('cuda', 90, 32), 'gfx942' is ('hip', 'gfx942', 64). Raises FrameError."""
    from triton.backends.compiler import GPUTarget

    if re.fullmatch(r"sm_\d{2,3}", name):
        return GPUTarget("cuda", int(name[3:]), 32)
    if re.fullmatch(r"gfx\d{1,3}[0-9a-f]{2}", name):
        return GPUTarget("hip", name, 64 if int(name[3:-2]) < 10 else 32)
    raise FrameError(f"no target {name!r} that Triton knows")


def checked_options(options: Dict[str, Any]) -> Dict[str, Any]:
    """The same options. Raises FrameError for one that is not allowed, or of another type."""
    for name, value in options.items():
        if name not in OPTIONS or type(value) is not OPTIONS[name]:
            raise FrameError(f"the option {name} = {value!r} is not allowed")
    return dict(options)


@contextmanager
def printed(log: List[str]) -> Iterator[None]:
    """Appends to `log` what anybody writes to descriptor 2 meanwhile; what goes to 1 is dropped (whole PTX files)."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    with tempfile.TemporaryFile() as file, open(os.devnull, "wb") as null:
        try:
            os.dup2(null.fileno(), 1)
            os.dup2(file.fileno(), 2)
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for number, fd in zip((1, 2), kept):
                os.dup2(fd, number)
                os.close(fd)
            file.seek(0)
            log.append(file.read(16 << 20).decode("utf-8", "replace"))


def shortened(log: str) -> str:
    """At most MAX_LOG bytes: complaints stand at the beginning of MLIR's output, and at the end of ptxas'."""
    data = log.encode("utf-8", "replace")
    if len(data) > MAX_LOG:
        half = MAX_LOG // 2 - 8
        data = data[:half] + b"\n[...]\n" + data[-half:]
    return data.decode("utf-8", "replace")


def stages(backend: Any, options: Any) -> Dict[str, Any]:
    """Triton's steps behind 'ttir', in order."""
    made: Dict[str, Any] = {}
    if "language" in inspect.signature(backend.add_stages).parameters:
        from triton.backends.compiler import Language

        backend.add_stages(made, options, Language.TRITON)
    else:
        backend.add_stages(made, options)
    made.pop("ttir", None)
    return made


def compile_text(text: str, target: Any, options: Dict[str, Any]) -> Tuple[bytes, Dict[str, Any]]:
    """Code and Triton's metadata. Raises whatever Triton raises."""
    from triton.compiler import compiler

    backend = compiler.make_backend(target)
    context = compiler.ir.context()
    compiler.ir.load_dialects(context)
    backend.load_dialects(context)
    with tempfile.NamedTemporaryFile("w", suffix=".ttir", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        module = compiler.ir.parse_mlir_module(file.name, context)
    module.context = context
    parsed = backend.parse_options(dict(options))
    metadata: Dict[str, Any] = {"target": target, **parsed.__dict__}
    for step in stages(backend, parsed).values():
        module = step(module, metadata)
    return bytes(module), metadata


def describe(facts: Facts, metadata: Dict[str, Any]) -> Dict[str, Any]:
    """The part of the object that Triton and the code object know. Raises Rejected."""
    if metadata.get("profile_scratch_size"):
        raise Rejected("the kernel needs memory for a profiler")
    ctas = int(metadata.get("num_ctas") or 1)
    cluster = [int(n) for n in metadata.get("cluster_dims") or ()]
    if cluster.count(1) == len(cluster):
        cluster = [ctas, 1, 1]
    return {
        "name": facts.name,
        "warps": int(metadata["num_warps"]), "warp_size": int(metadata["target"].warp_size),
        "ctas": ctas, "cluster": cluster,
        "shared": int(metadata.get("shared") or 0), "static_shared": facts.static_shared,
        "scratch_bytes": int(metadata.get("global_scratch_size") or 0),
        "scratch_align": int(metadata.get("global_scratch_align") or 1),
        "cooperative": bool(metadata.get("launch_cooperative_grid")), "pdl": bool(metadata.get("launch_pdl")),
        "desc": [descriptor(meta) for meta in metadata.get("tensordesc_meta") or []],
        "params": [{"at": at, "bytes": size} for at, size in facts.params], "param_bytes": facts.param_bytes,
        "regs": facts.regs, "spills": facts.spills,
    }  # fmt: skip


def descriptor(meta: Any) -> Any:
    """How the tensor map of a descriptor is made, or None when there is none."""
    if not meta:
        return None
    elem_type = int(meta["elem_type"])
    return {"swizzle": int(meta["swizzle"]), "elem_bytes": int(meta["elem_size"]),
            "elem_type": MAP_TYPES.get(elem_type, elem_type),
            "block": [int(n) for n in meta["block_size"]], "fp4_padded": bool(meta["fp4_padded"])}  # fmt: skip


def lower(text: str, ttir: str, target: str, options: Dict[str, Any], words: str) -> Tuple[Dict[str, Any], bytes]:
    """The object (docs/plan.md) and its code. Raises Rejected; CodeObjectError when what came out is not understood."""
    log: List[str] = []
    try:
        with printed(log):
            code, metadata = compile_text(text, target_of(target), options)
    except (FrameError, MemoryError, OSError):
        raise
    except Exception as error:
        raise Rejected(shortened(f"{log[0].strip()}\n{type(error).__name__}: {error}".strip())) from None
    if len(code) > MAX_CODE:
        raise Rejected(f"the code object has {len(code)} bytes; at most {MAX_CODE} are allowed")
    facts = read(code)
    foreign = [name for name in facts.data if not OWN_DATA.match(name)]
    if foreign:
        raise Rejected(f"the code object has writable data of its own: {', '.join(foreign)[:200]}")
    made = {"object": hashlib.sha256(code).hexdigest(), "ttir": ttir, "target": target, "toolchain": words}
    return {**made, **describe(facts, metadata)}, code


class Lowering:
    """Answers one request at a time."""

    def __init__(self, channel: Channel, words: str) -> None:
        self.channel, self.words = channel, words

    def serve(self) -> None:
        """Until the end of the stream."""
        while True:
            frame = self.channel.receive()
            if frame is None:
                return
            try:
                if frame.type != "cancel":
                    self.answer(frame)
            finally:
                frame.close()

    def answer(self, frame: Frame) -> None:
        try:
            made = self.made(frame)
        except Rejected as error:
            made = Frame("rejected", json={"log": str(error)})
        except (FrameError, KeyError, TypeError, ValueError) as error:
            made = Frame("error", json={"kind": "protocol", "message": f"{frame.type}: {error!r}"})
        except (CodeObjectError, MemoryError, OSError) as error:
            made = Frame("error", json={"kind": "system", "message": f"{frame.type}: {error}"[:2000]})
        made.id, made.last = frame.id, True
        try:
            self.channel.send(made)
        finally:
            made.close()

    def made(self, frame: Frame) -> Frame:
        if frame.type != "lower" or len(frame.fds) != 1:
            raise FrameError("a lowering worker understands lower, with one text")
        text = read_memfd(frame.fds[0], MAX_TEXT).decode("utf-8")
        request = frame.json
        options = checked_options(request["options"])
        facts, code = lower(text, str(request["ttir"]), str(request["target"]), options, self.words)
        return Frame("object", json=facts, fds=[sealed_memfd("object", code)])


def main(build: str) -> int:
    """The worker's process. Returns its exit status."""
    channel = Channel.from_environment()
    facts = toolchain.facts()
    channel.send(hello("lowering", build, 1, facts))
    Lowering(channel, facts["toolchain"]).serve()
    return 0
