"""Inputs and expected results of vector_add."""

from typing import Any, Dict

import torch


def _values(shape: "tuple[int, ...]", dist: str, generator: torch.Generator) -> torch.Tensor:
    """float32 values of the given shape: normal, wide (2^-10 .. 2^10), or normal with infinities and NaN."""
    values = torch.randn(shape, generator=generator)
    if dist == "wide":
        values = values * torch.exp2(torch.randint(-10, 11, shape, generator=generator).float())
    if dist == "special":
        lot = torch.randint(0, 64, shape, generator=generator)
        values = values.masked_fill(lot == 0, float("inf")).masked_fill(lot == 1, float("-inf"))
        values = values.masked_fill(lot == 2, float("nan")).masked_fill(lot == 3, 0.0)
    return values


def _laid_out(values: torch.Tensor, layout: str, device: str) -> torch.Tensor:
    """The same values as a view with the strides that the layout names; values is [N] or [M, N]."""
    values = values.to(device)
    if layout == "transposed":
        return values.t().contiguous().t()
    if layout == "strided":
        room = torch.zeros((values.shape[0], 2 * values.shape[1]), dtype=values.dtype, device=device)
        view = room[:, ::2]
    elif layout == "offset":
        room = torch.zeros((values.shape[0], values.shape[1] + 3), dtype=values.dtype, device=device)
        view = room[:, 3:]
    else:
        return values.contiguous()
    view.copy_(values)
    return view


def make_inputs(case: Dict[str, Any], seed: int, device: str, dist: str) -> Dict[str, torch.Tensor]:
    """x and y: [N] when M is 0, else [M, N], in the case's dtype; y is contiguous wherever x is not."""
    generator = torch.Generator().manual_seed(seed)
    shape = (case["N"],) if case["M"] == 0 else (case["M"], case["N"])
    dtype = getattr(torch, case["dtype"])
    x = _values(shape, dist, generator).to(dtype)
    y = _values(shape, dist, generator).to(dtype)
    return {"x": _laid_out(x, case["layout"], device), "y": y.to(device)}


def expected(inputs: Dict[str, torch.Tensor], case: Dict[str, Any]) -> Dict[str, torch.Tensor]:
    """The sum in float64, the shape of x."""
    return {"out": inputs["x"].double() + inputs["y"].double()}
