#!/usr/bin/env python3
"""A replay file for the tests: make_answers.py SUITE_FOLDER TASK... > FILE

For two trajectories of each task: the first candidate is wrong (it returns its
first argument as it came), the second has no code block, the third is the
task's reference, and so are all further ones, each with another last line.
Both trajectories get the same, so that a server may answer by prompt alone.
"""
import json
import re
import sys
from pathlib import Path


def entry_of(task: Path) -> str:
    """Name of the entry, from the task.yaml."""
    found = re.search(r"^entry:\s*\n\s+name:\s*(\w+)", (task / "task.yaml").read_text(), re.M)
    assert found, task
    return found.group(1)


def answer(task: Path, ordinal: int) -> str:
    """The generator's answer number ordinal."""
    if ordinal == 1:
        return "Strategy: think\n\nI have to think about it."
    code = (task / "reference.py").read_text()
    if ordinal == 0:
        code = f"import triton\n\n\ndef {entry_of(task)}(x, *args, **kwargs):\n    return x\n"
    return f"Strategy: number {ordinal}\n\n```python\n{code}# {ordinal}\n```\n"


def main() -> None:
    """Prints the file."""
    print(json.dumps({"geak_replay": 1, "origin": "made for a test"}))
    for name in sys.argv[2:]:
        for trajectory in range(2):
            for ordinal in range(8):
                for role in ("generator", "reflector", "optimizer"):
                    text = {"generator": answer(Path(sys.argv[1]) / name, ordinal),
                            "reflector": "It returns its argument: compute something.",
                            "optimizer": "### Direction 1: again\nWrite it once more.\n"}[role]
                    print(json.dumps({"task": name, "role": role, "trajectory": trajectory, "ordinal": ordinal,
                                      "answer": text, "finish": "stop"}))


main()
