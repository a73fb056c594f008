"""Plays every attempt of attempts.py from inside the sandbox, on each containment level, and looks at the world; speaks TAP.

First each is tried from outside, by the same user and without a sandbox: what fails there too proves nothing, and is
said. Then `geak eval --jsonl` judges one candidate for each attempt. Whatever comes of it, the victims must be as they
were: a secret file, a journal, a process with a secret in its memory, sockets that listen, geak itself.
"""

import ctypes
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from typing import Any, Dict, List, Optional

import attempts

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
TASK = os.path.join(ROOT, "tests", "exploits", "tasks", "twice")
TOKEN = "escape-token-7f3a91"
STOPPED = ("crash", "hang", "timeout", "memory", "flood", "forged_claims")  # before it could say a word
SIBLING = """
import ctypes, os, sys, time
secret = ctypes.create_string_buffer(b"sibling-secret-1" + b"\\0" * 112, 128)
fd = os.open(sys.argv[1], os.O_RDONLY)
print(ctypes.addressof(secret), fd, flush=True)
time.sleep(100000)
"""
LEVELS = ("namespaces", "landlock")  # never below: there the attempts would succeed, on this machine
WATCHED = ("/tmp", "/var/tmp", "/dev/shm", "/run", "/etc", "/")

number = failures = 0


def check(good: bool, what: str, *more: str) -> bool:
    global number, failures
    number += 1
    failures += not good
    print(f"{'ok' if good else 'not ok'} {number} - {what}", flush=True)
    if not good:
        for line in more:
            print("# " + line.replace("\n", " ")[:500], flush=True)
    return good


class World:
    """The victims."""

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="geak-escape-")
        os.makedirs(self.folder + "/run")
        for name in ("secret", "run/journal.db", "victim"):
            with open(f"{self.folder}/{name}", "w", encoding="ascii") as file:
                file.write(TOKEN)
        os.chmod(self.folder + "/victim", 0o644)
        self.process = subprocess.Popen([sys.executable, "-c", SIBLING, self.folder + "/secret"], stdout=subprocess.PIPE,
                                        text=True, start_new_session=True,
                                        env={**os.environ, "GEAK_API_KEY": TOKEN})  # fmt: skip
        assert self.process.stdout
        self.address, self.fd = map(int, self.process.stdout.readline().split())
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(self.tcp.getsockname())
        self.path = socket.socket(socket.AF_UNIX)
        self.path.bind(self.folder + "/socket")
        self.abstract = f"geak-escape-{os.getpid()}-{id(self)}"
        self.stream = socket.socket(socket.AF_UNIX)
        self.stream.bind("\0" + self.abstract)
        self.datagram = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.datagram.bind("\0" + self.abstract + "-dgram")
        for listener in (self.path, self.stream):
            listener.listen()

    def words(self, level: str, keeper: int) -> Dict[str, Any]:
        """What an attempt is told: it need not search."""
        return {"folder": self.folder, "task": TASK, "token": TOKEN, "keeper": keeper, "sibling": self.process.pid,
                "address": self.address, "sibling_fd": self.fd, "port": self.tcp.getsockname()[1],
                "abstract": self.abstract, "level": level}  # fmt: skip

    def state(self) -> Dict[str, Any]:
        """All that must not change."""
        out: Dict[str, Any] = {}
        for name in ("", "secret", "run/journal.db", "victim"):
            try:
                st = os.stat(os.path.join(self.folder, name))
                out[name] = (st.st_mode, st.st_uid, st.st_size, st.st_mtime_ns, st.st_ctime_ns, st.st_nlink)
            except OSError as error:
                out[name] = str(error)
        pid = self.process.pid
        out["alive"] = self.process.poll()
        if out["alive"] is None:
            with open(f"/proc/{pid}/mem", "rb", 0) as file:
                file.seek(self.address)
                out["memory"] = file.read(128)
            out["nice"] = os.getpriority(os.PRIO_PROCESS, pid)
            out["processors"] = sorted(os.sched_getaffinity(pid))
            out["scheduler"] = os.sched_getscheduler(pid)
            with open(f"/proc/{pid}/limits", encoding="ascii") as file:
                out["limits"] = file.read()
            with open(f"/proc/{pid}/status", encoding="ascii") as file:
                out["tracer"] = [line for line in file if line.startswith("TracerPid")]
        out["sockets"] = [self.heard(s) for s in (self.tcp, self.udp, self.path, self.stream, self.datagram)]
        out["host"] = socket.gethostname()
        for kind in ("shm", "msg", "sem"):
            with open(f"/proc/sysvipc/{kind}", encoding="ascii") as file:
                out[kind] = file.read().count("\n")
        return out

    @staticmethod
    def heard(listener: socket.socket) -> bool:
        import select

        return bool(select.select([listener], [], [], 0)[0])

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for s in (self.tcp, self.udp, self.path, self.stream, self.datagram):
            s.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def left_behind() -> List[str]:
    found = [os.path.join(folder, name) for folder in WATCHED if os.path.isdir(folder) for name in os.listdir(folder)
             if "geak-escape-was-here" in name or name.startswith("geak-capture")]  # fmt: skip
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
                if "geak-escapee" in file.read():
                    found.append("process " + pid)
        except OSError:
            pass
    return found


