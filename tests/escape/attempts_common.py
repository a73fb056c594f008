"""What attempts are made of. Text of this file and of its like becomes the head of a candidate (attempts.py)."""

import ctypes
import os

LIBC = ctypes.CDLL(None, use_errno=True)
ATTEMPTS = {}


def attempt(control=True):
    """control: outside of the sandbox it succeeds, and does no harm there."""

    def register(function):
        ATTEMPTS[function.__name__] = (function, control)
        return function

    return register


def call(number, *arguments):
    """A system call's result; OSError when it fails."""
    wide = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    out = LIBC.syscall(ctypes.c_long(number), *wide)
    if out < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return out


def pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]


def read(path, size=1 << 16):
    with open(path, "rb") as file:
        return file.read(size)


def play(name, W):
    """What came of one attempt, as one line."""
    try:
        got = ATTEMPTS[name][0](W)
    except BaseException as error:
        return f"HELD {name}: {type(error).__name__}: {error}"[:200]
    return (f"ESCAPED {name}: {got!r}" if got else f"HELD {name}: nothing came of it")[:200]
