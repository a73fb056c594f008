"""Peers that behave as they are told: fake.main(ROLE, HELLO). What they do with a request stands in its source text."""

import array
import hashlib
import json
import os
import select
import signal
import socket
import struct
import sys
import time

TYPES = {"hello": 1, "cancel": 2, "error": 3, "capture": 10, "spawned": 11, "exited": 12, "ttir": 13, "plan": 14,
         "cannot": 15, "raised": 16, "end": 17, "contain": 18, "ran": 19, "mark": 23, "inputs": 30, "expected": 31, "tensors": 32, "lint": 33, "linted": 34,
         "execute": 40, "executed": 41, "time": 43, "timed": 44, "lower": 20, "object": 21, "rejected": 22}  # fmt: skip


def frame(kind, ident=0, body=None, last=False, blobs=(), count=0):
    text = json.dumps(body or {}).encode()
    flags = (1 if last else 0) | (2 if blobs else 0)
    head = struct.pack("<IHHQIHHQ", 0x31574B47, TYPES[kind], flags, ident, len(text), len(blobs) or count, 0,
                       sum(map(len, blobs)))  # fmt: skip
    return head + text + b"".join(struct.pack("<Q", len(b)) + b for b in blobs)


class Channel:
    def __init__(self):
        fd = os.environ.get("GEAK_FD")
        self.sock = socket.socket(fileno=int(fd)) if fd else None

    def send(self, kind, ident=0, body=None, last=False, fds=(), blobs=()):
        data = frame(kind, ident, body, last, blobs, len(fds))
        if self.sock is None:
            os.write(1, data)
            return
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        sent = self.sock.sendmsg([data], rights)
        self.sock.sendall(data[sent:])

    def exactly(self, size):
        data = b""
        while len(data) < size:
            more = os.read(0, size - len(data)) if self.sock is None else self.sock.recv(size - len(data))
            if not more:
                sys.exit(0)
            data += more
        return data

    def receive(self):
        fds = array.array("i")
        first = b""
        if self.sock is not None:
            first, ancillary, _, _ = self.sock.recvmsg(1, socket.CMSG_SPACE(256))
            if not first:
                sys.exit(0)
            for _, _, content in ancillary:
                fds.frombytes(content)
        head = struct.unpack("<IHHQIHHQ", first + self.exactly(32 - len(first)))
        kind = [name for name, number in TYPES.items() if number == head[1]][0]
        body = json.loads(self.exactly(head[4]))
        blobs = [self.exactly(struct.unpack("<Q", self.exactly(8))[0]) for _ in range(head[5] if head[2] & 2 else 0)]
        return kind, head[3], body, list(fds), blobs


