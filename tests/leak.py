"""Judges many candidates in a row in one geak, honest, broken and hostile ones mixed, and looks at what grows.

    tests/run tests/leak.py [-n 200] [--markdown FILE]

`geak eval --batch -` gets them in ten bursts. After each, when nothing is under way, every process of its tree is looked
at: memory that is its own, descriptors; and processes, mounts, temporary files and control groups as a whole. Caches fill
in the first bursts; after that nothing may stay above what it was in the first half, but for a little memory.
"""

import argparse
import glob
import json
import os
import random
import subprocess
import sys
import time
from typing import Any, Dict, List, Tuple

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BURSTS = 10
MEMORY_MB = 8.0  # what an allocator keeps varies
HONEST = ("flip/honest", "row_softmax/honest", "vector_add/honest", "vector_add/honest_empty_like")
SLOW = ("endless", "deadlock", "without_end", "spins", "stops_itself", "ignores_signals", "sleep", "thread_bomb", "fork_bomb",
        "waits_for", "seccomp_trap")


def read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def field(source: str, name: str) -> str:
    """Of a fixture's head: "# name: value"."""
    return next((line.split(":", 1)[1].strip() for line in source.splitlines() if line.startswith(f"# {name}:")), "")


def pools() -> Dict[str, List[Tuple[str, str]]]:
    """Kind -> (task, source)."""
    data, exploits = os.path.join(ROOT, "tests", "data", "candidates"), os.path.join(ROOT, "tests", "exploits")
    out: Dict[str, List[Tuple[str, str]]] = {"honest": [], "broken": [], "hostile": [], "slow": []}
    for name in HONEST:
        out["honest"].append(("starter/" + name.split("/", maxsplit=1)[0], read(f"{data}/{name}.py")))
    for task in ("flip", "row_softmax", "vector_add"):
        for path in sorted(glob.glob(f"{data}/{task}/*.py")):
            if "honest" not in path and not any(word in path for word in SLOW):
                out["broken"].append(("starter/" + task, read(path)))
    for path in sorted(glob.glob(f"{exploits}/*/*.py")):
        source = read(path)
        kind = "honest" if "/honest/" in path else "slow" if any(word in path for word in SLOW) else "hostile"
        if field(source, "task") and not field(source, "needs"):
            out[kind].append((f"{exploits}/tasks/{field(source, 'task')}", source))
    return out


def stream(count: int, seed: int) -> List[Tuple[str, str, str]]:
    """(kind, task, source): every text is another by a comment, but one in twenty that comes again."""
    dice, known = random.Random(seed), pools()
    out: List[Tuple[str, str, str]] = []
    for i in range(count):
        if out and i % 20 == 19:
            out.append(dice.choice(out))
            continue
        kind = "slow" if i % 100 == 50 else dice.choices(("honest", "broken", "hostile"), (4, 3, 3))[0]
        task, source = dice.choice(known[kind])
        out.append((kind, task, f"{source}\n# {i}\n"))
    return out


# ---- what there is ----


def parents() -> Dict[int, int]:
    out = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            out[int(name)] = int(read(f"/proc/{name}/stat").rsplit(")", 1)[1].split()[1])
        except (OSError, ValueError, UnicodeDecodeError):
            pass
    return out


def tree(root: int) -> List[int]:
    of, found = parents(), [root]
    for pid in found:
        found += [child for child, parent in of.items() if parent == pid]
    return found


def role(pid: int) -> str:
    words = read(f"/proc/{pid}/cmdline").split("\0")
    return next((name for name in ("zygote", "oracle", "lowering", "launcher") if name in words), "geak")


def own_kb(pid: int) -> int:
    return next(int(line.split()[1]) for line in read(f"/proc/{pid}/status").splitlines() if line.startswith("RssAnon"))


def files_below(folder: str) -> int:
    return sum(len(names) + len(folders) for _, folders, names in os.walk(folder))


def look(root: int) -> Dict[str, float]:
    """One line of the table."""
    out: Dict[str, float] = {"processes": 0, "mounts": 0, "files": 0}
    for pid in tree(root):
        try:
            name = role(pid)
            out["processes"] += 1
            out[name + " MB"] = out.get(name + " MB", 0) + own_kb(pid) / 1024
            out[name + " fds"] = out.get(name + " fds", 0) + len(os.listdir(f"/proc/{pid}/fd"))
            if name == "zygote":
                out["mounts"] += read(f"/proc/{pid}/mountinfo").count("\n")
                tmp = dict(w.split("=", 1) for w in read(f"/proc/{pid}/environ").split("\0") if "=" in w).get("GEAK_TMP")
                out["files"] += files_below(f"/proc/{pid}/root{tmp}") if tmp else 0
        except (OSError, StopIteration):
            continue
    out["groups"] = len(glob.glob(f"/sys/fs/cgroup/**/geak-{root}-*/c[0-9]*", recursive=True))
    return out


# ---- the run ----


