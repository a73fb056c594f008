"""The candidate's file: loaded without a file, found by inspect, blamed by line."""

from __future__ import annotations

import linecache
import sys
import traceback
from types import ModuleType
from typing import Any, Optional

from triton.compiler.errors import CompilationError
from triton.runtime.jit import get_jit_fn_file_line

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
    module.__loader__ = Loader(text)
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
        while value is not None and not hasattr(value, "raw_src"):
            value = getattr(value, "fn", None)
        if value is not None and getattr(value, "src", None) == error.src:
            return get_jit_fn_file_line(value)[1] + number - 1
    return 0


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
    """str(error), capped; the type's name when that fails or is empty."""
    try:
        text = str(error)
    except Exception:
        text = ""
    return text[:MESSAGE_LIMIT] or type(error).__name__


def entry_of(module: ModuleType, name: str) -> Optional[Any]:
    """The entry function, or None when the module defines no such callable."""
    found = vars(module).get(name)
    return found if callable(found) else None
