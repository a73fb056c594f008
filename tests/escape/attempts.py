"""Attempts to get out of the sandbox. Each is a function that returns what it got hold of, or nothing.

The text of this file becomes the head of a candidate (run.py), which runs one attempt when it is imported: then it is
tried from where candidates are. Run as a program it is tried from outside, by the same user, without a sandbox: there
most of them must succeed, or they prove nothing. `W` says where the victims are.
"""

import ctypes
import errno
import mmap
import os
import resource
import signal
import socket
import struct
import sys
import time

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


# ---- secrets ----


@attempt()
def read_the_secret(W):
    return read(W["folder"] + "/secret")


@attempt()
def read_the_journal(W):
    return read(W["folder"] + "/run/journal.db")


@attempt()
def read_the_reference(W):
    return read(W["task"] + "/reference.py")


@attempt()
def read_the_oracle(W):
    return read(W["task"] + "/oracle.py")


@attempt()
def list_the_folder(W):
    return os.listdir(W["folder"])


@attempt()
def see_the_folder(W):
    """stat() alone tells whether a guess is right."""
    return os.path.exists(W["folder"]) and W["level"] != "landlock"


@attempt()
def read_the_keepers_environment(W):
    return W["token"].encode() in read(f"/proc/{W['keeper']}/environ")


@attempt()
def read_all_environments(W):
    for pid in pids():
        try:
            if W["token"].encode() in read(f"/proc/{pid}/environ"):
                return pid
        except OSError:
            pass


@attempt(control=False)
def find_a_token_in_the_own_environment(W):
    return [name for name in os.environ if any(word in name for word in ("KEY", "TOKEN", "SECRET", "GEAK"))]


@attempt()
def read_the_siblings_memory(W):
    with open(f"/proc/{W['sibling']}/mem", "rb", 0) as file:
        file.seek(W["address"])
        return file.read(16)


@attempt()
def copy_the_siblings_memory(W):
    into = ctypes.create_string_buffer(16)
    local = struct.pack("QQ", ctypes.addressof(into), 16)
    remote = struct.pack("QQ", W["address"], 16)
    call(310, W["sibling"], local, 1, remote, 1, 0)
    return into.raw


@attempt()
def write_the_siblings_memory(W):
    word = ctypes.create_string_buffer(b"overwritten.....", 16)
    call(311, W["sibling"], struct.pack("QQ", ctypes.addressof(word), 16), 1, struct.pack("QQ", W["address"] + 64, 16), 1, 0)
    return True


@attempt()
def trace_the_sibling(W):
    call(101, 0x4206, W["sibling"], 0, 0)  # PTRACE_SEIZE
    return True


@attempt(control=False)
def trace_the_keeper(W):
    call(101, 16, W["keeper"], 0, 0)
    return True


@attempt()
def read_the_siblings_maps(W):
    return len(read(f"/proc/{W['sibling']}/maps")) > 0


@attempt()
def open_the_siblings_descriptor(W):
    return os.open(f"/proc/{W['sibling']}/fd/{W['sibling_fd']}", os.O_RDONLY)


@attempt()
def take_the_siblings_descriptor(W):
    pidfd = os.pidfd_open(W["sibling"])
    return call(438, pidfd, W["sibling_fd"], 0)


@attempt(control=False)
def use_inherited_descriptors(W):
    """All there is: null, output, output, the result pipe."""
    found = []
    for fd in range(4, 1024):
        try:
            found.append((fd, os.readlink(f"/proc/self/fd/{fd}")))
        except OSError:
            pass
    return [item for item in found if "/proc/" not in item[1]]


@attempt()
def look_through_the_keepers_root(W):
    return os.listdir(f"/proc/{W['keeper']}/root{W['folder']}")


@attempt()
def look_through_the_roots_of_all(W):
    for pid in pids() + [1]:
        try:
            return os.listdir(f"/proc/{pid}/cwd/..")
        except OSError:
            pass


@attempt()
def climb_out_by_dots(W):
    return read("../" * 30 + W["folder"] + "/secret")


# ---- sockets ----


