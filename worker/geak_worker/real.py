"""What the role `contained` does besides a zygote's work: candidates that run for real, with a GPU or Triton's interpreter.

GEAK_DEVICE is "cpu", or the name of a GPU ("cuda", "hip", with a number): then its nodes are in the candidates' root. The
interpreter must be asked for before triton is loaded, hence a process of its own. A device's context is made in each
candidate's process, never here: it would not survive a fork.
"""

from __future__ import annotations

import glob
import os
import sysconfig
from typing import Any, Callable, Dict, List, Sequence

from .box import LibraryBox, PlainBox
from .frames import Frame
from .witness import Witness

NODES = ("/dev/nvidia[0-9]*", "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/nvidia-modeset",
         "/dev/nvidia-caps/*", "/dev/kfd", "/dev/dri/*")  # fmt: skip
# Triton builds the launcher of a kernel with the system's compiler; drivers read /sys.
BESIDES = ("/sys", "/usr/include", "/usr/local/cuda", "/etc/ld.so.conf.d")


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
    try:
        if backend() == "cuda":
            from triton.backends.nvidia.driver import CudaUtils as Utils
        else:
            from triton.backends.amd.driver import HIPUtils as Utils
        Utils()
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


def run(box: "LibraryBox | PlainBox", request: Dict[str, Any], source: bytes, send: Callable[[Frame], None],
        fds: Sequence[int]) -> None:  # fmt: skip
    """In the candidate's process, closed by now."""
    from . import contained

    witness = Witness(getattr(box, "library", None))
    if box.backend:
        witness.open(box.backend)
    contained.main(request, source, fds, send, bool(box.backend), witness)
