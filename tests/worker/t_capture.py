"""Launch plans of small candidates."""

from __future__ import annotations

import hashlib

from helper import Result, Tests, capture, scalar, source, tensor

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

SCALE = """
@triton.jit
def scale(x, out, n, factor, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out + at, tl.load(x + at, mask=at < n) * factor, mask=at < n)

def run(x, out, factor=2.0):
    n = x.numel()
    scale[(triton.cdiv(n, 256),)](x, out, n, factor, BLOCK=256)
    return out
"""


def with_scale(text: str) -> str:
    return source(SCALE) + source(text)


def one(result: Result) -> None:
    assert result.ended and len(result.plans) == 1, [frame.json for frame in result.frames]


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
def workspaces_are_filled_and_launches_keep_their_order() -> None:
    text = source(
        """
        @triton.jit
        def part(x, acc, n, B: tl.constexpr):
            p = tl.program_id(0) * B + tl.arange(0, B)
            tl.atomic_add(acc, tl.sum(tl.load(x + p, mask=p < n, other=0.0), 0))

        @triton.jit
        def divide(x, acc, o, n, B: tl.constexpr):
            p = tl.program_id(0) * B + tl.arange(0, B)
            tl.store(o + p, tl.load(x + p, mask=p < n) / tl.load(acc), mask=p < n)

        def normalise(x):
            acc = torch.zeros(1, device=x.device, dtype=torch.float32)
            o = torch.empty_like(x)
            n = x.numel()
            part[(triton.cdiv(n, 2048),)](x, acc, n, B=2048)
            divide[(triton.cdiv(n, 2048),)](x, acc, o, n, B=2048)
            return o
        """
    )
    result = capture(text, "normalise", [tensor("x", 10000)])
    one(result)
    assert result.steps() == ["fill", "launch", "launch"]
    assert result.plan["steps"][0]["bits"] == "0x00000000"
    assert [k["name"] for k in result.plan["kernels"]] == ["part", "divide"]


@test
def contiguous_and_casts_are_copies() -> None:
    text = with_scale(
        """
        def f(x):
            y = x.t().contiguous().to(torch.float16)
            return run(y, torch.empty_like(y))
        """
    )
    result = capture(text, "f", [tensor("x", 30, 20)])
    one(result)
    assert result.steps() == ["copy", "copy", "launch"]
    first, second = result.plan["steps"][:2]
    assert first["src"]["strides"] == [1, 20] and first["dst"]["strides"] == [30, 1]
    assert second["src"]["dtype"] == "float32" and second["dst"]["dtype"] == "float16"


@test
def tables_from_shapes_are_one_step() -> None:
    text = with_scale(
        """
        def f(x):
            table = torch.tensor([3, 1, 2], device=x.device)
            numbers = torch.arange(0, 100, 2, device="cuda", dtype=torch.int32)
            ones = torch.full((4, 4), 1.5, device=x.device)
            ones[0] = 2
            frequencies = 1.0 / (10.0 ** (torch.arange(4, device=x.device) / 4))
            for t in (table, numbers, ones, frequencies):
                run(t, torch.empty_like(t))
            return run(x, torch.empty_like(x))
        """
    )
    result = capture(text, "f", [tensor("x", 8)])
    one(result)
    assert result.steps() == ["data", "launch", "iota", "launch", "data", "launch", "data", "launch", "launch"]
    steps = result.plan["steps"]
    assert steps[0]["hex"] == "".join(n.to_bytes(8, "little").hex() for n in (3, 1, 2))
    assert (steps[2]["start"], steps[2]["step"], steps[2]["dst"]["shape"]) == (0, 2, [50])


@test
def cat_and_pad_are_copies() -> None:
    text = with_scale(
        """
        def f(x):
            y = torch.nn.functional.pad(torch.cat([x, x]), (1, 2), value=-1.0)
            return run(y, torch.empty_like(y))
        """
    )
    result = capture(text, "f", [tensor("x", 4)])
    one(result)
    assert result.steps() == ["copy", "copy", "fill", "copy", "launch"]
    assert result.plan["steps"][3]["dst"]["at"] == 4 and result.plan["outputs"][0]["shape"] == [11]


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


