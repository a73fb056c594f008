"""The sandbox of a candidate: geak's own library where it is there, else what Python can do alone.

GEAK_BOX names libgeakbox.so (src/box/inside.h says what its functions promise). Without it there are limits, closed
descriptors, no new privileges and the killing of whole process trees: enough against accidents, not against intent.
"""

from __future__ import annotations

import ctypes
import os
import resource
import select
import signal
import time
from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence

API = 2
HAS_PID, HAS_MOUNT, HAS_LANDLOCK, HAS_SECCOMP, HAS_COUNT = 1, 2, 4, 8, 16
LAYERS = {HAS_PID: "pid", HAS_MOUNT: "mount", HAS_LANDLOCK: "landlock", HAS_SECCOMP: "seccomp", HAS_COUNT: "count"}

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 36, 38
PR_CAPBSET_DROP = 24


class BoxError(Exception):
    """A layer of the sandbox could not be set up: the candidate must not run."""


@dataclass
class Limits:
    """Ceilings of one capture. Zero or less: none."""

    wall_ms: int = 0
    cpu_s: int = 0
    memory_bytes: int = 0
    processes: int = 0
    file_bytes: int = 0

    @classmethod
    def from_json(cls, values: Dict[str, int]) -> "Limits":
        return cls(**{name: int(values.get(name) or 0) for name in cls.__dataclass_fields__})


@dataclass
class End:
    """How the candidate's process ended, its whole tree being gone."""

    signaled: bool
    code: int
    cpu_ms: int
    max_rss_bytes: int
    over_memory: bool = False
    timed_out: bool = False
    over_disk: bool = False


def _prctl(option: int, value: int) -> bool:
    return ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) == 0


class _Inside(ctypes.Structure):
    _fields_ = [
        ("keep_fds", ctypes.POINTER(ctypes.c_int32)),
        ("keep_count", ctypes.c_int32),
        ("notify_fd", ctypes.c_int32),
        ("tmp_folder", ctypes.c_char_p),
        ("cpu_s", ctypes.c_int64),
        ("memory_bytes", ctypes.c_int64),
        ("file_bytes", ctypes.c_int64),
        ("processes", ctypes.c_int64),
    ]


class _Stub(ctypes.Structure):
    _fields_ = [
        ("pid", ctypes.c_int32),
        ("notify_fd", ctypes.c_int32),
        ("max_creations", ctypes.c_int64),
        ("memory_bytes", ctypes.c_int64),
        ("wall_ms", ctypes.c_int64),
        ("tmp_folder", ctypes.c_char_p),
        ("tmp_bytes", ctypes.c_int64),
        ("stop_fd", ctypes.c_int32),
        ("signaled", ctypes.c_int32),
        ("code", ctypes.c_int32),
        ("timed_out", ctypes.c_int32),
        ("over_memory", ctypes.c_int32),
        ("over_disk", ctypes.c_int32),
        ("creations", ctypes.c_int64),
        ("cpu_ms", ctypes.c_int64),
        ("max_rss_bytes", ctypes.c_int64),
    ]


class LibraryBox:
    """The layers of libgeakbox.so."""

    name = "libgeakbox"

    def __init__(self, path: str) -> None:
        self.library = ctypes.CDLL(path)
        if self.library.gk_box_api() != API:
            raise BoxError(f"{path} has another interface than this worker")

    def stub_enter(self) -> int:
        """In the stub: what inside will have."""
        return int(self.library.gk_box_stub_enter())

    def inside_setup(self, keep: Sequence[int], notify: int, tmp: str, limits: Limits) -> int:
        """In inside: the layers in force. Raises BoxError."""
        fds = (ctypes.c_int32 * len(keep))(*keep)
        inside = _Inside(fds, len(keep), notify, tmp.encode(), limits.cpu_s, limits.memory_bytes, limits.file_bytes,
                         limits.processes)  # fmt: skip
        message = ctypes.create_string_buffer(512)
        bits = int(self.library.gk_box_inside_setup(ctypes.byref(inside), message, len(message)))
        if bits < 0:
            raise BoxError(message.value.decode("utf-8", "replace"))
        return bits

    def wait(self, pid: int, notify: int, stop: int, limits: Limits, tmp: Optional[str] = None) -> End:
        """In the stub: returns when inside and every descendant are gone."""
        stub = _Stub(pid=pid, notify_fd=notify, max_creations=limits.processes, memory_bytes=limits.memory_bytes,
                     wall_ms=limits.wall_ms, tmp_folder=tmp.encode() if tmp else None, tmp_bytes=limits.file_bytes,
                     stop_fd=stop)  # fmt: skip
        if self.library.gk_box_stub_wait(ctypes.byref(stub)):
            raise BoxError("the candidate's process was gone before it was waited for")
        return End(bool(stub.signaled), stub.code, stub.cpu_ms, stub.max_rss_bytes, bool(stub.over_memory),
                   bool(stub.timed_out), bool(stub.over_disk))  # fmt: skip