@attempt()
def connect_by_tcp(W):
    with socket.create_connection(("127.0.0.1", W["port"]), 2) as s:
        return s.send(b"x")


@attempt()
def send_by_udp(W):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        return s.sendto(b"x", ("127.0.0.1", W["port"]))


@attempt()
def connect_by_path(W):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(W["folder"] + "/socket")
        return s.send(b"x")


@attempt()
def connect_by_abstract_name(W):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect("\0" + W["abstract"])
        return s.send(b"x")


@attempt()
def send_from_a_pair_to_a_name(W):
    """A socket of a pair is a socket too."""
    ours, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    return ours.sendto(b"x", "\0" + W["abstract"] + "-dgram")


@attempt()
def send_a_descriptor_away(W):
    ours, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", 0))]
    return ours.sendmsg([b"x"], rights, 0, "\0" + W["abstract"] + "-dgram")


@attempt(control=False)
def open_a_vsock(W):
    return call(41, 40, 1, 0)


@attempt()
def open_netlink(W):
    return call(41, 16, 3, 0)


@attempt(control=False)
def open_a_raw_socket(W):
    return call(41, 17, 3, 0x300)


@attempt()
def listen_for_others(W):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        return s.getsockname()


# ---- other processes ----


@attempt()
def signal_the_sibling(W):
    os.kill(W["sibling"], signal.SIGUSR1)
    return True


@attempt()
def signal_the_keeper(W):
    os.kill(W["keeper"], 0)
    return True


@attempt()
def signal_the_parents(W):
    if os.getppid() > 0:
        os.kill(os.getppid(), 0)
        return True


@attempt()
def signal_everybody(W):
    """Signal 0 asks for the right alone. Never another here: where the sandbox does not hold it would end the machine's
    processes. In a pid namespace everybody is oneself, and there is nobody to ask for."""
    os.kill(-1, 0)
    return W["level"] != "namespaces"


@attempt()
def signal_by_pidfd(W):
    return call(424, os.pidfd_open(W["sibling"]), 0, None, 0) == 0


@attempt()
def signal_by_owner_of_a_pipe(W):
    """The kernel sends for us: F_SETOWN, F_SETSIG, O_ASYNC."""
    import fcntl

    ours, theirs = socket.socketpair()
    fcntl.fcntl(ours, 8, W["sibling"])
    fcntl.fcntl(ours, 10, int(signal.SIGUSR1))
    fcntl.fcntl(ours, fcntl.F_SETFL, os.O_NONBLOCK | 0o20000)
    theirs.send(b"x")
    return True


@attempt()
def slow_the_sibling_down(W):
    os.setpriority(os.PRIO_PROCESS, W["sibling"], 19)
    return True


@attempt()
def slow_the_siblings_group_down(W):
    os.setpriority(os.PRIO_PGRP, W["sibling"], 19)
    return True


@attempt()
def move_the_sibling_to_one_processor(W):
    os.sched_setaffinity(W["sibling"], {0})
    return True


@attempt()
def schedule_the_sibling(W):
    os.sched_setscheduler(W["sibling"], os.SCHED_BATCH, os.sched_param(0))
    return True


@attempt()
def limit_the_sibling(W):
    resource.prlimit(W["sibling"], resource.RLIMIT_NOFILE, (64, 64))
    return True


@attempt()
def freeze_by_control_group(W):
    for folder in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
        for name in ("cgroup.procs", "pids/cgroup.procs", "memory/cgroup.procs"):
            try:
                with open(f"{folder}/{name}", "w", encoding="ascii") as file:
                    return file.name
            except OSError:
                pass


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


def play(name, W):
    """What came of one attempt, as one line."""
    try:
        got = ATTEMPTS[name][0](W)
    except BaseException as error:
        return f"HELD {name}: {type(error).__name__}: {error}"[:200]
    return (f"ESCAPED {name}: {got!r}" if got else f"HELD {name}: nothing came of it")[:200]


if __name__ == "__main__":
    import json

    print(play(sys.argv[1], json.loads(sys.argv[2])))
