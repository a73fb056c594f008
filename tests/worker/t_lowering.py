"""Lowering workers: what comes out for each target, what a code object says of itself, what is refused and why."""

from __future__ import annotations

import hashlib
import os
import random
import re
import signal
import tempfile
from typing import Any, Dict, List, Optional, Tuple

import triton
from geak_worker import code_object, lowering
from geak_worker.box import PlainBox
from geak_worker.frames import read_memfd
from helper import HERE, Frame, Peer, Tests, drain, sealed_memfd

tests = Tests()
test = tests.add
_peer: Optional[Peer] = None
TARGETS = {"sm_80": 32, "sm_90": 32, "sm_100": 32, "gfx90a": 64, "gfx942": 64, "gfx950": 64}
OLD = tuple(int(n) for n in triton.__version__.split(".")[:2]) < (3, 5)
if OLD and not os.path.exists("/opt/rocm/llvm/bin/ld.lld"):  # AMD's linker came with ROCm
    TARGETS = {name: size for name, size in TARGETS.items() if name.startswith("sm_")}
PLAIN = {"num_warps": 4, "num_stages": 2, "num_ctas": 1, "enable_fp_fusion": True}
ASM = """
module {
  tt.func public @asm(%p: !tt.ptr<i32>) attributes {noinline = false} {
    %r = tt.make_range {end = 128 : i32, start = 0 : i32} : tensor<128xi32>
    %a = tt.elementwise_inline_asm "no such thing $0, $1;" {constraints = "=r,r", packed_element = 1 : i32, pure = true} %r : tensor<128xi32> -> tensor<128xi32>
    %s = tt.splat %p : !tt.ptr<i32> -> tensor<128x!tt.ptr<i32>>
    %q = tt.addptr %s, %r : tensor<128x!tt.ptr<i32>>, tensor<128xi32>
    tt.store %q, %a : tensor<128x!tt.ptr<i32>>
    tt.return
  }
}
"""
ERF = """
module {
  tt.func public @erf(%p: !tt.ptr<f32>) attributes {noinline = false} {
    %r = tt.make_range {end = 128 : i32, start = 0 : i32} : tensor<128xi32>
    %s = tt.splat %p : !tt.ptr<f32> -> tensor<128x!tt.ptr<f32>>
    %q = tt.addptr %s, %r : tensor<128x!tt.ptr<f32>>, tensor<128xi32>
    %x = tt.load %q : tensor<128x!tt.ptr<f32>>
    %y = math.erf %x : tensor<128xf32>
    tt.store %q, %y : tensor<128x!tt.ptr<f32>>
    tt.return
  }
}
"""


def peer() -> Peer:
    global _peer
    if _peer is None:
        _peer = Peer("lowering")
    return _peer


def text_of(name: str) -> str:
    """The IR of a test kernel as the installed Triton writes it."""
    folder = os.path.join(HERE, "..", "data", "ttir")
    version = ".".join(triton.__version__.split(".")[:2])
    for candidate in (f"{name}-{version}.ttir", f"{name}.ttir"):
        if os.path.exists(os.path.join(folder, candidate)):
            with open(os.path.join(folder, candidate), encoding="utf-8") as file:
                return file.read()
    raise FileNotFoundError(name)


def lower(text: str, target: str, **options: Any) -> Tuple[Frame, bytes]:
    """The answer, and the code where there is one."""
    fd = sealed_memfd("ttir", text.encode())
    request = {"target": target, "ttir": "ab" * 32, "options": {**PLAIN, **options}}
    answer = peer().ask(Frame("lower", 7, request, fds=[fd]))
    os.close(fd)
    assert answer.id == 7 and answer.last, answer
    return answer, read_memfd(answer.fds[0], 1 << 26) if answer.fds else b""


def objects(name: str, target: str, **options: Any) -> Tuple[Dict[str, Any], bytes]:
    answer, code = lower(text_of(name), target, **options)
    assert answer.type == "object", answer.json
    return answer.json, code


