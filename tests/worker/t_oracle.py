"""The oracle: tensors, expected values, lint."""

from __future__ import annotations

import os
import tempfile
from typing import Any, Dict, List, Optional

import torch
from geak_worker import lint, oracle, special, task_entry
from geak_worker.frames import read_memfd
from helper import SUITES, Frame, Peer, Tests, sealed_memfd, source

tests = Tests()
test = tests.add
_peer: Optional[Peer] = None


def peer() -> Peer:
    global _peer
    if _peer is None:
        _peer = Peer("oracle")
    return _peer


def ask(kind: str, fds: Optional[List[int]] = None, **json: Any) -> Frame:
    return peer().ask(Frame(kind, 9, json, fds=fds or []))


def inputs(task: str, case: Dict[str, Any], seed: int = 5, dist: str = "normal", **more: Any) -> Frame:
    return ask("inputs", task=os.path.join(SUITES, "starter", task), case=case, seed=seed, dist=dist, **more)


def tensors(frame: Frame, key: str) -> List[torch.Tensor]:
    heads = [head for head in frame.json[key] if head.get("kind", "tensor") == "tensor"]
    return [oracle.tensor_from(head, read_memfd(fd, 1 << 30)) for head, fd in zip(heads, frame.fds)]


FLIP = {"M": 9, "N": 30, "dtype": "float16", "layout": "strided"}


@test
def inputs_keep_their_layout() -> None:
    frame = inputs("flip", FLIP)
    (head,) = frame.json["args"]
    assert frame.id == 9 and frame.last and head["strides"] == [90, 3] and head["bytes"] == 9 * 90 * 2, head
    assert tensors(frame, "args")[0].shape == (9, 30)


SPECIALS = ["nan", "inf", "-inf", "-0.0", "subnormal", "max", "-max"]


@test
def special_values_lie_at_secret_places() -> None:
    plain = tensors(inputs("flip", FLIP), "args")[0]
    made, again = (tensors(inputs("flip", FLIP, specials=SPECIALS), "args")[0] for _ in range(2))
    raw, limits = made.contiguous().view(torch.int16), torch.finfo(torch.float16)
    changed = raw != plain.contiguous().view(torch.int16)
    assert made.stride() == (90, 3), made.stride()
    assert torch.equal(raw, again.contiguous().view(torch.int16)), "the seed does not decide"
    assert 20 <= int(changed.sum()) <= 9 * 30 // 8, int(changed.sum())
    assert torch.isnan(made).any() and (made == float("inf")).any() and (made == float("-inf")).any()
    assert (made == limits.max).any() and (made == limits.min).any()
    assert ((made == 0) & torch.signbit(made)).any()
    assert ((made != 0) & (made.abs() < limits.smallest_normal)).any()
    other = tensors(inputs("flip", FLIP, 6, specials=SPECIALS), "args")[0].contiguous().view(torch.int16)
    assert not torch.equal(other, raw)


@test
def only_what_is_declared_is_put_in_and_only_where_it_may() -> None:
    case = {"M": 0, "N": 300, "dtype": "float32", "layout": "contiguous"}
    plain = tensors(inputs("vector_add", case), "args")
    made = tensors(inputs("vector_add", case, specials=["inf"], ordinary=["y"]), "args")
    assert (made[0] == float("inf")).any() and not torch.isnan(made[0]).any()
    assert torch.equal(made[1], plain[1])
    (one,) = tensors(inputs("flip", {**FLIP, "M": 1, "N": 1}, specials=["nan"]), "args")
    assert bool(torch.isnan(one).all()), one


@test
def formats_without_a_value_do_without() -> None:
    x = torch.ones(64).to(torch.float8_e4m3fn)
    special.put(x, SPECIALS, "seed")
    back = x.float()
    assert torch.isnan(back).any() and not torch.isinf(back).any()
    assert (back == 448).any() and ((back != 0) & (back.abs() < 2.0**-6)).any(), back
    whole = torch.ones(4).expand(8, 4)
    special.put(whole, ["nan"], "seed")
    assert torch.isnan(whole).any(), "an overlapping layout is written to below"


