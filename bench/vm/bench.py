"""The machine against Triton's interpreter on the references of the starter suite: same inputs, one thread each, one run.

    bench.py            prints a table (VMRUN names the program that runs one job); -o FILE writes it as a page
"""

from __future__ import annotations

import argparse
import datetime
import importlib.util
import inspect
import os
import platform
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Sequence

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(ROOT / "tests/vm"), str(ROOT / "worker")]

import torch

torch.set_num_threads(1)
REPEATS = 5  # of the machine, the fastest counts; the interpreter runs once

f16, f32 = torch.float16, torch.float32


def randn(*shape: int, dtype: torch.dtype = f32) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape))).to(dtype)


BENCHES: List[tuple] = [
    ("vector_add", "add", "2^20, float32", lambda: [randn(1 << 20), randn(1 << 20) + 1]),
    ("row_softmax", "softmax", "1823 x 781, float32", lambda: [randn(1823, 781)]),
    ("flip", "flip", "1823 x 781, float32", lambda: [randn(1823, 781)]),
    ("matmul_bias_act", "matmul_bias_act", "512 x 512 x 512, float16, gelu",
     lambda: [randn(512, 512, dtype=f16), randn(512, 512, dtype=f16) * 0.1, randn(512, dtype=f16), "gelu"]),
    ("matmul_bias_act", "matmul_bias_act", "256 x 256 x 256, float32, relu",
     lambda: [randn(256, 256), randn(256, 256) * 0.1, randn(256), "relu"]),
    ("layer_norm", "layer_norm", "1151 x 1024, float32", lambda: [randn(1151, 1024), randn(1024), randn(1024), 1e-5]),
    ("layer_norm", "layer_norm", "1151 x 1024, float16",
     lambda: [randn(1151, 1024, dtype=f16), randn(1024, dtype=f16), randn(1024, dtype=f16), 1e-5]),
]


