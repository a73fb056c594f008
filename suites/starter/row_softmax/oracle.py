"""Inputs and expected results of row_softmax."""

from typing import Any, Dict

import torch


def _values(rows: int, columns: int, dist: str, generator: torch.Generator) -> torch.Tensor:
    """float32 [rows, columns]: normal, large (hundreds), or normal with minus infinity outside the first column."""
    values = torch.randn((rows, columns), generator=generator)
    if dist == "large":
        values = values * 100.0 + 200.0
    if dist == "masked":
        hidden = torch.rand((rows, columns), generator=generator) < 0.25
        hidden[:, 0] = False
        values = values.masked_fill(hidden, float("-inf"))
    return values


def make_inputs(case: Dict[str, Any], seed: int, device: str, dist: str) -> Dict[str, torch.Tensor]:
    """x: [M, N] in the case's dtype and layout."""
    generator = torch.Generator().manual_seed(seed)
    x = _values(case["M"], case["N"], dist, generator).to(getattr(torch, case["dtype"])).to(device)
    if case["layout"] == "transposed":
        x = x.t().contiguous().t()
    if case["layout"] == "strided":
        room = torch.zeros((case["M"], 2 * case["N"]), dtype=x.dtype, device=device)
        room[:, ::2].copy_(x)
        x = room[:, ::2]
    return {"x": x}


def expected(inputs: Dict[str, torch.Tensor], case: Dict[str, Any]) -> Dict[str, torch.Tensor]:
    """float64 [M, N]."""
    return {"out": torch.softmax(inputs["x"].double(), dim=-1)}
