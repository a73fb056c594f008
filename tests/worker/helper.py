"""What the worker's tests share: TAP, captures in forked processes, peers over sockets."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import textwrap
import traceback
from typing import Any, Callable, Dict, List, Optional, Sequence

HERE = os.path.dirname(os.path.abspath(__file__))
WORKER = os.path.join(HERE, "..", "..", "worker")
SUITES = os.path.abspath(os.path.join(HERE, "..", "..", "suites"))
sys.path.insert(0, WORKER)

from geak_worker.frames import Channel, Frame, decode_head, sealed_memfd  # noqa: E402

HEADER = """
import torch, triton
import triton.language as tl
"""


def source(text: str) -> str:
    """A candidate: the usual imports (4 lines with the blank ones), then the dedented text."""
    return HEADER + textwrap.dedent(text)


def tensor(name: str, *shape: int, dtype: str = "float32", strides: Optional[Sequence[int]] = None, offset: int = 0,
           size: Optional[int] = None) -> Dict[str, Any]:  # fmt: skip
    """A tensor argument of a case; contiguous unless told otherwise. `size` is of the storage."""
    import torch

    made, count = [], 1
    for length in reversed(shape):
        made.insert(0, count)
        count *= length
    strides = list(strides) if strides is not None else made
    item = getattr(torch, dtype).itemsize
    last = sum((n - 1) * s for n, s in zip(shape, strides)) + offset + 1 if 0 not in shape else 0
    return {"name": name, "kind": "tensor", "dtype": dtype, "shape": list(shape), "strides": strides, "offset": offset,
            "bytes": size if size is not None else last * item}  # fmt: skip


def scalar(name: str, value: Any, **more: Any) -> Dict[str, Any]:
    kinds = {bool: "bool", int: "int", float: "float", str: "string", type(None): "none"}
    return {"name": name, "kind": kinds[type(value)], "value": value, **more}


def parse(data: bytes) -> List[Frame]:
    """The frames of a result pipe."""
    frames, at = [], 0
    while at < len(data):
        head = decode_head(data[at : at + 32])
        at += 32
        frame = Frame(head.type, head.id, json.loads(data[at : at + head.json_bytes]))
        at += head.json_bytes
        for _ in range(head.blobs):
            size = int.from_bytes(data[at : at + 8], "little")
            frame.blobs.append(data[at + 8 : at + 8 + size])
            at += 8 + size
        frames.append(frame)
    return frames


def drain(fd: int) -> bytes:
    """Everything until the end, then closes."""
    out = b""
    while True:
        chunk = os.read(fd, 1 << 16)
        if not chunk:
            os.close(fd)
            return out
        out += chunk


class Result:
    """What a capture said."""

    def __init__(self, frames: List[Frame]) -> None:
        self.frames = frames
        self.types = [frame.type for frame in frames]
        self.plans = [frame.json["plan"] for frame in frames if frame.type == "plan"]
        self.texts = {h: b.decode() for f in frames if f.type == "ttir" for h, b in zip(f.json["hashes"], f.blobs)}
        self.cannot = next((frame.json for frame in frames if frame.type == "cannot"), {})
        self.raised = next((frame.json for frame in frames if frame.type == "raised"), {})
        self.ended = bool(frames) and frames[-1].type == "end"

    @property
    def plan(self) -> Dict[str, Any]:
        if not self.plans:
            raise AssertionError(f"no plan: {[f.json for f in self.frames]}")
        return self.plans[0]

    def steps(self) -> List[str]:
        return [step["op"] for step in self.plan["steps"]]

    def launches(self) -> List[Dict[str, Any]]:
        return [step for step in self.plan["steps"] if step["op"] == "launch"]


def capture(text: str, entry: str, *cases: Sequence[Dict[str, Any]], target: str = "cpu", salt: str = "00",
            allow: Sequence[str] = (), pick: Optional[List[int]] = None) -> Result:  # fmt: skip
    """Captures a candidate in a forked process: a capture changes its process for good."""
    from geak_worker.capture import Capture
    from geak_worker.frames import PipeWriter

    request = {"entry": {"name": entry}, "target": target, "salt": salt, "allow": list(allow), "pick": pick,
               "cases": [{"id": str(i), "args": list(args)} for i, args in enumerate(cases)]}  # fmt: skip
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        try:
            Capture(request, text.encode(), PipeWriter(write).send, "test").run()
        except BaseException:
            traceback.print_exc()
        os._exit(0)
    os.close(write)
    data = drain(read)
    os.waitpid(pid, 0)
    return Result(parse(data))


class Peer:
    """A worker process and its socket."""

    def __init__(self, role: str, **environment: str) -> None:
        ours, theirs = socket.socketpair()
        theirs.set_inheritable(True)
        env = {
            **os.environ,
            "PYTHONPATH": WORKER,
            "GEAK_FD": str(theirs.fileno()),
            "GEAK_BUILD": "test",
            **environment,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "geak_worker", role], pass_fds=[theirs.fileno()], env=env
        )
        theirs.close()
        self.channel = Channel(ours)
        self.hello = self.channel.receive()

    def ask(self, frame: Frame) -> Frame:
        self.channel.send(frame)
        answer = self.channel.receive()
        assert answer is not None
        return answer

    def close(self) -> int:
        self.channel.sock.close()
        return self.process.wait(30)


class Tests:
    """Runs functions whose names start with test_, says ok or not ok."""

    def __init__(self) -> None:
        self.functions: List[Callable[[], None]] = []

    def add(self, function: Callable[[], None]) -> Callable[[], None]:
        self.functions.append(function)
        return function

    def main(self) -> None:
        only = sys.argv[1] if len(sys.argv) > 1 else ""
        chosen = [f for f in self.functions if only in f.__name__]
        print(f"1..{len(chosen)}")
        failed = 0
        for number, function in enumerate(chosen, 1):
            name = function.__name__.replace("_", " ")
            sys.stdout.flush()
            try:
                function()
                print(f"ok {number} - {name}")
            except Exception:
                failed += 1
                print(f"not ok {number} - {name}")
                print(textwrap.indent(traceback.format_exc(), "# ", lambda line: True))
        sys.stdout.flush()
        sys.exit(1 if failed else 0)


__all__ = ["Channel", "Frame", "Peer", "Result", "Tests", "capture", "drain", "parse", "scalar", "sealed_memfd", "source",
           "tensor", "SUITES"]  # fmt: skip
