"""What PyTorch does around the launches: fills, copies, tables, allowed arithmetic, answers about the device."""

from __future__ import annotations

from typing import Any, Dict, Sequence

from candidates import one, with_scale
from helper import Tests, capture, source, tensor

tests = Tests()
test = tests.add


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


if __name__ == "__main__":
    from geak_worker import warm

    warm.run()
    tests.main()
