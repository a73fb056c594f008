"""The changes that switch the defences off keep up with the source: `make redteam-break` takes too long to find out."""

from __future__ import annotations

import sys
from pathlib import Path

from helper import Tests

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "exploits"))
from defences import BREAKS, Break, problems  # noqa: E402

tests = Tests()
test = tests.add


@test
def each_defence_can_be_switched_off() -> None:
    assert len(BREAKS) > 50
    assert problems(BREAKS, ROOT) == []


@test
def a_change_that_does_not_apply_is_found() -> None:
    stale = Break("stale", "nothing", [("Makefile", "no such text", "")])
    assert problems([stale], ROOT) == ["stale: Makefile: 0 places look like this: 'no such text'"]


if __name__ == "__main__":
    tests.main()
