"""The zygote: has torch and triton in memory and forks a process for each candidate.

    geak == socket == zygote --fork--> stub --fork--> inside (the candidate)

The zygote is single-threaded and blocks in select(). For each capture it forks a *stub*, which enters new namespaces for
its children, forks *inside*, and waits for the end of the whole tree. The stub talks to the zygote over a socket of its
own (`spawned` with inside's pidfd, then `exited` or `error`), and the zygote passes that on: only the zygote writes to
geak, so frames never mix. The stub also holds the reading end of a pipe whose other end only the zygote has: when the
zygote dies, or geak cancels, the stub kills the tree.

A candidate may do what it likes to its own process. Neither stub nor zygote reads anything that it wrote, apart from one
word on a pipe that is closed before the candidate's first line runs. Deadlines are geak's: it holds the pidfd. The stub's
own deadline is later, for a geak that has gone.
"""

from __future__ import annotations

import gc
import os
import select
import shutil
import signal
import socket
import tempfile
import time
from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple

from . import facts, toolchain
from .box import HAS_MOUNT, PR_SET_CHILD_SUBREAPER, BoxError, LibraryBox, Limits, PlainBox, _prctl, kill_children, open_box, readable_paths
from .frames import Channel, Frame, FrameError

BACKSTOP_MS = 5000
GRACE_S = 5.0
MAX_LIVE = 256


@dataclass
class Live:
    """A capture that runs: its stub, the stub's socket, and the pipe that stops it."""

    id: int
    stub: int
    channel: Channel
    stop: int
    done: bool = False


class Zygote:
    """Serves captures until its socket ends."""

    def __init__(self, channel: Channel, box: "LibraryBox | PlainBox", build: str, is_real: bool = False) -> None:
        self.channel, self.box, self.build, self.is_real = channel, box, build, is_real
        self.live: Dict[int, Live] = {}  # by descriptor of the stub's socket

    def serve(self) -> None:
        try:
            while True:
                ready, _, _ = select.select([self.channel.fileno(), *self.live], [], [])
                for fd in ready:
                    if fd in self.live:
                        self.from_stub(self.live[fd])
                if self.channel.fileno() in ready and not self.from_geak():
                    return
        finally:
            self.stop_all()

    def stop_all(self) -> None:
        """Ends all captures: stubs are told, given time to clean up, then killed."""
        for live in self.live.values():
            if live.stop >= 0:
                os.close(live.stop)
        until = time.monotonic() + GRACE_S
        waiting = set(self.live)
        while waiting and time.monotonic() < until:
            for fd in select.select(list(waiting), [], [], max(0.0, until - time.monotonic()))[0]:
                if not os.read(fd, 4096):
                    waiting.discard(fd)
        kill_children()

    # ---- geak ----

    def from_geak(self) -> bool:
        """Handles one frame. False at the end of the stream."""
        frame = self.channel.receive()
        if frame is None:
            return False
        try:
            if frame.type == ("contain" if self.is_real else "capture"):
                self.capture(frame)
            elif frame.type == "cancel":
                self.cancel(frame.id)
            else:
                self.error(frame.id, "protocol", f"a zygote does not understand {frame.type}")
        finally:
            frame.close()
        return True

    def error(self, ident: int, kind: str, message: str) -> None:
        self.channel.send(Frame("error", ident, {"kind": kind, "message": message}, last=True))

    def cancel(self, ident: int) -> None:
        for live in self.live.values():
            if live.id == ident and live.stop >= 0:
                os.close(live.stop)
                live.stop = -1

    def capture(self, frame: Frame) -> None:
        problem = check_request(frame)
        if problem is not None or len(self.live) >= MAX_LIVE:
            self.error(frame.id, "protocol", problem or "too many captures at once")
            return
        ours, theirs = socket.socketpair()
        stop_read, stop_write = os.pipe()
        try:
            pid = os.fork()
        except OSError as error:
            for end in (ours, theirs):
                end.close()
            os.close(stop_read)
            os.close(stop_write)
            self.error(frame.id, "system", f"no process for the candidate: {error}")
            return
        if pid == 0:
            ours.close()
            self.become_stub(stop_write)
            Stub(self.box, Channel(theirs), stop_read, frame, self.build).main()
        theirs.close()
        os.close(stop_read)
        self.live[ours.fileno()] = Live(frame.id, pid, Channel(ours), stop_write)

    def become_stub(self, stop_write: int) -> None:
        """In the new stub: what belongs to the zygote and to other captures is closed."""
        os.close(stop_write)
        self.channel.sock.close()
        for live in self.live.values():
            live.channel.sock.close()
            if live.stop >= 0:
                os.close(live.stop)

    # ---- stubs ----

    def from_stub(self, live: Live) -> None:
        """Passes a stub's frame on; a stub that ends without its last word was killed."""
        try:
            frame = live.channel.receive()
        except FrameError:
            frame = None
        if frame is not None:
            frame.id = live.id
            live.done = live.done or frame.last
            try:
                if not frame.last:
                    self.channel.send(frame)
                    return
            finally:
                frame.close()
        self.bury(live, frame)

    def bury(self, live: Live, last: Optional[Frame]) -> None:
        """Reaps a stub and what it left behind, then says the last word for it."""
        del self.live[live.channel.fileno()]
        live.channel.sock.close()
        if live.stop >= 0:
            os.close(live.stop)
        _, status = os.waitpid(live.stub, 0)
        kill_children(spare=[other.stub for other in self.live.values()])
        if last is None:
            code = os.WTERMSIG(status) if os.WIFSIGNALED(status) else signal.SIGKILL
            last = Frame("exited", live.id, {"status": "signaled", "code": int(code), "cpu_ms": 0, "max_rss_bytes": 0},
                         last=True)  # fmt: skip
        self.channel.send(last)


