#!/usr/bin/env python3
"""Candidates for starter/vector_add on the GPU that is here, good and bad, against the verdicts that they should get.

    GEAK=build/geak bench/sealed/run.py [--jobs N]

All go through one `geak eval`, then an honest one: faults must have left nothing behind. Prints a table, and exits with
1 when a verdict is another than expected.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Candidate: outcome, kind.
EXPECTED = {
    "honest": ("pass", "pass"),
    "autotuned": ("pass", "pass"),
    "clusters": ("pass", "pass"),
    "cooperative": ("pass", "pass"),
    "pdl": ("pass", "pass"),
    "tma_host": ("pass", "pass"),
    "tma_2d": ("pass", "pass"),
    "tma_device": ("pass", "pass"),
    "wrong": ("fail", "wrong_values"),
    "writes_nothing": ("fail", "poison"),
    "writes_half": ("fail", "poison"),
    "changes_input": ("fail", "input_changed"),
    "three_too_many": ("fail", "out_of_bounds"),
    "writes_behind": ("fail", "out_of_bounds"),
    "writes_far": ("fail", "crash"),
    "reads_far": ("fail", "crash"),
    "misaligned": ("fail", "crash"),
    "endless": ("fail", "hang"),
    "honest again": ("pass", "pass"),
}


def source(name: str) -> str:
    """The candidate's text; 'again' makes another text of the same kernel, so that it is judged anew."""
    text = (HERE / (name.split()[0] + ".py")).read_text()
    return text + "# again\n" if " " in name else text


def judge(geak: str, jobs: int) -> "dict[str, dict]":
    """Results by candidate. The last one is sent when all others are known."""
    command = [geak, "eval", "starter/vector_add", "-c", "-", "--jsonl", "--target", "auto", "-j", str(jobs)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    results = {}
    names = list(EXPECTED)
    assert process.stdin and process.stdout
    for name in names[:-1]:
        process.stdin.write(json.dumps({"id": name, "candidate": source(name)}) + "\n")
    process.stdin.flush()
    for line in process.stdout:
        result = json.loads(line)
        results[result["id"]] = result
        if len(results) == len(names) - 1:
            process.stdin.write(json.dumps({"id": names[-1], "candidate": source(names[-1])}) + "\n")
            process.stdin.close()
    process.wait()
    return results


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=3)
    geak = os.environ.get("GEAK", "build/geak")
    jobs = parser.parse_args().jobs
    facts = json.loads(subprocess.run([geak, "launcher", "--describe"], capture_output=True, text=True, check=True).stdout)
    if not facts:
        print("no GPU is here")
        return 0
    started, wrong = time.monotonic(), 0
    results = judge(geak, jobs)
    print(f"{facts['kind']}, {facts['target']}, driver {facts['driver']}; {time.monotonic() - started:.1f} s in all\n")
    print("| candidate | verdict | evidence | call ms | exec ms | |")
    print("|---|---|---|---|---|---|")
    for name, (outcome, kind) in EXPECTED.items():
        result = results.get(name)
        if not result:
            print(f"| {name} | no result | | | | WRONG |")
            wrong += 1
            continue
        verdict, ms = result["verdict"], result["stages_ms"]
        right = (verdict["outcome"], verdict["kind"], result["evidence"]) == (outcome, kind, "sealed")
        wrong += not right
        note = "" if right else f"WRONG, {outcome} {kind} expected: {verdict['message'][:200]}"
        print(f"| {name} | {verdict['outcome']} {verdict['kind']} | {result['evidence']} | {ms['call']:.0f} | "
              f"{ms['exec']:.0f} | {note} |")  # fmt: skip
    return 1 if wrong else 0


sys.exit(main())