def entry_of(task: str, name: str) -> Callable[..., torch.Tensor]:
    path = ROOT / "suites/starter" / task / "reference.py"
    spec = importlib.util.spec_from_file_location(task, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[task] = module
    spec.loader.exec_module(module)
    return getattr(module, name)


def interpret(index: int, folder: Path) -> None:
    """Runs in a process with TRITON_INTERPRET=1: seconds and the output."""
    task, name, _, make = BENCHES[index]
    entry, args = entry_of(task, name), make()
    start = time.perf_counter()
    out = entry(*args)
    seconds = time.perf_counter() - start
    torch.save((seconds, out), folder / "interpreted.pt")


class Recording:
    """Launches written down instead of done: one job for the machine each, tensors as files beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.jobs: List[str] = []
        self.tensors: List[torch.Tensor] = []

    def launch(self, fn: Any, args: Sequence[Any], grid: Any, options: Dict[str, Any]) -> None:
        """fn: a JITFunction, called with what its `run` gets."""
        parameters = inspect.signature(fn.fn).parameters
        given: Dict[str, Any] = dict(zip(parameters, args))
        given.update({k: v for k, v in options.items() if k in parameters})
        constants = {n: given[n] for n, p in parameters.items() if "constexpr" in str(p.annotation)}
        ttir = self.folder / f"{len(self.jobs)}.ttir"
        ttir.write_text(text_of(fn, {n: given[n] for n in parameters}, constants))
        grid = list(grid(given) if callable(grid) else grid)
        lines = [f"module {ttir}", "grid " + " ".join(str(g) for g in (grid + [1, 1])[:3]), f"repeat {REPEATS}"]
        buffers = 0
        for name in parameters:
            if name not in constants:
                lines += self.argument(given[name], buffers)
                buffers += isinstance(given[name], torch.Tensor)
        self.jobs.append("\n".join(lines) + "\n")

    def argument(self, value: Any, buffers: int) -> List[str]:
        """Lines of a job: buffers are counted from 0 in each."""
        if isinstance(value, float):
            return ["bits " + hex(struct.unpack("<I", struct.pack("<f", value))[0])]
        if not isinstance(value, torch.Tensor):
            return [f"int {int(value)}"]
        number = len(self.tensors)
        path = self.folder / f"{number}.bin"
        path.write_bytes(bytes(value.untyped_storage()))
        self.tensors.append(value)
        return [f"buffer b{number} {path}", f"ptr {buffers} {value.storage_offset() * value.element_size()}"]


def text_of(fn: Any, given: Dict[str, Any], constants: Dict[str, Any]) -> str:
    """The kernel's TTIR for these arguments."""
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource
    from triton.compiler.compiler import make_backend

    from cases import type_of
    from geak_worker.kernels import to_ttir

    target = GPUTarget("cuda", 90, 32)
    signature = {n: "constexpr" if n in constants else type_of(v) for n, v in given.items()}
    source = ASTSource(fn=fn, signature=signature, constexprs=constants)
    return to_ttir(source, target, make_backend(target).parse_options({}))


def record(index: int, folder: Path) -> None:
    """Runs the entry with launches recorded; jobs and what torch made of the rest go into the folder."""
    from triton.runtime.jit import JITFunction

    recording = Recording(folder)

    def run(self: Any, *args: Any, grid: Any, warmup: bool, **options: Any) -> None:
        recording.launch(self, args, grid, options)

    JITFunction.run = run
    task, name, _, make = BENCHES[index]
    out = entry_of(task, name)(*make())
    for i, job in enumerate(recording.jobs):
        (folder / f"{i}.job").write_text(job)
    at = [i for i, t in enumerate(recording.tensors) if t is out]
    torch.save((len(recording.jobs), at[0], out), folder / "recorded.pt")


def in_process(mode: str, index: int, folder: Path, interprets: str) -> None:
    env = {**os.environ, "TRITON_INTERPRET": interprets, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    subprocess.run([sys.executable, __file__, "--mode", mode, "--index", str(index), "--folder", str(folder)], env=env, check=True)


def machine(folder: Path, vmrun: str) -> tuple:
    jobs, at, like = torch.load(folder / "recorded.pt", weights_only=False)
    seconds = 0.0
    for i in range(jobs):
        said = subprocess.run([vmrun, str(folder / f"{i}.job")], capture_output=True, text=True, check=True).stdout.split()
        if said[0] != "done":
            raise SystemExit(" ".join(said))
        seconds += float(said[1]) / 1000
    data = bytearray((folder / f"{at}.bin.out").read_bytes())
    return seconds, torch.frombuffer(data, dtype=like.dtype).reshape(like.shape)


def measure(index: int, vmrun: str) -> Dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="geak-bench-") as name:
        folder = Path(name)
        in_process("interpret", index, folder, "1")
        in_process("record", index, folder, "0")
        slow, want = torch.load(folder / "interpreted.pt", weights_only=False)
        fast, got = machine(folder, vmrun)
    far = (got.double() - want.double()).abs().max().item()
    return {"task": BENCHES[index][0], "case": BENCHES[index][2], "interpreter": slow, "machine": fast, "far": far}


def versions() -> str:
    import numpy
    import triton

    return f"Python {platform.python_version()}, torch {torch.__version__}, triton {triton.__version__}, numpy {numpy.__version__}"


def processor() -> str:
    names = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    return f"{len(names)} cores, {platform.machine()}, {names[0] if names else 'unknown processor'}"


def page(rows: List[Dict[str, Any]]) -> str:
    lines = [
        "# The machine against Triton's interpreter", "",
        f"{datetime.date.today()}, {processor()}; {versions()}. Command: `make bench`. One thread each; the interpreter ran once,",
        f"the machine {REPEATS} times, of which the fastest counts; its time is that of the launch, without reading the module.",
        f"Load average of the computer while this ran: {os.getloadavg()[1]:.1f}.", "",
        "| task | case | interpreter, s | machine, ms | factor | largest difference of outputs |", "|---|---|---|---|---|---|",
    ]
    for r in rows:
        factor = r["interpreter"] / r["machine"]
        lines.append(f"| {r['task']} | {r['case']} | {r['interpreter']:.3f} | {r['machine'] * 1000:.2f} | {factor:.0f} | {r['far']:.2g} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", dest="out", help="write the page there, too")
    parser.add_argument("--mode", help=argparse.SUPPRESS)
    parser.add_argument("--index", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.mode:
        {"interpret": interpret, "record": record}[options.mode](options.index, options.folder)
        return 0
    if importlib.util.find_spec("numpy") is None:
        print("bench: Triton's interpreter needs numpy", file=sys.stderr)
        return 2
    vmrun = os.environ.get("VMRUN", str(ROOT / "build/tests/vm/vmrun"))
    text = page([measure(i, vmrun) for i in range(len(BENCHES))])
    print(text, end="")
    if options.out:
        Path(options.out).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