def check_request(frame: Frame) -> Optional[str]:
    """What is wrong with a capture request, or None."""
    request = frame.json
    shapes = {"entry": dict, "target": str, "salt": str, "cases": list, "limits": dict}
    if frame.type == "contain":
        shapes = {"entry": dict, "target": str, "calls": list, "timed": int, "limits": dict}
    for name, kind in shapes.items():
        if not isinstance(request.get(name), kind):
            return f"a capture request without a proper {name}"
    if not isinstance(request["entry"].get("name"), str):
        return "a capture request without the entry's name"
    if frame.type == "contain" and len(frame.fds) >= 3:
        return None
    if len(frame.fds) != 3:
        return f"a capture request brings 3 descriptors, not {len(frame.fds)}"
    return None


class Stub:
    """The process between zygote and candidate."""

    def __init__(self, box: "LibraryBox | PlainBox", channel: Channel, stop: int, frame: Frame, build: str) -> None:
        self.box, self.channel, self.stop, self.frame, self.build = box, channel, stop, frame, build
        self.limits = Limits.from_json(frame.json["limits"])
        if self.limits.wall_ms > 0:
            self.limits.wall_ms += BACKSTOP_MS
        self.own_tmp: Optional[str] = None

    def main(self) -> None:
        """Never returns."""
        code = 0
        try:
            self.run()
        except BaseException as error:
            code = 1
            self.say(Frame("error", json={"kind": "system", "message": f"stub: {error!r}"[:1000]}, last=True))
        finally:
            os._exit(code)

    def say(self, frame: Frame) -> None:
        frame.id = self.frame.id
        try:
            self.channel.send(frame)
        except OSError:
            pass

    def run(self) -> None:
        bits = self.box.stub_enter()
        tmp = "/tmp" if bits & HAS_MOUNT else self.make_tmp()
        notify, notify_inside = socket.socketpair()
        ready, ready_inside = os.pipe()
        leaf = self.box.make_leaf(os.getpid(), self.limits)
        pid = os.fork()
        if pid == 0:
            self.become_inside(notify, ready)
            from . import inside

            inside.main(self.box, self.frame.type, self.frame.json, self.frame.fds, notify_inside.detach(), ready_inside,
                        leaf, tmp, self.build)  # fmt: skip
        notify_inside.close()
        os.close(ready_inside)
        pidfd = os.pidfd_open(pid)
        self.say(Frame("spawned", json={"pid": pid}, fds=[pidfd]))
        os.close(pidfd)
        self.frame.close()
        end = self.box.wait(pid, notify.detach(), self.stop, self.limits, tmp)
        end.over_memory |= self.box.end_leaf(os.getpid(), leaf)
        word = os.read(ready, 1024)
        if self.own_tmp is not None:
            shutil.rmtree(self.own_tmp, ignore_errors=True)
        if word not in (b"ok", b""):
            message = word.decode("utf-8", "replace")
            self.say(Frame("error", json={"kind": "sandbox", "message": message}, last=True))
            return
        status = "signaled" if end.signaled else "exited"
        self.say(Frame("exited", json={"status": status, "code": end.code, "cpu_ms": end.cpu_ms,
                                       "max_rss_bytes": end.max_rss_bytes, "over_memory": end.over_memory,
                                       "over_disk": end.over_disk},
                       last=True))  # fmt: skip

    def make_tmp(self) -> str:
        self.own_tmp = tempfile.mkdtemp(prefix="geak-capture-")
        return self.own_tmp

    def become_inside(self, notify: socket.socket, ready: int) -> None:
        notify.close()
        os.close(ready)
        os.close(self.stop)
        self.channel.sock.close()


