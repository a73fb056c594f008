"""Judges every candidate of tests/hostile in one geak, many under way at once, and looks at what is left; speaks TAP.

Before and after, honest candidates (made different by a comment, so that each is judged anew) are judged by the same
process: they must pass, and geak, its zygote and its oracle must hold as many descriptors as before. This driver is a
subreaper: a process that outlives geak becomes its child, and is a failure.
"""

import ctypes
import json
import os
import shutil
import subprocess
import sys
import time
from typing import Any, Dict, List, Tuple

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
FOLDER = os.path.join(HERE, "candidates")
VICTIM = "/tmp/geak-hostile-victim"
WATCHED = ["/tmp", "/var/tmp", "/dev/shm", "/run", "/", "/etc", "/home", "/root", os.path.join(ROOT, "worker")]
PR_SET_CHILD_SUBREAPER = 36
HONEST = 4

number = failures = 0


def check(good: bool, what: str, *more: str) -> None:
    global number, failures
    number += 1
    failures += not good
    print(f"{'ok' if good else 'not ok'} {number} - {what}", flush=True)
    if not good:
        for line in more:
            print("# " + line.replace("\n", " ")[:400], flush=True)


def expectations(source: str) -> List[Tuple[str, str, List[str]]]:
    """From "# expect: STAGE OUTCOME KIND[|KIND] [or ...]"."""
    line = source.split("# expect: ", 1)[1].split("\n", 1)[0]
    out = []
    for part in line.split(" or "):
        stage, outcome, kinds = part.split()
        out.append((stage, outcome, kinds.split("|")))
    return out


def fits(verdict: Dict[str, Any], wanted: List[Tuple[str, str, List[str]]]) -> bool:
    return any(
        verdict["stage"] == stage and verdict["outcome"] == outcome and verdict["kind"] in kinds
        for stage, outcome, kinds in wanted
    )


class Geak:
    """`geak eval --jsonl`, one process for all."""

    def __init__(self) -> None:
        program = os.environ.get("GEAK", os.path.join(ROOT, "build", "geak"))
        self.process = subprocess.Popen([program, "eval", os.path.join(HERE, "task"), "-c", "-", "--jsonl"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, "HOSTILE_TEST_SECRET": "1"})  # fmt: skip

    def judge(self, sources: Dict[str, str]) -> Dict[str, Dict[str, Any]]:
        """Verdicts by name."""
        assert self.process.stdin and self.process.stdout
        for name, source in sources.items():
            self.process.stdin.write(json.dumps({"id": name, "task": "twice", "candidate": source}) + "\n")
        self.process.stdin.flush()
        out = {}
        while len(out) < len(sources):
            line = self.process.stdout.readline()
            if not line:
                break
            result = json.loads(line)
            out[result["id"]] = result["verdict"]
        return out

    def descriptors(self) -> Dict[str, int]:
        """How many geak itself and its Python peers hold, once nothing is under way."""
        time.sleep(1)
        out = {"geak": len(os.listdir(f"/proc/{self.process.pid}/fd"))}
        for pid in children(self.process.pid):
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
            if b"geak_worker" in words:
                out[words[-2].decode()] = len(os.listdir(f"/proc/{pid}/fd"))
        return out

    def close(self) -> int:
        assert self.process.stdin
        self.process.stdin.close()
        return self.process.wait()


def children(pid: int) -> List[int]:
    out = []
    for name in os.listdir("/proc"):
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                if int(file.read().rsplit(")", 1)[1].split()[1]) == pid:
                    out.append(int(name))
        except (OSError, ValueError, IndexError):
            pass
    return out


def listing() -> set:
    out = set()
    for folder in WATCHED:
        try:
            out |= {os.path.join(folder, name) for name in os.listdir(folder)}
        except OSError:
            pass
    return out


def victim() -> List[Any]:
    """What a candidate would change of the victim, a folder with one file."""
    out: List[Any] = []
    for path in (VICTIM, VICTIM + "/file"):
        try:
            st = os.stat(path)
            out.append((path, st.st_mode, st.st_uid, st.st_size, st.st_mtime_ns, st.st_ctime_ns, st.st_nlink))
        except OSError as error:
            out.append((path, str(error)))
    return out


def make_victim() -> None:
    os.makedirs(VICTIM, exist_ok=True)
    with open(VICTIM + "/file", "w", encoding="utf-8") as file:
        file.write("intact")


def honest(source: str, label: str) -> Dict[str, str]:
    return {f"{label} {i}": f"{source}\n# {label} {i}\n" for i in range(HONEST)}


def main() -> int:
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    os.environ.setdefault("GEAK_CAPTURE_SECONDS", "15")
    sources = {}
    for name in sorted(os.listdir(FOLDER)):
        if name.endswith(".py"):
            with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
                sources[name[:-3]] = file.read()
    make_victim()
    before, intact = listing(), victim()
    geak = Geak()
    first = geak.judge(honest(sources["honest"], "before"))
    check(len(first) == HONEST and all(v["outcome"] == "pass" for v in first.values()), "honest candidates pass",
          str(first))  # fmt: skip
    held = geak.descriptors()
    verdicts = geak.judge(sources)
    for name, source in sources.items():
        verdict = verdicts.get(name)
        shown = "no verdict" if verdict is None else f"{verdict['stage']} {verdict['outcome']} {verdict['kind']}"
        check(verdict is not None and fits(verdict, expectations(source)), f"{name}: {shown}",
              f"expected {expectations(source)}", verdict["message"] if verdict else "")  # fmt: skip
    last = geak.judge(honest(sources["honest"], "after"))
    check(len(last) == HONEST and all(v["outcome"] == "pass" for v in last.values()),
          "honest candidates pass afterwards", str(last))  # fmt: skip
    now = geak.descriptors()
    check(now == held, "no descriptor is left", f"before {held}", f"after {now}")
    code = geak.close()
    check(code == 1, "geak ends with 1: some did not pass", f"exit code {code}")
    left = children(os.getpid())
    check(not left, "no process is left", str(left))
    fresh = {path for path in listing() - before if "geak" in path or "hostile" in path}
    check(not any("hostile-was-here" in p or "geak-capture" in p for p in fresh), "no file is left", str(fresh))
    check(victim() == intact, "no file is changed", f"before {intact}", f"after {victim()}")
    shutil.rmtree(VICTIM)
    print(f"1..{number}")
    return failures != 0


if __name__ == "__main__":
    sys.exit(main())
