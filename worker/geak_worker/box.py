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
import sys
import time
from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence

API = 4
HAS_PID, HAS_MOUNT, HAS_LANDLOCK, HAS_SECCOMP, HAS_COUNT, HAS_ROOT = 1, 2, 4, 8, 16, 64
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
        ("readable", ctypes.c_char_p),
        ("nodes", ctypes.c_char_p),
        ("has_root", ctypes.c_int32),
        ("group", ctypes.c_int32),
        ("need", ctypes.c_int32),
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


class _Peer(ctypes.Structure):
    _fields_ = [
        ("readable", ctypes.c_char_p),
        ("writable", ctypes.c_char_p),
        ("may_run", ctypes.c_int32),
        ("has_device", ctypes.c_int32),
    ]


class LibraryBox:
    """The layers of libgeakbox.so."""

    name = "libgeakbox"
    has_root = False
    readable: Optional[bytes] = None
    backend = ""  # "cuda" or "hip": candidates run for real on a GPU
    nodes: Optional[bytes] = None  # of that GPU
    group = -1
    need = 0

    def __init__(self, path: str) -> None:
        self.library = ctypes.CDLL(path)
        if self.library.gk_box_api() != API:
            raise BoxError(f"{path} has another interface than this worker")

    def stub_enter(self) -> int:
        """In the stub: what inside will have."""
        return int(self.library.gk_box_stub_enter())

    def _call(self, function: str, *arguments: object) -> int:
        message = ctypes.create_string_buffer(512)
        bits = int(getattr(self.library, function)(*arguments, message, len(message)))
        if bits < 0:
            raise BoxError(message.value.decode("utf-8", "replace"))
        return bits

    def enter_root(self, readable: Sequence[str], tmp: str) -> None:
        """In the zygote or a lowering worker, once all is loaded: from now on there is nothing but these paths, read-only,
        and `tmp`, empty. Where mounts are not allowed Landlock alone keeps the rest away. Raises BoxError."""
        self.readable = "\n".join(readable).encode()
        self.has_root = bool(self._call("gk_box_root", self.readable, tmp.encode() if tmp else None))

    def confine(self, writable: str) -> int:
        """In a process that feeds what candidates made to a compiler: no rights, no sockets, no files but its own. The
        layers in force. Raises BoxError."""
        peer = _Peer(self.readable, writable.encode(), 1, 0)
        return self._call("gk_box_confine", ctypes.byref(peer))

    def make_leaf(self, number: int, limits: Limits) -> int:
        """In the stub: a control group for one candidate, or -1."""
        if self.group < 0:
            return -1
        memory = limits.memory_bytes + max(limits.file_bytes, 0) if limits.memory_bytes > 0 else 0
        return int(self.library.gk_box_group_leaf(self.group, number, ctypes.c_int64(memory),
                                                  ctypes.c_int64(limits.processes)))  # fmt: skip

    def end_leaf(self, number: int, leaf: int) -> bool:
        """In the stub: removes the group; True when somebody in it was ended for memory."""
        return leaf >= 0 and bool(self.library.gk_box_group_end(self.group, number, leaf))

    def inside_setup(self, keep: Sequence[int], notify: int, tmp: str, limits: Limits, leaf: int = -1) -> int:
        """In inside: the layers in force. Raises BoxError."""
        fds = (ctypes.c_int32 * len(keep))(*keep)
        inside = _Inside(fds, len(keep), notify, tmp.encode(), self.readable, self.nodes, self.has_root, leaf, self.need,
                         limits.cpu_s, 0 if self.backend else limits.memory_bytes, limits.file_bytes, limits.processes)  # fmt: skip
        return self._call("gk_box_inside_setup", ctypes.byref(inside))

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
    backend = ""
    nodes: Optional[bytes] = None

    def enter_root(self, readable: Sequence[str], tmp: str) -> None:
        """Nothing: that takes system calls that Python does not have."""

    def confine(self, writable: str) -> int:
        _prctl(PR_SET_NO_NEW_PRIVS, 1)
        return 0

    def make_leaf(self, number: int, limits: Limits) -> int:
        return -1

    def end_leaf(self, number: int, leaf: int) -> bool:
        return False

    def stub_enter(self) -> int:
        os.setsid()
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        _prctl(PR_SET_CHILD_SUBREAPER, 1)
        unshare = getattr(os, "unshare", None) or ctypes.CDLL(None, use_errno=True).unshare
        try:
            return HAS_PID if not unshare(0x20000000) else 0
        except OSError:
            return 0

    def inside_setup(self, keep: Sequence[int], notify: int, tmp: str, limits: Limits, leaf: int = -1) -> int:
        os.setsid()
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if notify >= 0:
            os.close(notify)
        close_others(keep)
        if limits.memory_bytes > 0 and not self.backend:  # a driver reserves address space as it likes
            ceiling = mapped_bytes() + limits.memory_bytes
            resource.setrlimit(resource.RLIMIT_AS, (ceiling, ceiling))
        for kind, value in ((resource.RLIMIT_CPU, limits.cpu_s), (resource.RLIMIT_FSIZE, limits.file_bytes),
                            (resource.RLIMIT_NPROC, limits.processes)):  # fmt: skip
            if value > 0:
                resource.setrlimit(kind, (value, value))
        resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
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
    need = int(os.environ.get("GEAK_BOX_NEED", "0"))
    if not path:
        if need:
            raise BoxError("libgeakbox.so is not there, and --containment strict needs it")
        return PlainBox()
    try:
        box = LibraryBox(path)
    except (OSError, AttributeError) as error:
        raise BoxError(f"GEAK_BOX={path}: {error}") from None
    box.need = need
    box.group = int(os.environ.get("GEAK_GROUP_FD", "-1"))
    if box.group >= 0:
        os.set_inheritable(box.group, False)
    return box


