"""What geak's clock is worth, on the GPU that is here: false alarms, detected slowdowns, beside do_bench.

    python bench/clock/clock.py --geak build/geak [--texts 17] [--slow 20] [--no-do-bench] [--only aa,slow,fresh]

aa        each text of a kernel is judged against the same kernel: pairs whose interval excludes 1 are false alarms
slow      a kernel of K dependent steps against the same with 2, 5 and 20 % more: how many are found
fresh     the same kernels in a launcher that has served many candidates, and in fresh ones: a geak of its own each time
do_bench  the reference's time as geak measures it, beside triton.testing.do_bench of the same call in this process

The suite is made of suites/starter with perf cases from 3 us to 3 ms, and of a task of our own (spin), in a temporary
folder. Every figure comes from `geak eval`, the whole way that a candidate goes.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List

ROOT = Path(__file__).resolve().parents[2]
SLOWER = (0, 2, 5, 20)  # percent
PERF = {
    "vector_add": ["{M: 0, N: 4096, dtype: float32, layout: contiguous}", "{M: 0, N: 1048576, dtype: float32, layout: contiguous}",
                   "{M: 0, N: 67108864, dtype: bfloat16, layout: contiguous}"],
    "row_softmax": ["{M: 1823, N: 781, dtype: float32, layout: contiguous}", "{M: 8192, N: 8192, dtype: bfloat16, layout: contiguous}"],
    "flip": ["{M: 512, N: 1000, dtype: float32, layout: contiguous}", "{M: 8192, N: 8192, dtype: float32, layout: contiguous}"],
    "layer_norm": ["{M: 1024, N: 1024, dtype: float16, eps: 1.0e-5, layout: contiguous}",
                   "{M: 16384, N: 1024, dtype: bfloat16, eps: 1.0e-5, layout: contiguous}"],
    "matmul_bias_act": ["{M: 256, N: 256, K: 512, dtype: bfloat16, activation: gelu, layout: contiguous}",
                        "{M: 4096, N: 4096, K: 4096, dtype: float16, activation: relu, layout: contiguous}",
                        "{M: 8192, N: 8192, K: 8192, dtype: float16, activation: none, layout: contiguous}"],
}  # fmt: skip
SPIN = {
    "task.yaml": """id: spin
title: A copy that takes its time
category: elementwise
difficulty: 1
origin: written for geak
entry:
  name: spin
  params:
    - {name: x, kind: tensor}
    - {name: steps, kind: int}
  returns:
    - {name: out, dtype: "like:x"}
tolerance: {operation: exact}
distributions: [normal]
cases:
  - {N: 1000, steps: 100, dtype: float32, use: [exec], cpu: true}
  - {N: 135168, steps: 4000, dtype: float32, use: [perf]}
  - {N: 135168, steps: 20000, dtype: float32, use: [perf]}
