"""Candidates that run for real, on Triton's interpreter: what they return, launch and may write."""

from __future__ import annotations

import os
import signal
import struct
import sys
from typing import Any, Dict, List, Optional, Sequence

if "REAL_COMPILE" not in os.environ:
    os.environ["TRITON_INTERPRET"] = "1"  # before triton is loaded, as in the process of the role

from helper import Peer, Tests, drain, parse, scalar, sealed_memfd, source, tensor  # noqa: E402

from geak_worker.frames import Frame, PipeWriter  # noqa: E402

tests = Tests()
test = tests.add

TWICE = """
@triton.jit
def kernel(x, out, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out + at, tl.load(x + at, mask=at < n) * 2, mask=at < n)

def twice(x):
    out = torch.empty_like(x)
    kernel[(triton.cdiv(out.numel(), 16),)](x, out, out.numel(), BLOCK=16)
    return out
"""
VALUES = [float(i) for i in range(40)]


class Ran:
    """What came of calls in a forked process: frames, contents of the results, how it ended."""

    def __init__(self, text: str, entry: str, calls: Sequence[Sequence[Dict[str, Any]]], times: int = 0,
                 files: Optional[List[bytes]] = None) -> None:  # fmt: skip
        files = files or [struct.pack("40f", *VALUES)] * sum(a["kind"] == "tensor" for call in calls for a in call)
        inputs = [sealed_memfd("in", data) for data in files]
        outputs = [os.memfd_create("out") for _ in calls]
        for fd in outputs:
            os.ftruncate(fd, 160)
        request = {"entry": {"name": entry}, "target": "cpu", "allow": [], "timed": times, "calls": [
            {"args": list(call), "outputs": [160], "times": times} for call in calls]}  # fmt: skip
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(read)
            from geak_worker import contained
            from geak_worker.witness import Witness

            contained.main(request, text.encode(), inputs + outputs, PipeWriter(write).send, False, Witness(None))
            os._exit(0)
        os.close(write)
        self.frames = parse(drain(read))
        _, self.status = os.waitpid(pid, 0)
        self.told = [frame.json for frame in self.frames if frame.type == "ran"]
        self.raised = next((frame.json for frame in self.frames if frame.type == "raised"), {})
        self.marks = [frame.json for frame in self.frames if frame.type == "mark"]
        self.results = [list(struct.unpack("40f", os.pread(fd, 160, 0))) for fd in outputs]
        for fd in [*inputs, *outputs]:
            os.close(fd)


X = tensor("x", 40)


@test
def results_are_in_the_files_and_launches_are_told() -> None:
    ran = Ran(source(TWICE), "twice", [[X], [X]])
    assert [frame.type for frame in ran.frames] == ["ran", "ran", "end"], ran.frames
    assert ran.results == [[2 * v for v in VALUES]] * 2
    (output,) = ran.told[0]["outputs"]
    assert output == {"class": "Tensor", "is_tensor": True, "dtype": "float32", "shape": [40], "strides": [1], "device": "cpu", "input": None}
    (launch,) = ran.told[0]["launches"]
    assert launch["name"] == "kernel" and launch["grid"] == [3, 1, 1] and launch["own"] and launch["line"] == 12, launch
    assert len(launch["source"]) == 64 and ran.told[0]["total"] == 1 and ran.told[0]["census"] == []


@test
def a_write_to_an_input_ends_the_process() -> None:
    ran = Ran(source(TWICE) + source("def f(x):\n    kernel[(3,)](x, x, 40, BLOCK=16)\n    return x"), "f", [[X]])
    assert os.WIFSIGNALED(ran.status) and os.WTERMSIG(ran.status) == signal.SIGSEGV and not ran.told
    ran = Ran(source("def f(x):\n    x.add_(1)\n    return x"), "f", [[X]])
    assert os.WIFSIGNALED(ran.status), "by the framework as well"


@test
def what_may_be_written_in_place_can_be() -> None:
    ran = Ran(source(TWICE) + source("def f(x):\n    kernel[(3,)](x, x, 40, BLOCK=16)\n    return x"), "f", [[{**X, "in_place": True}]])
    assert ran.told[0]["outputs"][0]["input"] == "x" and ran.results[0] == [2 * v for v in VALUES]