def memfd(data):
    fd = os.memfd_create("fake", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.write(fd, data)
    import fcntl

    fcntl.fcntl(fd, 1033, 15)
    return fd


def text_of(fds):
    return os.pread(fds[0], 1 << 20, 0).decode()


def die(how):
    print(f"fake: {how}", file=sys.stderr, flush=True)
    os.kill(os.getpid(), signal.SIGKILL) if how == "killed" else os._exit(3)


def once(path):
    """True the first time that path is asked for, over all processes."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
        return True
    except FileExistsError:
        return False


# ---- candidates: what they write into result and stdio ----

TEXT = b"module {}\n"
GOOD = hashlib.sha256(TEXT).hexdigest()


def claims(what):
    ttir = frame("ttir", body={"hashes": [GOOD]}, blobs=[TEXT])
    plan = frame("plan", body={"case": 0, "plan": {"plan": 1}})
    end = frame("end", body={"complete": True})
    raised = frame("raised", body={"case": -1, "type": "ValueError", "message": "no", "line": 3, "trace": ""})
    lying = frame("ttir", body={"hashes": [GOOD]}, blobs=[b"abc"]).replace(b"\3" + bytes(7) + b"abc", b"\xff" * 11)
    return {
        "good": ttir + plan + end,
        "ran": frame("ran", body={"case": 0}) + frame("mark", body={"case": 0, "at": "end"}) + end,
        "raised": raised + end,
        "cut": ttir + plan[:-3],
        "wrong hash": frame("ttir", body={"hashes": ["0" * 64]}, blobs=[TEXT]) + plan + end,
        "garbage": b"\0garbage" * 50,
        "forged": frame("executed", body={}) + end,
        "lying": lying,
        "after the end": ttir + plan + end + plan,
        "descriptor": frame("ttir", body={"hashes": [GOOD]}, count=1),
    }.get(what, b"")


def candidate(what, result, stdio, data=()):
    os.write(stdio, f"candidate {what}\n".encode())
    if data:  # it runs for real: from when to when
        os.pwrite(data[-1], struct.pack("q", time.monotonic_ns()), 0)
        time.sleep(0.15)
        os.pwrite(data[-1], struct.pack("q", time.monotonic_ns()), 8)
    if what == "flood of claims":
        while True:
            os.write(result, frame("raised", body={"case": 0, "message": "x" * 60000}))
    if what == "flood of output":
        while True:
            os.write(stdio, b"y" * 65536)
    os.write(result, claims(what))
    if what in ("garbage", "forged", "lying", "hang", "abandoned"):
        time.sleep(1000)
    if what == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    os._exit(7 if what == "exit 7" else 0)


class Zygote:
    def __init__(self, channel):
        self.channel, self.live = channel, {}

    def serve(self):
        while True:
            ready, _, _ = select.select([self.channel.sock, *self.live], [], [])
            for fd in ready:
                if fd is not self.channel.sock and fd in self.live:
                    self.ended(fd)
            if self.channel.sock in ready:
                self.request()

    def request(self):
        kind, ident, body, fds, _ = self.channel.receive()
        if kind == "cancel":
            for pid, other in self.live.values():
                if other == ident:
                    os.kill(pid, signal.SIGKILL)
            return
        what = text_of(fds)
        if what == "kills the zygote" or (what == "kills it once" and once(os.environ["TMPDIR"] + "/once")):
            time.sleep(0.2)
            die("killed")
        if what == "our failure":
            self.channel.send("error", ident, {"kind": "sandbox", "message": "no room"}, last=True)
            return
        pid = os.fork()
        if pid == 0:
            candidate(what, fds[1], fds[2], fds[3:])
        for fd in fds:
            os.close(fd)
        pidfd = os.pidfd_open(pid)
        self.live[pidfd] = (pid, ident)
        self.channel.send("spawned", ident, {"pid": pid}, fds=[pidfd])

    def ended(self, fd):
        pid, ident = self.live.pop(fd)
        os.close(fd)
        _, status, usage = os.wait4(pid, 0)
        signaled = os.WIFSIGNALED(status)
        self.channel.send("exited", ident, {
            "status": "signaled" if signaled else "exited",
            "code": os.WTERMSIG(status) if signaled else os.WEXITSTATUS(status),
            "cpu_ms": 5, "max_rss_bytes": usage.ru_maxrss * 1024}, last=True)  # fmt: skip


# ---- oracle, launcher and lowering ----


def oracle(channel):
    while True:
        kind, ident, body, fds, _ = channel.receive()
        what = text_of(fds) if kind == "lint" else body["dist"] if kind == "inputs" else ""
        if what in ("killed", "exit"):
            die(what)
        if what.startswith("once "):
            if once(what[5:]):
                die("killed")
        if what == "hang":
            time.sleep(1000)
        if what == "task error":
            channel.send("error", ident, {"kind": "task", "message": "oracle.py: line 3: it raised"}, last=True)
        elif what == "system error":
            channel.send("error", ident, {"kind": "system", "message": "no memory"}, last=True)
        elif kind == "lint":
            channel.send("linted", ident, {"ok": what == "fine", "kind": "no_kernel", "line": 4, "message": what},
                         last=True)  # fmt: skip
        elif kind == "inputs":
            args = [{"name": "x", "kind": "tensor"}, {"name": "n", "kind": "int", "value": body["seed"]}]
            channel.send("tensors", ident, {"args": args}, last=True, fds=[memfd(b"input bytes")])
        else:
            data = os.pread(fds[0], 100, 0)
            channel.send("tensors", ident, {"outputs": [{"name": "out"}]}, last=True, fds=[memfd(data[::-1])])


def die_of(what):
    """A launcher sees no files: what dies once does so before a point in time, and ends after it."""
    until = int(what[12:]) if what.startswith("crash until ") else 0
    if time.monotonic_ns() < until:
        time.sleep(max(0, (until - time.monotonic_ns()) / 1e9))
        die("killed")
    if what == "crash":
        die("killed")
    if what == "hang":
        time.sleep(1000)


def launcher(channel):
    while True:
        kind, ident, body, fds, blobs = channel.receive()
        if kind == "time":
            timing(channel, ident, body, fds, blobs)
            continue
        what = body["plan"]["do"]
        die_of(what)
        answer = {"finding": None, "changed": [], "outputs": [], "ms": 1.5}
        if what == "nap":  # says whether the next request lies there already
            time.sleep(0.4)
            answer["ms"] = 2.5 if select.select([channel.sock], [], [], 0)[0] else 1.5
        if what == "clock":
            os.pwrite(fds[-1], struct.pack("q", time.monotonic_ns()), 0)
            time.sleep(0.1)
            os.pwrite(fds[-1], struct.pack("q", time.monotonic_ns()), 8)
            channel.send("executed", ident, answer, last=True)
            continue
        if what == "fault" or (what.startswith("good until ") and os.path.exists(what[11:])):
            answer["finding"], answer["lost"] = {"kind": "crash"}, True
        if what == "error":
            channel.send("error", ident, {"kind": "system", "message": "device lost"}, last=True)
        elif blobs:
            channel.send("executed", ident, answer, last=True, blobs=[b"made from " + blobs[-1]])
        else:
            os.pwrite(fds[-1], b"made from " + os.pread(fds[-2], 100, 0), 0)
            channel.send("executed", ident, answer, last=True)


def timing(channel, ident, body, fds, blobs):
    """Fills each output with the side's name and the code of its first kernel; tells what it was asked for."""
    what = body["a"]["plan"]["do"]
    die_of(what)
    code = blobs[0] if blobs else os.pread(fds[0], 1 << 20, 0)
    outputs = [
        name.encode() + b" " + code[side["objects"][0]["at"] :][: side["objects"][0]["bytes"]]
        for name, side in (("a", body["a"]), ("b", body["b"]))
        if side
    ]
    answer = {"finding": None, "asked": body, "code": len(code), "lost": what == "fault"}
    if what == "fault":
        answer["finding"] = {"kind": "crash"}
    if blobs:
        channel.send("timed", ident, answer, last=True, blobs=outputs)
        return
    for fd, text in zip(fds[1 + body["inputs"] :], outputs):
        os.pwrite(fd, text, 0)
    channel.send("timed", ident, answer, last=True)


def lowering(channel):
    while True:
        _, ident, body, fds, _ = channel.receive()
        what, text = body["options"].get("do", ""), os.pread(fds[0], 1 << 20, 0)
        for fd in fds:
            os.close(fd)
        if what == "crash":
            die("killed")
        if what == "hang":
            time.sleep(1000)
        if what == "crash once":  # nothing that this process writes would outlive it
            if time.monotonic_ns() < body["options"]["until"]:
                time.sleep(max(0, (body["options"]["until"] - time.monotonic_ns()) / 1e9))
                die("killed")
        if what == "reject":
            channel.send("rejected", ident, {"log": "candidate.py:3:1: error: no"}, last=True)
            continue
        if what == "error":
            channel.send("error", ident, {"kind": "system", "message": "no space left"}, last=True)
            continue
        code = b"code of " + text
        made = {"object": hashlib.sha256(code).hexdigest(), "ttir": body["ttir"], "name": "k", "target": body["target"],
                "toolchain": "fake", "warps": 4, "warp_size": 32, "ctas": 1, "cluster": [1, 1, 1], "shared": os.getpid(),
                "static_shared": 0, "scratch_bytes": 0, "scratch_align": 1, "cooperative": False, "pdl": False,
                "desc": [], "params": [{"at": 0, "bytes": 8}], "param_bytes": 8, "regs": 7, "spills": 0}  # fmt: skip
        if what == "wrong hash":
            made["object"] = "0" * 64
        if what == "other target":
            made["target"] = "sm_80"
        if what == "bad object":
            del made["warps"]
        if what == "slow":
            time.sleep(0.3)
        channel.send("object", ident, made, last=True, fds=[] if what == "no code" else [memfd(code)])


def main(role, hello):
    channel = Channel()
    if hello == "no torch":
        import torch_that_is_not_there  # noqa: F401
    if hello == "silent":
        time.sleep(1000)
    if hello == "dies":
        die("exit")
    if hello == "refuses":
        channel.send("error", 0, {"kind": "sandbox", "message": "the library does not fit"}, last=True)
        time.sleep(1000)
    body = {"proto": 2 if hello == "proto" else 1, "build": os.environ.get("GEAK_BUILD", ""), "role": role, "slots": 4,
            "max_bytes": 1 << 30, "facts": {"fake": role}}  # fmt: skip
    if role in ("launcher", "lowering"):
        body["slots"] = 1
    if role == "lowering":
        body["facts"]["stamp"] = hello
    if hello == "build":
        body["build"] = "other"
    if hello == "role":
        body["role"] = "lowering"
    if hello == "garbage":
        channel.sock.sendall(b"Traceback (most recent call last)" * 3)
        time.sleep(1000)
    channel.send("hello", 0, body)
    if role in ("zygote", "contained"):
        Zygote(channel).serve()
    elif role == "oracle":
        oracle(channel)
    elif role == "lowering":
        lowering(channel)
    else:
        launcher(channel)
