"""Attempts by system calls (attempts.py says how they are tried)."""

import ctypes
import errno
import mmap
import os
import struct
import time

from attempts_common import LIBC, attempt, call, read

# ---- system calls ----


@attempt()
def mount_something(W):
    os.makedirs(W["folder"] + "/mount", exist_ok=True)
    if LIBC.mount(b"x", (W["folder"] + "/mount").encode(), b"tmpfs", 0, None):
        raise OSError(ctypes.get_errno(), "mount")
    LIBC.umount2((W["folder"] + "/mount").encode(), 2)
    return True


@attempt(control=False)
def make_the_root_writable(W):
    if LIBC.mount(b"none", b"/", None, 0x1020, None):
        raise OSError(ctypes.get_errno(), "mount")
    return True


@attempt(control=False)
def unmount_proc(W):
    call(166, b"/proc", 2)
    return True


@attempt()
def unshare_a_user(W):
    if os.fork() == 0:
        os._exit(0 if LIBC.unshare(0x10000000) == 0 else 1)
    return os.wait()[1] == 0


@attempt()
def clone_into_namespaces(W):
    pid = call(56, 0x10000000 | 0x20000 | 17, 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    return pid


@attempt(control=False)
def clone3_into_namespaces(W):
    arguments = struct.pack("11Q", 0x10000000, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0)
    pid = call(435, arguments, 88)
    if pid == 0:
        os._exit(0)
    return pid


@attempt()
def enter_the_keepers_namespace(W):
    return call(308, os.open(f"/proc/{W['keeper']}/ns/mnt", os.O_RDONLY), 0) == 0


@attempt()
def change_the_root(W):
    if os.fork() == 0:
        try:
            os.chroot("/")
            os._exit(0)
        except OSError:
            os._exit(1)
    return os.wait()[1] == 0


@attempt(control=False)
def pivot_the_root(W):
    return call(155, b".", b".") == 0


@attempt(control=False)
def add_a_key(W):
    return call(248, b"user", b"geak", b"x", 1, -3)


@attempt(control=False)
def search_keys(W):
    return call(250, 0, -3, 1)


@attempt()
def load_bpf(W):
    return call(321, 0, struct.pack("5I", 2, 4, 4, 1, 0) + b"\0" * 100, 120)


@attempt(control=False)
def open_perf(W):
    attributes = struct.pack("IIQ", 1, 120, 0) + b"\0" * 104
    return call(298, attributes, 0, -1, -1, 0)


@attempt()
def set_up_io_uring(W):
    return call(425, 1, ctypes.create_string_buffer(120))


@attempt()
def open_userfaultfd(W):
    return call(323, 0)


@attempt()
def run_from_a_memory_file(W):
    fd = call(319, b"x", 0)
    os.write(fd, b"#!/bin/sh\nexit 0\n")
    return fd


@attempt(control=False)
def run_a_setuid_program(W):
    """A copy of a shell with the bit set, and those that are there."""
    import shutil

    shutil.copy("/bin/sh", "shell")
    try:
        os.chmod("shell", 0o4755)
    except OSError:
        pass
    before = os.getresuid()
    pid = os.fork()
    if pid == 0:
        status = read("/proc/self/status").decode()
        os._exit(0 if "NoNewPrivs:\t1" in status and "CapEff:\t0000000000000000" in status else 1)
    return os.waitpid(pid, 0)[1] != 0 or before != os.getresuid()


@attempt(control=False)
def become_another_user(W):
    os.setuid(1 if os.getuid() == 0 else 0)
    return True


@attempt()
def change_personality(W):
    return call(135, 0x0040000) >= 0


@attempt(control=False)
def type_into_the_terminal(W):
    import fcntl

    for fd in (0, 1, 2):
        try:
            fcntl.ioctl(fd, 0x5412, b"x")
            return fd
        except OSError:
            pass
    return fcntl.ioctl(os.open("/dev/tty", os.O_RDWR), 0x5412, b"x") == 0


@attempt()
def set_the_clock(W):
    now = time.clock_gettime(time.CLOCK_REALTIME)
    time.clock_settime(time.CLOCK_REALTIME, now)
    return True


@attempt(control=False)
def name_the_host(W):
    return call(170, b"geak-escape", 11) == 0


@attempt(control=False)
def load_a_module(W):
    tries = [(175, (b"", 0, b"")), (246, (0, 0, None, 0)), (169, (0, 0, 0, None)), (167, (b"/x", 0))]
    for number, arguments in tries:
        try:
            call(number, *arguments)
            return number
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.ENOSYS):
                return number, error


@attempt(control=False)
def call_the_32_bit_table(W):
    """getpid by int 0x80: other numbers, which a filter may not know."""
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\x48\x98\xc3")
    address = ctypes.addressof(ctypes.c_char.from_buffer(code))
    return ctypes.CFUNCTYPE(ctypes.c_long)(address)() > 0


@attempt(control=False)
def call_the_x32_table(W):
    return call(0x40000000 + 39) > 0
