"""What a worker says of itself in its first frame."""

from __future__ import annotations

import platform
from typing import Any, Dict

from .frames import Frame

MAX_BYTES = 32 << 20


def versions() -> Dict[str, Any]:
    """Versions of Python, torch and triton, and whether this triton is supported."""
    import torch
    import triton

    from .driver import SUPPORTED, supported

    out: Dict[str, Any] = {"python": platform.python_version(), "torch": torch.__version__, "triton": triton.__version__,
                           "supported": supported()}  # fmt: skip
    if not supported():
        low, high = (".".join(map(str, v)) for v in SUPPORTED)
        out["unsupported"] = f"triton {triton.__version__} is not between {low} and {high}"
    return out


def hello(role: str, build: str, slots: int, facts: Dict[str, Any]) -> Frame:
    return Frame("hello", json={"proto": 1, "build": build, "role": role, "slots": slots, "max_bytes": MAX_BYTES,
                                "facts": facts})  # fmt: skip