MATMUL = source(
    """
    @triton.autotune(
        configs=[triton.Config({"BM": bm, "BN": bn, "BK": 32}, num_stages=s, num_warps=w)
                 for bm, bn, s, w in [(64, 64, 3, 4), (128, 64, 4, 8), (0, 64, 3, 4)]],
        key=["M", "N", "K"])
    @triton.jit
    def mm(a, b, c, M, N, K, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr):
        tl.static_assert(BM > 0)
        rm = tl.program_id(0) * BM + tl.arange(0, BM)
        rn = tl.program_id(1) * BN + tl.arange(0, BN)
        rk = tl.arange(0, BK)
        acc = tl.zeros((BM, BN), tl.float32)
        for k in range(0, K, BK):
            x = tl.load(a + rm[:, None] * K + (k + rk)[None, :], mask=rm[:, None] < M, other=0.0)
            y = tl.load(b + (k + rk)[:, None] * N + rn[None, :], mask=rn[None, :] < N, other=0.0)
            acc = tl.dot(x, y, acc)
        tl.store(c + rm[:, None] * N + rn[None, :], acc, mask=(rm[:, None] < M) & (rn[None, :] < N))

    def matmul(a, b):
        M, K = a.shape
        N = b.shape[1]
        c = torch.empty((M, N), device=a.device)
        mm[lambda meta: (triton.cdiv(M, max(meta["BM"], 1)), triton.cdiv(N, meta["BN"]))](a, b, c, M, N, K)
        return c
    """
)


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
def tuned_results_kept_between_calls_are_refused() -> None:
    text = MATMUL + source(
        """
        kept = {}
        def f(a, b):
            if a.shape not in kept:
                kept[a.shape] = matmul(a, b)
            return kept[a.shape]
        """
    )
    assert capture(text, "f", [tensor("a", 64, 64), tensor("b", 64, 64)]).cannot["kind"] == "unstable_plan"


@test
def results_kept_between_calls_are_refused() -> None:
    text = with_scale(
        """
        cache = {}
        def f(x):
            if x.shape not in cache:
                cache[x.shape] = run(x, torch.empty_like(x))
            return cache[x.shape]
        """
    )
    result = capture(text, "f", [tensor("x", 16)])
    assert result.cannot["kind"] == "unstable_plan" and "kept between calls" in result.cannot["message"], (
        result.cannot
    )
    assert result.ended


@test
def calls_that_differ_are_refused() -> None:
    text = with_scale(
        """
        count = 0
        def f(x):
            global count
            count += 1
            return run(x, torch.empty_like(x), float(count))
        """
    )
    result = capture(text, "f", [tensor("x", 16)])
    assert result.cannot["kind"] == "unstable_plan" and "step 1" in result.cannot["message"], result.cannot


@test
def reading_values_is_refused_with_its_line() -> None:
    for expression in ("x.max().item()", "x[0] > 0 and 1", "x.tolist()", "x.cpu()", "x.numpy()", "x[x > 0]"):
        text = source(f"def f(x):\n    n = {expression}\n    return x\n")
        result = capture(text, "f", [tensor("x", 16)])
        assert result.cannot.get("line") == 5, (expression, [f.json for f in result.frames])
        assert result.cannot["kind"] in ("not_capturable", "not_a_kernel"), expression
    text = source("def f(x):\n    n = x[0].item()\n    return x\n")
    cannot = capture(text, "f", [tensor("x", 16)]).cannot
    assert cannot["kind"] == "not_capturable" and ".item()" in cannot["message"] and "(line 5)" in cannot["message"]


@test
def a_caught_refusal_stays_a_refusal() -> None:
    text = with_scale(
        """
        def f(x):
            try:
                n = int(x[0])
            except BaseException:
                n = 3
            return run(x, torch.empty_like(x), n)
        """
    )
    assert capture(text, "f", [tensor("x", 16)]).cannot["kind"] == "not_capturable"


@test
def the_framework_s_arithmetic_is_no_kernel() -> None:
    text = source("def f(x):\n    return torch.softmax(x, -1)\n")
    result = capture(text, "f", [tensor("x", 16, 8)])
    assert (
        result.cannot["kind"] == "not_a_kernel"
        and result.cannot["line"] == 5
        and "softmax" in result.cannot["message"]
    )
    result = capture(text, "f", [tensor("x", 16, 8)], allow=["_softmax"])
    assert result.cannot["kind"] == "not_capturable"