# ---- what a boxed process may read ----

SYSTEM = ("/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libexec", "/usr/bin", "/bin", "/lib", "/lib32", "/lib64",
          "/usr/share/zoneinfo", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives",
          "/etc/localtime", "/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/sys/devices/system/cpu",
          "/sys/devices/system/node", "/opt/rocm", "/nix/store", "/gnu/store")  # fmt: skip
WIDE = ("/", "/usr", "/usr/local", "/opt", "/home", "/root", "/tmp", "/var", "/etc", "/mnt", "/srv")


def _of_prefix(prefix: str) -> List[str]:
    """A Python's own folder, or the parts of one that is everybody's: other things lie there too, maybe answers."""
    real = os.path.realpath(prefix)
    if real in WIDE or real == os.path.realpath(os.path.expanduser("~")):
        return [os.path.join(prefix, part) for part in ("lib", "lib64", "bin")]
    return [prefix]


def _loaded() -> List[str]:
    """Folders of the libraries that are in memory: more of the same is loaded from there, late."""
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as file:
        names = {line.split(maxsplit=5)[5].strip() for line in file if line.count("/")}
    return [os.path.dirname(name) for name in names if ".so" in os.path.basename(name) and name.startswith("/")]


def readable_paths() -> List[str]:
    """What Python, torch and triton need, no folder below another. Not the folder geak runs in, nor the tasks."""
    wanted = list(SYSTEM) + _loaded() + [os.path.dirname(os.path.abspath(__file__))]
    for prefix in {sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix}:
        wanted += _of_prefix(prefix)
    here = os.path.realpath(os.getcwd())
    wanted += [path for path in sys.path if path and os.path.realpath(path) not in (*WIDE, here)]
    kept: List[str] = []
    for path in sorted({os.path.abspath(path) for path in wanted if os.path.exists(path)}):
        if path not in WIDE and not any(path.startswith(other + "/") for other in kept):
            kept.append(path)
    return kept
