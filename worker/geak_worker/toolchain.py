"""Which compilers lower here: words for people, and a stamp that changes whenever one of them does."""

from __future__ import annotations

import hashlib
import os
from typing import Any, Dict, List

OWN = ("lowering.py", "code_object.py", "toolchain.py")
TARGETS = ("sm_80", "sm_90", "sm_100", "gfx90a", "gfx942", "gfx950")


def _ptxas() -> List[Any]:
    """The assemblers that Triton would call, the common one first; a build for AMD alone has none."""
    from triton import knobs

    found = []
    for name in ("ptxas", "ptxas_blackwell"):
        try:
            found.append(getattr(knobs.nvidia, name))
        except (AttributeError, RuntimeError, OSError):
            continue
    return found


def _files() -> List[str]:
    """What decides over the code that comes out, in a fixed order."""
    import triton
    from triton._C import libtriton

    root = os.path.dirname(triton.__file__)
    files = [libtriton.__file__] + [tool.path for tool in _ptxas()]
    for folder, _, names in sorted(os.walk(os.path.join(root, "backends"))):
        files += [os.path.join(folder, name) for name in sorted(names) if name.endswith((".py", ".bc"))]
    return files


def folders() -> List[str]:
    """Where the assemblers lie."""
    return sorted({os.path.dirname(os.path.realpath(tool.path)) for tool in _ptxas()})


def facts() -> Dict[str, Any]:
    """{"toolchain": "triton 3.7.1, ptxas 12.8 and 13.1", "stamp": hex, "targets": [...]}."""
    import triton

    stamp = hashlib.sha256(triton.__version__.encode())
    for path in _files():
        status = os.stat(path)
        stamp.update(f"{path}:{status.st_size}:{status.st_mtime_ns}\n".encode())
    for name in OWN:
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), name), "rb") as file:
            stamp.update(file.read())
    versions = " and ".join(dict.fromkeys(tool.version for tool in _ptxas()))
    words = f"triton {triton.__version__}" + (f", ptxas {versions}" if versions else "")
    return {"toolchain": words, "stamp": stamp.hexdigest(), "targets": list(TARGETS)}
