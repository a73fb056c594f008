"""What the role `contained` does besides a zygote's work: candidates that run for real, with a GPU or Triton's interpreter.

GEAK_DEVICE is "cpu", or the name of a GPU ("cuda", "hip", with a number): then its nodes are in the candidates' root. The
interpreter must be asked for before triton is loaded, hence a process of its own. A device's context is made in each
candidate's process, never here: it would not survive a fork.
"""

from __future__ import annotations

import glob
import os
import socket
import struct
import sysconfig
from typing import Any, Callable, Dict, List, Sequence, Tuple

from .box import LibraryBox, PlainBox
from .frames import Channel, Frame, sealed_memfd
from .witness import Witness

NODES = ("/dev/nvidia[0-9]*", "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/nvidia-modeset",
         "/dev/nvidia-caps/*", "/dev/kfd", "/dev/dri/*")  # fmt: skip
# Triton builds the launcher of a kernel with the system's compiler; drivers read /sys.
BESIDES = ("/sys", "/usr/include", "/usr/local/cuda", "/usr/sbin", "/sbin")


def backend() -> str:
    """"cuda", "hip", or "" for the interpreter."""
    name = os.environ.get("GEAK_DEVICE", "cpu").split(":")[0]
    return "" if name == "cpu" else name


def warm_up() -> None:
    """Imports once what each candidate needs."""
    import torch  # noqa: F401

    from . import contained  # noqa: F401

    if backend():
        _build_utilities()
    else:
        _interpret()


def _interpret() -> None:
    """The interpreter's own first use imports and rewrites."""
    import torch
    import triton.language as tl
    from triton.runtime import interpreter

    def kernel(x, out, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
        tl.store(out + tl.arange(0, BLOCK), tl.load(x + tl.arange(0, BLOCK)) * 2)

    try:
        interpreter.InterpretedFunction(kernel)[(1,)](torch.ones(4), torch.empty(4), BLOCK=4)
    except Exception:  # another version of Triton, or no numpy: the candidate's run will say so
        pass


def _build_utilities() -> None:
    """Triton's own small library for the driver, built once; it does not touch the device."""
    os.environ["TRITON_CACHE_DIR"] = os.path.join(os.environ.get("GEAK_TMP") or "/tmp", "triton")
    try:
        if backend() == "cuda":
            from triton.backends.nvidia.driver import CudaUtils as Utils
        else:
            from triton.backends.amd.driver import HIPUtils as Utils
        Utils()
        Utils.__init__ = lambda self: None  # each driver makes the one instance again
    except Exception:  # each candidate's process will try, and say why not
        pass


def open_nodes(box: "LibraryBox | PlainBox") -> List[str]:
    """Paths that candidates need besides; the box learns which nodes they may use."""
    box.backend = backend()
    if not box.backend:
        return []
    nodes = sorted(node for pattern in NODES for node in glob.glob(pattern) if not os.path.isdir(node))
    box.nodes = "\n".join(nodes).encode()
    wanted = [*nodes, *BESIDES, sysconfig.get_paths()["include"], *os.environ.get("LD_LIBRARY_PATH", "").split(":")]
    named = [os.environ.get(name, "") for name in ("GEAK_LIBCUDA", "GEAK_LIBHIP")]
    wanted += [os.path.dirname(os.path.realpath(path)) for path in named if path]
    return [path for path in wanted if path and os.path.exists(path)]


TRIAL = """
import torch
import triton
import triton.language as tl


@triton.jit
def trial_kernel(x, out, count, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out + at, tl.load(x + at, mask=at < count) * 2, mask=at < count)


def trial(x):
    out = torch.empty_like(x)
    trial_kernel[(1,)](x, out, out.numel(), BLOCK=64)
    return out
"""
TRIAL_LIMITS = {"wall_ms": 60000, "cpu_s": 60, "memory_bytes": 32 << 30, "processes": 4096, "file_bytes": 256 << 20}


def trial_files() -> Tuple[List[int], int, int, int]:
    """Descriptors of a request: source, result, stdio, x, out. And the reading ends of result and stdio, and out."""
    result, result_end = os.pipe()
    said, said_end = os.pipe()
    out = os.memfd_create("out", os.MFD_CLOEXEC)
    os.ftruncate(out, 128)
    x = sealed_memfd("x", struct.pack("32f", *range(32)))
    return [sealed_memfd("source", TRIAL.encode()), result_end, said_end, x, os.dup(out)], result, said, out


def trial_request() -> Dict[str, Any]:
    arg = {"name": "x", "kind": "tensor", "dtype": "float32", "shape": [32], "strides": [1], "offset": 0, "bytes": 128}
    return {"entry": {"name": "trial", "params": ["x"]}, "target": "", "calls": [{"args": [arg], "outputs": [128]}], "allow": [],
            "timed": 0, "gpu": int(os.environ.get("GEAK_GPU", "0")), "limits": TRIAL_LIMITS}  # fmt: skip


def check(start: Callable[[Frame, socket.socket], None]) -> str:
    """Runs a kernel of our own as candidates will be run: "", or why that does not work here. What fails afterwards is a
    candidate's. `start` forks the stub for a frame and a socket."""
    fds, result, said, out = trial_files()
    ours, theirs = socket.socketpair()
    frame = Frame("contain", json=trial_request(), fds=fds)
    start(frame, theirs)
    theirs.close()
    frame.close()
    channel, last = Channel(ours), None
    while True:
        answer = channel.receive()
        if answer is None:
            break
        answer.close()
        last = answer
        if answer.last:
            break
    told, words = _drain(result), _drain(said)
    ours.close()
    if b"raised" not in told and b'"launches"' in told and read_out(out)[:32] == [2.0 * i for i in range(32)]:
        os.close(out)
        return ""
    why = last.json.get("message") or last.json if last is not None else "no answer"
    return f"a kernel of geak's own does not run: {why}; {_tail(told)}; {_tail(words)}"[:2000]


def read_out(out: int) -> List[float]:
    return list(struct.unpack("32f", os.pread(out, 128, 0)))


def _tail(data: bytes) -> str:
    return data[-700:].decode("utf-8", "replace")


def _drain(fd: int) -> bytes:
    out = b""
    while True:
        chunk = os.read(fd, 1 << 16)
        if not chunk:
            os.close(fd)
            return out
        out += chunk


def run(box: "LibraryBox | PlainBox", request: Dict[str, Any], source: bytes, send: Callable[[Frame], None],
        fds: Sequence[int]) -> None:  # fmt: skip
    """In the candidate's process, closed by now."""
    from . import contained

    witness = Witness(getattr(box, "library", None))
    if box.backend:
        witness.open(box.backend)
    contained.main(request, source, fds, send, bool(box.backend), witness)