@test
def an_allowed_sum_is_a_step() -> None:
    text = with_scale(
        """
        def f(x):
            parts = run(x, torch.empty_like(x))
            return torch.sum(parts, -2, keepdim=True)
        """
    )
    refused = capture(text, "f", [tensor("x", 2, 8, 4)])
    assert refused.cannot["kind"] == "not_a_kernel" and "torch.sum computes" in refused.cannot["message"]
    for name in ("sum", "aten::sum", "aten::sum.dim_IntList"):
        result = capture(text, "f", [tensor("x", 2, 8, 4)], allow=[name])
        assert result.steps() == ["launch", "assist"], (name, result.frames[-2].json)
        step = result.plan["steps"][1]
        assert (step["does"], step["dims"], step["line"]) == ("sum", [1], refused.cannot["line"]), step
        assert step["src"]["shape"] == [2, 8, 4] and step["dst"]["shape"] == [2, 4], step
        assert step["dst"]["strides"] == [4, 1], "a kept dimension changes the view alone"
        assert result.plan["outputs"][0]["shape"] == [2, 1, 4]
        assert {"op": "sum", "line": step["line"], "count": 1} in result.plan["from"]["census"]
    assert capture(text, "f", [tensor("x", 2, 8, 4)], allow=["aten::sum.other", "aten::summ"]).cannot["op"] == "sum"


def allowed_step(expression: str, allow: Sequence[str], *inputs: Dict[str, Any]) -> Dict[str, Any]:
    """The step that an expression of x becomes, or why there is none."""
    result = capture(source(f"def f(x):\n    return {expression}\n"), "f", list(inputs), allow=allow)
    return result.plan["steps"][0] if result.plans else result.cannot


@test
def assists_have_the_dtypes_and_dims_of_torch() -> None:
    def x(dtype: str = "float32", *shape: int) -> Dict[str, Any]:
        return tensor("x", *(shape or (2, 3, 4)), dtype=dtype)

    for expression, dtype, made, dims in (
        ("x.sum()", "bfloat16", "bfloat16", [0, 1, 2]),
        ("x.sum(())", "float16", "float16", [0, 1, 2]),
        ("x.sum((0, -1))", "float64", "float64", [0, 2]),
        ("x.sum(1)", "int32", "int64", [1]),
        ("x.sum(1)", "bool", "int64", [1]),
        ("x.sum(1, dtype=torch.int32)", "uint8", "int32", [1]),
        ("x.sum(2, dtype=torch.float32)", "float16", "float32", [2]),
        ("torch.sum(x, 1, out=torch.empty((2, 4), device=x.device))", "float32", "float32", [1]),
        ("x.amax((2, 0), keepdim=True)", "float16", "float16", [0, 2]),
        ("x.min()", "int16", "int16", [0, 1, 2]),
        ("x.abs()", "float32", "float32", []),
        ("torch.reciprocal(x)", "float32", "float32", []),
    ):
        allow = ["aten::sum", "aten::amax", "aten::min", "aten::abs", "aten::reciprocal"]
        step = allowed_step(expression, allow, x(dtype))
        assert step.get("op") == "assist" and step["dst"]["dtype"] == made and step["dims"] == dims, (expression, step)
    assert allowed_step("x.sum(0)", ["sum"], x("float32"))["src"]["strides"] == [12, 4, 1]
    assert allowed_step("x.transpose(0, 2).sum(0)", ["sum"], x("float32"))["src"]["strides"] == [1, 4, 12]
    assert allowed_step("x.sum(0)", ["sum"], x("float32", 0, 5))["dst"]["shape"] == [5], "a sum of nothing is 0"
    assert allowed_step("x[0, 0, 0].sum(0)", ["sum"], x("float32"))["dims"] == []


@test
def what_no_plan_has_stays_arithmetic() -> None:
    def kind(expression: str, allow: Sequence[str], *shape: int) -> str:
        return str(allowed_step(expression, allow, tensor("x", *shape)).get("kind"))

    assert kind("x.expand(5, 4).sum(0)", ["sum"], 4) == "not_capturable"
    assert kind("x.max(0)[0]", ["max"], 4, 4) == "not_capturable"
    assert kind("x.clone().abs_()", ["abs_"], 4, 4) == "not_capturable"
    refused = allowed_step("x.max(0)[0]", ["max"], tensor("x", 4, 4))
    assert "no launch plan can hold it in this form" in refused["message"]
    assert kind("x.sum(0, dtype=torch.complex64)", ["sum"], 4, 4) == "not_capturable"
    assert kind("x.to(torch.float8_e5m2).abs()", ["abs"], 4, 4) == "not_capturable"
    assert kind("x.mul(2.0)", ["mul"], 4) == "not_capturable"
    assert kind("1 / x", ["reciprocal"], 4) == "not_a_kernel"
    assert allowed_step("1 / x", ["reciprocal", "mul"], tensor("x", 4))["does"] == "reciprocal"


