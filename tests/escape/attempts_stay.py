"""Attempts to take too much and to stay (attempts.py says how they are tried)."""

import ctypes
import mmap
import os
import resource
import signal
import time

from attempts_common import LIBC, attempt, call

# ---- too much ----


@attempt(control=False)
def raise_the_limits(W):
    for kind in (resource.RLIMIT_AS, resource.RLIMIT_NPROC, resource.RLIMIT_NOFILE, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE):
        try:
            resource.setrlimit(kind, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            return kind
        except (OSError, ValueError):
            pass


@attempt(control=False)
def fork_past_the_limit(W):
    made = 0
    for _ in range(2000):
        try:
            if os.fork() == 0:
                time.sleep(30)
                os._exit(0)
            made += 1
        except OSError:
            break
    return made if made > 1000 else None


@attempt(control=False)
def start_threads_past_the_limit(W):
    import threading

    for made in range(5000):
        try:
            threading.Thread(target=time.sleep, args=(20,), daemon=True).start()
        except RuntimeError:
            return made if made > 1000 else None
    return "all"


@attempt(control=False)
def take_64_gb(W):
    blocks = []
    for _ in range(64):
        try:
            blocks.append(mmap.mmap(-1, 1 << 30))
        except (OSError, MemoryError):
            break
    return len(blocks) if len(blocks) > 16 else None


@attempt(control=False)
def take_64_gb_shared_by_children(W):
    for _ in range(16):
        if os.fork() == 0:
            try:
                block = bytearray(3 << 30)
                for at in range(0, len(block), 4096):
                    block[at] = 1
            except MemoryError:
                pass
            time.sleep(20)
            os._exit(0)
    time.sleep(20)
    return "16 children of 3 GB each"


@attempt(control=False)
def fill_the_disk(W):
    written = 0
    try:
        for i in range(40):
            with open(f"big{i}", "wb") as file:
                for _ in range(64):
                    written += file.write(b"\1" * (1 << 20))
    except OSError:
        pass
    return written if written > 1 << 30 else None


@attempt(control=False)
def make_many_files(W):
    made = 0
    try:
        for i in range(300000):
            os.close(os.open(f"f{i}", os.O_CREAT | os.O_WRONLY))
            made += 1
    except OSError:
        pass
    return made if made == 300000 and W["level"] == "namespaces" else None


@attempt(control=False)
def flood_the_output(W):
    block = b"x" * (1 << 20)
    for _ in range(1024):
        os.write(1, block)
    return "1 GB"


@attempt(control=False)
def dump_core(W):
    signal.signal(signal.SIGSEGV, signal.SIG_DFL)
    ctypes.string_at(1)


# ---- staying ----


def stay(name):
    """A grandchild in a session of its own that ignores what it can."""
    if os.fork():
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    LIBC.prctl(15, name.encode(), 0, 0, 0)
    LIBC.prctl(1, 0, 0, 0, 0)
    for _ in range(600):
        time.sleep(0.1)
    os._exit(0)


@attempt(control=False)
def outlive_the_verdict(W):
    stay("geak-escapee")
    time.sleep(0.2)


@attempt(control=False)
def hold_the_result_pipe(W):
    for fd in range(3, 20):
        try:
            os.set_inheritable(fd, True)
        except OSError:
            pass
    stay("geak-escapee")


@attempt(control=False)
def breed_orphans(W):
    for _ in range(20):
        stay("geak-escapee")


@attempt(control=False)
def write_after_the_end(W):
    """A forked writer adds to the result pipe when its parent is gone."""
    if os.fork() == 0:
        while os.getppid() > 1:
            time.sleep(0.01)
        os.write(3, b"GKW1" + b"\0" * 28)
        os._exit(0)


@attempt(control=False)
def leave_shared_memory(W):
    return call(29, 0x6765616B, 4096, 0o1600)


@attempt(control=False)
def leave_a_message_queue(W):
    return call(240, b"geak-escape", os.O_CREAT | os.O_RDWR, 0o600, None)


@attempt(control=False)
def leave_a_semaphore(W):
    return call(64, 0x6765616B, 1, 0o1600)
