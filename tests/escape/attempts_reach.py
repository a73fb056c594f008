"""Attempts on secrets, on sockets and on other processes (attempts.py says how they are tried)."""

import ctypes
import os
import resource
import signal
import socket
import struct

from attempts_common import attempt, call, pids, read

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
