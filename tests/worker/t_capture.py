"""Launch plans of small candidates: launches with their arguments, configurations, prologues."""

from __future__ import annotations

import hashlib

from candidates import MATMUL, one, with_scale
from helper import Tests, capture, source, tensor

tests = Tests()
test = tests.add

ADD = source(
    """
    @triton.jit
    def kernel(x, y, out, n, BLOCK: tl.constexpr):
        at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
        inside = at < n
        tl.store(out + at, tl.load(x + at, mask=inside) + tl.load(y + at, mask=inside), mask=inside)

    def add(x, y):
        out = torch.empty_like(x)
        n = out.numel()
        kernel[(triton.cdiv(n, 1024),)](x, y, out, n, BLOCK=1024)
        return out
    """
)


@test
def a_launch_with_its_arguments() -> None:
    result = capture(ADD, "add", [tensor("x", 1000), tensor("y", 1000)])
    one(result)
    plan = result.plan
    assert [b.get("input") for b in plan["buffers"]] == ["x", "y", None]
    assert [b["bytes"] for b in plan["buffers"]] == [4000] * 3 and plan["target"] == "cpu"
    (launch,) = result.launches()
    assert launch["grid"] == [1, 1, 1] and launch["line"] == 14
    assert launch["args"] == [{"t": "ptr", "buf": i, "at": 0} for i in range(3)] + [{"t": "i32", "v": 1000}]
    assert plan["outputs"] == [{"buf": 2, "at": 0, "dtype": "float32", "shape": [1000], "strides": [1], "name": "0"}]
    kernel = plan["kernels"][0]
    assert kernel["name"] == "kernel" and kernel["options"]["num_warps"] == 4
    text = result.texts[kernel["ttir"]]
    assert hashlib.sha256(text.encode()).hexdigest() == kernel["ttir"]
    assert '"/geak/candidate.py":7' in text and "tt.divisibility" in text


@test
def offset_and_alignment_of_an_input_are_its_own() -> None:
    result = capture(ADD, "add", [tensor("x", 1000, offset=3), tensor("y", 1000)])
    one(result)
    assert result.launches()[0]["args"][0] == {"t": "ptr", "buf": 0, "at": 12}
    text = next(iter(result.texts.values()))
    first, second = text[text.index("tt.func public") :].split("!tt.ptr<f32>")[1:3]
    assert first.startswith(" loc") and second.startswith(" {tt.divisibility = 16 : i32}"), text


@test
def two_salts_give_the_same_plan() -> None:
    a = capture(ADD, "add", [tensor("x", 77), tensor("y", 77)], salt="12")
    b = capture(ADD, "add", [tensor("x", 77), tensor("y", 77)], salt="fe")
    one(a)
    assert a.plan == b.plan


@test
def cases_share_their_modules() -> None:
    result = capture(ADD, "add", [tensor("x", 1024), tensor("y", 1024)], [tensor("x", 2048), tensor("y", 2048)])
    assert len(result.plans) == 2 and len(result.texts) == 1, result.types


@test
def one_becomes_a_constant_and_none_a_null() -> None:
    text = source(
        """
        @triton.jit
        def kernel(x, bias, out, stride, n, BLOCK: tl.constexpr):
            at = tl.arange(0, BLOCK)
            value = tl.load(x + at * stride, mask=at < n)
            if bias is not None:
                value += tl.load(bias + at)
            tl.store(out + at, value, mask=at < n)

        def run(x):
            out = torch.empty_like(x)
            kernel[(1,)](x, None, out, x.stride(0), x.numel(), BLOCK=64)
            return out
        """
    )
    result = capture(text, "run", [tensor("x", 50)])
    one(result)
    assert [a["t"] for a in result.launches()[0]["args"]] == ["ptr", "ptr", "i32"]


@test
def scalars_have_triton_s_types() -> None:
    text = source(
        """
        @triton.jit
        def kernel(out, a, b, c, d, e, f: tl.float64, g: tl.uint64):
            tl.store(out, a + b + c + e + f + g)
            if d:
                tl.store(out + 1, 0.0)

        def run(x):
            kernel[(1,)](x, 7, -2**40, 2**63 + 5, True, 0.1, 0.1, 2**64 - 1)
            return x
        """
    )
    result = capture(text, "run", [tensor("x", 50)])
    one(result)
    args = result.launches()[0]["args"][1:]
    assert args[0] == {"t": "i32", "v": 7} and args[1] == {"t": "i64", "v": -(2**40)}
    assert args[2] == {"t": "i64", "v": 5 - 2**63} and args[3] == {"t": "i1", "v": 1}
    assert args[4] == {"t": "f32", "bits": "0x3dcccccd"} and args[5] == {"t": "f64", "bits": "0x3fb999999999999a"}
    assert args[6] == {"t": "i64", "v": -1}


