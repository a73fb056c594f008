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
    return took, json.loads(done.stdout) if done.stdout.startswith("{") else {"kind": done.stderr[-300:]}


def main() -> int:
    parser = argparse.ArgumentParser(description="the upstream evaluator and geak, side by side")
    parser.add_argument("checkout")
    parser.add_argument("suite")
    parser.add_argument("--geak", required=True)
    parser.add_argument("--times", type=int, default=8)
    parser.add_argument("--no-upstream", action="store_true")
    chosen = parser.parse_args()
    names = sorted(n[:-3] for n in os.listdir(os.path.join(chosen.suite, "candidates")) if n.endswith(".py"))
    rows = []
    for name in names:
        path = os.path.join(chosen.suite, "candidates", name + ".py")
        theirs = [0.0, False, False, 0, "not run"] if chosen.no_upstream else upstream(chosen.checkout, path, name + ".py")
        took, verdict = alone(chosen.geak, os.path.join(chosen.suite, name), path)
        rows.append((name, theirs, took, verdict))
    print("| kernel | upstream, s | upstream says | geak alone, s | geak in a batch, its wall time, s | geak says |")
    print("|---|---|---|---|---|---|")
    lines, batch = "", {}
    for name, *_ in rows:
        with open(os.path.join(chosen.suite, "candidates", name + ".py"), encoding="utf-8") as file:
            text = file.read()
        for i in range(chosen.times):
            lines += json.dumps({"id": f"{name} {i}", "task": os.path.join(chosen.suite, name), "source": f"{text}# {i}\n"}) + "\n"
    start = time.monotonic()
    done = subprocess.run([chosen.geak, "eval", "--batch", "-"], input=lines, stdout=subprocess.PIPE, text=True)
    each = (time.monotonic() - start) / (chosen.times * len(rows))
    for line in done.stdout.splitlines():
        result = json.loads(line)
        batch.setdefault(str(result["id"]).split()[0], []).append(result)
    for name, theirs, took, verdict in rows:
        ours = batch.get(name, [])
        totals = [r["ms"]["total"] / 1000 for r in ours if "ms" in r]
        speeds = [r["speedup"]["mean"] for r in ours if r.get("speedup")]
        kinds = sorted({str(r.get("verdict", {}).get("kind")) for r in ours})
        print(f"| {name} | {theirs[0]:.1f} | call {theirs[1]}, exec {theirs[2]}, {theirs[3]} | {took:.2f} | "
              f"{statistics.median(totals or [0]):.2f} | {', '.join(kinds)}, {statistics.median(speeds or [0]):.3f}x |", flush=True)  # fmt: skip
        if not theirs[2]:
            print(f"  upstream: {theirs[4]!r}")
    print(f"\nmedians: upstream {statistics.median(r[1][0] for r in rows):.1f} s, geak alone "
          f"{statistics.median(r[2] for r in rows):.2f} s, in a batch one verdict each {each:.2f} s")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
