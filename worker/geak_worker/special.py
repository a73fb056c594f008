"""Inputs as a task's cases declare them beyond their values: special values at secret places, addresses that are
aligned to nothing but the element.

Both work on the storages below the tensors, so that every layout is kept, overlapping ones included. Where the special
values lie follows from the seed, which nobody knows who could use it.
"""

from __future__ import annotations

import random
from typing import Any, Dict, List, Sequence, Tuple

import torch

SHARE = 8  # one element in so many at most
REPEATS = 8  # of each value at most, in one tensor
ALIGNMENT = 16  # bytes: what Triton's specialisation asks for


def _numbers(dtype: torch.dtype, lot: random.Random) -> Dict[str, float]:
    """The special values of a float dtype; subnormals are drawn anew each time."""
    limits = torch.finfo(dtype)
    return {
        "nan": float("nan"),
        "inf": float("inf"),
        "-inf": float("-inf"),
        "-0.0": -0.0,
        "subnormal": limits.smallest_normal * lot.choice((0.25, 0.5, 0.75, -0.25, -0.5, -0.75)),
        "max": limits.max,
        "-max": limits.min,
    }


def _is_held(name: str, value: float, made: torch.Tensor) -> bool:
    """Whether a format has the value: some have no infinities, some no negative zero."""
    back = made.to(torch.float64)
    if name == "nan":
        return bool(torch.isnan(back))
    if name == "-0.0":
        return bool(back == 0) and bool(torch.signbit(back))
    return bool(back == value) and bool(back != 0)


def _bytes_of(name: str, dtype: torch.dtype, lot: random.Random) -> bytes:
    """The value's bytes in the format; empty when it has no such value."""
    value = _numbers(dtype, lot)[name]
    made = torch.tensor(value, dtype=torch.float64).to(dtype)
    return bytes(made.reshape(1).view(torch.uint8).tolist()) if _is_held(name, value, made) else b""


def _storage(tensor: torch.Tensor) -> torch.Tensor:
    """The bytes of the whole storage, to be written to."""
    storage = tensor.untyped_storage()
    return torch.empty(0, dtype=torch.uint8).set_(storage, 0, (storage.nbytes(),), (1,))


def _offset(tensor: torch.Tensor, flat: int) -> int:
    """Where the element of a flat index lies in the storage, in bytes."""
    at = tensor.storage_offset()
    for size, stride in zip(reversed(tensor.shape), reversed(tensor.stride())):
        at += flat % size * stride
        flat //= size
    return at * tensor.element_size()


def _places(count: int, kinds: int, lot: random.Random) -> List[int]:
    wanted = max(1, min(count // SHARE, kinds * REPEATS))
    return [lot.randrange(count) for _ in range(wanted)] if count else []


def put(tensor: torch.Tensor, names: Sequence[str], seed: str) -> None:
    """Puts special values into a float tensor, in place, at places that follow from the seed."""
    lot = random.Random(seed)
    order = list(names)
    lot.shuffle(order)
    target = _storage(tensor)
    for number, flat in enumerate(_places(tensor.numel(), len(order), lot)):
        raw = _bytes_of(order[number % len(order)], tensor.dtype, lot)
        at = _offset(tensor, flat)
        if raw:
            target[at : at + len(raw)] = torch.tensor(list(raw), dtype=torch.uint8)


def copied(tensor: torch.Tensor, shift: int = 0) -> torch.Tensor:
    """The same tensor, its layout kept, in a storage of its own that has so many elements more in front."""
    front = shift * tensor.element_size()
    storage = torch.UntypedStorage(tensor.untyped_storage().nbytes() + front)
    room = torch.empty(0, dtype=torch.uint8).set_(storage, 0, (storage.nbytes(),), (1,))
    room[:front] = 0
    room[front:] = _storage(tensor)
    made = torch.empty(0, dtype=tensor.dtype)
    return made.set_(storage, tensor.storage_offset() + shift, tensor.shape, tensor.stride())


def misaligned(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor beginning one element past an address that is a multiple of 16."""
    period = max(1, ALIGNMENT // tensor.element_size())
    return copied(tensor, (1 - tensor.storage_offset()) % period)


def apply(values: Sequence[Tuple[str, Any]], request: Dict[str, Any]) -> List[Tuple[str, Any]]:
    """The named inputs as the request's "specials", "ordinary" and "misaligned" (all optional) want them."""
    names, ordinary = request.get("specials") or [], request.get("ordinary") or []
    made: List[Tuple[str, Any]] = []
    for name, value in values:
        if isinstance(value, torch.Tensor):
            if names and value.dtype.is_floating_point and name not in ordinary:
                value = copied(value)  # the task may keep what it gave
                put(value, names, f"{request['seed']}/{name}")
            if request.get("misaligned"):
                value = misaligned(value)
        made.append((name, value))
    return made
