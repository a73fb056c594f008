"""What ends sealing for a candidate, in words that its author can act on."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from types import FrameType
from typing import List, Optional

CANDIDATE_PATH = "/geak/candidate.py"

NOT_CAPTURABLE = "not_capturable"
NOT_A_KERNEL = "not_a_kernel"
FOREIGN_KERNEL = "foreign_kernel"
UNSTABLE_PLAN = "unstable_plan"
WRONG_CONTRACT = "wrong_contract"


@dataclass(frozen=True)
class Refusal:
    """One reason why a call has no launch plan. `line` is in the candidate's file, 0 when unknown."""

    kind: str
    op: str
    line: int
    message: str


class CannotCapture(RuntimeError):
    """Raised in the candidate at the place that cannot be recorded; the recorder remembers it all the same."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def candidate_line(path: str = CANDIDATE_PATH) -> int:
    """The line of the innermost active frame of the candidate's file; 0 when there is none."""
    frame: Optional[FrameType] = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename == path:
            return frame.f_lineno
        frame = frame.f_back
    return 0


def at(line: int) -> str:
    """' (line 12)', or nothing when the line is unknown."""
    return f" (line {line})" if line else ""


class Refusals:
    """All reasons of one call, in the order in which they came: an exception can be caught, an entry here stays."""

    def __init__(self) -> None:
        self.entries: List[Refusal] = []

    def note(self, kind: str, op: str, message: str, line: Optional[int] = None) -> Refusal:
        """Adds an entry once for each place; `message` gets the line appended."""
        where = candidate_line() if line is None else line
        refusal = Refusal(kind, op, where, message + at(where))
        if refusal not in self.entries and len(self.entries) < 64:
            self.entries.append(refusal)
        return refusal

    def refuse(self, kind: str, op: str, message: str, line: Optional[int] = None) -> "CannotCapture":
        """Adds the entry and returns the exception to raise."""
        return CannotCapture(self.note(kind, op, message, line))

    def first(self) -> Optional[Refusal]:
        """The reason to report: what hides the candidate's values from us outranks arithmetic of the framework."""
        for kind in (FOREIGN_KERNEL, NOT_A_KERNEL, NOT_CAPTURABLE):
            for refusal in self.entries:
                if refusal.kind == kind:
                    return refusal
        return self.entries[0] if self.entries else None
