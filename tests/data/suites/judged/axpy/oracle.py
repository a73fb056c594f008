"""Inputs and expected results of axpy."""

from typing import Any, Dict

import torch


def make_inputs(case: Dict[str, Any], seed: int, device: str, dist: str) -> Dict[str, Any]:
    """acc and x [N]; values are multiples of 1/8 and alpha of 1/4, so that no sum lies near 0.1."""
    generator = torch.Generator().manual_seed(seed)
    dtype = getattr(torch, case["dtype"])

    def values() -> torch.Tensor:
        return (torch.randint(-32, 33, (case["N"],), generator=generator).float() / 8).to(dtype).to(device)

    alpha = float(torch.randint(5, 50, (1,), generator=generator)) / 4
    return {"acc": values(), "x": values(), "alpha": alpha}


def expected(inputs: Dict[str, Any], case: Dict[str, Any]) -> Dict[str, torch.Tensor]:
    """The sum in float64; the count as int32 [1]."""
    out = inputs["acc"].double() + inputs["alpha"] * inputs["x"].double()
    return {"out": out, "positive": (out > 0.1).sum().reshape(1).to(torch.int32)}
