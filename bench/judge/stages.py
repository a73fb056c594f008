"""Where the wall time of a verdict goes, and how many verdicts a second a batch gives, on the GPU that is here.

    python bench/judge/stages.py --geak build/geak [--alone 3] [--batch 200] [--jobs N] [--only alone,one,batch,exec]

alone   each starter reference as a candidate of a `geak eval` of its own: everything starts from nothing
one     candidates one after the other in one `geak eval` (-j 1): medians by what the time went into
auto    the same for a kernel with twenty autotune configurations
batch   so many candidates in one `geak eval`, over all tasks: verdicts a second, timed; and without perf (exec)
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Dict, List, Optional

ROOT = Path(__file__).resolve().parents[2]
TASKS = ["vector_add", "row_softmax", "flip", "layer_norm", "matmul_bias_act"]
PARTS = ["total", "start", "capture", "lower", "oracle", "reference", "exec", "perf", "gpu"]
AUTO = '''import torch
import triton
import triton.language as tl

# CONFIGS
@triton.autotune(configs=[triton.Config({"BLOCK": b}, num_warps=w) for b in (256, 512, 1024, 2048, 4096) for w in (1, 2, 4, 8)], key=["columns"])
@triton.jit
def flip_kernel(x_ptr, out_ptr, row_stride, column_stride, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = column < columns
    source = (columns - 1 - column).to(tl.int64)
    x = tl.load(x_ptr + row * row_stride + source * column_stride, mask=inside)
    tl.store(out_ptr + row * columns + column, x, mask=inside)


def flip(x: torch.Tensor) -> torch.Tensor:
    rows, columns = x.shape
    out = torch.empty((rows, columns), dtype=x.dtype, device=x.device)
    flip_kernel[lambda meta: (rows, triton.cdiv(columns, meta["BLOCK"]))](x, out, x.stride(0), x.stride(1), columns)
    return out
'''


def reference(task: str) -> str:
    return (ROOT / "suites/starter" / task / "reference.py").read_text()


def run(geak: str, task: str, texts: List[str], *options: str) -> "tuple[float, List[Dict[str, Any]]]":
    """Seconds and results."""
    took, table = run_all(geak, [(task, text) for text in texts], *options)
    return took, table.get(task, [])


def run_all(geak: str, texts: "List[tuple[str, str]]", *options: str, first: "List[tuple[str, str]]" = []) -> "tuple[float, Dict[str, List[Dict[str, Any]]]]":
    """Seconds and results by task, of (task, text) in one process. What is first is judged before the clock starts, and
    left out."""
    command = [geak, "eval", "--batch", "-", *options]
    start = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin and process.stdout
    lines = [json.dumps({"id": f"{task} {i}", "task": task, "source": text}) + "\n" for i, (task, text) in enumerate(first + texts)]
    process.stdin.write("".join(lines[: len(first)]))
    process.stdin.flush()
    results = [json.loads(process.stdout.readline()) for _ in first]
    start = time.monotonic() if first else start
    # both ways at once: neither side shall wait for a full pipe
    sender = threading.Thread(target=lambda: (process.stdin.write("".join(lines[len(first):])), process.stdin.close()))
    sender.start()
    results = [json.loads(line) for line in process.stdout]
    took = time.monotonic() - start
    sender.join()
    process.wait()
    table: Dict[str, List[Dict[str, Any]]] = {}
    told = set()
    for result in results:
        task = str(result["id"]).split()[0]
        why = result.get("error") or (result["verdict"]["message"] if result["verdict"]["outcome"] != "pass" else
                                      result["notes"] if not result["speedup"] and "--no-timing" not in options else "")  # fmt: skip
        if why and task not in told:
            told.add(task)
            print(f"{task}: {str(why)[:300]}")
        if "ms" in result:
            table.setdefault(task, []).append(result)
    return took, table


def row(name: str, results: List[Dict[str, Any]], wall: Optional[float]) -> str:
    cells = [f"{statistics.median(r['ms'][part] for r in results):.0f}" for part in PARTS]
    return f"| {name} | {len(results)} | {'' if wall is None else f'{wall:.2f}'} | {' | '.join(cells)} |"


def took(results: List[Dict[str, Any]]) -> str:
    """What the GPU was held for when one case was timed: medians by phase, and why timing stopped."""
    parts = [case["detail"] for r in results for case in r.get("cases", [])
             if case.get("part") == "perf" and (case.get("detail") or {}).get("took")]  # fmt: skip
    if not parts:
        return ""
    names = list(dict.fromkeys(name for part in parts for name in part["took"]))
    cells = [f"{name} {statistics.median(part['took'].get(name, 0) for part in parts):.1f}" for name in names]
    ends = {str(part["stopped"]): 0 for part in parts}
    for part in parts:
        ends[str(part["stopped"])] += 1
    return (f"\none timed case, ms: held {statistics.median(part['held_ms'] for part in parts):.0f}: {', '.join(cells)}; "
            f"{statistics.median(part['pairs'] for part in parts):.0f} pairs; "
            f"stopped: {', '.join(f'{end} {count}' for end, count in ends.items())}")  # fmt: skip


HEAD = "| task | candidates | process, s | " + " | ".join(f"{p}, ms" for p in PARTS) + " |\n" + "|---" * (3 + len(PARTS)) + "|"


def alone(chosen: argparse.Namespace) -> None:
    print("\nEach in a process of its own, from nothing\n\n" + HEAD)
    for task in TASKS:
        walls, results = [], []
        for i in range(chosen.alone):
            wall, some = run(chosen.geak, f"starter/{task}", [f"{reference(task)}# alone {i}\n"])
            walls.append(wall)
            results += some
        print(row(task, results, statistics.median(walls)), flush=True)


def one(chosen: argparse.Namespace) -> None:
    print("\nOne after the other in one process; of each task the first is left out\n\n" + HEAD)
    texts = [(f"starter/{task}", f"{reference(task)}# one {i}\n") for task in TASKS for i in range(chosen.one)]
    _, table = run_all(chosen.geak, texts, "-j", "1")
    for task, results in table.items():
        print(row(task, results[1:], None), flush=True)
    print(row("all", [r for results in table.values() for r in results[1:]], None))
    for task, results in table.items():
        print(f"{task}: {took(results[1:])}".replace("\n", ""))


def auto(chosen: argparse.Namespace) -> None:
    print("\nTwenty autotune configurations, one after the other; the first is left out\n\n" + HEAD)
    # other names of variables make other code: the cache of lowered kernels does not know them
    texts = [AUTO.replace("source", f"source_{i}_{os.getpid()}").replace("- 1 - column", f"- {i + 1} - column + {i}") for i in range(5)]
    _, results = run(chosen.geak, "starter/flip", texts, "-j", "1")
    print(row("flip", results[1:], None), flush=True)
    print(took(results[1:]))


def batch(chosen: argparse.Namespace, *options: str) -> None:
    print(f"\nA batch of {chosen.batch}, {chosen.jobs} at once{', without perf' if options else ''}\n\n" + HEAD)
    texts = [(f"starter/{task}", f"{reference(task)}# batch {i}\n") for i in range(chosen.batch // len(TASKS)) for task in TASKS]
    wall, table = run_all(chosen.geak, texts, "-j", str(chosen.jobs), *options,
                          first=[(f"starter/{task}", f"{reference(task)}# first\n") for task in TASKS])  # fmt: skip
    for task, results in table.items():
        print(row(task, results, None), flush=True)
    print(took([r for results in table.values() for r in results]))
    count = sum(len(results) for results in table.values())
    busy = sum(r["ms"]["gpu"] for results in table.values() for r in results) / 1000
    print(f"\n{count} verdicts in {wall:.1f} s: {count / wall:.2f} a second, after a first of each task; GPUs were held "
          f"{100 * busy / wall:.0f} % of the time")  # fmt: skip


MEASURES = {"alone": alone, "one": one, "auto": auto, "batch": batch, "exec": lambda chosen: batch(chosen, "--no-timing")}


def main() -> int:
    parser = argparse.ArgumentParser(description="wall time of verdicts by stage")
    parser.add_argument("--geak", default=os.environ.get("GEAK", "build/geak"))
    parser.add_argument("--alone", type=int, default=2)
    parser.add_argument("--one", type=int, default=9)
    parser.add_argument("--batch", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default=",".join(MEASURES))
    chosen = parser.parse_args()
    facts = json.loads(subprocess.run([chosen.geak, "launcher", "--describe"], capture_output=True, text=True).stdout or "{}")
    print(f"{facts.get('kind', 'no GPU: the machine')}, {os.cpu_count()} processors")
    for name in chosen.only.split(","):
        MEASURES[name](chosen)
    return 0


if __name__ == "__main__":
    sys.exit(main())
