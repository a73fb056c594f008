"""TritonBench kernels that were captured and lowered on a machine without a GPU, run here on one, beside the real thing.

    PYTHONPATH=worker:bench python bench/tritonbench/real.py CHECKOUT/data/TritonBench_G_v1 OUT --geak build/geak [--jobs N]

OUT is what capture_tritonbench.py and lower.py left for this GPU's target. Three ways from the same input bytes to
outputs: the file's own test part calls the kernel part with torch and Triton on the GPU (real); the launcher runs the
captured plan with the objects that were lowered elsewhere (sealed); the machine runs the same plan (machine). One line
for each file: how far sealed and machine are from real, relative to the largest value; whether they are bit-identical.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import math
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from typing import Any, Callable, Dict, List, Optional, Tuple

import torch
from capture_tritonbench import Study, imports_of, leaves, split, unique, without_copies
from geak_worker import frames, source
from geak_worker.capture import reseed
from lower import key_of
from torch.utils._pytree import tree_flatten

SECONDS = 60
MACHINE_SECONDS = 20
MACHINE_BUDGET = 4_000_000_000
SHARED = 232448  # bytes of a block, at most, on the GPU that this was written for
BYTES_OF = {"float64": 8, "int64": 8, "uint64": 8, "float32": 4, "int32": 4, "uint32": 4, "float16": 2, "bfloat16": 2,
            "int16": 2, "uint16": 2}  # fmt: skip
TOLERANCE = {torch.float64: 1e-6, torch.float32: 2e-3, torch.float16: 1e-2, torch.bfloat16: 3e-2}


class Outside:
    """Whether the kernel part is running."""

    inside = False


class Real(Study):
    """One file whose test part runs for real; calls that a plan was captured of are kept."""

    def __init__(self, name: str, plans: "Dict[Tuple[str, int], Dict[str, Any]]") -> None:
        self.name, self.plans = name, plans
        self.dispatch: Any = Outside()
        self.counts: Dict[str, int] = {}
        self.leaves: List[torch.Tensor] = []
        self.kept: List[Dict[str, Any]] = []  # type: ignore[assignment]

    def run(self, text: str) -> Dict[str, Any]:
        kernel_part, test_part = split(text)
        module = source.prepare(text)
        reseed()
        exec(imports_of(test_part), module.__dict__)
        source.execute(module, kernel_part)
        names = {**vars(module), "__name__": "__main__"}
        for key, value in list(names.items()):
            names[key] = self.wrap(key, value)
        exec(compile(without_copies(test_part, names), source.CANDIDATE_PATH, "exec", dont_inherit=True), names)
        if not self.counts:
            for key, value in list(names.items()):
                if key.startswith("test") and callable(value):
                    value()
        return {}

    def call(self, name: str, function: Callable[[], Any], times: int) -> Any:
        found = self.plans.pop((name, self.counts[name]), None)
        given = self.leaves
        before = {i: raw(given[at]) for i, at in found["inputs"].items()} if found else {}
        reseed()
        self.dispatch.inside = True
        try:
            result = function()
        finally:
            self.dispatch.inside = False
        torch.cuda.synchronize()
        if found:
            tensors = unique([t for t in tree_flatten(result)[0] if isinstance(t, torch.Tensor) and t.is_cuda])
            self.kept.append({**found, "before": before,
                              "after": {i: raw(given[at]) for i, at in found["inputs"].items()},
                              "dtypes": {i: given[at].dtype for i, at in found["inputs"].items()},
                              "results": [t.detach().contiguous().cpu() for t in tensors]})  # fmt: skip
        return result


def raw(tensor: torch.Tensor) -> bytes:
    """The bytes of a tensor's whole storage."""
    storage = torch.empty(0, dtype=torch.uint8, device=tensor.device).set_(tensor.detach().untyped_storage())
    return bytes(storage.cpu().numpy())


def plans_of(out: str, name: str, first: int) -> List[Dict[str, Any]]:
    folder = os.path.join(out, name)
    numbers = sorted(int(f[:-5]) for f in os.listdir(folder) if f.endswith(".json"))[: first or None]
    found = []
    for number in numbers:
        with open(os.path.join(folder, f"{number}.json"), encoding="utf-8") as file:
            body = json.load(file)
        with open(os.path.join(folder, f"{number}.call"), encoding="utf-8") as file:
            found.append({"plan": body, "number": number, **json.load(file)})
    return found