@test
def misaligned_tensors_begin_one_element_off() -> None:
    for task, case in (("flip", FLIP), ("vector_add", {"M": 5, "N": 33, "dtype": "bfloat16", "layout": "offset"})):
        plain, made = inputs(task, case), inputs(task, case, misaligned=True)
        for head in made.json["args"]:
            assert head["offset"] * 2 % 16 == 2, head
        for a, b in zip(tensors(plain, "args"), tensors(made, "args")):
            assert a.stride() == b.stride() and torch.equal(a, b)


@test
def seeds_decide_the_values() -> None:
    a, b, c = (tensors(inputs("flip", FLIP, seed), "args")[0] for seed in (5, 5, 6))
    assert torch.equal(a, b) and not torch.equal(a, c)


@test
def expected_values_are_float64_with_the_declared_dtype_beside() -> None:
    made = inputs("flip", FLIP)
    x = tensors(made, "args")[0]
    answer = ask(
        "expected", made.fds, task=os.path.join(SUITES, "starter", "flip"), case=FLIP, args=made.json["args"]
    )
    (head,) = answer.json["outputs"]
    assert (head["dtype"], head["declared"], head["name"]) == ("float64", "float16", "out")
    assert torch.equal(tensors(answer, "outputs")[0], x.double().flip(-1))


@test
def scalars_come_back_as_they_were() -> None:
    case = {"M": 3, "N": 4, "K": 5, "dtype": "float32", "activation": "relu", "layout": "contiguous"}
    frame = inputs("matmul_bias_act", case)
    assert [arg["name"] for arg in frame.json["args"]] == ["a", "b", "bias", "activation"]
    assert frame.json["args"][3] == {"name": "activation", "kind": "string", "value": "relu"} and len(frame.fds) == 3


def folder(text: str, manifest: str = "") -> str:
    made = tempfile.mkdtemp()
    with open(os.path.join(made, "oracle.py"), "w", encoding="utf-8") as file:
        file.write(text)
    if manifest:
        with open(os.path.join(made, "task.yaml"), "w", encoding="utf-8") as file:
            file.write(manifest)
    return made


@test
def an_oracle_that_is_wrong_is_named() -> None:
    def complaint(text: str) -> str:
        answer = ask("inputs", task=folder(text), case={}, seed=1, dist="normal")
        assert answer.type == "error" and answer.json["kind"] == "task", answer
        return str(answer.json["message"])

    assert "line 2: ValueError: no" in complaint("def make_inputs(*a):\n    raise ValueError('no')\n")
    assert "line 1: SyntaxError" in complaint("def make_inputs(\n")
    assert "no function make_inputs" in complaint("x = 1\n")
    assert "not a dict" in complaint("def make_inputs(*a):\n    return 3\n")
    assert "tensors and scalars" in complaint("def make_inputs(*a):\n    return {'x': []}\n")
    assert "must be finite" in complaint("def make_inputs(*a):\n    return {'x': float('nan')}\n")
    assert "SystemExit" in complaint("import sys\nsys.exit(3)\n")
    assert ask("inputs", task="/nonexistent", case={}, seed=1, dist="normal").json["kind"] == "task"
    assert ask("inputs", case={}).json["kind"] == "protocol"


@test
def a_changed_oracle_is_loaded_again() -> None:
    made = folder("def make_inputs(*a):\n    return {'x': 1}\n")
    assert ask("inputs", task=made, case={}, seed=1, dist="n").json["args"][0]["value"] == 1
    with open(os.path.join(made, "oracle.py"), "w", encoding="utf-8") as file:
        file.write("def make_inputs(*a):\n    return {'x': 22}\n")
    assert ask("inputs", task=made, case={}, seed=1, dist="n").json["args"][0]["value"] == 22