def living_children() -> List[str]:
    """Those that outlived their parents. The dead are reaped: control leaves some."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return []
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
        return file.read().split()


# ---- from outside ----


def control(names: List[str]) -> None:
    """Each must succeed where there is no sandbox."""
    if os.getuid() != 0:
        print("# not root: what succeeds without a sandbox is not looked at")
        return
    weak = []
    for name in names:
        if not attempts.ATTEMPTS[name][1]:
            continue
        world = World()
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([sys.executable, os.path.join(HERE, "attempts.py"), name,
                                   json.dumps(world.words("none", world.process.pid))], cwd=folder, timeout=60,
                                  stdout=subprocess.PIPE, text=True)  # fmt: skip
        if "ESCAPED" not in done.stdout:
            weak.append(done.stdout.strip() or name)
        world.close()
    tried = sum(attempts.ATTEMPTS[name][1] for name in names)
    print(f"# without a sandbox {tried - len(weak)} of {tried} attempts succeed")
    for line in weak:
        print("# even without a sandbox: " + line)
    check(len(weak) <= tried // 4, "most attempts succeed where there is no sandbox")


# ---- from inside ----


def candidate(name: str, words: Dict[str, Any]) -> str:
    with open(os.path.join(TASK, "reference.py"), encoding="utf-8") as file:
        tail = file.read()
    return f"{attempts.text()}\nRESULT = play({name!r}, {words!r})\nraise RuntimeError(RESULT)\n{tail}"


class Geak:
    def __init__(self, level: Optional[str]) -> None:
        program = os.environ.get("GEAK", os.path.join(ROOT, "build", "geak"))
        wrapper = [os.environ["LOWER"], level] if level else []
        environment = {**os.environ, "GEAK_API_KEY": TOKEN, "GEAK_CAPTURE_SECONDS": "10"}
        self.process = subprocess.Popen([*wrapper, program, "eval", TASK, "-c", "-", "--jsonl", "--target", "cpu"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)  # fmt: skip

    def judge(self, name: str, source: str) -> Dict[str, Any]:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps({"id": name, "task": "twice", "candidate": source}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        return json.loads(line) if line else {}

    def close(self) -> int:
        assert self.process.stdin
        self.process.stdin.close()
        return self.process.wait()


def inside(level: str, names: List[str]) -> None:
    world = World()
    geak = Geak(None if level == "namespaces" else level)
    with open(os.path.join(TASK, "reference.py"), encoding="utf-8") as file:
        honest = file.read()
    first = geak.judge("honest", honest)
    check(first.get("verdict", {}).get("outcome") == "pass", f"{level}: an honest candidate passes", str(first))
    got = first.get("containment", level)
    if not check(got == level, f"{level}: that is the level here", f"it is {got}"):
        geak.close()
        world.close()
        return
    before = world.state()
    for name in names:
        begun = time.monotonic()
        result = geak.judge(name, candidate(name, world.words(level, geak.process.pid)))
        verdict = result.get("verdict", {})
        message = verdict.get("message", "")
        held = "ESCAPED" not in message and (f"HELD {name}" in message or verdict.get("kind") in STOPPED)
        after = world.state()
        changed = {key: (before[key], after.get(key)) for key in before if before[key] != after.get(key)}
        left = left_behind()
        for _ in range(30):  # a second capture of the same candidate may just be being ended
            if left:
                time.sleep(0.1)
                left = left_behind()
        seconds = time.monotonic() - begun
        check(held and not changed and not left and seconds < 60, f"{level}: {name}: {message or verdict}"[:160].replace("#", ""),
              f"verdict {verdict}", f"changed {changed}", f"left {left}", f"{seconds:.0f} s")  # fmt: skip
        if changed or left:
            world.close()
            world = World()
            before = world.state()
    last = geak.judge("honest again", honest + "\n# again\n")
    check(last.get("verdict", {}).get("outcome") == "pass", f"{level}: an honest candidate passes afterwards", str(last))
    check(geak.close() == 1, f"{level}: geak ends as it should")
    world.close()


def main() -> int:
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # who outlives geak becomes our child
    names = [name for name in attempts.ATTEMPTS if len(sys.argv) < 2 or any(word in name for word in sys.argv[1:])]
    levels = [level for level in os.environ.get("LEVELS", "namespaces landlock").split() if level in LEVELS]
    print(f"# {len(names)} attempts")
    if "control" not in os.environ.get("SKIP", ""):
        control(names)
    for level in levels:
        inside(level, names)
    check(not living_children(), "no process is left", str(living_children()))
    print(f"1..{number}")
    return failures != 0


if __name__ == "__main__":
    sys.exit(main())
