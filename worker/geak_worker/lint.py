"""Reads a candidate's source without running it: does it parse, is the entry there, is there a kernel at all."""

from __future__ import annotations

import ast
import warnings
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Set

SOURCE_LIMIT = 1 << 20
SUSPICIOUS = {"ctypes", "subprocess", "socket", "multiprocessing", "threading", "signal", "mmap", "gc", "cffi", "pickle",
              "importlib", "requests", "urllib", "http", "shutil", "cupy", "numba", "pycuda"}  # fmt: skip


@dataclass
class Linted:
    """ok, or the kind of fault with its line and words; notes are for people."""

    ok: bool = True
    kind: str = ""
    line: int = 0
    message: str = ""
    notes: List[str] = field(default_factory=list)

    def json(self) -> Dict[str, Any]:
        return {"ok": self.ok, "kind": self.kind, "line": self.line, "message": self.message, "notes": self.notes}


def fault(kind: str, line: int, message: str) -> Linted:
    return Linted(False, kind, line, message + (f" (line {line})" if line else ""))


def check(source: bytes, entry: Dict[str, Any]) -> Linted:
    """Everything about one candidate; entry is {"name", "params": [names in order]}."""
    try:
        text = source.decode("utf-8")
    except UnicodeDecodeError as error:
        line = source[: error.start].count(b"\n") + 1
        return fault("syntax_error", line, "the source is not UTF-8")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text, "candidate.py")
            compile(tree, "candidate.py", "exec", dont_inherit=True)
    except SyntaxError as error:
        shown = (error.text or "").strip()
        return fault("syntax_error", error.lineno or 0, f"{error.msg}" + (f": `{shown[:120]}`" if shown else ""))
    except (ValueError, RecursionError, MemoryError) as error:
        return fault("syntax_error", 0, f"the source cannot be parsed: {error}")
    found = _entry(tree, entry["name"])
    if found is None:
        return _missing(tree, entry)
    if isinstance(found, (ast.FunctionDef, ast.AsyncFunctionDef)):
        wrong = _signature(found, entry)
        if wrong is not None:
            return wrong
    if not _has_kernel(tree):
        return fault("no_kernel", 0, "the candidate defines no function decorated with @triton.jit")
    return Linted(notes=_notes(tree))


def _entry(tree: ast.Module, name: str) -> Optional[ast.AST]:
    """What a name is bound to at the top level, conditional blocks included; the last binding counts."""
    found: Optional[ast.AST] = None
    for node in _top_level(tree.body):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and node.name == name:
            found = node
        elif isinstance(node, ast.Assign):
            if any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
                found = node
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            if any((a.asname or a.name) == name for a in node.names):
                found = node
    return found


def _top_level(body: List[ast.stmt]) -> List[ast.stmt]:
    """Statements that run at import, without those in functions and classes."""
    out: List[ast.stmt] = []
    for node in body:
        out.append(node)
        for part in ("body", "orelse", "finalbody"):
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                out += _top_level(getattr(node, part, []))
        for handler in getattr(node, "handlers", []):
            out += _top_level(handler.body)
    return out


def _missing(tree: ast.Module, entry: Dict[str, Any]) -> Linted:
    names = [n.name for n in tree.body if isinstance(n, ast.FunctionDef) and not _is_kernel(n)]
    others = f"; it defines {', '.join(names[:8])}" if names else ""
    params = ", ".join(entry.get("params") or [])
    return fault("missing_entry", 0, f"the candidate defines no function {entry['name']}({params}){others}")


def _signature(node: Any, entry: Dict[str, Any]) -> Optional[Linted]:
    """Positional call with the declared parameters must work, and the names must be the declared ones."""
    declared = list(entry.get("params") or [])
    args = [a.arg for a in [*node.args.posonlyargs, *node.args.args]]
    shown = f"{node.name}({', '.join(args)})"
    wanted = f"{node.name}({', '.join(declared)})"
    if isinstance(node, ast.AsyncFunctionDef):
        return fault("wrong_signature", node.lineno, f"{node.name} is an async function; a plain one is needed")
    if not declared:
        return None
    if node.args.vararg is not None and len(args) < len(declared):
        return None if args == declared[: len(args)] else fault(
            "wrong_signature", node.lineno, f"the entry is {shown}, declared is {wanted}")  # fmt: skip
    required = len(args) - len(node.args.defaults)
    keyword_only = [a.arg for a, d in zip(node.args.kwonlyargs, node.args.kw_defaults) if d is None]
    if args[: len(declared)] != declared or required > len(declared) or keyword_only:
        return fault(
            "wrong_signature",
            node.lineno,
            f"the entry is {shown}, declared is {wanted}: same names in the same order, further parameters need defaults",
        )
    return None


def _is_kernel(node: ast.FunctionDef) -> bool:
    return any(_dotted(d.func if isinstance(d, ast.Call) else d).split(".")[-1] == "jit" for d in node.decorator_list)


def _dotted(node: ast.AST) -> str:
    """'triton.jit' for the expression, '' for anything that is not names and dots."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return ""


def _has_kernel(tree: ast.Module) -> bool:
    """A decorated function anywhere, or a call of jit on a function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and _is_kernel(node):
            return True
        if isinstance(node, ast.Call) and _dotted(node.func) in (
            "triton.jit",
            "jit",
            "triton.runtime.jit.JITFunction",
        ):
            return True
    return False


def _notes(tree: ast.Module) -> List[str]:
    """Imports and calls that kernels rarely need. Never a fault by itself."""
    modules: Set[str] = set()
    calls: Set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules.update(a.name.split(".")[0] for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            modules.add((node.module or "").split(".")[0])
        elif isinstance(node, ast.Call) and _dotted(node.func) in (
            "exec",
            "eval",
            "__import__",
            "os.system",
            "os._exit",
        ):
            calls.add(_dotted(node.func))
    return [f"imports {name}" for name in sorted(modules & SUSPICIOUS)] + [f"calls {name}" for name in sorted(calls)]
