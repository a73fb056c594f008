"""The candidate's file: loaded without a file, found by inspect, blamed by line."""

from __future__ import annotations

import inspect
import linecache
import sys
import traceback
from types import ModuleType
from typing import Any, List, Optional

from triton.compiler.errors import CompilationError
from triton.runtime.jit import JITFunction

from .cannot import CANDIDATE_PATH

MODULE_NAME = "candidate"
MESSAGE_LIMIT = 4000
TRACE_LIMIT = 8000


class Loader:
    """Gives inspect the source of a module that has no file."""

    def __init__(self, text: str) -> None:
        self.text = text

    def get_source(self, name: str) -> str:
        return self.text


def prepare(text: str, path: str = CANDIDATE_PATH, name: str = MODULE_NAME) -> ModuleType:
    """An empty module whose source inspect and linecache find."""
    module = ModuleType(name)
    module.__file__ = path
    module.__loader__ = Loader(text)  # type: ignore[assignment]
    sys.modules[name] = module
    # no modification time: linecache never checks that the file exists
    linecache.cache[path] = (len(text), None, text.splitlines(keepends=True), path)
    return module


def execute(module: ModuleType, text: str, path: str = CANDIDATE_PATH) -> None:
    """Runs the module's code. Raises whatever it raises, SyntaxError included."""
    exec(compile(text, path, "exec", dont_inherit=True), module.__dict__)


def _compile_line(error: CompilationError, module: ModuleType) -> int:
    """The line of an error of Triton's compiler: it counts from the start of the innermost kernel function."""
    while isinstance(error.__cause__, CompilationError):
        error = error.__cause__
    number = getattr(error.node, "lineno", 0)
    for value in vars(module).values():
        while value is not None and not isinstance(value, JITFunction):
            value = getattr(value, "fn", None)
        if value is not None and value.src == error.src:
            return _def_line(value.fn) + number - 1
    return 0


def _def_line(function: Any) -> int:
    """The line of `def`, below the decorators: where Triton's own count starts."""
    lines, first = inspect.getsourcelines(function)
    above = next((i for i, line in enumerate(lines) if line.strip().startswith("def ")), 0)
    return first + above


def line_of(error: BaseException, module: ModuleType, path: str = CANDIDATE_PATH) -> int:
    """Where in the candidate's file an exception comes from; 0 when nowhere."""
    if isinstance(error, CompilationError):
        found = _compile_line(error, module)
        if found:
            return found
    if isinstance(error, SyntaxError) and error.filename == path:
        return error.lineno or 0
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == path]
    return lines[-1] or 0 if lines else 0


def trace_of(error: BaseException, path: str = CANDIDATE_PATH) -> str:
    """The traceback's frames in the candidate's file, and the exception, capped."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == path]
    text = "".join(traceback.format_list(frames))
    return (text + words_of(error))[-TRACE_LIMIT:]


def words_of(error: BaseException, limit: int = MESSAGE_LIMIT) -> str:
    """'TypeError: ...', capped."""
    try:
        text = "".join(traceback.format_exception_only(type(error), error)).strip()
    except Exception:
        text = type(error).__name__
    return text if len(text) <= limit else text[: limit // 2] + " ... " + text[-limit // 2 :]


def message_of(error: BaseException) -> str:
    """str(error) and what caused it (Triton's compiler nests its errors), capped; the type's name when there is no text."""
    parts: List[str] = []
    at: Optional[BaseException] = error
    while at is not None and len(parts) < 8:
        try:
            text = str(at)
        except Exception:
            text = ""
        if text and not any(text in part for part in parts):
            parts.append(text)
        at = at.__cause__
    return "\n".join(parts)[:MESSAGE_LIMIT] or type(error).__name__


def entry_of(module: ModuleType, name: str) -> Optional[Any]:
    """The entry function, or None when the module defines no such callable."""
    found = vars(module).get(name)
    return found if callable(found) else None