@test
def values_that_follow_from_shapes_can_be_read() -> None:
    text = with_scale(
        """
        def f(x):
            lengths = torch.tensor([3, 5, 4], device=x.device)
            longest = int(lengths.max())
            starts = torch.cumsum(lengths, 0).tolist()
            assert starts == [3, 8, 12] and longest == 5
            return run(x, torch.empty_like(x), longest)
        """
    )
    one(capture(text, "f", [tensor("x", 16)]))


@test
def kernels_from_elsewhere_are_foreign() -> None:
    text = source(
        """
        import geak_worker.warm as library
        def f(x):
            out = torch.empty_like(x)
            library._kernel[(1,)](x, out, x.numel(), BLOCK=16)
            return out
        """
    )
    cannot = capture(text, "f", [tensor("x", 16)]).cannot
    assert cannot["kind"] == "foreign_kernel" and cannot["op"] == "_kernel", cannot


@test
def exits_and_errors_have_line_and_type() -> None:
    result = capture(source("import sys\nsys.exit(0)\n"), "f", [tensor("x", 16)])
    assert result.raised["type"] == "SystemExit" and result.raised["case"] == -1 and result.raised["line"] == 5
    result = capture(source("def g(x):\n    return x\n"), "f", [tensor("x", 16)])
    assert result.raised["type"] == "MissingEntry" and result.ended
    result = capture(source("def f(x):\n    return x.nothing\n"), "f", [tensor("x", 16)], [tensor("x", 8)])
    assert [f.type for f in result.frames] == ["raised", "raised", "end"] and result.raised["line"] == 5
    result = capture(source("def f(x:\n"), "f", [tensor("x", 16)])
    assert result.raised["type"] == "SyntaxError" and result.raised["line"] == 4


@test
def errors_of_the_compiler_have_the_kernel_s_line() -> None:
    text = source(
        """
        @triton.jit
        def helper(x):
            return x + undefined

        @triton.jit
        def kernel(x, n):
            a = tl.load(x)
            b = helper(a)
            tl.store(x, a + b)

        def f(x):
            kernel[(1,)](x, x.numel())
            return x
        """
    )
    raised = capture(text, "f", [tensor("x", 16)]).raised
    assert raised["type"] == "CompilationError" or raised["type"] == "NameError", raised
    assert raised["line"] in (7, 12), raised
    text = text.replace("x + undefined", "x").replace("tl.load(x)", "tl.arange(0, 3)")
    raised = capture(text, "f", [tensor("x", 16)]).raised
    assert raised["line"] == 11 and "power of 2" in raised["message"], raised


@test
def other_results_than_tensors_break_the_contract() -> None:
    for returned in ("None", "3", "(x, 3)", "torch.ones(3)"):
        cannot = capture(source(f"def f(x):\n    return {returned}\n"), "f", [tensor("x", 16)]).cannot
        assert cannot["kind"] == "wrong_contract", (returned, cannot)


@test
def several_results_keep_their_order() -> None:
    text = source("def f(x, y):\n    return y, x[2:]\n")
    outputs = capture(text, "f", [tensor("x", 16), tensor("y", 4)]).plan["outputs"]
    assert [(o["name"], o["buf"], o["at"]) for o in outputs] == [("0", 1, 0), ("1", 0, 8)]


@test
def a_cpu_tensor_as_argument_is_triton_s_error() -> None:
    text = with_scale("def f(x):\n    return run(torch.ones(16), torch.empty_like(x))\n")
    raised = capture(text, "f", [tensor("x", 16)]).raised
    assert raised["type"] == "ValueError" and "cannot be accessed from Triton" in raised["message"]


