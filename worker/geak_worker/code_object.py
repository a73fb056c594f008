"""What a code object says of itself: a cubin in its .nv.info sections, an hsaco in a note of msgpack.

Only what a device needs to launch it and people want to know is read. Everything is checked against the ends of the
file: a code object that does not parse is an error of ours, not of the kernel.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Tuple

MACHINE_CUDA, MACHINE_AMDGPU = 190, 224
SHF_WRITE, SHF_ALLOC = 1, 2
NT_AMDGPU_METADATA = 32
SYMBOL_TABLE, SECTION_SYMBOL = 2, 3
# Kinds of entries in .nv.info, and how long they are: a number follows the kind, or for LONG a length and bytes.
NO_VALUE, BYTE, HALF, LONG = 1, 2, 3, 4
FRAME_SIZE, KPARAM_INFO, CBANK_PARAM_SIZE, REGCOUNT = 0x11, 0x17, 0x19, 0x2F


class CodeObjectError(Exception):
    """A code object that is not as it should be."""


@dataclass
class Section:
    """One section: its name, type, flags and contents (`size` alone where it takes no room in the file)."""

    name: str
    type: int
    flags: int
    size: int
    data: bytes


@dataclass
class Facts:
    """Sizes in bytes; `params` are (offset, size) in order; `spills` in 32-bit words of one thread."""

    name: str
    params: List[Tuple[int, int]] = field(default_factory=list)
    param_bytes: int = 0
    regs: int = 0
    spills: int = 0
    static_shared: int = 0
    data: List[str] = field(default_factory=list)  # names of what it has in writable memory of its own


def sections(code: bytes) -> Tuple[int, List[Section]]:
    """Machine and sections of an ELF file. Raises CodeObjectError."""
    if code[:6] != b"\x7fELF\x02\x01":
        raise CodeObjectError("not a little-endian ELF file of 64 bits")
    try:
        machine, offset = struct.unpack_from("<H", code, 18)[0], struct.unpack_from("<Q", code, 40)[0]
        size, count, names = struct.unpack_from("<HHH", code, 58)
        heads = [struct.unpack_from("<IIQQQQ", code, offset + i * size) for i in range(count)]
        table = _part(code, heads[names][4], heads[names][5])
    except (struct.error, IndexError):
        raise CodeObjectError("its table of sections is cut off") from None
    made = []
    for name, type_, flags, _, begin, length in heads:
        end = table.find(b"\0", name)
        data = b"" if type_ in (0, 8) else _part(code, begin, length)
        made.append(Section(table[name:end].decode("utf-8", "replace"), type_, flags, length, data))
    return machine, made


def _part(code: bytes, begin: int, length: int) -> bytes:
    if begin + length > len(code):
        raise CodeObjectError("a section ends behind the end of the file")
    return code[begin : begin + length]


def read(code: bytes) -> Facts:
    """The facts of a cubin or hsaco with one kernel. Raises CodeObjectError."""
    machine, all_sections = sections(code)
    try:
        if machine == MACHINE_CUDA:
            return _cubin(all_sections)
        if machine == MACHINE_AMDGPU:
            return _hsaco(all_sections)
    except (struct.error, IndexError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise CodeObjectError(f"its description of the kernel cannot be read: {error!r}") from None
    raise CodeObjectError(f"code for machine {machine}, which is neither CUDA's nor AMDGPU's")


def _data_of(all_sections: List[Section], is_data: Callable[[str], bool]) -> List[str]:
    """Names of the objects in sections that are loaded writable; a section that has none gives its own name."""
    wanted = {i: s.name for i, s in enumerate(all_sections)
              if s.size and s.flags & SHF_WRITE and s.flags & SHF_ALLOC and is_data(s.name)}  # fmt: skip
    texts = b"".join(s.data for s in all_sections if s.name == ".strtab")
    found: Dict[int, List[str]] = {index: [] for index in wanted}
    for table in (s.data for s in all_sections if s.type == SYMBOL_TABLE):
        for name, info, _, index, _, _ in struct.iter_unpack("<IBBHQQ", table):
            if index in wanted and info & 15 != SECTION_SYMBOL:
                found[index].append(texts[name : texts.find(b"\0", name)].decode("utf-8", "replace"))
    return [name for index, names in found.items() for name in names or [wanted[index]]]


# ---- cubin ----


def _cubin(all_sections: List[Section]) -> Facts:
    names = [s.name[len(".nv.constant0.") :] for s in all_sections if s.name.startswith(".nv.constant0.")]
    if len(names) != 1:
        raise CodeObjectError(f"{len(names)} entries, one is due")
    facts = Facts(names[0])
    frame = 0
    for section in all_sections:
        if section.name == ".nv.info":
            frame, facts.regs = _function_info(section.data)
        elif section.name == ".nv.info." + facts.name:
            _entry_info(section.data, facts)
        elif section.name == ".nv.shared." + facts.name:
            facts.static_shared = section.size
    facts.spills = (frame + 3) // 4
    facts.data = _data_of(all_sections, lambda name: name.startswith(".nv.global"))
    return facts


def _info(data: bytes) -> List[Tuple[int, Any]]:
    """Entries of a .nv.info section: the kind, and a number or bytes."""
    at, out = 0, []
    while at < len(data):
        form, kind, number = struct.unpack_from("<BBH", data, at)
        at += 4
        if form == LONG:
            out.append((kind, data[at : at + number]))
            at += number
        elif form in (NO_VALUE, BYTE, HALF):
            out.append((kind, number))
        else:
            raise CodeObjectError(f"an entry of form {form} in .nv.info")
    return out


def _function_info(data: bytes) -> Tuple[int, int]:
    """Largest stack frame and most registers over the functions of the module: of a call the deepest counts."""
    entries = [(kind, struct.unpack_from("<II", value)[1]) for kind, value in _info(data)
               if kind in (FRAME_SIZE, REGCOUNT)]  # fmt: skip
    return (max((n for kind, n in entries if kind == FRAME_SIZE), default=0),
            max((n for kind, n in entries if kind == REGCOUNT), default=0))  # fmt: skip


def _entry_info(data: bytes, facts: Facts) -> None:
    params: Dict[int, Tuple[int, int]] = {}
    for kind, value in _info(data):
        if kind == KPARAM_INFO:
            _, ordinal, offset, word = struct.unpack("<IHHI", value)
            params[ordinal] = offset, word >> 18
        elif kind == CBANK_PARAM_SIZE:
            facts.param_bytes = value
    if sorted(params) != list(range(len(params))):
        raise CodeObjectError("its parameters are not numbered from 0 on")
    facts.params = [params[i] for i in range(len(params))]


# ---- hsaco ----


def _hsaco(all_sections: List[Section]) -> Facts:
    notes = [s.data for s in all_sections if s.type == 7]
    kernels = [k for data in notes for k in _amd_metadata(data).get("amdhsa.kernels", [])]
    if len(kernels) != 1:
        raise CodeObjectError(f"{len(kernels)} kernels, one is due")
    kernel = kernels[0]
    args = [a for a in kernel.get(".args", []) if not a[".value_kind"].startswith("hidden_")]
    data = _data_of(all_sections, lambda name: name in (".data", ".bss"))
    return Facts(kernel[".name"], [(a[".offset"], a[".size"]) for a in args], kernel[".kernarg_segment_size"],
                 kernel[".vgpr_count"], (kernel[".private_segment_fixed_size"] + 3) // 4,
                 kernel[".group_segment_fixed_size"], data)  # fmt: skip


def _amd_metadata(note: bytes) -> Dict[str, Any]:
    """The map in AMDGPU's note of a .note section; {} when it has none."""
    at = 0
    while at + 12 <= len(note):
        name_size, size, kind = struct.unpack_from("<III", note, at)
        begin = at + 12 + (name_size + 3) // 4 * 4
        if kind == NT_AMDGPU_METADATA and note[at + 12 : at + 12 + name_size] == b"AMDGPU\0":
            value, _ = unpack(note[begin : begin + size], 0)
            return value if isinstance(value, dict) else {}
        at = begin + (size + 3) // 4 * 4
    return {}