""",
    "instruction.md": "Write `spin`: a copy of x.\n",
    "oracle.py": '''"""Inputs and expected results of spin."""

import torch


def make_inputs(case, seed, device, dist):
    """x: float32 [N]; the number of steps."""
    generator = torch.Generator().manual_seed(seed)
    return {"x": torch.randn(case["N"], generator=generator).to(device), "steps": case["steps"]}


def expected(inputs, case):
    """x itself."""
    return {"out": inputs["x"].clone()}
''',
    "reference.py": '''"""Every element goes through a chain of multiplications by one: their number decides how long it takes."""

import torch
import triton
import triton.language as tl


@triton.jit
def spin_kernel(x_ptr, out_ptr, n, steps, one, zero, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    y = tl.load(x_ptr + at, mask=at < n, other=0.0)
    for _ in range(steps):
        y = y * one + zero
    tl.store(out_ptr + at, y, mask=at < n)


def spin(x: torch.Tensor, steps: int) -> torch.Tensor:
    out = torch.empty_like(x)
    spin_kernel[(triton.cdiv(x.numel(), 1024),)](x, out, x.numel(), steps, 1.0, 0.0, BLOCK=1024)
    return out
''',
}


def make_suite(folder: Path) -> None:
    for name, cases in PERF.items():
        shutil.copytree(ROOT / "suites/starter" / name, folder / name)
        path = folder / name / "task.yaml"
        text = re.sub(r"(?m)^  - \{.*use: \[perf\]\}\n", "", path.read_text()).replace("use: [exec, perf]", "use: [exec]")
        # two exec cases are enough here: the clock is what is looked at
        head, _, tail = text.partition("cases:\n")
        lines = re.match(r"(?:  - .*\n)+", tail)
        assert lines
        kept = lines.group(0).splitlines(keepends=True)[:2]
        extra = "".join(f"  - {case[:-1]}, use: [perf]}}\n" for case in cases)
        path.write_text(head + "cases:\n" + "".join(kept) + extra + tail[lines.end() :])
    (folder / "spin").mkdir()
    for name, text in SPIN.items():
        (folder / "spin" / name).write_text(text)
    (folder / "suite.yaml").write_text(f"id: clock\ntitle: For the clock\ntasks: [{', '.join([*PERF, 'spin'])}]\n")


def judge(geak: str, texts: List["tuple[str, Path, str]"]) -> Dict[str, List[Dict[str, Any]]]:
    """The verdicts of texts (group, task, source) by group, all from one `geak eval --batch`."""
    lines = "".join(json.dumps({"id": f"{group} #{i}", "task": str(task), "source": text}) + "\n"
                    for i, (group, task, text) in enumerate(texts))  # fmt: skip
    done = subprocess.run([geak, "eval", "--batch", "-"], input=lines, stdout=subprocess.PIPE, text=True)
    table: Dict[str, List[Dict[str, Any]]] = {}
    for line in done.stdout.splitlines():
        verdict = json.loads(line)
        if "error" in verdict:
            print(f"{verdict['id']}: {verdict['error']}")
        else:
            table.setdefault(verdict["id"].split(" #")[0], []).append(verdict)
    return table


def perf_of(verdict: Dict[str, Any]) -> List[Dict[str, Any]]:
    """Parts that were timed, with their case."""
    if verdict["verdict"]["outcome"] != "pass":
        print(f"  not passed: {verdict['verdict']['kind']}: {verdict['verdict']['message'][:200]}")
    found = []
    for case in verdict["cases"]:
        if case["part"] == "perf" and case.get("detail") and "speedup" in case["detail"]:
            found.append({"case": case.get("case", case.get("id")), **case["detail"]})
    return found


def row(case: str, parts: List[Dict[str, Any]], want: float = 0.0) -> "tuple[str, int]":
    """A line of the table; how many intervals exclude 1."""
    out = sum(p["low"] > 1 or p["high"] < 1 for p in parts)
    half = sorted((p["high"] - p["low"]) / 2 / p["speedup"] for p in parts)
    told = sum(not p["within_noise"] for p in parts)
    return (f"| {case} | {statistics.median(p['reference_ms'] for p in parts) * 1000:.1f} | {len(parts)} | {out} | {told} | "
            f"{statistics.median(half) * 100:.2f} % | {statistics.median(p['speedup'] for p in parts):.4f} | "
            f"{min(p['speedup'] for p in parts):.4f} to {max(p['speedup'] for p in parts):.4f} | "
            f"{statistics.median(p['floor'] for p in parts) * 100:.2f} % | {statistics.median(p['pairs'] for p in parts):.0f} | "
            f"{statistics.median(p['held_ms'] for p in parts):.0f} |"), out  # fmt: skip


HEAD = ("| case | reference, us | pairs of kernels | interval excludes 1 | beyond the noise | half-width, median | ratio, "
        "median | ratio, range | floor | samples | GPU held, ms |\n|---|---|---|---|---|---|---|---|---|---|---|")  # fmt: skip


def by_case(verdicts: List[Dict[str, Any]]) -> Dict[str, List[Dict[str, Any]]]:
    table: Dict[str, List[Dict[str, Any]]] = {}
    for verdict in verdicts:
        for part in perf_of(verdict):
            table.setdefault(part["case"], []).append(part)
    return table


def against_itself(table: Dict[str, List[Dict[str, Any]]]) -> Dict[str, float]:
    """Prints the table; the reference's time by task and case."""
    print("\n## The same kernel against itself\n\n" + HEAD)
    outside, total, times, held = 0, 0, {}, 0.0
    for name in PERF:
        for case, parts in by_case(table.get(f"aa {name}", [])).items():
            line, out = row(f"{name} {case}", parts)
            print(line, flush=True)
            outside, total, held = outside + out, total + len(parts), held + sum(p["held_ms"] for p in parts)
            times[f"{name} {case}"] = statistics.median(p["reference_ms"] for p in parts)
    print(f"\n{outside} of {total} intervals exclude 1 ({100 * outside / max(total, 1):.1f} %); the GPU was held "
          f"{held / 1000:.0f} s")  # fmt: skip
    return times


