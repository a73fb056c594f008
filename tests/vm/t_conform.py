"""The machine against Triton's interpreter, in TAP.

    t_conform.py [PATTERN]          runs everything (VMRUN names the program that runs one job)
    t_conform.py interpret DIR      what the interpreter makes of every case (TRITON_INTERPRET=1, needs numpy)
    t_conform.py compile DIR        every case as Triton IR and a job for vmrun
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any, List

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "worker")]

import torch

from cases import CASES, Case, from_raw, raw, type_of

# Operations that captures of TritonBench's 184 reference files use: the machine must run all of them.
OPERATIONS = """
tt.splat tt.addptr arith.constant arith.muli tt.broadcast arith.addi arith.cmpi tt.load tt.expand_dims arith.mulf arith.addf
tt.get_program_id tt.store tt.make_range arith.extsi arith.andi tt.return tt.func arith.subf arith.divsi tt.reduce
tt.reduce.return scf.yield tt.dot scf.for arith.remsi arith.divf arith.subi arith.select arith.maxnumf arith.truncf math.exp
arith.xori arith.sitofp arith.minsi math.exp2 arith.extf tt.mulhiui scf.if arith.cmpf cf.cond_br tt.trans arith.trunci
math.log math.sqrt tt.reshape tt.extern_elementwise math.log2 arith.extui math.absf arith.fptosi arith.shrsi scf.while
scf.condition tt.atomic_rmw arith.ori tt.bitcast math.rsqrt arith.minnumf tt.scan tt.scan.return arith.fptoui tt.atomic_cas
tt.get_num_programs arith.shrui tt.fp_to_fp math.cos math.sin arith.shli arith.maxsi tt.join arith.uitofp
""".split()


def load_cases(pattern: str = "") -> List[Case]:
    for path in sorted(HERE.glob("kernels_*.py")):
        importlib.import_module(path.stem)
    return [c for c in CASES if re.search(pattern, c.name)]


# ---- in the interpreter's process ----


def interpret(folder: Path, pattern: str) -> None:
    for c in load_cases(pattern):
        if c.fault:
            continue
        args = c.arguments()
        try:
            if c.expected:
                c.expected(args)
            elif importlib.util.find_spec("numpy") is None:
                (folder / c.name).with_suffix(".trouble").write_text("SKIP Triton's interpreter needs numpy")
                continue
            else:
                c.fn[c.grid](*args, **c.consts)
        except Exception:
            (folder / c.name).with_suffix(".trouble").write_text(traceback.format_exc())
            continue
        for i, a in enumerate(args):
            if isinstance(a, torch.Tensor):
                (folder / f"{c.name}.{i}.want").write_bytes(raw(a))


# ---- in the compiler's process ----


def compile_all(folder: Path, pattern: str) -> None:
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource
    from triton.compiler.compiler import make_backend
    from geak_worker.kernels import to_ttir

    targets = {"sm_90": GPUTarget("cuda", 90, 32), "gfx942": GPUTarget("hip", "gfx942", 64)}
    for c in load_cases(pattern):
        args = c.arguments()
        names = list(inspect.signature(c.fn.fn).parameters)
        positional = [n for n in names if n not in c.consts]
        signature = {n: "constexpr" for n in c.consts}
        signature.update({n: type_of(a) for n, a in zip(positional, args)})
        signature = {n: signature[n] for n in names}
        target = targets[c.target]
        try:
            options = make_backend(target).parse_options({"debug": c.fault == "assert"})
            source = ASTSource(fn=c.fn, signature=signature, constexprs=dict(c.consts))
            text = to_ttir(source, target, options)
        except Exception:
            (folder / c.name).with_suffix(".trouble").write_text(traceback.format_exc())
            continue
        (folder / f"{c.name}.ttir").write_text(text)
        write_job(folder, c, args)


def write_job(folder: Path, c: Case, args: List[Any]) -> None:
    lines, buffers = [f"module {folder}/{c.name}.ttir"], 0
    names = [n for n in inspect.signature(c.fn.fn).parameters if n not in c.consts]
    grid = list(c.grid) + [1] * (3 - len(c.grid))
    lines.append(f"grid {grid[0]} {grid[1]} {grid[2]}")
    for key in ("budget", "seed"):
        lines.append(f"{key} {getattr(c, key)}")
    for i, (name, a) in enumerate(zip(names, args)):
        if isinstance(a, torch.Tensor):
            path = folder / f"{c.name}.{i}"
            path.write_bytes(raw(a))
            fresh = f" {a.numel() * a.element_size()}" if getattr(a, "is_output", False) else ""
            lines += [f"buffer {name} {path}{fresh}", f"ptr {buffers} 0"]
            buffers += 1
        elif isinstance(a, float):
            lines.append("bits " + hex(struct.unpack("<I", struct.pack("<f", a))[0]))
        else:
            lines.append(f"int {int(a)}")
    (folder / f"{c.name}.job").write_text("\n".join(lines) + "\n")


# ---- the driver ----


class Tap:
    def __init__(self) -> None:
        self.count, self.failed = 0, 0

    def ok(self, holds: bool, what: str, detail: str = "") -> None:
        self.count += 1
        self.failed += not holds
        print(f"{'ok' if holds else 'not ok'} {self.count} - {what}", flush=True)
        if not holds:
            for line in detail.splitlines():
                print("# " + line)

    def end(self) -> int:
        print(f"1..{self.count}")
        return 1 if self.failed else 0


def ordered(t: torch.Tensor) -> torch.Tensor:
    """Bits of floats as whole numbers in the order of the values: differences are units in the last place."""
    width = {2: torch.int16, 4: torch.int32, 8: torch.int64, 1: torch.int8}[t.element_size()]
    bits = t.contiguous().view(width).to(torch.int64)
    least = torch.iinfo(width).min
    return torch.where(bits < 0, least - bits, bits)


def difference(got: torch.Tensor, want: torch.Tensor, tolerance: Any) -> str:
    """Empty when got is as close to want as tolerance asks."""
    if not want.dtype.is_floating_point:
        bad = (got != want).flatten()
    elif isinstance(tolerance, float):
        g, w = got.to(torch.float64), want.to(torch.float64)
        scale = max(float(w[torch.isfinite(w)].abs().max()) if torch.isfinite(w).any() else 0.0, 1e-30)
        bad = (~((g - w).abs() <= tolerance * scale) & (g != w) & ~(g.isnan() & w.isnan())).flatten()
    else:
        g, w = got.to(torch.float32).to(torch.float64), want.to(torch.float32).to(torch.float64)
        if got.element_size() == 8:
            g, w = got, want
        far = (ordered(got) - ordered(want)).abs() > tolerance
        bad = (far & ~(g.isnan() & w.isnan()) & ~((g == w) & (g == 0) & bool(tolerance))).flatten()
    if not bad.any():
        return ""
    first = int(bad.nonzero()[0])
    return f"{int(bad.sum())} of {bad.numel()} elements differ; first at {first}: got {got.flatten()[first].item()!r}, want {want.flatten()[first].item()!r}"


def fault_line(c: Case) -> int:
    lines, start = inspect.getsourcelines(c.fn.fn)
    marked = [i for i, line in enumerate(lines) if "# fault" in line]
    return start + marked[0] if marked else 0


def check_fault(c: Case, said: str) -> str:
    words = said.split(" ", 6)
    line = fault_line(c)
    if words[0] != c.fault:
        return f"wanted {c.fault}, got: {said}"
    if line and int(words[1]) != line:
        return f"wanted line {line}, got: {said}"
    if c.message and not re.search(c.message, said):
        return f"wanted /{c.message}/, got: {said}"
    return ""


def check_result(c: Case, folder: Path, said: str) -> str:
    if not said.startswith("done"):
        return said
    undefined = 0
    for i, a in enumerate(c.arguments()):
        if not isinstance(a, torch.Tensor):
            continue
        undef = folder / f"{c.name}.{i}.undef"
        missing = torch.zeros(a.numel(), dtype=torch.bool)
        if undef.exists():
            missing = from_raw(undef.read_bytes(), torch.empty(a.numel(), a.element_size(), dtype=torch.uint8)).ne(0).any(1)
        undefined += int(missing.sum())
        got = from_raw((folder / f"{c.name}.{i}.out").read_bytes(), a)
        want = from_raw((folder / f"{c.name}.{i}.want").read_bytes(), a)
        keep = ~missing
        problem = difference(got.flatten()[keep], want.flatten()[keep], c.tolerance)
        if problem:
            return f"argument {i}: {problem}"
    if undefined != c.undefined:
        return f"{undefined} elements are undefined, {c.undefined} should be"
    return ""


def run_case(c: Case, folder: Path, vmrun: str) -> str:
    trouble = (folder / c.name).with_suffix(".trouble")
    if trouble.exists():
        return trouble.read_text()
    try:
        done = subprocess.run([vmrun, str(folder / f"{c.name}.job")], capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired:
        return "it did not end within a minute"
    said = done.stdout.strip()
    if done.returncode or done.stderr or not said:
        return f"exit status {done.returncode}: {said} {done.stderr.strip()}"
    if c.fault:
        return check_fault(c, said)
    return check_result(c, folder, said)


def operations_in(text: str) -> set:
    found = set(re.findall(r"\b((?:tt|arith|math|scf|cf)\.[a-z_0-9]+(?:\.return)?)\b", text))
    return found


def drive(pattern: str) -> int:
    vmrun = os.environ.get("VMRUN", str(HERE.parent.parent / "build/tests/vm/vmrun"))
    folder = Path(tempfile.mkdtemp(prefix="geak-vm-"))
    tap = Tap()
    keep = os.environ.get("KEEP")
    try:
        me, extra = [sys.executable, str(HERE / "t_conform.py")], [str(folder), pattern]
        for mode, interprets in (("interpret", "1"), ("compile", "0")):
            env = {**os.environ, "TRITON_INTERPRET": interprets, "OMP_NUM_THREADS": "1"}
            done = subprocess.run(me + [mode] + extra, env=env, capture_output=True, text=True)
            tap.ok(done.returncode == 0, f"{mode} runs through all cases", done.stderr[-3000:])
        seen: set = set()
        for c in load_cases(pattern):
            note = f" ({c.why})" if c.why else ""
            what = f"{c.fault} is found at its line" if c.fault else f"as the interpreter, tolerance {c.tolerance}{note}"
            problem = run_case(c, folder, vmrun)
            if problem.startswith("SKIP "):
                what, problem = f"not compared # {problem}", ""
            tap.ok(not problem, f"{c.name}: {what}", problem)
            ttir = folder / f"{c.name}.ttir"
            seen |= operations_in(ttir.read_text()) if ttir.exists() else set()
        if not pattern:
            missing = [name for name in OPERATIONS if name not in seen]
            tap.ok(len(OPERATIONS) == 72 and not missing, "the cases use all 72 operations", " ".join(missing))
    finally:
        if keep:
            print(f"# kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return tap.end()


def main() -> int:
    mode = sys.argv[1] if len(sys.argv) > 1 else ""
    if mode in ("interpret", "compile"):
        folder, pattern = Path(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else ""
        {"interpret": interpret, "compile": compile_all}[mode](folder, pattern)
        return 0
    return drive(mode)


if __name__ == "__main__":
    sys.exit(main())
