"""Frames between geak and its peers (docs/protocol.md): 32 bytes of header, JSON, blobs.

Two ways to send: over a socket, where each blob is a descriptor that travels with the first byte of the header, and
into a pipe, where blobs follow inline.
"""

from __future__ import annotations

import array
import fcntl
import json
import mmap
import os
import socket
import struct
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Sequence

MAGIC = 0x31574B47
HEAD = struct.Struct("<IHHQIHHQ")
LAST, INLINE = 1, 2
MAX_JSON = 1 << 20
MAX_BLOBS = 64
MAX_BLOB_BYTES = 32 << 20

TYPES = {
    "hello": 1, "cancel": 2, "error": 3, "log": 4,
    "capture": 10, "spawned": 11, "exited": 12, "ttir": 13, "plan": 14, "cannot": 15, "raised": 16, "end": 17,
    "contain": 18, "ran": 19, "mark": 23,
    "lower": 20, "object": 21, "rejected": 22,
    "inputs": 30, "expected": 31, "tensors": 32, "lint": 33, "linted": 34,
    "execute": 40, "executed": 41, "need": 42, "time": 43, "timed": 44,
}  # fmt: skip
NAMES = {number: name for name, number in TYPES.items()}


class FrameError(Exception):
    """The other side sent something that is not a frame, or a frame beyond the limits."""


@dataclass
class Frame:
    """One message. `blobs` holds inline contents; `fds` holds descriptors, which the receiver owns."""

    type: str
    id: int = 0
    json: Dict[str, Any] = field(default_factory=dict)
    last: bool = False
    blobs: List[bytes] = field(default_factory=list)
    fds: List[int] = field(default_factory=list)

    def close(self) -> None:
        """Closes the descriptors that are still here."""
        while self.fds:
            os.close(self.fds.pop())


def encode(frame: Frame) -> bytes:
    """Header, JSON and inline blobs. Raises FrameError when a part is too large for the wire."""
    text = json.dumps(frame.json, separators=(",", ":"), allow_nan=False).encode("utf-8", "backslashreplace")
    if len(text) > MAX_JSON:
        raise FrameError(f"a {frame.type} message of {len(text)} bytes is larger than {MAX_JSON}")
    count = len(frame.blobs) or len(frame.fds)
    if count > MAX_BLOBS:
        raise FrameError(f"a {frame.type} message with {count} blobs; at most {MAX_BLOBS} are allowed")
    size = sum(len(blob) for blob in frame.blobs)
    flags = (LAST if frame.last else 0) | (INLINE if frame.blobs else 0)
    parts = [HEAD.pack(MAGIC, TYPES[frame.type], flags, frame.id, len(text), count, 0, size), text]
    for blob in frame.blobs:
        parts += [struct.pack("<Q", len(blob)), blob]
    return b"".join(parts)


@dataclass
class Head:
    """The decoded 32 bytes at the start of a frame."""

    type: str
    flags: int
    id: int
    json_bytes: int
    blobs: int
    blob_bytes: int


def decode_head(data: bytes) -> Head:
    """Checks every field of a header. Raises FrameError."""
    magic, number, flags, ident, json_bytes, blobs, zero, blob_bytes = HEAD.unpack(data)
    if magic != MAGIC:
        raise FrameError(f"a frame starts with {magic:#x}, not with {MAGIC:#x}")
    if number not in NAMES:
        raise FrameError(f"unknown frame type {number}")
    if flags & ~(LAST | INLINE) or zero:
        raise FrameError(f"unknown flags {flags:#x} or a reserved field that is not zero in a {NAMES[number]} frame")
    if json_bytes > MAX_JSON or blobs > MAX_BLOBS or blob_bytes > MAX_BLOB_BYTES:
        raise FrameError(f"a {NAMES[number]} frame is beyond the limits")
    return Head(NAMES[number], flags, ident, json_bytes, blobs, blob_bytes)


def decode_json(text: bytes) -> Dict[str, Any]:
    """The object of a frame. Raises FrameError."""
    try:
        value = json.loads(text.decode("utf-8"))
    except ValueError as error:
        raise FrameError(f"a frame without proper JSON: {error}") from None
    if not isinstance(value, dict):
        raise FrameError("a frame whose JSON is not an object")
    return value


