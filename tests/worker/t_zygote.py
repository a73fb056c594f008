"""The zygote under candidates that behave and candidates that do not.

With GEAK_BOX in the environment the same tests run in the real sandbox.
"""

from __future__ import annotations

import os
import select
import signal
import time
from typing import Dict, List, Optional

from helper import Frame, Peer, Result, Tests, drain, parse, sealed_memfd, source, tensor

tests = Tests()
test = tests.add

GOOD = source(
    """
    @triton.jit
    def kernel(x, out, n, B: tl.constexpr):
        at = tl.program_id(0) * B + tl.arange(0, B)
        tl.store(out + at, tl.load(x + at, mask=at < n) * 2, mask=at < n)

    def f(x):
        out = torch.empty_like(x)
        kernel[(triton.cdiv(x.numel(), 128),)](x, out, x.numel(), B=128)
        return out
    """
)

LIMITS = {"wall_ms": 20000, "cpu_s": 20, "memory_bytes": 2 << 30, "processes": 32, "file_bytes": 1 << 24,
          "output_bytes": 1 << 20}  # fmt: skip


class Running:
    """A capture that was asked for."""

    def __init__(self, peer: Peer, ident: int, text: str, limits: Dict[str, int]) -> None:
        self.ident = ident
        self.result, result = os.pipe()
        self.stdio, stdio = os.pipe()
        code = sealed_memfd("source", text.encode())
        request = {"entry": {"name": "f", "params": ["x"]}, "target": "cpu", "salt": "5a", "pick": None, "allow": [],
                   "cases": [{"id": "a", "args": [tensor("x", 300)]}], "limits": {**LIMITS, **limits}}  # fmt: skip
        peer.channel.send(Frame("capture", ident, request, fds=[code, result, stdio]))
        for fd in (code, result, stdio):
            os.close(fd)

    def finish(self, peer: Peer, kill_after: Optional[float] = None) -> "Ended":
        """Reads until `exited`. Kills by pidfd, as geak does, when it takes longer than `kill_after` seconds."""
        first = peer.channel.receive()
        assert first is not None and first.id == self.ident, first
        if first.type == "spawned":
            (pidfd,) = first.fds
            if kill_after is not None and not select.select([peer.channel], [], [], kill_after)[0]:
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            os.close(pidfd)
            last = peer.channel.receive()
        else:
            last = first
        assert last is not None and last.id == self.ident and last.last
        output = drain_limited(self.stdio)
        return Ended(first, last, Result(parse_claims(drain(self.result))), output)


class Ended:
    def __init__(self, first: Frame, last: Frame, result: Result, output: bytes) -> None:
        self.first, self.last, self.result, self.output = first, last, result, output

    def __repr__(self) -> str:
        return f"{self.last.type} {self.last.json} {[f.json for f in self.result.frames]} {self.output[-500:]!r}"


def drain_limited(fd: int) -> bytes:
    return drain(fd)


def parse_claims(data: bytes) -> List[Frame]:
    try:
        return parse(data)
    except Exception:
        return []


def hostile(peer: Peer, text: str, kill_after: float = 3.0, **limits: int) -> Ended:
    """Runs a candidate, then a good one; the good one must be served."""
    ended = Running(peer, 100, text, limits).finish(peer, kill_after)
    good = Running(peer, 101, GOOD, {}).finish(peer)
    assert good.last.json["status"] == "exited" and good.result.ended and good.result.plans, good
    return ended


def one_peer() -> Peer:
    global _peer
    if _peer is None:
        _peer = Peer("zygote")
    return _peer


_peer: Optional[Peer] = None


def descendants(pid: int) -> List[int]:
    found = []
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            found = [int(n) for n in file.read().split()]
    except OSError:
        pass
    return found + [d for child in found for d in descendants(child)]


@test
def hello_says_who_and_what() -> None:
    hello = one_peer().hello
    assert hello is not None and hello.type == "hello" and hello.json["role"] == "zygote"
    assert hello.json["proto"] == 1 and hello.json["build"] == "test" and hello.json["facts"]["supported"] is True


@test
def a_candidate_is_captured_in_its_own_process() -> None:
    peer = one_peer()
    ended = Running(peer, 1, "import os\nprint('pid', os.getpid())\n" + GOOD, {}).finish(peer)
    assert ended.first.type == "spawned" and ended.last.json["status"] == "exited" and ended.last.json["code"] == 0, (
        ended
    )
    assert ended.result.types == ["ttir", "plan", "end"] and ended.output.startswith(b"pid "), ended


@test
def captures_run_side_by_side() -> None:
    peer = one_peer()
    running = {i: Running(peer, i, GOOD, {}) for i in range(10, 14)}
    seen: Dict[int, List[str]] = {}
    for _ in range(8):
        frame = peer.channel.receive()
        assert frame is not None
        frame.close()
        seen.setdefault(frame.id, []).append(frame.type)
    assert seen == {i: ["spawned", "exited"] for i in running}
    for one in running.values():
        assert Result(parse(drain(one.result))).plans
        drain(one.stdio)


@test
def the_environment_is_scrubbed() -> None:
    os.environ["SECRET_KEY"] = "hunter2"
    peer = Peer("zygote")
    text = (
        "import os\nprint(sorted(os.environ), os.getcwd() == os.environ['HOME'], len(os.listdir('/proc/self/fd')))\n"
    )
    text += "try:\n    os.fstat(0), os.fstat(3)\n    print('ok')\nexcept OSError as e:\n    print(e)\n"
    ended = Running(peer, 1, text + GOOD, {}).finish(peer)
    peer.close()
    del os.environ["SECRET_KEY"]
    assert b"SECRET" not in ended.output and b"True" in ended.output and b"GEAK" not in ended.output, ended
    assert ended.result.plans, ended


