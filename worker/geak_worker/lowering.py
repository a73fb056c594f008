"""Lowering workers: from Triton IR to a code object, with no candidate's Python anywhere near.

The text that comes was read and printed again by geak; options are an allow-list of scalars; libraries are Triton's own.
Triton's stages are run one after the other, without its cache, in a fork of their own: nothing of one lowering is left
for the next. What the compilers print is kept: it is the log of a kernel that does not compile. A fork that crashes takes
its worker along, with the compiler's last words, and geak asks a fresh worker again.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import re
import signal
import sys
import tempfile
from typing import Any, Dict, NoReturn, Tuple

from . import toolchain
from .box import BoxError, LibraryBox, PlainBox, open_box, readable_paths
from .code_object import CodeObjectError, Facts, read
from .facts import hello
from .frames import Channel, Frame, FrameError, read_memfd, sealed_memfd

MAX_TEXT = 8 << 20
MAX_CODE = 64 << 20
MAX_LOG = 64 << 10
MAX_PRINTED = 64 << 20
MAP_TYPES = {8: 10, 9: 8, 10: 9}  # element types that the device counts otherwise than the driver
OPTIONS = {"num_warps": int, "num_stages": int, "num_ctas": int, "maxnreg": int, "waves_per_eu": int,
           "matrix_instr_nonkdim": int, "kpack": int, "enable_fp_fusion": bool, "launch_cooperative_grid": bool,
           "launch_pdl": bool, "allow_flush_denorm": bool, "schedule_hint": str}  # fmt: skip
# Texts that Triton and libdevice bring along; Triton IR cannot name them.
OWN_DATA = re.compile(r"_\$_str|__cudart_|printfFormat_|assert(Func|File|Message)_")
# What Triton says of an installation without one of its tools (before 3.5 AMD's linker came with ROCm).
MISSING_TOOL = re.compile(r"(ld\.lld|ptxas)\S* not found|Cannot find ptxas")


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
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "kernel.ttir")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        module = compiler.ir.parse_mlir_module(path, context)
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
    try:
        code, metadata = compile_text(text, target_of(target), options)
    except (FrameError, MemoryError, OSError):
        raise
    except Exception as error:
        if MISSING_TOOL.search(str(error)):
            raise OSError(str(error)) from None
        raise Rejected(f"{type(error).__name__}: {error}") from None
    if len(code) > MAX_CODE:
        raise Rejected(f"the code object has {len(code)} bytes; at most {MAX_CODE} are allowed")
    facts = read(code)
    foreign = [name for name in facts.data if not OWN_DATA.match(name)]
    if foreign:
        raise Rejected(f"the code object has writable data of its own: {', '.join(foreign)[:200]}")
    made = {"object": hashlib.sha256(code).hexdigest(), "ttir": ttir, "target": target, "toolchain": words}
    return {**made, **describe(facts, metadata)}, code


# ---- one lowering, in a fork ----


def in_fork(box: "LibraryBox | PlainBox", result: int, log: int, *request: Any) -> NoReturn:
    """Lowers, writes a line of JSON and the code into `result`, and ends. What is printed goes into `log`; what goes to
    stdout is dropped: whole PTX files. The compiler eats a stranger's module: it gets no more than it needs."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(log, 2)
    code = b""
    try:
        box.confine(tempfile.gettempdir())
        facts, code = lower(*request)
        head = {"type": "object", "json": facts}
    except Rejected as error:
        head = {"type": "rejected", "json": {"log": str(error)}}
    except (FrameError, KeyError, TypeError, ValueError) as error:
        head = {"type": "error", "json": {"kind": "protocol", "message": f"lower: {error!r}"}}
    except (BoxError, CodeObjectError, MemoryError, OSError) as error:
        head = {"type": "error", "json": {"kind": "system", "message": f"lower: {error}"[:2000]}}
    with os.fdopen(result, "wb", closefd=False) as file:
        file.write(json.dumps(head).encode() + b"\n" + code)
    os._exit(0)


def end_like(status: int, log: str) -> NoReturn:
    """Ends this process as its fork did, with the telling line of the log as its last words."""
    lines = [line for line in log.splitlines() if line.strip()]
    told = [line for line in lines if "ERROR" in line or "Assertion" in line or "error:" in line] or lines[-1:]
    print(told[0][:400] if told else "a compiler crashed without a word", file=sys.stderr, flush=True)
    if os.WIFSIGNALED(status):
        signal.signal(os.WTERMSIG(status), signal.SIG_DFL) if os.WTERMSIG(status) != signal.SIGKILL else None
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.WEXITSTATUS(status) or 1)


def lower_apart(box: "LibraryBox | PlainBox", *request: Any) -> Frame:
    """The answer to lower(*request), made in a fork. Does not return when the fork crashes."""
    result, log = os.memfd_create("result", os.MFD_CLOEXEC), os.memfd_create("log")
    try:
        pid = os.fork()
        if pid == 0:
            in_fork(box, result, log, *request)
        _, status = os.waitpid(pid, 0)
        said = read_memfd(log, MAX_PRINTED).decode("utf-8", "replace").strip()
        head, _, code = read_memfd(result, MAX_CODE + (1 << 20)).partition(b"\n")
        if status != 0 or not head:
            end_like(status, said)
        made = Frame(**json.loads(head))
        if made.type == "rejected":
            made.json["log"] = shortened(f"{said}\n{made.json['log']}".strip())
        if made.type == "object":
            made.fds.append(sealed_memfd("object", code))
        return made
    finally:
        os.close(result)
        os.close(log)


class Lowering:
    """Answers one request at a time."""

    def __init__(self, channel: Channel, words: str, box: "LibraryBox | PlainBox") -> None:
        self.channel, self.words, self.box = channel, words, box

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
        except (FrameError, KeyError, TypeError, ValueError) as error:
            made = Frame("error", json={"kind": "protocol", "message": f"{frame.type}: {error!r}"})
        except (MemoryError, OSError) as error:
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
        return lower_apart(self.box, text, str(request["ttir"]), str(request["target"]), options, self.words)


def main(build: str) -> int:
    """The worker's process. Returns its exit status."""
    import triton.compiler  # noqa: F401  in memory before the first fork

    channel = Channel.from_environment()
    facts = toolchain.facts()
    tempfile.gettempdir()
    try:
        box = open_box()
        box.enter_root(readable_paths() + toolchain.folders(), os.environ.get("GEAK_TMP", ""))
    except BoxError as error:
        channel.send(Frame("error", json={"kind": "sandbox", "message": str(error)}, last=True))
        return 1
    channel.send(hello("lowering", build, 1, {**facts, "box": box.name}))
    Lowering(channel, facts["toolchain"], box).serve()
    return 0
