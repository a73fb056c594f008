"""Makes a geak suite of ten TritonBench kernels, from our own oracles and the kernels of a checkout.

    python bench/tritonbench/tasks.py CHECKOUT/data/TritonBench_G_v1 OUT

OUT/suite.yaml and a folder for each task; the kernel part of the checkout's file is the task's reference, and with a
comment more OUT/candidates/NAME.py. Five exec cases and two perf cases each. For bench/tritonbench/upstream.py.
"""

from __future__ import annotations

import os
import re
import sys
from typing import Dict, List, NamedTuple


class Task(NamedTuple):
    file: str
    entry: str
    inputs: str  # Python: from case, values(shape) to a dict of inputs
    expected: str  # Python: from inputs (tensors in float64) to the output
    params: "List[str]"
    exec: "List[Dict[str, int]]"
    perf: "List[Dict[str, int]]"
    dtype: str
    operation: str
    words: str
    length: str = ""


FLAT = [{"N": n} for n in (1, 1000, 1024, 4097, 98432)]
LONG = [{"N": 1 << 20}, {"N": 1 << 24}]
ROWS = [{"M": m, "N": n} for m, n in ((1, 1), (128, 64), (128, 512), (33, 1000), (64, 2049))]
MANY = [{"M": 1024, "N": 1024}, {"M": 4096, "N": 4096}]
ONE, TWO = '{"x": values(case["N"])}', '{"x": values(case["N"]), "y": values(case["N"])}'
MATRIX = '{"x": values(case["M"], case["N"])}'

TASKS = [
    Task("vector_addition", "add", TWO, 'i["x"] + i["y"]', ["x", "y"], FLAT, LONG, "float32", "elementwise",
         "the sum of two vectors"),
    Task("sin_kernel", "call_kernel", ONE, 'torch.sin(i["x"])', ["x"], FLAT, LONG, "float32", "elementwise",
         "the sine of every element"),
    Task("cosine_compute", "cos", ONE.replace("x", "A"), 'torch.cos(i["A"])', ["A"], FLAT, LONG, "float32",
         "elementwise", "the cosine of every element"),
    Task("add_value", "puzzle1", ONE, 'i["x"] + 10', ["x"], FLAT, LONG, "float32", "elementwise",
         "every element plus 10"),
    Task("triton_mul2", "triton_mul2", ONE, '2 * i["x"]', ["x"], FLAT, LONG, "float32", "elementwise",
         "every element times 2"),
    Task("square_matrix", "square", MATRIX, 'i["x"] ** 2', ["x"], ROWS, MANY, "float32", "elementwise",
         "the square of every element"),
    Task("softmax_triton1", "softmax", MATRIX, 'torch.softmax(i["x"], -1)', ["x"], ROWS, MANY, "float32",
         "reduction", "the softmax of every row", "N"),
    Task("vector_addition_custom", "custom_add", TWO.replace("x", "a").replace("y", "b"), 'i["a"] + i["b"]', ["a", "b"], FLAT,
         LONG, "float32", "elementwise", "the sum of two vectors"),
    Task("rmsnorm_triton", "rmsnorm_triton_wrapper", '{"x": values(2, case["M"], case["N"]), "rms_w": values(case["N"])}',
         'i["x"] * torch.rsqrt((i["x"] ** 2).mean(-1, keepdim=True) + 1e-6) * i["rms_w"]', ["x", "rms_w"],
         [{"M": m, "N": n} for m, n in ((1, 8), (4, 1024), (5, 1000), (16, 2048), (3, 3000))], MANY, "float16",
         "reduction", "x divided by the root of the mean square of its last dimension (1e-6 added), times rms_w", "N"),
    Task("matrix_vector_multip", "mv", '{"inp": values(case["M"], case["N"]), "vec": values(case["N"])}',
         'i["inp"] @ i["vec"]', ["inp", "vec"],
         [{"M": m, "N": n} for m, n in ((1, 1), (16, 128), (100, 33), (200, 500), (64, 1000))],
         [{"M": 1024, "N": 1024}, {"M": 4096, "N": 4096}], "float32", "dot", "the product of a matrix and a vector", "N"),
]  # fmt: skip

ORACLE = '''"""Inputs and expected results of {file}."""

from typing import Any, Dict

import torch


def make_inputs(case: Dict[str, Any], seed: int, device: str, dist: str) -> Dict[str, torch.Tensor]:
    """Normal values in {dtype}."""
    generator = torch.Generator().manual_seed(seed)

    def values(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator).to(torch.{dtype}).to(device)

    return {inputs}


def expected(inputs: Dict[str, torch.Tensor], case: Dict[str, Any]) -> Dict[str, torch.Tensor]:
    """float64."""
    i = {{name: tensor.double() for name, tensor in inputs.items()}}
    return {{"out": {expected}}}
'''


def yaml_of(task: Task) -> str:
    params = "".join(f"    - {{name: {name}, kind: tensor}}\n" for name in task.params)
    cases = "".join(
        "  - {" + ", ".join(f"{key}: {value}" for key, value in case.items()) + f", use: [{use}], cpu: true}}\n"
        for use, some in (("exec", task.exec), ("perf", task.perf))
        for case in some
    ).replace("use: [perf], cpu: true", "use: [perf]")
    length = f", length: {task.length}" if task.length else ""
    return (
        f"id: {task.file}\ntitle: TritonBench {task.file}\ncategory: {task.operation}\ndifficulty: 1\n"
        f"origin: kernel of TritonBench-G, oracle written for geak\nentry:\n  name: {task.entry}\n  params:\n{params}"
        f"  returns:\n    - {{name: out, dtype: {task.dtype}}}\ntolerance: {{operation: {task.operation}{length}}}\n"
        f"distributions: [normal]\nallow_fills: {'true' if task.file == 'triton_mul2' else 'false'}\ncases:\n{cases}"
    )


def write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def main() -> int:
    checkout, out = sys.argv[1:3]
    os.makedirs(os.path.join(out, "candidates"), exist_ok=True)
    write(os.path.join(out, "suite.yaml"), "id: tritonbench_ten\ntitle: Ten kernels of TritonBench-G\ntasks: ["
          + ", ".join(task.file for task in TASKS) + "]\n")
    for task in TASKS:
        folder = os.path.join(out, task.file)
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(checkout, task.file + ".py"), encoding="utf-8") as file:
            kernel = re.split(r"(?m)^#{40,}[ \t]*$", file.read())[0]
        write(os.path.join(folder, "task.yaml"), yaml_of(task))
        write(os.path.join(folder, "instruction.md"), f"Write `{task.entry}`: {task.words}, in {task.dtype}.\n")
        write(os.path.join(folder, "oracle.py"), ORACLE.format(**task._asdict()))
        write(os.path.join(folder, "reference.py"), kernel)
        write(os.path.join(out, "candidates", task.file + ".py"), kernel + "# a candidate\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
