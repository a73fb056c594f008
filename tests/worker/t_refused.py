"""What has no launch plan, and what a candidate is told: refusals, foreign kernels, errors with their lines."""

from __future__ import annotations

from candidates import MATMUL, SCALE, one, with_scale
from helper import Tests, capture, scalar, source, tensor

tests = Tests()
test = tests.add


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
def a_cpu_tensor_as_argument_is_triton_s_error() -> None:
    text = with_scale("def f(x):\n    return run(torch.ones(16), torch.empty_like(x))\n")
    raised = capture(text, "f", [tensor("x", 16)]).raised
    assert raised["type"] == "ValueError" and "cannot be accessed from Triton" in raised["message"]


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
def what_makes_kernels_of_its_own_is_refused() -> None:
    text = source("@torch.compile\ndef g(x):\n    return x + 1\n\ndef f(x):\n    return g(x)\n")
    cannot = capture(text, "f", [tensor("x", 16)]).cannot
    assert cannot["kind"] == "not_a_kernel" and cannot["op"] == "torch.compile" and cannot["line"] == 9, cannot
    text = source("def f(x):\n    g = torch.cuda.CUDAGraph()\n    return x\n")
    assert capture(text, "f", [tensor("x", 16)]).cannot["op"] == "CUDAGraph"
    assert capture(source("def f(x):\n    return x.to('cuda:1')\n"), "f", [tensor("x", 16)]).cannot["op"] == "cuda:1"


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