def slower(table: Dict[str, List[Dict[str, Any]]]) -> None:
    print("\n## A known slowdown\n\n" + HEAD)
    for percent in SLOWER:
        for case, parts in by_case(table.get(f"slow {percent}", [])).items():
            print(row(f"{percent} % more: {case}", parts)[0], flush=True)


def all_texts(suite: Path, aa: int, slow: int) -> List["tuple[str, Path, str]"]:
    found = []
    for name in PERF:
        reference = (suite / name / "reference.py").read_text()
        found += [(f"aa {name}", suite / name, f"{reference}\n# text {i}\n") for i in range(aa)]
    reference = (suite / "spin/reference.py").read_text()
    for percent in SLOWER:
        text = reference.replace("x.numel(), steps, 1.0", f"x.numel(), steps * {100 + percent} // 100, 1.0")
        found += [(f"slow {percent}", suite / "spin", f"{text}\n# text {i}\n") for i in range(slow)]
    return found


def times_of(verdicts: List[Dict[str, Any]]) -> Dict[str, List[Dict[str, Any]]]:
    """The timed parts by task and case."""
    table: Dict[str, List[Dict[str, Any]]] = {}
    for verdict in verdicts:
        for part in perf_of(verdict):
            table.setdefault(f"{verdict['id'].split()[1]} {part['case']}", []).append(part)
    return table