def unpack(data: bytes, at: int, depth: int = 0) -> Tuple[Any, int]:
    """One msgpack value and where the next begins: maps, arrays, texts, whole numbers, truth values, nil."""
    if depth > 16:
        raise CodeObjectError("msgpack nested too deeply")
    head = data[at]
    at += 1
    if head < 0x80 or head >= 0xE0:
        return (head if head < 0x80 else head - 256), at
    if head < 0x90:
        return _map(data, at, head & 15, depth)
    if head < 0xA0:
        return _array(data, at, head & 15, depth)
    if head < 0xC0:
        return _text(data, at, head & 31)
    if head in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}[head], at
    if head in _NUMBERS:
        form = _NUMBERS[head]
        return struct.unpack_from(form, data, at)[0], at + struct.calcsize(form)
    if head in _LENGTHS:
        read_more, form = _LENGTHS[head]
        length = struct.unpack_from(form, data, at)[0]
        at += struct.calcsize(form)
        return _text(data, at, length) if read_more is None else read_more(data, at, length, depth)
    raise CodeObjectError(f"a msgpack value of kind {head:#x}")


def _map(data: bytes, at: int, count: int, depth: int) -> Tuple[Dict[Any, Any], int]:
    out: Dict[Any, Any] = {}
    for _ in range(count):
        key, at = unpack(data, at, depth + 1)
        out[key], at = unpack(data, at, depth + 1)
    return out, at


def _array(data: bytes, at: int, count: int, depth: int) -> Tuple[List[Any], int]:
    out: List[Any] = []
    for _ in range(count):
        value, at = unpack(data, at, depth + 1)
        out.append(value)
    return out, at


def _text(data: bytes, at: int, length: int) -> Tuple[str, int]:
    if at + length > len(data):
        raise CodeObjectError("msgpack is cut off")
    return data[at : at + length].decode("utf-8", "replace"), at + length


_NUMBERS = {0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q", 0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q",
            0xCA: ">f", 0xCB: ">d"}  # fmt: skip
_LENGTHS: Dict[int, Tuple[Any, str]] = {0xD9: (None, ">B"), 0xDA: (None, ">H"), 0xDB: (None, ">I"),
                                        0xDC: (_array, ">H"), 0xDD: (_array, ">I"), 0xDE: (_map, ">H"),
                                        0xDF: (_map, ">I")}  # fmt: skip