def run_real(folder: str, out: str, name: str, first: int, kept: str) -> str:
    """Runs one file for real, in a fork; what it kept is pickled into `kept`. Returns why nothing was kept, or ""."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(SECONDS)
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 1)
        os.dup2(null, 2)
        why, calls = "", {}
        for plan in plans_of(out, name, first):
            calls[(plan["entry"], plan["count"])] = plan
        real = Real(name, calls)
        try:
            with open(os.path.join(folder, name + ".py"), encoding="utf-8") as file:
                real.run(file.read())
        except BaseException as error:
            why = f"real: {type(error).__name__}: {str(error)[:160]}"
        if real.kept:
            with open(kept, "wb") as file:
                pickle.dump(real.kept, file)
        os.write(write, (why if not real.kept else "").encode("utf-8", "replace")[:4000])
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        why = pipe.read().decode("utf-8", "replace")
    _, status = os.waitpid(pid, 0)
    if os.path.exists(kept):
        return ""
    return why or (f"real: ended with status {status:#x}" if status else "real: the calls of the plans were not made")


class Launcher:
    """A `geak launcher` of ours."""

    def __init__(self, geak: str, device: str) -> None:
        self.command = [geak, "launcher", "--device", device]
        self.device = device
        self.start()

    def start(self) -> None:
        ours, theirs = socket.socketpair()
        os.set_inheritable(theirs.fileno(), True)
        self.process = subprocess.Popen(self.command, pass_fds=[theirs.fileno()], stdout=subprocess.DEVNULL,
                                        env={**os.environ, "GEAK_FD": str(theirs.fileno()), "GEAK_BUILD": ""})  # fmt: skip
        theirs.close()
        ours.settimeout(MACHINE_SECONDS if self.device == "cpu" else 30)
        self.channel = frames.Channel(ours)
        hello = self.channel.receive()
        assert hello is not None and hello.type == "hello", hello
        self.facts = hello.json["facts"]

    def execute(self, call: Dict[str, Any], out: str) -> "Tuple[Optional[Dict[str, Any]], List[bytes], str]":
        """The answer, the outputs' bytes; else why there is none."""
        plan = chosen_variants(with_changes(call), out)
        inputs = [i for i, buffer in enumerate(plan["buffers"]) if buffer.get("input")]
        try:
            codes, blobs = self.code_of(plan, out)
            blobs += [input_of(plan["buffers"][i], call["before"]) for i in inputs]
        except Lacking as lacking:
            return None, [], str(lacking)
        frame = frames.Frame("execute", 1, {"plan": plan, "inputs": inputs, "outputs": len(plan["outputs"]), "seed": 7,
                                            "threads": 2, "budget": MACHINE_BUDGET if self.device == "cpu" else 0,
                                            **codes}, True)  # fmt: skip
        room = [room_for(output) for output in plan["outputs"]]
        frame.fds = [frames.sealed_memfd("blob", blob) for blob in blobs] + [os.dup(fd) for fd, _ in room]
        answer, why = self.ask(frame)
        outputs = []
        for fd, size in room:
            outputs.append(os.pread(fd, size, 0) if answer and size <= 1 << 30 else b"")
            os.close(fd)
        if answer is None:
            return None, [], why
        finding = answer["finding"]
        return answer, outputs, f"{finding['kind']}: {finding['message'][:160]}" if finding else ""

    def code_of(self, plan: Dict[str, Any], out: str) -> "Tuple[Dict[str, Any], List[bytes]]":
        """The request's part about code, and the code: texts for the machine, else what was lowered."""
        if self.device == "cpu":
            hashes = list(dict.fromkeys(kernel["ttir"] for kernel in plan["kernels"]))
            return {"ttir": hashes, "objects": []}, [read(os.path.join(out, "ttir", sha + ".ttir")) for sha in hashes]
        objects, codes = [], []
        for index, kernel in enumerate(plan["kernels"]):
            path = os.path.join(out, "objects", key_of(kernel))
            if not os.path.exists(path + ".json"):
                raise Lacking(f"{kernel['name']} was not lowered")
            objects.append({"kernel": index, "object": json.loads(read(path + ".json"))})
            codes.append(read(path + ".bin"))
        return {"ttir": [], "objects": objects}, codes

    def ask(self, frame: frames.Frame) -> "Tuple[Optional[Dict[str, Any]], str]":
        """The launcher's answer, or why there is none; one that has lost its device is replaced."""
        try:
            self.channel.send(frame)
            answer = self.channel.receive()
        except (OSError, frames.FrameError, socket.timeout) as error:
            self.process.kill()
            self.process.wait()
            self.start()
            return None, f"{type(error).__name__}"
        finally:
            frame.close()
        if answer is None or answer.type != "executed":
            why = answer.json.get("message", answer.type) if answer else "the launcher ended"
            return None, str(why)[:200]
        if answer.json["lost"]:
            self.process.wait()
            self.start()
        return answer.json, ""