@test
def a_pointer_in_an_integer_is_a_relocation() -> None:
    text = source(
        """
        @triton.jit
        def kernel(address, out):
            tl.store(out, tl.load(address.to(tl.pointer_type(tl.float32))))

        def run(x):
            out = torch.empty(1, device=x.device)
            kernel[(1,)](x.data_ptr() + 8, out)
            return out
        """
    )
    result = capture(text, "run", [tensor("x", 4)])
    one(result)
    assert result.launches()[0]["args"][0] == {"t": "reloc", "buf": 0, "at": 8}


@test
def an_autotuned_kernel_is_a_choice_of_what_compiles() -> None:
    result = capture(MATMUL, "matmul", [tensor("a", 128, 64), tensor("b", 64, 256)])
    one(result)
    (step,) = result.plan["steps"]
    assert step["op"] == "choose" and step["site"] == 0 and len(step["variants"]) == 2
    assert [v["launch"]["grid"] for v in step["variants"]] == [[2, 4, 1], [1, 4, 1]]
    assert step["variants"][1]["config"]["BM"] == 128
    options = [result.plan["kernels"][v["launch"]["kernel"]]["options"] for v in step["variants"]]
    assert [o["num_warps"] for o in options] == [4, 8] and [o["num_stages"] for o in options] == [3, 4]


@test
def configurations_share_a_text_where_their_options_do_not_matter() -> None:
    text = """
        @triton.autotune([triton.Config({}, num_warps=w, num_stages=s) for w in (1, 2, 4) for s in (1, 2)], key=["n"])
        @triton.jit
        def copy(x, out, n, B: tl.constexpr):
            at = tl.program_id(0) * B + tl.arange(0, B)
            tl.store(out + at, tl.load(x + at, mask=at < n)PLUS, mask=at < n)

        def run(x):
            out = torch.empty_like(x)
            copy[(triton.cdiv(x.numel(), 64),)](x, out, x.numel(), B=64)
            return out
        """

    def kernels(plus: str) -> "tuple[int, int]":
        result = capture(source(text.replace("PLUS", plus)), "run", [tensor("x", 200)], target="sm_90")
        one(result)
        all_kernels = result.plan["kernels"]
        return len(all_kernels), len({kernel["ttir"] for kernel in all_kernels})

    assert kernels("") == (6, 1), "six kernels, one text"
    assert kernels(" + tl.extra.cuda.num_warps()") == (6, 3), "a text that has the warps in it is one for each number"


@test
def a_picked_variant_is_a_plain_launch() -> None:
    result = capture(MATMUL, "matmul", [tensor("a", 128, 64), tensor("b", 64, 256)], pick=[1])
    one(result)
    assert result.steps() == ["launch"] and result.launches()[0]["grid"] == [1, 4, 1]


@test
def hooks_of_configurations_belong_to_their_variants() -> None:
    text = source(
        """
        def clear(args):
            args["acc"].zero_()

        @triton.autotune([triton.Config({"B": 64}, pre_hook=clear), triton.Config({"B": 128})], key=["n"])
        @triton.heuristics({"EVEN": lambda args: args["n"] % args["B"] == 0})
        @triton.jit
        def total(x, acc, n, B: tl.constexpr, EVEN: tl.constexpr):
            p = tl.program_id(0) * B + tl.arange(0, B)
            tl.atomic_add(acc, tl.sum(tl.load(x + p, mask=p < n, other=0.0), 0))

        def run(x):
            acc = torch.empty(1, device=x.device)
            total[lambda m: (triton.cdiv(x.numel(), m["B"]),)](x, acc, x.numel())
            return acc
        """
    )
    result = capture(text, "run", [tensor("x", 128)])
    one(result)
    (step,) = result.plan["steps"]
    assert [[s["op"] for s in v["pre"]] for v in step["variants"]] == [["fill"], []]


@test
def a_workspace_kept_between_calls_is_the_prologue() -> None:
    text = with_scale(
        """
        cache = {}
        def f(x):
            if "w" not in cache:
                cache["w"] = torch.zeros(16, device=x.device)
            run(cache["w"], x)
            return x
        """
    )
    result = capture(text, "f", [tensor("x", 16)], [tensor("x", 32)])
    assert len(result.plans) == 2, [f.json for f in result.frames]
    for plan in result.plans:
        assert [s["op"] for s in plan["prologue"]] == ["fill"] and [s["op"] for s in plan["steps"]] == ["launch"]


