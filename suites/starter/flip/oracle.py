"""Inputs and expected results of flip."""

from typing import Any, Dict

import torch


def make_inputs(case: Dict[str, Any], seed: int, device: str, dist: str) -> Dict[str, torch.Tensor]:
    """x: [M, N] in the case's dtype and layout; `special` mixes in infinities, NaN and zeros."""
    generator = torch.Generator().manual_seed(seed)
    shape = (case["M"], case["N"])
    x = torch.randn(shape, generator=generator)
    if dist == "special":
        lot = torch.randint(0, 32, shape, generator=generator)
        x = x.masked_fill(lot == 0, float("inf")).masked_fill(lot == 1, float("-inf"))
        x = x.masked_fill(lot == 2, float("nan")).masked_fill(lot == 3, 0.0)
    x = x.to(getattr(torch, case["dtype"])).to(device)
    if case["layout"] == "transposed":
        x = x.t().contiguous().t()
    if case["layout"] == "strided":
        room = torch.zeros((case["M"], 3 * case["N"]), dtype=x.dtype, device=device)
        room[:, ::3].copy_(x)
        x = room[:, ::3]
    return {"x": x}


def expected(inputs: Dict[str, torch.Tensor], case: Dict[str, Any]) -> Dict[str, torch.Tensor]:
    """[M, N] in float64, which holds every value of the three dtypes exactly."""
    return {"out": torch.flip(inputs["x"].double(), dims=(-1,))}