class Lacking(Exception):
    """What a call cannot be executed without."""


def read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def input_of(buffer: Dict[str, Any], before: Dict[str, bytes]) -> bytes:
    """The bytes that an input had when the call began."""
    name, size = buffer["input"], buffer["bytes"]
    if name not in before:
        raise Lacking(f"{name} is no argument of the call")
    if len(before[name]) < size:
        raise Lacking(f"{name} has {len(before[name])} bytes, not {size}")
    return before[name][:size]


def room_for(output: Dict[str, Any]) -> "Tuple[int, int]":
    """A memory file that the launcher writes an output to, and its size."""
    size = BYTES_OF.get(output["dtype"], 1) * math.prod(output["shape"])
    fd = os.memfd_create("output")
    os.truncate(fd, size)
    return fd, size


def fits(plan: Dict[str, Any], launch: Dict[str, Any], out: str) -> bool:
    """Whether the launch's shared memory is there, as the autotuner would find out."""
    path = os.path.join(out, "objects", key_of(plan["kernels"][launch["kernel"]]) + ".json")
    if not os.path.exists(path):
        return False
    with open(path, encoding="utf-8") as file:
        return json.load(file)["shared"] <= SHARED


def chosen_variants(plan: Dict[str, Any], out: str) -> Dict[str, Any]:
    """The plan with the first fitting variant of each autotuned launch in its place, without the kernels of the others."""
    steps: List[Dict[str, Any]] = []
    for step in plan["steps"]:
        if step["op"] == "choose":
            variants = [v for v in step["variants"] if fits(plan, v["launch"], out)] or step["variants"]
            steps += [*variants[0].get("pre", []), dict(variants[0]["launch"])]
        else:
            steps.append(dict(step))
    used: List[int] = []
    for step in [*plan["prologue"], *steps]:
        if "kernel" in step:
            if step["kernel"] not in used:
                used.append(step["kernel"])
            step["kernel"] = used.index(step["kernel"])
    return {**plan, "steps": steps, "kernels": [plan["kernels"][i] for i in used]}


def with_changes(call: Dict[str, Any]) -> Dict[str, Any]:
    """The plan, with what it changes of its inputs as further outputs."""
    plan = json.loads(json.dumps(call["plan"]))
    for index, buffer in enumerate(plan["buffers"]):
        key = buffer.get("input")
        if key and call["before"].get(key) != call["after"].get(key):
            plan["outputs"].append({"name": "changed " + key, "buf": index, "at": 0, "dtype": "uint8",
                                    "shape": [buffer["bytes"]], "strides": [1]})  # fmt: skip
    return plan


def wanted(call: Dict[str, Any], index: int, output: Dict[str, Any]) -> Optional[torch.Tensor]:
    if output["name"].startswith("changed "):
        return torch.frombuffer(bytearray(call["after"][output["name"][8:]][: output["shape"][0]]), dtype=torch.uint8)
    return call["results"][index] if index < len(call["results"]) else None


def distance(got: bytes, want: torch.Tensor, dtype: torch.dtype) -> "Tuple[bool, float, float]":
    """Bit-identical; largest difference relative to the largest value; what is allowed of it."""
    if not got and want.numel() == 0:
        return True, 0.0, 0.0
    same = got == bytes(want.reshape(-1).view(torch.uint8).numpy()) if want.numel() else not got
    if same:
        return True, 0.0, 0.0
    a = torch.frombuffer(bytearray(got), dtype=want.dtype)
    b = want.reshape(-1)
    if dtype is not want.dtype and a.numel() * a.element_size() % dtype.itemsize == 0:
        a, b = a.view(dtype), b.view(dtype)
    allowed = TOLERANCE.get(a.dtype, 0.0)
    if a.numel() != b.numel():
        return False, float("inf"), allowed
    x, y = a.double(), b.double()
    odd = ~torch.isfinite(x) | ~torch.isfinite(y)
    if bool((odd & (x.nan_to_num(7.5) != y.nan_to_num(7.5))).any()):
        return False, float("inf"), allowed
    x, y = x[~odd], y[~odd]
    scale = float(y.abs().max()) if y.numel() else 0.0
    return False, float((x - y).abs().max()) / (scale or 1.0) if y.numel() else 0.0, allowed


