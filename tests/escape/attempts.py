"""Attempts to get out of the sandbox. Each is a function that returns what it got hold of, or nothing.

They stand in the files attempts_*.py, whose text together becomes the head of a candidate (run.py), which runs one attempt
when it is imported: then it is tried from where candidates are. Run as a program this tries one from outside, by the same
user, without a sandbox: there most of them must succeed, or they prove nothing. `W` says where the victims are.
"""

import json
import os
import sys

# each adds its own to ATTEMPTS
import attempts_reach
import attempts_files
import attempts_system
import attempts_stay
from attempts_common import ATTEMPTS, play

PARTS = ("common", "reach", "files", "system", "stay")
HERE = os.path.dirname(os.path.abspath(__file__))


def text() -> str:
    """All of them as one file."""
    out = []
    for part in PARTS:
        with open(os.path.join(HERE, f"attempts_{part}.py"), encoding="utf-8") as file:
            out += [line for line in file if not line.startswith("from attempts_common import ")]
        out.append("\n\n")
    return "".join(out)


if __name__ == "__main__":
    print(play(sys.argv[1], json.loads(sys.argv[2])))
