"""How often does the verdict of an honest candidate differ? Each task's reference is judged N times, each time with fresh secrets:
other inputs, other held-out shapes, other seeds of everything.

    tests/run bench/flip.py [-n 50] [--suite starter] [--parallel 1] [--first-seed 0] [--target cpu] [--no-timing] [--markdown FILE]

`geak eval --batch -` gets the references with a seed on each line, which changes the secret of the judge that is running;
--parallel divides the seeds among several. Every verdict that is not a pass is shown.
"""

import argparse
import collections
import json
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any, Dict, Iterator, List, Sequence

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
GEAK = os.environ.get("GEAK", os.path.join(ROOT, "build", "geak"))


def tasks(suite: str) -> Dict[str, str]:
    """Task -> path of its reference."""
    folder = os.path.join(ROOT, "suites", suite)
    paths = {task: os.path.join(folder, task, "reference.py") for task in sorted(os.listdir(folder))}
    return {task: path for task, path in paths.items() if os.path.exists(path)}


def judge(
    suite: str, seeds: range, target: str, jobs: int, more: Sequence[str], running: "List[subprocess.Popen[str]]"
) -> Iterator[Dict[str, Any]]:
    """The answers of one geak, as they come. Its process is added to those that run."""
    process = subprocess.Popen([GEAK, "eval", "--batch", "-", "--target", target, "-j", str(jobs), *more], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)  # fmt: skip
    assert process.stdin and process.stdout
    running.append(process)

    def write() -> None:
        for seed in seeds:
            for task, path in tasks(suite).items():
                process.stdin.write(json.dumps({"id": [seed, task], "task": f"{suite}/{task}", "path": path, "seed": seed}) + "\n")
        process.stdin.close()

    threading.Thread(target=write, daemon=True).start()
    for line in process.stdout:
        yield json.loads(line)
    process.wait()


def word(answer: Dict[str, Any]) -> str:
    verdict = answer.get("verdict")
    return f"{verdict['outcome']} {verdict['kind']} at {verdict['stage']}" if verdict else "error"


class Tally:
    """Verdicts by task, told as they come, by several threads."""

    def __init__(self) -> None:
        self.counts: Dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
        self.shown: List[str] = []
        self.judged = 0
        self.begun = time.monotonic()
        self.lock = threading.Lock()

    def rate(self) -> str:
        return f"{self.judged / (time.monotonic() - self.begun):.2f}"

    def add(self, answer: Dict[str, Any]) -> None:
        seed, task = answer["id"]
        with self.lock:
            self.judged += 1
            self.counts[str(task)][word(answer)] += 1
            if word(answer).split()[0] != "pass" and len(self.shown) < 20:
                self.shown.append(f"{task}, seed {seed}: {answer.get('verdict', answer.get('error'))}"[:400])
                print(self.shown[-1], flush=True)
            if self.judged % 100 == 0:
                print(f"{self.judged} verdicts, {self.rate()} a second", flush=True)

    def wrong(self) -> int:
        return sum(sum(c.values()) - c.most_common(1)[0][1] for c in self.counts.values())

    def table(self) -> str:
        lines = ["| task | verdicts | pass | others |", "|---|---:|---:|---|"]
        for task, counter in sorted(self.counts.items()):
            passed = sum(n for name, n in counter.items() if name.startswith("pass"))
            others = ", ".join(f"{n} {name}" for name, n in counter.items() if not name.startswith("pass")) or "none"
            lines.append(f"| {task} | {sum(counter.values())} | {passed} | {others} |")
        return "\n".join(lines)


def judge_all(options: argparse.Namespace) -> Tally:
    """What was judged; on ctrl-C or SIGTERM, what was judged until then."""
    tally = Tally()
    running: List["subprocess.Popen[str]"] = []

    def work(part: int) -> None:
        seeds = range(options.first_seed + part, options.first_seed + options.n, options.parallel)
        for answer in judge(options.suite, seeds, options.target, options.jobs, ["--no-timing"] if options.no_timing else [], running):
            tally.add(answer)

    threads = [threading.Thread(target=work, args=(part,), daemon=True) for part in range(options.parallel)]
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        for process in running:
            process.terminate()
    return tally


def page(options: argparse.Namespace, table: str, words: str, shown: List[str]) -> str:
    return (f"# How often a verdict differs\n\nBy `bench/flip.py -n {options.n} --target {options.target}`: each task's reference, "
            f"judged with {options.n} secrets (seeds {options.first_seed} to {options.first_seed + options.n - 1}), "
            f"{os.cpu_count()} processors.\n\n{table}\n\n{words}.\n\n" + "".join(f"- {line}\n" for line in shown))  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("-n", type=int, default=50)
    parser.add_argument("--suite", default="starter")
    parser.add_argument("--parallel", type=int, default=1, help="geaks at once")
    parser.add_argument("--jobs", type=int, default=2, help="candidates at once in each")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--target", default="cpu")
    parser.add_argument("--no-timing", action="store_true", help="correctness alone, on a GPU")
    parser.add_argument("--markdown", help="file for the table")
    options = parser.parse_args()
    tally = judge_all(options)
    wrong, missing = tally.wrong(), options.n * len(tasks(options.suite)) - tally.judged
    words = (f"{wrong} of {tally.judged} verdicts differ from the task's usual one; {missing} did not come; "
             f"{tally.rate()} verdicts a second")  # fmt: skip
    print(tally.table() + "\n" + words)
    if options.markdown:
        with open(options.markdown, "w", encoding="utf-8") as file:
            file.write(page(options, tally.table(), words, tally.shown))
    return 1 if wrong or missing else 0


if __name__ == "__main__":
    sys.exit(main())