class Geak:
    def __init__(self) -> None:
        program = os.environ.get("GEAK", os.path.join(ROOT, "build", "geak"))
        environment = {**os.environ, "GEAK_CAPTURE_SECONDS": os.environ.get("GEAK_CAPTURE_SECONDS", "6")}
        self.process = subprocess.Popen([program, "eval", "--batch", "-", "--target", "cpu"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                        env=environment)  # fmt: skip
        self.next = 0

    def judge(self, burst: List[Tuple[str, str, str]]) -> List[Dict[str, Any]]:
        """Answers, by the order of the burst. Sent in dozens: a pipe is no store."""
        assert self.process.stdin and self.process.stdout
        answers: Dict[int, Dict[str, Any]] = {}
        sent = 0
        while len(answers) < len(burst):
            while sent < len(burst) and sent - len(answers) < 12:
                _, task, source = burst[sent]
                self.process.stdin.write(json.dumps({"id": sent, "task": task, "source": source}) + "\n")
                sent += 1
            self.process.stdin.flush()
            line = self.process.stdout.readline()
            if not line:
                raise SystemExit("geak ended early")
            answer = json.loads(line)
            answers[answer["id"]] = answer
        return [answers[i] for i in range(len(burst))]

    def close(self) -> int:
        assert self.process.stdin
        self.process.stdin.close()
        return self.process.wait()


def settle(root: int, quiet: int) -> Dict[str, float]:
    """Looks once the tree has no more processes than in quiet times, or after a while."""
    for _ in range(30):
        time.sleep(0.5)
        seen = look(root)
        if not quiet or seen["processes"] <= quiet:
            break
    return seen


def judgement(samples: List[Dict[str, float]]) -> List[str]:
    """What grew: the least of the last three samples against the most of the first half, without the warm-up."""
    grown = []
    early, late = samples[min(2, len(samples) - 1) : len(samples) // 2 + 1] or samples[-1:], samples[-3:]
    for name in samples[-1]:
        before, now = max(row.get(name, 0) for row in early), min(row.get(name, 0) for row in late)
        if now > before + (MEMORY_MB if name.endswith(" MB") else 0):
            grown.append(f"{name}: {before:.1f} in the first half, {now:.1f} at the end")
    return grown


def table(rows: List[Tuple[int, float, Dict[str, float]]]) -> str:
    names = sorted({name for _, _, row in rows for name in row}, key=lambda n: (not n.endswith(" MB"), n))
    lines = ["| candidates | a second | " + " | ".join(names) + " |", "|" + "---:|" * (len(names) + 2)]
    for count, rate, row in rows:
        cells = [f"{row.get(n, 0):.1f}" if n.endswith(" MB") else f"{row.get(n, 0):.0f}" for n in names]
        lines.append(f"| {count} | {rate:.2f} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("-n", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--markdown", help="file for the table")
    options = parser.parse_args()
    all_of_them = stream(options.n, options.seed)
    size = max(1, options.n // BURSTS)
    geak, rows, outcomes = Geak(), [], {}  # type: ignore[var-annotated]
    met = {task: ("first", task, source) for kind, task, source in all_of_them if kind == "honest"}
    geak.judge(list({**{task: ("first", task, source) for _, task, source in all_of_them}, **met}.values()))
    wrong: List[str] = []
    for begin in range(0, options.n, size):
        burst = all_of_them[begin : begin + size]
        begun = time.monotonic()
        for (kind, task, _), answer in zip(burst, geak.judge(burst)):
            outcome = answer.get("verdict", {}).get("outcome", "error")
            outcomes[kind, outcome] = outcomes.get((kind, outcome), 0) + 1
            if outcome in ("error", "infra") or (kind == "honest" and outcome not in ("pass", "undecided")):
                wrong.append(f"{kind} {task}: {answer.get('verdict', answer)}"[:300])
        rate = len(burst) / (time.monotonic() - begun)
        rows.append((begin + len(burst), rate, settle(geak.process.pid, int(rows[0][2]["processes"]) if rows else 0)))
        print(table(rows[-1:]).splitlines()[-1] if len(rows) > 1 else table(rows), flush=True)
    code = geak.close()
    grown = judgement([row for _, _, row in rows])
    words = "\n".join(f"{kind}: {count} {outcome}" for (kind, outcome), count in sorted(outcomes.items()))
    print(words)
    for line in wrong[:10]:
        print("WRONG: " + line)
    for line in grown:
        print("GROWN: " + line)
    if options.markdown:
        with open(options.markdown, "w", encoding="utf-8") as file:
            file.write(f"# {options.n} candidates in one geak\n\nBy `tests/leak.py -n {options.n}`: honest, broken and hostile candidates "
                       f"mixed, one text in twenty a second time, {os.cpu_count()} processors. Memory is what is the process's own "
                       f"(RssAnon), summed over the processes of a role.\n\n{table(rows)}\n\nOutcomes:\n\n{words}\n\n"
                       + ("Grown: " + "; ".join(grown) if grown else "Nothing has grown.") + "\n")  # fmt: skip
    good = not grown and not wrong and code in (1, 2)
    print("flat" if good else "NOT FLAT", f"(exit code of geak {code})")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