def warm_up(is_real: bool) -> None:
    """Loads what captures need, so that forks find it in memory."""
    if is_real:
        from . import real

        real.warm_up()
        return
    from . import capture, warm  # noqa: F401

    warm.run()


def paths(box: "LibraryBox | PlainBox", is_real: bool) -> List[str]:
    """What processes of candidates may read. The nodes of a device, where they may use one, become the box's."""
    found = readable_paths()
    if is_real:
        from . import real

        found += real.open_nodes(box)
    return found


def trial(box: "LibraryBox | PlainBox", build: str) -> str:
    """Whether candidates can be run for real here: "", or why not."""
    from . import real

    def start(frame: Frame, theirs: socket.socket) -> None:
        stop_read, stop_write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(stop_write)
            Stub(box, Channel(theirs), stop_read, frame, build).main()
        os.close(stop_read)
        started.append((pid, stop_write))

    started: List[Tuple[int, int]] = []
    why = real.check(start)
    for pid, stop_write in started:
        os.close(stop_write)
        os.waitpid(pid, 0)
    return why


def main(build: str, role: str = "zygote") -> int:
    """The zygote's process, or that of those who run for real. Returns its exit status."""
    is_real = role == "contained"
    channel = Channel.from_environment()
    try:
        box = open_box()
    except BoxError as error:
        channel.send(Frame("error", json={"kind": "sandbox", "message": str(error)}, last=True))
        return 1
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    warm_up(is_real)
    try:
        box.enter_root(paths(box, is_real), os.environ.get("GEAK_TMP", ""))
    except BoxError as error:
        channel.send(Frame("error", json={"kind": "sandbox", "message": str(error)}, last=True))
        return 1
    why = trial(box, build) if is_real else ""
    if why:
        channel.send(Frame("error", json={"kind": "sandbox", "message": why}, last=True))
        return 1
    slots = max(1, len(os.sched_getaffinity(0)))
    channel.send(facts.hello(role, build, slots, {**facts.versions(), **toolchain.facts(), "box": box.name}))
    gc.collect()
    gc.freeze()
    gc.disable()
    Zygote(channel, box, build, is_real).serve()
    return 0