class PlainBox:
    """Limits and the killing of trees, with the standard library."""

    name = "limits"

    def stub_enter(self) -> int:
        os.setsid()
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        _prctl(PR_SET_CHILD_SUBREAPER, 1)
        unshare = getattr(os, "unshare", None) or ctypes.CDLL(None, use_errno=True).unshare
        try:
            return HAS_PID if not unshare(0x20000000) else 0
        except OSError:
            return 0

    def inside_setup(self, keep: Sequence[int], notify: int, tmp: str, limits: Limits) -> int:
        os.setsid()
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if notify >= 0:
            os.close(notify)
        close_others(keep)
        if limits.memory_bytes > 0:
            ceiling = mapped_bytes() + limits.memory_bytes
            resource.setrlimit(resource.RLIMIT_AS, (ceiling, ceiling))
        for kind, value in ((resource.RLIMIT_CPU, limits.cpu_s), (resource.RLIMIT_FSIZE, limits.file_bytes),
                            (resource.RLIMIT_NPROC, limits.processes)):  # fmt: skip
            if value > 0:
                resource.setrlimit(kind, (value, value))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if not _prctl(PR_SET_NO_NEW_PRIVS, 1):
            raise BoxError("no_new_privs cannot be set")
        for capability in range(64):
            _prctl(PR_CAPBSET_DROP, capability)
        return 0

    def wait(self, pid: int, notify: int, stop: int, limits: Limits, tmp: Optional[str] = None) -> End:
        if notify >= 0:
            os.close(notify)
        pidfd = os.pidfd_open(pid)
        started = time.monotonic()
        timed_out = stopped = False
        while True:
            left = limits.wall_ms / 1000 - (time.monotonic() - started) if limits.wall_ms > 0 else 3600.0
            ready, _, _ = select.select([pidfd] + ([stop] if stop >= 0 and not stopped else []), [], [], max(left, 0))
            if pidfd in ready:
                break
            stopped = stop in ready
            timed_out = timed_out or (not ready and limits.wall_ms > 0)
            os.kill(pid, signal.SIGKILL)
        _, status, usage = os.wait4(pid, 0)
        os.close(pidfd)
        kill_children()
        return End(os.WIFSIGNALED(status), os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status),
                   int((usage.ru_utime + usage.ru_stime) * 1000), usage.ru_maxrss * 1024,
                   timed_out=timed_out)  # fmt: skip


def mapped_bytes() -> int:
    """Address space in use."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def close_others(keep: Sequence[int]) -> None:
    """Closes every descriptor but 0, 1, 2 and `keep`."""
    stay = sorted({0, 1, 2, *keep})
    for low, high in zip(stay, [*stay[1:], 1 << 20]):
        os.closerange(low + 1, min(high, _highest() + 1))


def _highest() -> int:
    return max(int(name) for name in os.listdir("/proc/self/fd"))


def children() -> List[int]:
    """Processes whose parent is this one."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]
    except (OSError, ValueError):
        return []


def kill_children(spare: Optional[Sequence[int]] = None) -> None:
    """Kills all descendants: the children of a dead child become ours, until none is left."""
    for _ in range(10000):
        left = [pid for pid in children() if pid not in (spare or ())]
        if not left:
            return
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        for pid in left:
            try:
                os.waitpid(pid, 0)
            except ChildProcessError:
                pass


def open_box() -> "LibraryBox | PlainBox":
    """The box to use. Raises BoxError when GEAK_BOX names a library that does not fit."""
    path = os.environ.get("GEAK_BOX", "")
    if not path:
        return PlainBox()
    try:
        return LibraryBox(path)
    except (OSError, AttributeError) as error:
        raise BoxError(f"GEAK_BOX={path}: {error}") from None


def layer_names(bits: int) -> List[str]:
    return [name for bit, name in LAYERS.items() if bits & bit]
