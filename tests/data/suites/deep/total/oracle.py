"""Inputs and expected results of total."""

import torch


def make_inputs(case, seed, device, dist):
    generator = torch.Generator().manual_seed(seed)
    return {"x": torch.rand((case["N"],), generator=generator).to(device)}


def expected(inputs, case):
    return {"out": inputs["x"].double().sum().reshape(1)}