@test
def the_device_answers_for_the_target() -> None:
    text = with_scale(
        """
        def f(x):
            assert x.is_cuda and x.device == torch.device("cuda:0") and not x.is_meta and str(x.device) == "cuda:0"
            assert torch.cuda.is_available() and torch.cuda.current_device() == 0 and x.get_device() == 0
            properties = torch.cuda.get_device_properties(x.device)
            count = properties.multi_processor_count
            assert count == triton.runtime.driver.active.utils.get_device_properties(0)["multiprocessor_count"]
            with torch.cuda.device(x.device):
                torch.cuda.synchronize()
                out = torch.empty(count, device=f"cuda:{torch.cuda.current_device()}")
            assert x.data_ptr() % 512 == 0 and "cuda:0" in repr(x)
            return run(out, torch.empty_like(out))
        """
    )
    for target, count in (
        ("sm_80", 108),
        ("sm_90", 132),
        ("gfx942", 304),
        ("gfx90a", 110),
        ("gfx950", 256),
        ("cpu", 132),
    ):
        result = capture(text, "f", [tensor("x", 16)], target=target)
        one(result)
        assert result.plan["outputs"][0]["shape"] == [count] and result.plan["target"] == target


@test
def a_compiled_kernel_can_be_asked_for_its_registers() -> None:
    text = with_scale(
        """
        def f(x):
            out = torch.empty_like(x)
            kernel = scale.warmup(x, out, x.numel(), 2.0, BLOCK=256, grid=(1,))
            kernel._init_handles()
            assert 8 <= kernel.n_regs <= 255 and kernel.metadata.num_warps == 4, kernel.n_regs
            return run(x, out)
        """
    )
    one(capture(text, "f", [tensor("x", 16)], target="sm_90"))


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
def scalars_that_stand_for_data_must_not_steer() -> None:
    good = with_scale("def f(x, alpha):\n    return run(x, torch.empty_like(x), alpha)\n")
    one(capture(good, "f", [tensor("x", 16), scalar("alpha", 0.5, data=True)]))
    bad = with_scale(
        """
        def f(x, alpha):
            out = torch.empty_like(x)
            run(x, out)
            if alpha > 0.6:
                run(x, out, alpha)
            return out
        """
    )
    cannot = capture(bad, "f", [tensor("x", 16), scalar("alpha", 0.5, data=True)]).cannot
    assert cannot["kind"] == "unstable_plan" and "alpha" in cannot["message"]


@test
def autograd_functions_and_custom_operators_run_their_forward() -> None:
    text = with_scale(
        """
        class F(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return run(x, torch.empty_like(x))

        @torch.library.custom_op("test::double", mutates_args=())
        def double(x: torch.Tensor) -> torch.Tensor:
            return run(x, torch.empty_like(x))

        @double.register_fake
        def _(x):
            return torch.empty_like(x)

        def f(x):
            return double(F.apply(x))
        """
    )
    result = capture(text, "f", [tensor("x", 16)])
    one(result)
    assert result.steps() == ["launch", "launch"]


@test
def a_default_device_is_the_device() -> None:
    text = with_scale(
        """
        torch.set_default_device("cuda")
        def f(x):
            with torch.device("cuda"):
                out = torch.zeros(16)
            return run(torch.empty(16), out)
        """
    )
    result = capture(text, "f", [tensor("x", 16)])
    one(result)
    assert result.steps() == ["fill", "launch"]


@test
def what_makes_kernels_of_its_own_is_refused() -> None:
    text = source("@torch.compile\ndef g(x):\n    return x + 1\n\ndef f(x):\n    return g(x)\n")
    cannot = capture(text, "f", [tensor("x", 16)]).cannot
    assert cannot["kind"] == "not_a_kernel" and cannot["op"] == "torch.compile" and cannot["line"] == 9, cannot
    text = source("def f(x):\n    g = torch.cuda.CUDAGraph()\n    return x\n")
    assert capture(text, "f", [tensor("x", 16)]).cannot["op"] == "CUDAGraph"
    assert capture(source("def f(x):\n    return x.to('cuda:1')\n"), "f", [tensor("x", 16)]).cannot["op"] == "cuda:1"


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


@test
def options_that_name_files_are_refused() -> None:
    text = source(SCALE).replace("BLOCK=256)", 'BLOCK=256, ptx_options="-O0")')
    cannot = capture(text, "run", [tensor("x", 16), tensor("out", 16)], target="sm_90").cannot
    assert cannot["kind"] == "not_capturable" and cannot["op"] == "ptx_options", cannot


@test
def gluon_is_named() -> None:
    text = source(
        """
        from triton.experimental import gluon
        from triton.experimental.gluon import language as gl

        @gluon.jit
        def kernel(x):
            pass

        def f(x):
            kernel[(1,)](x)
            return x
        """
    )
    assert capture(text, "f", [tensor("x", 16)]).cannot["op"] == "gluon"


if __name__ == "__main__":
    from geak_worker import warm

    warm.run()
    tests.main()
