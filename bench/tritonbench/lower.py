"""Lowers what capture_tritonbench.py captured: every kernel of the plans, for one target, on a machine without a GPU.

    PYTHONPATH=worker python bench/tritonbench/lower.py OUT [--target sm_90] [--first N] [--jobs N]

OUT is the folder that was captured for that target. Objects go to OUT/objects/KEY.json and KEY.bin, KEY being the hash of
module and options. Prints one line for each kernel that has no object, with the reason, and how many have one.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import sys
from typing import Any, Dict, List, NoReturn, Tuple

from geak_worker import lowering, toolchain
from geak_worker.box import PlainBox
from geak_worker.frames import read_memfd


def key_of(kernel: Dict[str, Any]) -> str:
    """By which an object is found: module and options."""
    text = kernel["ttir"] + json.dumps(kernel["options"], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def kernels_of(out: str, first: int) -> "Dict[str, Tuple[Dict[str, Any], str]]":
    """Kernels by key, each with a plan that uses it; of each file the first plans only (0: all)."""
    found: Dict[str, Tuple[Dict[str, Any], str]] = {}
    for name in sorted(os.listdir(out)):
        folder = os.path.join(out, name)
        if name in ("ttir", "inputs", "objects") or not os.path.isdir(folder):
            continue
        numbers = sorted(int(f[:-5]) for f in os.listdir(folder) if f.endswith(".json"))
        for number in numbers[: first or None]:
            with open(os.path.join(folder, f"{number}.json"), encoding="utf-8") as file:
                for kernel in json.load(file)["kernels"]:
                    found.setdefault(key_of(kernel), (kernel, f"{name}/{number}"))
    return found


def lower_one(request: "Tuple[str, str, str, Dict[str, Any], str]") -> "Tuple[str, str]":
    """Key and why there is no object ("" when there is one)."""
    out, target, key, kernel, words = request
    path = os.path.join(out, "objects", key)
    if os.path.exists(path + ".json"):
        return key, ""
    pid = os.fork()  # a compiler that crashes takes its process along
    if pid == 0:
        make(out, target, path, kernel, words)
    _, status = os.waitpid(pid, 0)
    if status != 0:
        return key, f"the compiler ended with status {status:#x}"
    with open(path + ".why", encoding="utf-8") as file:
        return key, file.read()


def make(out: str, target: str, path: str, kernel: Dict[str, Any], words: str) -> NoReturn:
    """Writes the object, and into PATH.why why there is none. Ends the process."""
    with open(os.path.join(out, "ttir", kernel["ttir"] + ".ttir"), encoding="utf-8") as file:
        text = file.read()
    why = ""
    frame = lowering.lower_apart(PlainBox(), text, kernel["ttir"], target, kernel["options"], words)
    if frame.type != "object":
        why = str(frame.json.get("log") or frame.json.get("message")).strip()[-300:] or "no object"
    else:
        with open(path + ".bin", "wb") as code:
            code.write(read_memfd(frame.fds[0], lowering.MAX_CODE))
        with open(path + ".json", "w", encoding="utf-8") as file:
            json.dump(frame.json, file)
    with open(path + ".why", "w", encoding="utf-8") as file:
        file.write(why)
    os._exit(0)


def main() -> int:
    parser = argparse.ArgumentParser(description="lowers captured TritonBench kernels")
    parser.add_argument("out")
    parser.add_argument("--target", default="sm_90")
    parser.add_argument("--first", type=int, default=1, help="plans of each file; 0: all")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    chosen = parser.parse_args()
    kernels = kernels_of(chosen.out, chosen.first)
    os.makedirs(os.path.join(chosen.out, "objects"), exist_ok=True)
    words = toolchain.facts()["toolchain"]
    requests = [(chosen.out, chosen.target, key, kernel, words) for key, (kernel, _) in kernels.items()]
    missing: List[str] = []
    with multiprocessing.Pool(chosen.jobs, maxtasksperchild=8) as pool:
        for key, why in pool.imap_unordered(lower_one, requests):
            if why:
                kernel, plan = kernels[key]
                missing.append(f"{plan}: {kernel['name']}: {why!r}")
    for line in sorted(missing):
        print(line)
    files = {plan.split("/")[0] for _, plan in kernels.values()}
    print(f"{chosen.target}: {len(kernels) - len(missing)} of {len(kernels)} kernels of {len(files)} files lowered")
    return 0


if __name__ == "__main__":
    sys.exit(main())