class Channel:
    """Frames over a connected stream socket, blocking, one thread."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    @classmethod
    def from_environment(cls) -> "Channel":
        """The socket whose number stands in GEAK_FD. Raises FrameError when there is none."""
        text = os.environ.pop("GEAK_FD", "")
        if not text.isdigit():
            raise FrameError("GEAK_FD does not name a descriptor: this program is started by geak")
        os.set_inheritable(int(text), False)
        return cls(socket.socket(fileno=int(text)))

    def fileno(self) -> int:
        return self.sock.fileno()

    def _exactly(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            chunk = self.sock.recv(size - len(data))
            if not chunk:
                raise FrameError("the connection ended within a frame")
            data += chunk
        return bytes(data)

    def receive(self) -> Optional[Frame]:
        """The next frame, or None at the end of the stream. Raises FrameError."""
        first, fds = _receive_first(self.sock)
        if not first:
            return None
        frame = Frame("error", fds=fds)
        try:
            head = decode_head(first + self._exactly(HEAD.size - 1))
            frame.type, frame.id, frame.last = head.type, head.id, bool(head.flags & LAST)
            frame.json = decode_json(self._exactly(head.json_bytes))
            if head.flags & INLINE:
                frame.blobs = self._inline(head)
            elif head.blobs != len(fds):
                raise FrameError(f"a {head.type} frame promises {head.blobs} descriptors and brings {len(fds)}")
        except BaseException:
            frame.close()
            raise
        return frame

    def _inline(self, head: Head) -> List[bytes]:
        left, blobs = head.blob_bytes, []
        for _ in range(head.blobs):
            (size,) = struct.unpack("<Q", self._exactly(8))
            if size > left:
                raise FrameError(f"the blobs of a {head.type} frame are larger than it says")
            left -= size
            blobs.append(self._exactly(size))
        if left:
            raise FrameError(f"the blobs of a {head.type} frame are smaller than it says")
        return blobs

    def send(self, frame: Frame) -> None:
        """Sends the frame, its descriptors with the first byte. Descriptors stay open here."""
        data = encode(frame)
        if frame.fds:
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", frame.fds))]
            sent = self.sock.sendmsg([data[:1]], rights)
            data = data[sent:]
        self.sock.sendall(data)


def _receive_first(sock: socket.socket) -> "tuple[bytes, List[int]]":
    """The first byte of a frame, and the descriptors that came with it."""
    room = socket.CMSG_SPACE(MAX_BLOBS * 4)
    data, ancillary, flags, _ = sock.recvmsg(1, room, socket.MSG_CMSG_CLOEXEC)
    fds = array.array("i")
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
    if flags & socket.MSG_CTRUNC:
        for fd in fds:
            os.close(fd)
        raise FrameError(f"more than {MAX_BLOBS} descriptors in one frame")
    return data, list(fds)


class PipeWriter:
    """Frames into a pipe, blobs inline."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def send(self, frame: Frame) -> None:
        data = memoryview(encode(frame))
        while data:
            data = data[os.write(self.fd, data) :]


SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL


def sealed_memfd(name: str, data: Any) -> int:
    """A memory file with the bytes of `data` (any buffer), sealed against every change. The caller owns it."""
    fd = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        view = memoryview(data).cast("B")
        while view:
            view = view[os.write(fd, view) :]
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, SEALS)
    except BaseException:
        os.close(fd)
        raise
    return fd


def read_memfd(fd: int, limit: int) -> bytes:
    """The whole content of a memory file. Raises FrameError when it is larger than `limit`."""
    size = os.fstat(fd).st_size
    if size > limit:
        raise FrameError(f"a memory file of {size} bytes; at most {limit} are allowed")
    return os.pread(fd, size, 0) if size < 1 << 30 else _read_large(fd, size)


def _read_large(fd: int, size: int) -> bytes:
    with mmap.mmap(fd, size, access=mmap.ACCESS_READ) as mapped:
        return mapped[:]


def send_all(channel: Channel, frames: Sequence[Frame]) -> None:
    for frame in frames:
        channel.send(frame)