def instructions(code: bytes) -> bytes:
    """The text sections alone: line tables name files that differ."""
    return b"".join(s.data for s in code_object.sections(code)[1] if s.name.startswith(".text"))


@test
def hello_names_the_compilers() -> None:
    hello = peer().hello
    assert hello.json["role"] == "lowering" and hello.json["slots"] == 1
    facts = hello.json["facts"]
    assert f"triton {triton.__version__}" in facts["toolchain"] and len(facts["stamp"]) == 64
    assert set(TARGETS) <= set(facts["targets"])


@test
def a_matmul_lowers_for_every_target() -> None:
    for target, warp_size in TARGETS.items():
        made, code = objects("matmul", target)
        assert made["object"] == hashlib.sha256(code).hexdigest() and code[:4] == b"\x7fELF"
        assert (made["ttir"], made["target"], made["name"]) == ("ab" * 32, target, "matmul")
        assert (made["warps"], made["warp_size"], made["ctas"], made["cluster"]) == (4, warp_size, 1, [1, 1, 1])
        assert made["regs"] >= 32 and made["spills"] == 0 and made["shared"] >= 4096, made
        # three pointers, five numbers, and what Triton adds
        sizes = [param["bytes"] for param in made["params"]]
        assert sizes[:8] == [8, 8, 8, 4, 4, 4, 4, 4] and set(sizes[8:]) <= {8}, made["params"]
        assert made["params"][-1]["at"] + 8 <= made["param_bytes"]


@test
def the_code_is_triton_s_own() -> None:
    for target in {"sm_90", "gfx942"} & set(TARGETS):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "k.ttir")
            with open(path, "w", encoding="utf-8") as file:
                file.write(text_of("softmax"))
            os.environ["TRITON_CACHE_DIR"] = folder
            fresh = triton.compile(path, target=lowering.target_of(target), options=dict(PLAIN))
            want = fresh.asm["cubin" if target == "sm_90" else "hsaco"]
        _, first = objects("softmax", target)
        _, again = objects("softmax", target)
        assert first == again, "two lowerings of one text differ"
        assert instructions(first) == instructions(want) != b"", target


@test
def options_reach_the_compiler() -> None:
    made, _ = objects("matmul", "sm_90", num_warps=8)
    assert made["warps"] == 8
    made, _ = objects("matmul", "sm_90", maxnreg=32)
    assert made["regs"] <= 32 and made["spills"] > 0, made
    made, _ = objects("softmax", "sm_90", launch_cooperative_grid=True, launch_pdl=True)
    assert made["cooperative"] and made["pdl"]


@test
def a_descriptor_has_a_tensor_map_where_the_target_has_them() -> None:
    made, _ = objects("host_descriptor", "sm_90")
    (desc,) = made["desc"]
    assert (desc["elem_bytes"], desc["fp4_padded"]) == (4, False) and len(desc["block"]) == 2, desc
    assert made["params"][0]["bytes"] == 128 and [p["bytes"] for p in made["params"][1:6]] == [4, 4, 8, 8, 8]


@test
def what_does_not_compile_is_rejected_with_the_log() -> None:
    answer, _ = lower(ASM, "sm_90")
    assert answer.type == "rejected" and "ptxas" in answer.json["log"], answer.json
    if not OLD:  # which crashes
        answer, _ = lower(text_of("softmax"), "sm_80", num_ctas=2)
        assert answer.type == "rejected" and "num_ctas" in answer.json["log"], answer.json
    answer, _ = lower("module { tt.func public @f( }", "gfx942")
    assert answer.type == "rejected" and "expected" in answer.json["log"], answer.json
    assert lower(text_of("softmax"), "sm_90")[0].type == "object", "the worker goes on"


@test
def a_missing_tool_is_not_the_kernel_s_fault() -> None:
    def compile_text(*_: Any) -> Any:
        raise RuntimeError("Cannot find ptxas")

    kept, lowering.compile_text = lowering.compile_text, compile_text
    try:
        frame = lowering.lower_apart(PlainBox(), "", "ab" * 32, "sm_90", PLAIN, "")
    finally:
        lowering.compile_text = kept
    assert frame.type == "error" and frame.json["kind"] == "system" and "ptxas" in frame.json["message"], frame