@test
def a_workspace_made_at_import_is_the_prologue() -> None:
    text = with_scale(
        """
        ones = torch.ones(16, device="cuda")
        def f(x):
            run(ones, x)
            return x
        """
    )
    result = capture(text, "f", [tensor("x", 16)])
    one(result)
    assert [s["op"] for s in result.plan["prologue"] + result.plan["steps"]] == ["fill", "launch"]


@test
def a_table_that_a_kernel_makes_once_is_the_prologue() -> None:
    text = with_scale(
        """
        cache = []
        def f(x):
            if not cache:
                cache.append(torch.empty(16, device=x.device))
                run(torch.ones(16, device=x.device), cache[0], 3.0)
            run(cache[0], x)
            return x
        """
    )
    result = capture(text, "f", [tensor("x", 16)])
    one(result)
    assert [s["op"] for s in result.plan["prologue"]] == ["fill", "launch"] and result.steps() == ["launch"]


@test
def a_table_is_made_before_it_is_copied() -> None:
    text = with_scale(
        """
        def f(x):
            out = torch.empty(3, device=x.device)
            out.copy_(torch.tensor([1.0, 5.0, 2.0], device=x.device))
            x[:3] = torch.tensor([1.0, 5.0, 2.0])
            return run(out, torch.empty_like(x))
        """
    )
    result = capture(text, "f", [tensor("x", 16)])
    one(result)
    assert result.steps() == ["data", "copy", "data", "copy", "launch"], result.steps()


@test
def several_results_keep_their_order() -> None:
    text = source("def f(x, y):\n    return y, x[2:]\n")
    outputs = capture(text, "f", [tensor("x", 16), tensor("y", 4)]).plan["outputs"]
    assert [(o["name"], o["buf"], o["at"]) for o in outputs] == [("0", 1, 0), ("1", 0, 8)]


@test
def host_descriptors_are_one_argument_where_the_target_has_them() -> None:
    text = source(
        """
        from triton.tools.tensor_descriptor import TensorDescriptor

        @triton.jit
        def kernel(src, dst):
            dst.store([0, 0], src.load([0, 0]))

        def f(x):
            out = torch.empty_like(x)
            kernel[(1,)](TensorDescriptor.from_tensor(x, [16, 16]), TensorDescriptor.from_tensor(out, [16, 16]))
            return out
        """
    )
    result = capture(text, "f", [tensor("x", 32, 64)], target="sm_90")
    one(result)
    args = result.launches()[0]["args"]
    assert [a["t"] for a in args] == (["desc"] + ["i32"] * 2 + ["i64"] * 2) * 2
    assert args[0]["block"] == [16, 16] and args[0]["view"]["strides"] == [64, 1] and args[0]["pad"] == "zero"
    result = capture(text, "f", [tensor("x", 32, 64)], target="sm_80")
    one(result)
    args = result.launches()[0]["args"]
    assert args[0]["t"] == "ptr" and [a["v"] for a in args[1:5]] == [32, 64, 64, 1]


@test
def tuples_are_opened() -> None:
    text = source(
        """
        @triton.jit
        def kernel(pair, out, sizes):
            tl.store(out, tl.load(pair[0]) + tl.load(pair[1]) + sizes[0])

        def f(x, y):
            out = torch.empty_like(x)
            kernel[(1,)]((x, y), out, (5, 1))
            return out
        """
    )
    result = capture(text, "f", [tensor("x", 4), tensor("y", 4)])
    one(result)
    assert result.launches()[0]["args"] == [
        {"t": "ptr", "buf": 0, "at": 0}, {"t": "ptr", "buf": 1, "at": 0}, {"t": "ptr", "buf": 2, "at": 0},
        {"t": "i32", "v": 5}]  # fmt: skip


@test
def an_empty_grid_launches_nothing() -> None:
    result = capture(ADD, "add", [tensor("x", 0), tensor("y", 0)])
    one(result)
    assert result.steps() == [] and result.plan["outputs"][0]["shape"] == [0]


@test
def printing_kernels_are_noted() -> None:
    text = source(
        """
        @triton.jit
        def kernel(x):
            tl.device_print("x", tl.load(x))

        def f(x):
            kernel[(1,)](x)
            return x
        """
    )
    assert capture(text, "f", [tensor("x", 4)]).plan["from"]["notes"] == ["kernel kernel prints"]


if __name__ == "__main__":
    from geak_worker import warm

    warm.run()
    tests.main()
