"""Inputs and expected results of twice."""

import torch


def make_inputs(case, seed, device, dist):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn((case["N"],), generator=generator).to(getattr(torch, case["dtype"]))
    return {"x": x.to(device)}


def expected(inputs, case):
    return {"out": 2.0 * inputs["x"].double()}