@test
def what_is_not_allowed_is_an_error() -> None:
    for options in ({"ptx_options": "--maxrregcount=8"}, {"ir_override": "/etc/passwd"}, {"num_warps": True},
                    {"num_warps": "4"}, {"extern_libs": {}}):  # fmt: skip
        answer, _ = lower(text_of("softmax"), "sm_90", **options)
        assert answer.type == "error" and "is not allowed" in answer.json["message"], (options, answer.json)
    for target in ("cpu", "sm_9000", "gfx", "x86", "sm_90; rm"):
        answer, _ = lower(text_of("softmax"), target)
        assert answer.type == "error" and "no target" in answer.json["message"], answer.json


@test
def the_log_has_a_ceiling_and_keeps_both_ends() -> None:
    log = lowering.shortened("first\n" + "x" * (1 << 20) + "\nlast")
    assert len(log) <= lowering.MAX_LOG and log.startswith("first") and log.endswith("last")
    assert lowering.shortened("short") == "short"


@test
def writable_data_is_triton_s_own_or_refused() -> None:
    _, code = objects("calls", "sm_90")
    assert code_object.read(code).data == ["printfFormat_0"], code_object.read(code)
    answer, code = lower(ERF, "sm_90")
    assert answer.type == "object" and code_object.read(code).data == ["_$_str"], answer.json
    answer, code = lower(ERF.replace("math.erf", "math.cos"), "sm_90")
    assert answer.type == "object" and "__cudart_i2opi_f" in code_object.read(code).data, answer.json
    assert code_object.read(objects("softmax", "sm_90")[1]).data == []
    own, lowering.OWN_DATA = lowering.OWN_DATA, re.compile("nothing")
    try:
        lowering.lower(ERF, "ab" * 32, "sm_90", PLAIN, "")
    except lowering.Rejected as error:
        assert "writable data of its own: _$_str" in str(error)
    else:
        raise AssertionError("foreign data was accepted")
    finally:
        lowering.OWN_DATA = own


@test
def a_crash_takes_the_worker_along_with_the_last_words() -> None:
    def crash(*_: Any) -> Any:
        os.write(1, b"a whole PTX file\n")
        os.write(2, b"note: it was like this\nLLVM ERROR: no such thing\nand so on\n")
        os.abort()

    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(write, 2)
        os.close(read)
        os.close(write)
        lowering.lower = crash
        lowering.lower_apart(PlainBox(), "", "", "", {}, "")
        os._exit(0)
    os.close(write)
    said = drain(read)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGABRT, status
    assert said == b"LLVM ERROR: no such thing\n", said


@test
def damaged_code_objects_are_refused_or_read() -> None:
    draw = random.Random(5)
    for target in {"sm_90", "gfx942"} & set(TARGETS):
        code = objects("softmax", target)[1]
        damaged: List[bytes] = [code[: draw.randrange(len(code))] for _ in range(200)]
        for _ in range(400):
            copy = bytearray(code)
            for _ in range(draw.randrange(1, 8)):
                copy[draw.randrange(len(copy))] = draw.randrange(256)
            damaged.append(bytes(copy))
        refused = 0
        for data in damaged:
            try:
                code_object.read(data)
            except code_object.CodeObjectError:
                refused += 1
        assert refused > 100, refused


@test
def msgpack_is_read_as_it_is_written() -> None:
    value, end = code_object.unpack(bytes.fromhex("83a16101a162c3a1639301cd0100a378797a"), 0)
    assert value == {"a": 1, "b": True, "c": [1, 256, "xyz"]} and end == 18
    for bad in ("c1", "a5" + "41", "c4"):
        try:
            code_object.unpack(bytes.fromhex(bad), 0)
        except code_object.CodeObjectError:
            continue
        raise AssertionError(bad)


@test
def it_ends_with_its_stream() -> None:
    global _peer
    assert peer().close() == 0
    _peer = None


tests.main()
