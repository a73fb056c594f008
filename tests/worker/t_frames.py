"""Frames: what is written is read back, and what lies is refused."""

from __future__ import annotations

import fcntl
import os
import socket
import struct

from geak_worker import frames
from geak_worker.frames import FrameError, PipeWriter, decode_head, encode, read_memfd
from helper import Channel, Frame, Tests, parse, sealed_memfd

tests = Tests()
test = tests.add


def pair() -> "tuple[Channel, Channel]":
    a, b = socket.socketpair()
    return Channel(a), Channel(b)


def refused(data: bytes) -> str:
    """The complaint about bytes that came over a socket."""
    a, b = pair()
    a.sock.sendall(data)
    a.sock.close()
    try:
        b.receive()
    except FrameError as error:
        return str(error)
    raise AssertionError("it was taken")


@test
def descriptors_travel_with_the_first_byte() -> None:
    a, b = pair()
    fd = sealed_memfd("x", b"hello")
    a.send(Frame("inputs", 7, {"k": [1, "é"]}, last=True, fds=[fd, fd]))
    got = b.receive()
    assert got is not None and (got.type, got.id, got.json, got.last) == ("inputs", 7, {"k": [1, "é"]}, True)
    assert len(got.fds) == 2 and all(read_memfd(f, 100) == b"hello" for f in got.fds)
    got.close()
    a.sock.close()
    assert b.receive() is None


@test
def blobs_travel_inline_through_pipes_and_sockets() -> None:
    read, write = os.pipe()
    PipeWriter(write).send(Frame("ttir", json={"hashes": ["a", "b"]}, blobs=[b"", b"xyz"]))
    os.close(write)
    data = os.read(read, 4096)
    assert parse(data)[0].blobs == [b"", b"xyz"]
    a, b = pair()
    a.sock.sendall(data)
    got = b.receive()
    assert got is not None and got.blobs == [b"", b"xyz"]


@test
def a_header_is_32_little_endian_bytes() -> None:
    data = encode(Frame("exited", 258, {}))
    assert data[:32] == b"GKW1" + b"\x0c\x00\x00\x00" + b"\x02\x01" + bytes(6) + b"\x02\x00\x00\x00" + bytes(12)
    assert decode_head(data[:32]).type == "exited"


@test
def lies_are_refused() -> None:
    good = bytearray(encode(Frame("ttir", 1, {"h": 1}, blobs=[b"abc"])))
    assert "starts with" in refused(b"GKW2" + good[4:])
    assert "unknown frame type" in refused(good[:4] + b"\xff\xff" + good[6:])
    assert "flags" in refused(good[:6] + b"\x84\x00" + good[8:])
    assert "limits" in refused(good[:16] + b"\xff\xff\xff\x7f" + good[20:])
    assert "within a frame" in refused(bytes(good[:-1]))
    assert "larger than it says" in refused(good[:24] + struct.pack("<Q", 2) + good[32:])
    assert "smaller than it says" in refused(good[:24] + struct.pack("<Q", 4) + good[32:])
    assert "promises" in refused(good[:6] + b"\x00\x00" + good[8:])
    head = struct.pack("<IHHQIHHQ", frames.MAGIC, 1, 0, 0, 2, 0, 0, 0)
    assert "not an object" in refused(head + b"[]") and "proper JSON" in refused(head + b"{\xff")


@test
def too_many_descriptors_are_closed_and_refused() -> None:
    a, b = pair()
    fd = sealed_memfd("x", b"")
    before = len(os.listdir("/proc/self/fd"))
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("70i", *[fd] * 70))]
    a.sock.sendmsg([encode(Frame("lint", 1, {}))], rights)
    try:
        b.receive()
        raise AssertionError("taken")
    except FrameError:
        pass
    assert len(os.listdir("/proc/self/fd")) == before


@test
def memory_files_are_sealed() -> None:
    fd = sealed_memfd("x", b"abc")
    assert fcntl.fcntl(fd, fcntl.F_GET_SEALS) == frames.SEALS
    try:
        os.write(fd, b"d")
        raise AssertionError("written")
    except PermissionError:
        pass


if __name__ == "__main__":
    tests.main()