def judge(call: Dict[str, Any], answer: Optional[Dict[str, Any]], outputs: List[bytes], why: str) -> Dict[str, Any]:
    """What is told of one way: bit-identical, worst distance, agrees, or why there is nothing to compare."""
    if why:
        return {"why": why}
    unwritten = sum(output["poisoned"] for output in answer["outputs"]) if answer else 0
    plan, exact, worst, agrees, compared = with_changes(call), True, 0.0, True, 0
    for index, (output, got) in enumerate(zip(plan["outputs"], outputs)):
        want = wanted(call, index, output)
        if want is None:
            return {"why": "the real call returned fewer tensors"}
        name = output["name"]
        as_type = call["dtypes"][name[8:]] if name.startswith("changed ") else want.dtype
        same, far, allowed = distance(got, want, as_type)
        exact, worst, agrees, compared = exact and same, max(worst, far), agrees and far <= allowed, compared + 1
    if compared and not agrees and unwritten:
        return {"why": f"{unwritten} elements of the outputs are never written"}
    return {"exact": exact, "worst": worst, "agrees": agrees} if compared else {"why": "nothing to compare"}


def machine_of(geak: str, out: str, kept: str) -> List[Dict[str, Any]]:
    """What the machine makes of the kept calls of one file."""
    launcher = Launcher(geak, "cpu")
    with open(kept, "rb") as file:
        told = []
        for call in pickle.load(file):
            answer, outputs, why = launcher.execute(call, out)
            told.append(judge(call, answer, outputs, why))
    launcher.process.kill()
    launcher.process.wait()
    return told


def shown(told: Dict[str, Any]) -> str:
    if "why" in told:
        return told["why"]
    return "identical" if told["exact"] else f"{'agrees' if told['agrees'] else 'DIFFERS'} ({told['worst']:.1e})"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="captured TritonBench kernels on the GPU that is here")
    parser.add_argument("folder")
    parser.add_argument("out")
    parser.add_argument("--geak", required=True)
    parser.add_argument("--jobs", type=int, default=6)
    parser.add_argument("--first", type=int, default=1, help="plans of each file; 0: all")
    parser.add_argument("--only", default="")
    parser.add_argument("--kept", default="/tmp/geak-kept")
    return parser.parse_args()


def seal_all(launcher: Launcher, out: str, kept: Dict[str, str]) -> Dict[str, List[Dict[str, Any]]]:
    """What the launcher made of every call that was kept, by file."""
    told: Dict[str, List[Dict[str, Any]]] = {}
    for name, path in kept.items():
        for call in pickle.loads(read(path)):
            answer, outputs, refused = launcher.execute(call, out)
            told.setdefault(name, []).append(judge(call, answer, outputs, refused))
    launcher.process.kill()
    return told


def summary(title: str, table: Dict[str, List[Dict[str, Any]]], captured: int) -> str:
    whole = [told for told in table.values() if all("why" not in t for t in told)]
    return (f"{title}: {sum(all(t['agrees'] for t in told) for told in whole)} of {len(whole)} files with outputs agree "
            f"with the real run, {sum(all(t['exact'] for t in told) for told in whole)} bit-identical; "
            f"{captured} captured")  # fmt: skip


def main() -> int:
    chosen = arguments()
    names = sorted(n for n in os.listdir(chosen.out)
                   if n not in ("ttir", "inputs", "objects") and os.path.isdir(os.path.join(chosen.out, n))
                   and chosen.only in n)  # fmt: skip
    os.makedirs(chosen.kept, exist_ok=True)
    kept = {name: os.path.join(chosen.kept, name) for name in names}
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(chosen.jobs) as pool:
        whys = list(pool.map(lambda n: run_real(chosen.folder, chosen.out, n, chosen.first, kept[n]), names))
    reals = time.monotonic()
    launcher = Launcher(chosen.geak, "cuda")
    sealed = seal_all(launcher, chosen.out, {name: kept[name] for name, why in zip(names, whys) if not why})
    launched = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(chosen.jobs) as pool:
        machine = dict(zip(sealed, pool.map(lambda n: machine_of(chosen.geak, chosen.out, kept[n]), sealed)))
    print(f"{launcher.facts['kind']}, driver {launcher.facts['driver']}, torch {torch.__version__}")
    print(f"real runs {reals - began:.0f} s, sealed {launched - reals:.0f} s, machine {time.monotonic() - launched:.0f} s\n")
    for name, why in zip(names, whys):
        if why:
            print(f"| {name} | {why} | | |")
        for number, (a, b) in enumerate(zip(sealed.get(name, []), machine.get(name, []))):
            print(f"| {name} | {number} | {shown(a)} | {shown(b)} |")
    for title, table in (("sealed", sealed), ("machine", machine)):
        print(summary(title, table, len(names)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
