"""Inputs and expected results of layer_norm."""

from typing import Any, Dict

import torch


def _values(rows: int, columns: int, dist: str, generator: torch.Generator) -> torch.Tensor:
    """float32 [rows, columns]: normal, uniform in [0, 1), or normal around a mean of 32 that differs by row."""
    if dist == "uniform":
        return torch.rand((rows, columns), generator=generator)
    values = torch.randn((rows, columns), generator=generator)
    if dist == "shifted":
        values = values + 32.0 * torch.randn((rows, 1), generator=generator)
    return values


def make_inputs(case: Dict[str, Any], seed: int, device: str, dist: str) -> Dict[str, Any]:
    """x [M, N] (batched: [2, M / 2, N], strided in both outer dimensions), weight and bias [N], eps."""
    generator = torch.Generator().manual_seed(seed)
    rows, columns = case["M"], case["N"]
    dtype = getattr(torch, case["dtype"])
    x = _values(rows, columns, dist, generator).to(dtype).to(device)
    if case["layout"] == "transposed":
        x = x.t().contiguous().t()
    if case["layout"] == "batched":
        room = torch.zeros((rows // 2, 2, columns + 8), dtype=dtype, device=device)
        view = room.permute(1, 0, 2)[:, :, :columns]
        view.copy_(x.view(2, rows // 2, columns))
        x = view
    weight = (1.0 + 0.5 * torch.randn((columns,), generator=generator)).to(dtype).to(device)
    bias = torch.randn((columns,), generator=generator).to(dtype).to(device)
    return {"x": x, "weight": weight, "bias": bias, "eps": float(case["eps"])}


def expected(inputs: Dict[str, Any], case: Dict[str, Any]) -> Dict[str, torch.Tensor]:
    """float64, the shape of x."""
    x = inputs["x"].double()
    centred = x - x.mean(dim=-1, keepdim=True)
    variance = (centred * centred).mean(dim=-1, keepdim=True)
    out = centred / torch.sqrt(variance + inputs["eps"]) * inputs["weight"].double() + inputs["bias"].double()
    return {"out": out}