@test
def the_order_of_parameters_and_returns_is_the_task_s() -> None:
    manifest = (
        "id: t\nentry:\n  name: f\n  params:\n    - {name: b, kind: tensor}  # first\n    - name: a\n      kind: int\n"
        '  returns:\n    - {name: q, dtype: "like:b"}\n    - name: p\n      dtype: int32\ncases:\n  - {name: 3, dtype: x}\n'
    )
    entry = task_entry.read(manifest)
    assert entry.params == ["b", "a"] and list(entry.returns.items()) == [("q", "like:b"), ("p", "int32")]
    made = folder(
        "import torch\ndef make_inputs(*a):\n    return {'a': 1, 'b': torch.ones(2, dtype=torch.bfloat16)}\n"
        "def expected(i, c):\n    return {'p': i['b'].int(), 'q': i['b'] * 2}\n",
        manifest,
    )
    got = ask("inputs", task=made, case={}, seed=1, dist="n")
    assert [arg["name"] for arg in got.json["args"]] == ["b", "a"]
    answer = ask("expected", got.fds, task=made, case={}, args=got.json["args"])
    assert [(o["name"], o["dtype"], o["declared"]) for o in answer.json["outputs"]] == [
        ("q", "float64", "bfloat16"), ("p", "int32", "int32")]  # fmt: skip


@test
def a_storage_that_lies_is_refused() -> None:
    made = inputs("flip", FLIP)
    args = [{**made.json["args"][0], "bytes": 10}]
    answer = ask("expected", made.fds, task=os.path.join(SUITES, "starter", "flip"), case=FLIP, args=args)
    assert answer.type == "error" and answer.json["kind"] == "protocol" and "promised" in answer.json["message"]


ENTRY = {"name": "add", "params": ["x", "y"]}
KERNEL = "@triton.jit\ndef k(x):\n    pass\n"


def linted(text: str) -> lint.Linted:
    return lint.check(source(text).encode(), ENTRY)


@test
def lint_takes_what_is_right() -> None:
    for text in (
        KERNEL + "def add(x, y):\n    return x\n",
        KERNEL + "def add(x, y, block=1, *, warps=4):\n    return x\n",
        KERNEL + "def add(*args):\n    return args[0]\n",
        KERNEL + "class A: pass\nadd = A()\n",
        "@triton.autotune([], [])\n" + KERNEL + "if True:\n    def add(x, y): return x\n",
    ):
        assert linted(text).ok, (text, linted(text))


@test
def lint_names_what_is_wrong() -> None:
    cases = {
        "def add(x y):\n    pass\n": ("syntax_error", 4),
        KERNEL + "def other(x, y):\n    pass\n": ("missing_entry", 0),
        KERNEL + "def add(y, x):\n    pass\n": ("wrong_signature", 7),
        KERNEL + "def add(x):\n    pass\n": ("wrong_signature", 7),
        KERNEL + "def add(x, y, z):\n    pass\n": ("wrong_signature", 7),
        KERNEL + "def add(x, y, *, z):\n    pass\n": ("wrong_signature", 7),
        "def add(x, y):\n    return x + y\n": ("no_kernel", 0),
        KERNEL + "def add(x, y):\n    return x\nreturn 3\n": ("syntax_error", 9),
    }
    for text, (kind, line) in cases.items():
        got = linted(text)
        assert (got.kind, got.line) == (kind, line), (text, got)
    assert lint.check(b"x = '\xff'\n", ENTRY).kind == "syntax_error"
    assert lint.check(b"(" * 5000, ENTRY).kind == "syntax_error"
    assert lint.check(b"x = 1\0\n", ENTRY).kind == "syntax_error"


@test
def lint_runs_nothing_and_notes_what_is_odd() -> None:
    text = source(KERNEL + "import ctypes\nraise SystemExit\ndef add(x, y):\n    exec('1')\n")
    answer = ask("lint", [sealed_memfd("s", text.encode())], entry=ENTRY)
    assert answer.type == "linted" and answer.json["ok"], answer.json
    assert answer.json["notes"] == ["imports ctypes", "calls exec"]


@test
def the_oracle_ends_with_its_stream() -> None:
    assert peer().close() == 0


if __name__ == "__main__":
    tests.main()
