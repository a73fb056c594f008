"""The launches that a candidate makes when it runs for real: compiled kernels on a device, or Triton's interpreter.

Each is noted with the kernel's name, its grid, and what says which kernel it was: the hash of its Triton IR and its
options where it was compiled, the hash of its source where it was interpreted.
"""

from __future__ import annotations

import hashlib
import inspect
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple

import torch
import triton
from triton.compiler import compiler as triton_compiler
from triton.runtime import interpreter
from triton.runtime.autotuner import Autotuner

from .cannot import CANDIDATE_PATH, candidate_line
from .kernels import ALWAYS, OPTIONS

MAX_LAUNCHES = 4096


class Launches:
    """What one call launched. `inside` is above 0 while Triton itself works: its operations are not the candidate's."""

    def __init__(self) -> None:
        self.list: List[Dict[str, Any]] = []
        self.total = 0
        self.inside = 0
        self.tuning = 0
        self.off = False  # nothing is noted: calls are timed
        self.touched: Callable[[Iterable[Any]], None] = lambda values: None

    def start(self) -> None:
        self.list, self.total = [], 0

    def note(self, launch: Dict[str, Any]) -> None:
        """Tuning is not a part of the call: a plan has its launch once, with all configurations."""
        if self.tuning or self.off:
            return
        self.total += 1
        if len(self.list) < MAX_LAUNCHES:
            self.list.append({**launch, "line": candidate_line()})


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def source_hash(function: Any) -> str:
    """Of a kernel's text as it stands in the file; "" when that cannot be found."""
    try:
        return sha(inspect.getsource(function))
    except (OSError, TypeError):
        return ""


def whole_grid(grid: Any) -> Tuple[int, int, int]:
    """Three numbers, whatever a candidate gave."""
    parts = [int(part) for part in (grid if isinstance(grid, (tuple, list)) else (grid,))]
    return tuple((parts + [1, 1, 1])[:3])  # type: ignore[return-value]


def _tensors(values: Iterable[Any]) -> List[torch.Tensor]:
    found: List[torch.Tensor] = []
    for value in values:
        if isinstance(value, (tuple, list)):
            found += _tensors(value)
            continue
        value = getattr(value, "base", value) if not isinstance(value, torch.Tensor) else value
        if isinstance(value, torch.Tensor):
            found.append(value)
    return found


# ---- the interpreter ----


def install_interpreter(launches: Launches) -> None:
    """For the rest of the process. Tensors are in host memory already: nothing is copied forth and back."""
    original = interpreter.InterpretedFunction.run

    def run(kernel: Any, *args: Any, grid: Any, warmup: bool, **kwargs: Any) -> Any:
        if warmup:
            return None
        code = getattr(kernel.fn, "__code__", None)
        launch = {"name": getattr(kernel.fn, "__name__", "?"), "ttir": "", "options": {}, "source": source_hash(kernel.fn),
                  "own": getattr(code, "co_filename", "") == CANDIDATE_PATH}  # fmt: skip

        def counted(meta: Any) -> Tuple[int, int, int]:
            made = whole_grid(grid(meta) if callable(grid) else grid)
            if min(made) > 0:
                launches.note({**launch, "grid": list(made)})
            return made

        launches.inside += 1
        try:
            return original(kernel, *args, grid=counted, warmup=False, **kwargs)
        finally:
            launches.inside -= 1
            launches.touched(_tensors([*args, *kwargs.values()]))

    interpreter.InterpretedFunction.run = run
    interpreter.GridExecutor._restore_args_dev = lambda *args: None
    _install_first_configuration()


def _install_first_configuration() -> None:
    """Nothing can be timed here: a tuner takes the first configuration that it would try."""

    def run(tuner: Any, *args: Any, **kwargs: Any) -> Any:
        tuner.nargs = dict(zip(tuner.arg_names, args))
        configs = list(tuner.prune_configs(kwargs)) if len(tuner.configs) > 1 else list(tuner.configs)
        config = configs[0]
        try:
            tuner.best_config = config
            if config.pre_hook is not None:
                config.pre_hook({**tuner.nargs, **kwargs, **config.all_kwargs()})
            return tuner.fn.run(*args, **kwargs, **config.all_kwargs())
        finally:
            tuner.nargs = None

    Autotuner.run = run


# ---- a device ----


class Noting:
    """Stands before Triton's own launcher of one kernel."""

    def __init__(self, run: Any, kernel: Any, launches: Launches, describe: Callable[[Any], Dict[str, Any]]) -> None:
        self.run, self.kernel, self.launches = run, kernel, launches
        self.described: Optional[Dict[str, Any]] = None
        self.describe = describe

    def __call__(self, grid_x: int, grid_y: int, grid_z: int, *rest: Any, **more: Any) -> Any:
        if self.launches.off:
            return self.run(grid_x, grid_y, grid_z, *rest, **more)
        if self.described is None:
            self.described = self.describe(self.kernel)
        if grid_x > 0 and grid_y > 0 and grid_z > 0:
            self.launches.note({**self.described, "grid": [int(grid_x), int(grid_y), int(grid_z)]})
            self.launches.touched(_tensors(rest))
        return self.run(grid_x, grid_y, grid_z, *rest, **more)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.run, name)


def options_of(metadata: Any) -> Dict[str, Any]:
    """The scalars of the allow-list, as plans have them, of a compiled kernel's metadata."""
    backend = triton_compiler.make_backend(metadata.target)
    default = backend.parse_options({}).__dict__
    out: Dict[str, Any] = {}
    for name in OPTIONS:
        value = getattr(metadata, name, None)
        if isinstance(value, (bool, int, float, str)) and (name in ALWAYS or value != default.get(name)):
            out[name] = value
    return out


def describe_compiled(kernel: Any) -> Dict[str, Any]:
    """What a plan knows of a kernel, from Triton's compiled one."""
    fn = getattr(getattr(kernel, "src", None), "fn", None)
    code = getattr(getattr(fn, "fn", None), "__code__", None)
    return {"name": str(kernel.name), "ttir": sha(str(kernel.asm["ttir"])), "options": options_of(kernel.metadata),
            "source": source_hash(getattr(fn, "fn", None)), "own": getattr(code, "co_filename", "") == CANDIDATE_PATH}  # fmt: skip


def install_device(launches: Launches) -> None:
    """For the rest of the process: every compiled kernel is noted when it is launched, whoever made it."""
    original = triton_compiler.CompiledKernel._init_handles
    tune = Autotuner._bench

    def init_handles(kernel: Any) -> None:
        known = kernel._run
        original(kernel)
        if kernel._run is not known and not isinstance(kernel._run, Noting):
            kernel._run = Noting(kernel._run, kernel, launches, describe_compiled)

    def bench(tuner: Any, *args: Any, **kwargs: Any) -> Any:
        launches.tuning += 1
        try:
            return tune(tuner, *args, **kwargs)
        finally:
            launches.tuning -= 1

    triton_compiler.CompiledKernel._init_handles = init_handles
    Autotuner._bench = bench


__all__ = ["Launches", "describe_compiled", "install_device", "install_interpreter", "options_of", "sha", "triton", "whole_grid"]
