"""The upstream evaluator (AMD-AGI/GEAK-eval) and geak on the same machine and the same kernels: wall time of a verdict.

    python bench/tritonbench/upstream.py GEAK_EVAL_CHECKOUT SUITE --geak build/geak [--times N]

SUITE is what tasks.py made. Upstream runs a kernel's test file, then its performance file, each in a Python of its own,
through its TestAllCloseEvaluatorTBG; packages that it imports and does not need here (loguru, parse_llm_code) are
stood in for where they are missing. geak judges the same kernel as a candidate of its task: five exec cases, three
secret seeds each, two perf cases timed against the same kernel as the reference. "alone" is a process of its own for
one candidate, from nothing; "in a batch" is the mean over all candidates, N texts of each, in one process.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any, Dict, List

STAND_IN = {
    "loguru.py": "class _L:\n    def __getattr__(self, n):\n        return lambda *a, **k: None\nlogger = _L()\n",
    "parse_llm_code.py": "def extract_code_blocks(text):\n    return []\n",
}
RUN = """
import json, sys, tempfile, time
from geak_eval.evaluators.interface import TestAllCloseEvaluatorTBG
code, name = open(sys.argv[1]).read(), sys.argv[2]
root = tempfile.mkdtemp()
start = time.monotonic()
answer = TestAllCloseEvaluatorTBG().execute(code, root, root + "/exec", name)
print("RESULT " + json.dumps([time.monotonic() - start, bool(answer[0]), bool(answer[1]), answer[2], str(answer[4])[-300:]]))
"""


def upstream(checkout: str, path: str, name: str) -> "List[Any]":
    """Seconds, call, exec, speedup, the end of stderr."""
    with tempfile.TemporaryDirectory() as stand_in:
        for module, text in STAND_IN.items():
            try:
                __import__(module[:-3])
            except ImportError:
                with open(os.path.join(stand_in, module), "w", encoding="utf-8") as file:
                    file.write(text)
        # a compiler's cache of its own: each candidate is new to it, as it is to geak
        env = {**os.environ, "PYTHONPATH": f"{checkout}:{stand_in}", "TRITON_CACHE_DIR": stand_in + "/cache"}
        done = subprocess.run([sys.executable, "-c", RUN, path, name], env=env, capture_output=True, text=True)
    for line in done.stdout.splitlines():
        if line.startswith("RESULT "):
            return json.loads(line[7:])
    return [0.0, False, False, 0, done.stderr[-300:]]


def alone(geak: str, task: str, path: str) -> "tuple[float, Dict[str, Any]]":
    start = time.monotonic()
    done = subprocess.run([geak, "eval", task, "-c", path, "--json"], capture_output=True, text=True)
    took = time.monotonic() - start
    return took, json.loads(done.stdout)["results"][0] if done.stdout.startswith("{") else {"kind": done.stderr[-300:]}


def batch(geak: str, path_of: Dict[str, str], task_of: Dict[str, str], times: int) -> str:
    """Prints what a process that judges several texts of each kernel says; returns its median in words."""
    lines = ""
    for name, path in path_of.items():
        with open(path, encoding="utf-8") as file:
            text = file.read()
        for i in range(times):
            lines += json.dumps({"id": f"{name} {i}", "task": task_of[name], "source": f"{text}# {i}\n"}) + "\n"
    start = time.monotonic()
    table: Dict[str, List[Dict[str, Any]]] = {}
    came: List[float] = []
    with tempfile.TemporaryFile("w+") as given:
        given.write(lines)
        given.seek(0)
        with subprocess.Popen([geak, "eval", "--batch", "-"], stdin=given, stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout or []:
                result = json.loads(line)
                table.setdefault(str(result["id"]).split()[0], []).append(result)
                came.append(time.monotonic() - start)
    took = time.monotonic() - start
    print("| kernel | geak, in a batch, its wall time, s | the GPU was held, ms | it says |\n|---|---|---|---|")
    for name, ours in table.items():
        totals = [r["ms"]["total"] / 1000 for r in ours if "ms" in r]
        held = [r["ms"]["gpu"] for r in ours if "ms" in r]
        speeds = [r["speedup"]["mean"] for r in ours if r.get("speedup")]
        kinds = sorted({str(r.get("verdict", {}).get("kind")) for r in ours})
        print(f"| {name} | {statistics.median(totals or [0]):.2f} | {statistics.median(held or [0]):.0f} | {', '.join(kinds)}, {statistics.median(speeds or [0]):.3f}x |", flush=True)
    count, half = len(came), len(came) // 2
    if half:
        print(f"\nthe second half of them {(count - half) / (came[-1] - came[half - 1]):.2f} a second")
    return f"geak in a batch {took / max(count, 1):.2f} s a verdict ({count} in {took:.1f} s, references included)"


def main() -> int:
    parser = argparse.ArgumentParser(description="the upstream evaluator and geak, side by side")
    parser.add_argument("checkout")
    parser.add_argument("suite")
    parser.add_argument("--geak", required=True)
    parser.add_argument("--times", type=int, default=8, help="texts of each kernel in the batch")
    parser.add_argument("--kernels", type=int, default=100, help="so many of the suite's")
    parser.add_argument("--only", default="upstream,alone,batch")
    chosen = parser.parse_args()
    checkout, only = os.path.abspath(chosen.checkout), chosen.only.split(",")
    names = sorted(n[:-3] for n in os.listdir(os.path.join(chosen.suite, "candidates")) if n.endswith(".py"))[: chosen.kernels]
    path_of = {name: os.path.join(chosen.suite, "candidates", name + ".py") for name in names}
    task_of = {name: os.path.join(chosen.suite, name) for name in names}
    medians = []
    if "upstream" in only:
        print("| kernel | upstream, s | it says |\n|---|---|---|")
        rows = []
        for name in names:
            rows.append(upstream(checkout, path_of[name], name + ".py"))
            seconds, call, right, speedup, told = rows[-1]
            print(f"| {name} | {seconds:.1f} | call {call}, exec {right}, speedup {speedup}{'' if right else f': {told!r}'} |", flush=True)
        medians.append(f"upstream {statistics.median(r[0] for r in rows):.1f} s")
    if "alone" in only:
        print("| kernel | geak, a process of its own, s | it says | of which, ms |\n|---|---|---|---|")
        walls = []
        for name in names:
            took, result = alone(chosen.geak, task_of[name], path_of[name])
            walls.append(took)
            told = result.get("verdict", result)
            print(f"| {name} | {took:.2f} | {told.get('kind')} | {json.dumps(result.get('ms'))} |", flush=True)
        medians.append(f"geak alone {statistics.median(walls):.2f} s")
    if "batch" in only:
        medians.append(batch(chosen.geak, path_of, task_of, chosen.times))
    print(f"\nmedians: {', '.join(medians)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
