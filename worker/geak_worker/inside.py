"""The candidate's process: PID 1 of its namespace where there is one. From here on nothing is trusted.

It holds the source, the result pipe and one pipe for stdout and stderr, and nothing else: no seed, no key, no value.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import tempfile
import traceback
from typing import Any, Dict, List

from .box import BoxError, LibraryBox, Limits, PlainBox
from .frames import FrameError, PipeWriter, read_memfd

SOURCE_LIMIT = 1 << 20
RESULT_FD = 3


def environment(tmp: str) -> Dict[str, str]:
    """The whole environment of a candidate."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": tmp,
        "TMPDIR": tmp,
        "TRITON_HOME": tmp,
        "TRITON_CACHE_DIR": os.path.join(tmp, "triton"),
        "PYTHONHASHSEED": "0",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "TRITON_DEFAULT_FP_FUSION": "1",
    }


def device_environment(box: "LibraryBox | PlainBox", gpu: int) -> Dict[str, str]:
    """What a driver and Triton must know besides, for a candidate that runs for real: it sees one GPU, number `gpu`."""
    names = ["ROCR_VISIBLE_DEVICES", "GEAK_LIBCUDA", "GEAK_LIBHIP"] if box.backend else ["TRITON_INTERPRET"]
    kept = {name: os.environ[name] for name in names if name in os.environ}
    if box.backend:
        visible = "HIP_VISIBLE_DEVICES" if box.backend == "hip" else "CUDA_VISIBLE_DEVICES"
        known = [name for name in os.environ.get(visible, "").split(",") if name.strip()]
        kept[visible] = known[gpu].strip() if gpu < len(known) else str(gpu)
    return kept


def _descriptors(result: int, stdio: int) -> int:
    """Puts stdio on 1 and 2, nothing on 0, the result pipe on RESULT_FD. `result` and `stdio` are above it."""
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(stdio, 1)
    os.dup2(stdio, 2)
    os.dup2(result, RESULT_FD, inheritable=False)
    return RESULT_FD


def _move_up(fd: int) -> int:
    """A duplicate of a descriptor with a number above the fixed ones."""
    import fcntl

    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10)


def main(box: "LibraryBox | PlainBox", kind: str, request: Dict[str, Any], fds: List[int], notify: int, ready: int,
         leaf: int, tmp: str, build: str) -> None:  # fmt: skip
    """Never returns. `fds` are source, result and stdio, then the memory files of a run for real; `ready` is told 'ok', or why the box could not be closed."""
    code = 1
    try:
        source_fd, result_fd, stdio_fd, *data = (_move_up(fd) for fd in fds)
        notify = _move_up(notify) if notify >= 0 else -1
        ready = _move_up(ready)
        leaf = _move_up(leaf) if leaf >= 0 else -1
        try:
            source = read_memfd(source_fd, SOURCE_LIMIT)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            result = _descriptors(result_fd, stdio_fd)
            box.inside_setup([result, ready, *data], notify, tmp, Limits.from_json(request["limits"]), leaf)
            kept = device_environment(box, int(request.get("gpu") or 0)) if kind == "contain" else {}
            os.environ.clear()
            os.environ.update({**environment(tmp), **kept})
            os.makedirs(tmp, exist_ok=True)
            os.chdir(tmp)
            tempfile.tempdir = tmp  # the zygote has asked before, and the answer was kept
        except (BoxError, FrameError, OSError) as error:
            os.write(ready, str(error).encode()[:1000])
            os._exit(125)
        os.write(ready, b"ok")
        os.close(ready)
        code = _capture(request, source, result, build) if kind == "capture" else _real(box, request, source, result, data)
    except BaseException:  # what runs a candidate failed, not the candidate: nobody else would say so
        traceback.print_exc()
        _flush()
    finally:
        os._exit(code)


def _capture(request: Dict[str, Any], source: bytes, result: int, build: str) -> int:
    """Records the candidate; 0 when all was said that there was to say."""
    faulthandler.enable(file=2)
    from .capture import Capture

    Capture(request, source, PipeWriter(result).send, build).run()
    _flush()
    return 0


def _real(box: "LibraryBox | PlainBox", request: Dict[str, Any], source: bytes, result: int, data: List[int]) -> int:
    """Calls the candidate on data."""
    faulthandler.enable(file=2)
    from . import real

    real.run(box, request, source, PipeWriter(result).send, data)
    _flush()
    return 0


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass
