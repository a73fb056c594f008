"""Inputs and expected results of twice."""

from typing import Any, Dict

import torch


def make_inputs(case: Dict[str, Any], seed: int, device: str, dist: str) -> Dict[str, torch.Tensor]:
    """x: [N] float32."""
    generator = torch.Generator().manual_seed(seed)
    return {"x": torch.randn((case["N"],), generator=generator).to(device)}


def expected(inputs: Dict[str, torch.Tensor], case: Dict[str, Any]) -> Dict[str, torch.Tensor]:
    """[N] in float64."""
    return {"out": inputs["x"].double() * 2}