@test
def classes_of_its_own_are_named_and_not_read() -> None:
    ran = Ran(source("class Lazy(torch.Tensor):\n    pass\n\ndef f(x):\n    return (x + 0).as_subclass(Lazy)"), "f", [[X]])
    assert ran.told[0]["outputs"] == [{"class": "Lazy", "is_tensor": True}] and ran.results[0] == [0.0] * 40
    ran = Ran(source("def f(x):\n    return [3, None]"), "f", [[X]])
    assert [o["class"] for o in ran.told[0]["outputs"]] == ["int", "NoneType"] and ran.told[0]["count"] == 2


@test
def the_frameworks_work_on_data_is_counted() -> None:
    text = source(
        """
        def f(x):
            table = torch.arange(40) * 2 + 1          # from nothing: of no interest
            if x[3].item() > 0:
                y = torch.empty_like(x).copy_(x)
            return (y * table[0]).contiguous()
        """
    )
    ran = Ran(text, "f", [[X]])
    found = {(item["op"], item["what"], item["line"]) for item in ran.told[0]["census"]}
    assert found == {("aten::_local_scalar_dense", "read", 7), ("aten::copy_", "move", 8), ("aten::mul", "arithmetic", 9)}, found


@test
def what_a_kernel_has_written_is_data() -> None:
    ran = Ran(source(TWICE) + source("def f(x):\n    return twice(torch.ones(40)) + 1"), "f", [[X]])
    assert [item["op"] for item in ran.told[0]["census"]] == ["aten::add"]


@test
def it_looks_like_a_device() -> None:
    text = source(TWICE) + source(
        """
        def f(x):
            assert x.is_cuda and x.device.type == "cuda" and x.device == torch.empty(1, device="cuda").device
            assert torch.cuda.is_available() and torch.cuda.current_device() == 0
            assert triton.runtime.driver.active.get_current_target().backend == "cuda"
            torch.cuda.synchronize()
            return twice(x.to("cuda").cuda())
        """
    )
    ran = Ran(text, "f", [[X]])
    assert ran.results[0] == [2 * v for v in VALUES], ran.raised


@test
def modules_of_the_worker_have_no_names() -> None:
    ran = Ran(source("import sys\ndef f(x):\n    return [n for n in sys.modules if 'geak' in n]"), "f", [[X]])
    assert ran.told[0]["count"] == 0, ran.told


@test
def tuners_and_heuristics_take_their_first_choice() -> None:
    text = source(
        """
        @triton.autotune(configs=[triton.Config({"BLOCK": 32}), triton.Config({"BLOCK": 64})], key=["n"])
        @triton.heuristics({"EVEN": lambda args: args["n"] % args["BLOCK"] == 0})
        @triton.jit
        def kernel(x, out, n, EVEN: tl.constexpr, BLOCK: tl.constexpr):
            at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
            tl.store(out + at, tl.load(x + at, mask=at < n) * 2, mask=at < n)

        def f(x):
            out = torch.empty_like(x)
            kernel[lambda meta: (triton.cdiv(40, meta["BLOCK"]),)](x, out, 40)
            return out
        """
    )
    ran = Ran(text, "f", [[X], [X]])
    assert ran.results[1] == [2 * v for v in VALUES], ran.raised
    assert [launch["grid"] for launch in ran.told[1]["launches"]] == [[2, 1, 1]]


@test
def what_it_raises_is_told_with_its_line() -> None:
    ran = Ran(source("def f(x):\n    raise ValueError('no')"), "f", [[X]])
    assert ran.raised["type"] == "ValueError" and ran.raised["line"] == 5 and ran.raised["message"] == "no", ran.raised
    assert Ran(source("def f(x):\n    return x"), "g", [[X]]).raised["type"] == "LookupError"


@test
def timed_calls_stand_between_two_marks() -> None:
    ran = Ran(source(TWICE), "twice", [[X]], times=5)
    begin, end = ran.marks
    assert begin["at"] == "begin" and end["at"] == "end" and 3 <= end["calls"] <= 5, ran.marks
    assert end["host_ms"] > 0 and end["event_ms"] is None and ran.results[0] == [2 * v for v in VALUES]


