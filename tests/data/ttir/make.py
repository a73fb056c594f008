"""Writes the .ttir files of this folder: python3 make.py [SUFFIX [KERNEL ...]]. Needs triton, no GPU.

SUFFIX tells files of another triton version apart: softmax-3.4.ttir. The kernels get a path of their
own, so that the files do not depend on where the repository lies.
"""

import linecache
import pathlib
import re
import sys

import triton
from triton.backends.compiler import GPUTarget
from triton.backends.nvidia.compiler import CUDABackend
from triton.compiler import ASTSource

HERE = pathlib.Path(__file__).resolve().parent
PATH = "/geak/kernels.py"


def load() -> dict:
    """The names of kernels.py, run under its virtual path."""
    text = (HERE / "kernels.py").read_text()
    linecache.cache[PATH] = (len(text), None, text.splitlines(True), PATH)
    names = {"__name__": "kernels", "__file__": PATH}
    exec(compile(text, PATH, "exec"), names)
    return names


def stop_at_ttir() -> list:
    """Cuts the compiler's stages behind TTIR; the texts are appended to the list that comes back."""
    texts = []
    add_stages = CUDABackend.add_stages

    def only_ttir(self, stages, options, *rest):
        add_stages(self, stages, options, *rest)
        make = stages["ttir"]
        stages.clear()

        def keep(source, metadata):
            module = make(source, metadata)
            texts.append(str(module))
            metadata.update(name="kernel", shared=0, tmem_size=0, global_scratch_size=0, global_scratch_align=1,
                            profile_scratch_size=0, profile_scratch_align=1)
            return module

        stages["ttir"] = keep
        stages["cubin"] = lambda source, metadata: b"none"

    CUDABackend.add_stages = only_ttir
    return texts


def main() -> None:
    suffix, wanted = (sys.argv[1] if len(sys.argv) > 1 else ""), sys.argv[2:]
    names, texts = load(), stop_at_ttir()
    for kernel, types in names["KERNELS"]:
        if wanted and kernel.__name__ not in wanted:
            continue
        params = list(kernel.arg_names)
        signature = dict(zip(params, types.split()))
        constants = {(i,): names["CONSTANTS"][p] for i, p in enumerate(params) if p not in signature}
        signature.update({p: "constexpr" for p in params if p not in signature})
        aligned = {(i,): [["tt.divisibility", 16]] for i, p in enumerate(params) if signature[p].startswith("*")}
        source = ASTSource(kernel, signature, constants, aligned)
        try:
            triton.compile(source, target=GPUTarget("cuda", 90, 32))
        except Exception as failure:
            print(f"{kernel.__name__}: {type(failure).__name__}: {str(failure)[-300:]}", file=sys.stderr)
            continue
        text = re.sub(r'"[^"]*/triton/language/', '"/triton/language/', texts[-1])
        (HERE / f"{kernel.__name__}{suffix}.ttir").write_text(text)


if __name__ == "__main__":
    main()
