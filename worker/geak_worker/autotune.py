"""Autotuned kernels: every configuration is recorded, none is timed.

A tuner's call becomes one step `choose` with a variant for each configuration that compiles. What a launch of a plan costs
is measured later, on the device. The plan is that of the steady state: what tuning does besides once (resetting and
restoring tensors) is not part of a call.
"""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, List, Optional

import torch
from triton.compiler.errors import CompilationError
from triton.runtime.autotuner import Autotuner
from triton.runtime.errors import OutOfResources

from .cannot import NOT_CAPTURABLE, candidate_line
from .record import Recorder

MAX_VARIANTS = 256


def install(recorder: Callable[[], Recorder], pick: Callable[[int], Optional[int]]) -> None:
    """Replaces Autotuner.run. `pick(site)` names the variant to record alone, or None for all."""

    def run(tuner: Any, *args: Any, **kwargs: Any) -> Any:
        tuner.nargs = dict(zip(tuner.arg_names, args))
        try:
            return Site(tuner, recorder(), pick, args, kwargs).run()
        finally:
            tuner.nargs = None

    def read(tuner: Any) -> Any:
        chosen = tuner.__dict__.get("_geak_best")
        if chosen is None:
            raise AttributeError("best_config is known after the first launch")
        if candidate_line():
            tuner.__dict__["_geak_pinned"] = True
            recorder().note("the wrapper reads best_config: only the first configuration is recorded")
        return chosen

    def write(tuner: Any, config: Any) -> None:
        tuner.__dict__["_geak_best"] = config

    Autotuner.run = run
    Autotuner.best_config = property(read, write)


class Site:
    """One call of one tuner."""

    def __init__(self, tuner: Any, recorder: Recorder, pick: Callable[[int], Optional[int]], args: Any,
                 kwargs: Dict[str, Any]) -> None:  # fmt: skip
        self.tuner, self.recorder, self.pick = tuner, recorder, pick
        self.args, self.kwargs = args, kwargs

    def run(self) -> Any:
        configs = list(self.tuner.configs)
        if len(configs) > 1:
            configs = list(self.tuner.prune_configs(self.kwargs))
        number = sum(step["op"] == "choose" for step in self.recorder.steps)
        picked = self.pick(number)
        if picked is None and self.tuner.__dict__.get("_geak_pinned"):
            picked = 0
        if picked is not None:
            configs = configs[picked : picked + 1] or configs[:1]
        if len(configs) == 1:
            return self.one(configs[0])
        return self.all(configs[:MAX_VARIANTS], number)

    def one(self, config: Any) -> Any:
        """Launches with one configuration, its hook first."""
        self.tuner.best_config = config
        if config.pre_hook is not None:
            config.pre_hook({**self.tuner.nargs, **self.kwargs, **config.all_kwargs()})
        return self.tuner.fn.run(*self.args, **self.kwargs, **config.all_kwargs())

    def all(self, configs: List[Any], number: int) -> Any:
        steps = self.recorder.steps
        variants: List[Dict[str, Any]] = []
        result = failure = best = None
        self.settle()
        for config in configs:
            own: List[Dict[str, Any]] = []
            self.recorder.steps = own
            try:
                made = self.one(config)
            except (OutOfResources, CompilationError) as error:
                failure = error
                continue
            finally:
                self.recorder.steps = steps
            self.keep(config, own, variants)
            if best is None:
                best, result = config, made
        if best is None:
            raise failure if failure is not None else RuntimeError("no configuration to tune")
        self.tuner.best_config = best
        if variants:
            self.recorder.steps.append({"op": "choose", "site": number, "variants": variants})
        return result

    def settle(self) -> None:
        """Tables among the arguments are made once, before all variants."""
        for value in [*self.args, *self.kwargs.values()]:
            tensor = getattr(value, "base", value) if not isinstance(value, torch.Tensor) else value
            if isinstance(tensor, torch.Tensor):
                with torch._C.DisableTorchFunction():
                    if tensor.device.type == "meta":
                        self.recorder.settle(self.recorder.buffer(tensor))

    def keep(self, config: Any, own: List[Dict[str, Any]], variants: List[Dict[str, Any]]) -> None:
        """Adds a variant: what its hook does, then the launch."""
        launches = [step for step in own if step["op"] == "launch"]
        if not launches:
            return
        if len(launches) != 1 or own[-1]["op"] != "launch":
            raise self.recorder.refusals.refuse(
                NOT_CAPTURABLE, "autotune", "an autotuned function must launch exactly one kernel"
            )
        if any(step["op"] not in ("fill", "copy") for step in own[:-1]):
            raise self.recorder.refusals.refuse(
                NOT_CAPTURABLE, "autotune", "the pre_hook of a configuration may only fill and copy tensors"
            )
        settings = json.loads(json.dumps(config.all_kwargs(), default=str))
        variants.append({"config": settings, "pre": own[:-1], "launch": launches[0]})
