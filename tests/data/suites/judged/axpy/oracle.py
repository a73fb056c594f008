"""Inputs and expected results of axpy."""

from typing import Any, Dict

import torch


def make_inputs(case: Dict[str, Any], seed: int, device: str, dist: str) -> Dict[str, Any]:
    """acc and x [N], normal; alpha in [1, 12)."""
    generator = torch.Generator().manual_seed(seed)
    dtype = getattr(torch, case["dtype"])

    def values() -> torch.Tensor:
        return torch.randn((case["N"],), generator=generator).to(dtype).to(device)

    alpha = 1.0 + 11.0 * float(torch.rand((1,), generator=generator))
    return {"acc": values(), "x": values(), "alpha": alpha}


def expected(inputs: Dict[str, Any], case: Dict[str, Any]) -> Dict[str, torch.Tensor]:
    """The sum in float64; the count as int32 [1]."""
    out = inputs["acc"].double() + inputs["alpha"] * inputs["x"].double()
    return {"out": out, "positive": (inputs["x"] > 0).sum().reshape(1).to(torch.int32)}
