"""Attempts on files, on devices and on what the kernel shows as files (attempts.py says how they are tried)."""

import ctypes
import os
import struct
import sys

from attempts_common import attempt, call, read

# ---- files ----


@attempt()
def write_outside(W):
    with open(W["folder"] + "/victim", "a", encoding="ascii") as file:
        return file.write("overwritten")


@attempt()
def make_a_file_outside(W):
    for folder in (W["folder"], "/var/tmp", "/run", "/etc", "/"):
        try:
            with open(folder + "/geak-escape-was-here", "w", encoding="ascii") as file:
                path = file.name
            os.unlink(path)
            return path
        except OSError:
            pass


@attempt(control=False)
def write_the_workers_installation(W):
    import geak_worker

    with open(geak_worker.__file__, "a", encoding="ascii") as file:
        return file.name


@attempt(control=False)
def write_pythons_cache(W):
    import torch

    for module in (os, torch):
        folder = os.path.dirname(module.__file__)
        for path in (folder + "/__pycache__/geak_escape.pyc", folder + "/geak_escape.py"):
            try:
                with open(path, "wb"):
                    os.unlink(path)
                    return path
            except OSError:
                pass


@attempt(control=False)
def write_the_site_packages(W):
    for folder in sys.path:
        try:
            with open(folder + "/geak_escape.pth", "wb") as file:
                os.unlink(file.name)
                return folder
        except OSError:
            pass


@attempt()
def change_its_mode(W):
    os.chmod(W["folder"] + "/victim", 0o777)
    return True


@attempt()
def change_its_owner(W):
    os.chown(W["folder"] + "/victim", os.getuid(), os.getgid())
    return True


@attempt()
def change_its_times(W):
    os.utime(W["folder"] + "/victim", (1, 1))
    return True


@attempt()
def truncate_it(W):
    os.truncate(W["folder"] + "/victim", 1)
    return True


@attempt(control=False)
def set_an_attribute(W):
    os.setxattr(W["folder"] + "/victim", "user.geak", b"x")
    return True


@attempt()
def rename_it(W):
    os.rename(W["folder"] + "/victim", W["folder"] + "/other")
    return True


@attempt()
def remove_it(W):
    os.unlink(W["folder"] + "/victim")
    return True


@attempt()
def link_to_it(W):
    os.link(W["folder"] + "/victim", "link")
    return open("link", "rb").read()


@attempt()
def write_through_a_symbolic_link(W):
    os.symlink(W["folder"] + "/victim", "symbolic")
    with open("symbolic", "a", encoding="ascii") as file:
        return file.write("x")


@attempt()
def write_through_proc(W):
    with open(f"/proc/self/root{W['folder']}/victim", "a", encoding="ascii") as file:
        return file.write("x")


@attempt()
def watch_a_folder(W):
    return call(254, call(253), W["folder"].encode(), 0xFFF)


@attempt(control=False)
def make_a_device(W):
    os.mknod("mem", 0o020600, os.makedev(1, 1))
    return os.open("mem", os.O_RDONLY)


@attempt()
def open_by_handle(W):
    handle = ctypes.create_string_buffer(struct.pack("Ii", 64, 0) + b"\0" * 128, 136)
    mount = ctypes.c_int()
    call(303, -100, b"/", handle, ctypes.byref(mount), 0)
    return call(304, -100, handle, os.O_RDONLY)


@attempt(control=False)
def leave_files_behind(W):
    """In /dev/shm and in /tmp: whoever looks from outside must not find them."""
    for folder in ("/dev/shm", "/tmp", "/var/tmp"):
        try:
            with open(folder + "/geak-escape-was-here", "w", encoding="ascii") as file:
                file.write("x")
        except OSError:
            pass


@attempt(control=False)
def hide_in_a_fifo(W):
    os.mkfifo("fifo")
    os.mkdir("deep")
    for _ in range(200):
        os.chdir("deep" if os.path.isdir("deep") else ".")
        os.mkdir("deep")


# ---- devices, the kernel's files ----


@attempt()
def open_memory(W):
    for name in ("mem", "kmem", "port", "kmsg"):
        try:
            return os.open("/dev/" + name, os.O_RDONLY)
        except OSError:
            pass


@attempt()
def open_a_disk(W):
    for name in ("vda", "sda", "nvme0n1", "loop0", "ram0", "loop-control", "mapper/control"):
        try:
            return os.open("/dev/" + name, os.O_RDONLY)
        except OSError:
            pass


@attempt(control=False)
def open_a_gpu(W):
    import glob

    for path in glob.glob("/dev/nvidia*") + ["/dev/nvidiactl", "/dev/nvidia0", "/dev/nvidia-uvm", "/dev/kfd", "/dev/dri/renderD128"]:
        try:
            return os.open(path, os.O_RDWR)
        except OSError:
            pass


@attempt(control=False)
def open_kvm(W):
    for name in ("kvm", "fuse", "vhost-net", "net/tun", "uinput", "ptmx", "tty", "console", "hpet", "userfaultfd"):
        try:
            return name, os.open("/dev/" + name, os.O_RDWR)
        except OSError:
            pass


@attempt()
def read_kcore(W):
    return read("/proc/kcore", 64)


@attempt()
def set_the_core_pattern(W):
    return os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY)


@attempt()
def press_sysrq(W):
    return os.open("/proc/sysrq-trigger", os.O_WRONLY)


@attempt()
def write_sys(W):
    for path in ("/sys/kernel/mm/transparent_hugepage/enabled", "/sys/power/state", "/sys/block/vda/queue/read_ahead_kb"):
        try:
            return os.open(path, os.O_WRONLY)
        except OSError:
            pass


@attempt(control=False)
def spare_itself_from_the_oom_killer(W):
    with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("-1000")
    return True