@test
def exits_crashes_and_kills_are_told_apart() -> None:
    peer = one_peer()
    ended = hostile(peer, "import os\nos._exit(0)\n")
    assert ended.last.json["code"] == 0 and not ended.result.ended, ended
    ended = hostile(peer, "import ctypes\nctypes.string_at(0)\n")
    assert ended.last.json["status"] == "signaled" and ended.last.json["code"] == signal.SIGSEGV, ended
    ended = hostile(peer, "while True:\n    pass\n", kill_after=1.0)
    assert ended.last.json == {**ended.last.json, "status": "signaled", "code": signal.SIGKILL}, ended


@test
def limits_end_what_has_no_end() -> None:
    peer = one_peer()
    ended = hostile(peer, "while True:\n    pass\n", kill_after=20.0, cpu_s=1)
    assert ended.last.json["status"] == "signaled" and ended.last.json["code"] in (signal.SIGKILL, signal.SIGXCPU), (
        ended
    )
    ended = hostile(peer, "x = bytearray(100 << 30)\n", memory_bytes=1 << 30)
    assert ended.result.raised.get("type") == "MemoryError" or ended.last.json["status"] == "signaled", ended
    ended = hostile(peer, "open('big', 'wb').write(bytes(1 << 26))\n", file_bytes=1 << 20)
    assert ended.result.raised.get("type") == "OSError" or ended.last.json["status"] == "signaled", ended
    ended = hostile(peer, "while True:\n    pass\n", kill_after=30.0, wall_ms=1000)
    assert ended.last.json["status"] == "signaled", ended


@test
def a_stopped_candidate_is_killed() -> None:
    ended = hostile(
        one_peer(), "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)\nwhile True: pass\n", kill_after=1.0
    )
    assert ended.last.json["status"] == "signaled", ended


@test
def whole_trees_are_gone() -> None:
    peer = one_peer()
    text = (
        "import os, time\n"
        "for i in range(4):\n"
        "    if os.fork() == 0:\n"
        "        os.setsid()\n"
        "        if os.fork() == 0:\n"
        "            time.sleep(1000)\n"
        "        time.sleep(1000)\n"
        "time.sleep(0.2)\nos._exit(7)\n"
    )
    ended = hostile(peer, text, kill_after=10.0)
    assert ended.last.json["status"] == "exited" and ended.last.json["code"] == 7, ended
    assert descendants(peer.process.pid) == []


@test
def a_fork_bomb_ends() -> None:
    peer = one_peer()
    text = (
        "import os\nfor i in range(200):\n    try:\n        os.fork()\n    except OSError:\n        os._exit(3)\n"
        "    if i > 8: os._exit(0)\n"
    )
    hostile(peer, text, kill_after=2.0)
    assert descendants(peer.process.pid) == []


@test
def closed_descriptors_and_dead_parents_do_no_harm() -> None:
    peer = one_peer()
    hostile(peer, "import os\nos.closerange(0, 1000)\nwhile True: pass\n", kill_after=1.0)
    text = "import os, signal\nfor p in (os.getppid(), -1):\n    try:\n        os.kill(p, 9)\n    except OSError: pass\n"
    if os.environ.get("GEAK_BOX"):
        hostile(peer, text, kill_after=2.0)


@test
def forged_claims_are_only_claims() -> None:
    text = (
        "import os\nfor fd in range(3, 64):\n    try:\n        os.write(fd, b'GKW1' + bytes(100))\n"
        "    except OSError: pass\nos._exit(0)\n"
    )
    ended = hostile(one_peer(), text)
    assert ended.last.json["status"] == "exited" and not ended.result.plans, ended


@test
def a_cancelled_capture_ends() -> None:
    peer = one_peer()
    running = Running(peer, 50, "while True:\n    pass\n", {})
    first = peer.channel.receive()
    assert first is not None
    first.close()
    started = time.monotonic()
    peer.channel.send(Frame("cancel", 50))
    last = peer.channel.receive()
    assert last is not None and last.type == "exited" and last.json["status"] == "signaled"
    assert time.monotonic() - started < 10
    drain(running.result)
    drain(running.stdio)


@test
def wrong_requests_are_answered() -> None:
    peer = one_peer()
    peer.channel.send(Frame("capture", 60, {"entry": {}}))
    answer = peer.channel.receive()
    assert answer is not None and answer.type == "error" and answer.json["kind"] == "protocol" and answer.id == 60
    peer.channel.send(Frame("lint", 61, {}))
    answer = peer.channel.receive()
    assert answer is not None and answer.type == "error"


@test
def the_end_of_the_stream_ends_everything() -> None:
    peer = Peer("zygote")
    running = Running(peer, 1, "while True:\n    pass\n", {})
    first = peer.channel.receive()
    assert first is not None
    first.close()
    children = descendants(peer.process.pid)
    assert children and peer.close() == 0
    alive = [pid for pid in children if os.path.exists(f"/proc/{pid}")]
    assert not alive, alive
    drain(running.result)
    drain(running.stdio)


@test
def nothing_is_left() -> None:
    peer = one_peer()
    before = len(os.listdir(f"/proc/{peer.process.pid}/fd"))
    for i in range(5):
        Running(peer, 70 + i, GOOD, {}).finish(peer)
    assert len(os.listdir(f"/proc/{peer.process.pid}/fd")) == before and descendants(peer.process.pid) == []
    assert peer.close() == 0
    import glob
    import tempfile

    assert not glob.glob(os.path.join(tempfile.gettempdir(), "geak-capture-*"))


if __name__ == "__main__":
    tests.main()