def fresh_beside_resident(geak: str, suite: Path, before: int, times: int) -> None:
    """The same kernel against itself: `times` of each in one launcher behind `before` candidates, and in as many fresh ones."""

    def texts(mark: str, count: int) -> List["tuple[str, Path, str]"]:
        return [(f"fresh {name}", suite / name, f"{(suite / name / 'reference.py').read_text()}\n# {mark} {i}\n")
                for i in range(count) for name in PERF]  # fmt: skip

    rounds = max(1, before // len(PERF))
    kept = judge(geak, texts("resident", rounds + times)).get
    resident = times_of([v for name in PERF for v in kept(f"fresh {name}", [])[-times:]])
    fresh = times_of([v for i in range(times) for found in judge(geak, texts(f"fresh {i}", 1)).values() for v in found])
    print(f"\n## A resident launcher against fresh ones\n\nThe last {times} of {rounds + times} candidates of each task in one launcher; "
          f"{times} launchers that have served nobody before.\n\n"
          "| case | resident, us | range | fresh, us | range | fresh / resident | A/A resident, fresh |\n|---|---|---|---|---|---|---|")  # fmt: skip
    off = []
    for case, there in resident.items():
        one, other = ([p["reference_ms"] * 1000 for p in parts] for parts in (there, fresh.get(case, [])))
        if not other:
            continue
        ratio = statistics.median(other) / statistics.median(one)
        off.append(abs(ratio - 1))
        aa = ", ".join(f"{statistics.median(p['speedup'] for p in parts):.4f}" for parts in (there, fresh[case]))
        print(f"| {case} | {statistics.median(one):.2f} | {min(one):.2f} to {max(one):.2f} | {statistics.median(other):.2f} | "
              f"{min(other):.2f} to {max(other):.2f} | {ratio:.4f} | {aa} |", flush=True)  # fmt: skip
    if off:
        print(f"\nfresh and resident differ by {100 * statistics.median(off):.2f} % (median over cases), at most {100 * max(off):.2f} %")


def load(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def beside_do_bench(suite: Path, times: Dict[str, float]) -> None:
    """The same calls in this process: Triton's own do_bench (events around the Python call, cache cleared)."""
    import torch
    import triton

    print("\n## Beside triton.testing.do_bench\n\n| case | geak, us | do_bench, us | do_bench / geak |\n|---|---|---|---|")
    for key, ms in times.items():
        name, case = key.split(" ", 1)
        sys.path.insert(0, str(suite / name))
        oracle, reference = load(suite / name / "oracle.py"), load(suite / name / "reference.py")
        sys.path.pop(0)
        params: Dict[str, Any] = {}
        for pair in case.split(","):
            field, _, value = pair.partition("=")
            params[field] = int(value) if value.lstrip("-").isdigit() else value
        if "eps" in params:
            params["eps"] = float(params["eps"])
        entry = re.search(r"(?m)^  name: (\w+)", (suite / name / "task.yaml").read_text())
        assert entry
        function = getattr(reference, entry.group(1))
        inputs = {k: v.cuda() if isinstance(v, torch.Tensor) else v for k, v in oracle.make_inputs(params, 1, "cpu", "normal").items()}
        theirs = triton.testing.do_bench(lambda: function(**inputs), warmup=25, rep=100, return_mode="median")
        print(f"| {key} | {ms * 1000:.2f} | {theirs * 1000:.2f} | {theirs / ms:.3f} |", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="false alarms, detected slowdowns, do_bench")
    parser.add_argument("--geak", default=os.environ.get("GEAK", "build/geak"))
    parser.add_argument("--texts", type=int, default=17)
    parser.add_argument("--slow", type=int, default=20)
    parser.add_argument("--no-do-bench", action="store_true")
    parser.add_argument("--only", default="aa,slow,fresh", help="which parts; do_bench goes with aa")
    parser.add_argument("--before", type=int, default=50, help="candidates that a resident launcher has served before")
    parser.add_argument("--fresh", type=int, default=4, help="fresh launchers")
    chosen = parser.parse_args()
    facts = json.loads(subprocess.run([chosen.geak, "launcher", "--describe"], capture_output=True, text=True).stdout or "{}")
    if not facts:
        print("no GPU is here")
        return 0
    print(f"{facts['kind']}, {facts['target']}, driver {facts['driver']}")
    with tempfile.TemporaryDirectory() as folder:
        suite = Path(folder)
        make_suite(suite)
        only = chosen.only.split(",")
        if "aa" in only or "slow" in only:
            started = time.monotonic()
            table = judge(chosen.geak, all_texts(suite, chosen.texts if "aa" in only else 0, chosen.slow if "slow" in only else 0))
            count = sum(len(verdicts) for verdicts in table.values())
            print(f"{count} verdicts in {time.monotonic() - started:.0f} s, start and references included")
            times = against_itself(table) if "aa" in only else {}
            slower(table)
            if times and not chosen.no_do_bench:
                beside_do_bench(suite, times)
        if "fresh" in only:
            fresh_beside_resident(chosen.geak, suite, chosen.before, chosen.fresh)
    return 0


if __name__ == "__main__":
    sys.exit(main())
