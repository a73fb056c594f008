"""The two facts of task.yaml that the oracle needs: the order of the entry's parameters, and what it returns.

geak reads and checks the whole file (docs/task.md); this reads the `entry` block of a file that has passed that check.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Dict, List

_FIELD = re.compile(r"\b(name|dtype):\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s,}\]]+))")


@dataclass
class Entry:
    """Names of the parameters in order, and the declared dtype of each return by name, in order."""

    params: List[str] = field(default_factory=list)
    returns: Dict[str, str] = field(default_factory=dict)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def read(text: str) -> Entry:
    """The entry of a task file; empty lists where the block is missing."""
    entry, section, inside = Entry(), "", False
    item: Dict[str, str] = {}
    for line in text.splitlines():
        bare = line.split(" #")[0].strip()
        if not bare or bare.startswith("#"):
            continue
        if _indent(line) == 0 and not bare.startswith("-"):
            inside, section = bare.startswith("entry:"), ""
            continue
        if not inside:
            continue
        if re.match(r"(params|returns):", bare):
            section = bare.split(":")[0]
        elif re.match(r"\w+:", bare) and _indent(line) <= 2:
            section = ""
        for piece in re.split(r"(?=-\s+\{|^-\s|\{)", bare):
            if piece.startswith(("-", "{")):
                item = {}
            for match in _FIELD.finditer(piece):
                item[match.group(1)] = next(value for value in match.groups()[1:] if value is not None)
                _keep(entry, section, item)
    return entry


def _keep(entry: Entry, section: str, item: Dict[str, str]) -> None:
    name = item.get("name")
    if name is None:
        return
    if section == "params" and name not in entry.params:
        entry.params.append(name)
    elif section == "returns":
        entry.returns[name] = item.get("dtype", "")