@test
def a_compiled_kernel_is_described_as_capture_describes_it() -> None:
    """Without a device, in a process without the interpreter: Triton compiles for sm_90."""
    environment = {key: value for key, value in os.environ.items() if key != "TRITON_INTERPRET"}
    here = os.path.dirname(os.path.abspath(__file__))
    code = f"import sys; sys.path.insert(0, {here!r}); import t_contained; t_contained.compare()"
    assert os.spawnve(os.P_WAIT, sys.executable, [sys.executable, "-c", code], {**environment, "REAL_COMPILE": "1"}) == 0


def compare() -> None:
    os.environ.pop("TRITON_INTERPRET", None)
    import torch
    from triton.runtime.driver import driver
    from triton.runtime.jit import JITFunction

    from geak_worker import device_facts, launches
    from geak_worker import source as sources
    from geak_worker.driver import RecordingDriver
    from helper import capture

    (planned,) = capture(source(TWICE).replace("BLOCK=16)", "BLOCK=16, num_warps=2, num_stages=4, maxnreg=64)"), "twice", [X], target="sm_90").plan["kernels"]
    driver.set_active(RecordingDriver(device_facts.find("sm_90")))
    text = source(TWICE).replace("BLOCK=16)", "BLOCK=16, num_warps=2, num_stages=4, maxnreg=64)")
    module = sources.prepare(text)
    sources.execute(module, text)
    run, made = JITFunction.run, []
    JITFunction.run = lambda kernel, *args, grid, warmup, **more: made.append(run(kernel, *args, grid=grid, warmup=True, **more))
    module.twice(torch.empty(40))
    described = launches.describe_compiled(made[0])
    assert {key: described[key] for key in ("name", "ttir", "options")} == {key: planned[key] for key in ("name", "ttir", "options")}
    assert described["own"]


@test
def a_role_that_cannot_work_says_why() -> None:
    peer = Peer("contained", GEAK_DEVICE="cuda", GEAK_LIBCUDA="/no/libcuda.so", GEAK_BOX="")
    assert peer.hello is not None and peer.hello.type == "error", peer.hello
    assert "WitnessError: libgeakbox.so is not there" in peer.hello.json["message"], peer.hello.json
    assert peer.close() == 1


@test
def the_role_runs_what_it_is_given_and_ends_what_is_left() -> None:
    peer = Peer("contained", TRITON_INTERPRET="1", GEAK_DEVICE="cpu")
    assert peer.hello is not None and peer.hello.type == "hello" and peer.hello.json["role"] == "contained", peer.hello
    text = source(TWICE) + source("import os, time\ndef f(x):\n    if os.fork() == 0:\n        time.sleep(60)\n    return twice(x)")
    result, result_end = os.pipe()
    said, said_end = os.pipe()
    out = os.memfd_create("out")
    os.ftruncate(out, 160)
    fds = [sealed_memfd("source", text.encode()), result_end, said_end, sealed_memfd("x", struct.pack("40f", *VALUES)), os.dup(out)]
    limits = {"wall_ms": 30000, "cpu_s": 30, "memory_bytes": 4 << 30, "processes": 64, "file_bytes": 1 << 28}
    request = {"entry": {"name": "f"}, "target": "cpu", "calls": [{"args": [X], "outputs": [160]}], "allow": [], "timed": 0, "limits": limits}
    frame = Frame("contain", 7, request, fds=fds)
    assert peer.ask(frame).type == "spawned"
    frame.close()
    last = peer.channel.receive()
    assert last is not None and last.type == "exited" and last.id == 7, last
    assert [f.type for f in parse(drain(result))] == ["ran", "end"]
    drain(said)
    assert struct.unpack("40f", os.pread(out, 160, 0))[5] == 10.0
    assert peer.close() == 0


@test
def scalars_are_given_as_they_are() -> None:
    text = source("def f(x, factor, flag, name):\n    assert (factor, flag, name) == (0.5, True, None)\n    return x + 0")
    ran = Ran(text, "f", [[X, scalar("factor", 0.5), scalar("flag", True), scalar("name", None)]])
    assert ran.results[0] == VALUES, ran.raised


if __name__ == "__main__":
    tests.main()
