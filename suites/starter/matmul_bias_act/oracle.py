"""Inputs and expected results of matmul_bias_act."""

import math
from typing import Any, Dict

import torch


def _matrix(rows: int, columns: int, dist: str, generator: torch.Generator) -> torch.Tensor:
    """float32 [rows, columns]: normal, or uniform in [0, 1) so that sums do not cancel."""
    if dist == "positive":
        return torch.rand((rows, columns), generator=generator)
    return torch.randn((rows, columns), generator=generator)


def make_inputs(case: Dict[str, Any], seed: int, device: str, dist: str) -> Dict[str, Any]:
    """a [M, K], b [K, N] (both column-major when the layout is transposed), bias [N], activation."""
    generator = torch.Generator().manual_seed(seed)
    dtype = getattr(torch, case["dtype"])
    scale = 1.0 / math.sqrt(case["K"])
    a = _matrix(case["M"], case["K"], dist, generator).to(dtype).to(device)
    b = (_matrix(case["K"], case["N"], dist, generator) * scale).to(dtype).to(device)
    if case["layout"] == "transposed":
        a, b = a.t().contiguous().t(), b.t().contiguous().t()
    bias = torch.randn((case["N"],), generator=generator).to(dtype).to(device)
    return {"a": a, "b": b, "bias": bias, "activation": case["activation"]}


def expected(inputs: Dict[str, Any], case: Dict[str, Any]) -> Dict[str, torch.Tensor]:
    """float64 [M, N]."""
    value = inputs["a"].double() @ inputs["b"].double() + inputs["bias"].double()
    if inputs["activation"] == "relu":
        value = torch.relu(value)
    if inputs["activation"] == "gelu":
        value = 0.5 * value * (1.0 + torch.erf(value / math.sqrt(2.0)))
    return {"out": value}
