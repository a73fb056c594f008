"""python -m geak_worker zygote | contained | oracle | lowering: started by geak, spoken to over the socket named in GEAK_FD."""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Exit status: 0 at the end of the stream, 1 on our own failure, 2 on wrong use."""
    if len(sys.argv) != 2 or sys.argv[1] not in ("zygote", "contained", "oracle", "lowering"):
        print("usage: python -m geak_worker zygote|contained|oracle|lowering (started by geak)", file=sys.stderr)
        return 2
    if sys.flags.hash_randomization:
        # sets and dicts of candidates must come in the same order in every process
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "geak_worker", sys.argv[1]])
    if not getattr(sys.flags, "safe_path", False):  # before Python 3.11: -m puts the folder geak runs in first
        sys.path.pop(0)
    os.environ["TRITON_DEFAULT_FP_FUSION"] = "1"
    from .frames import FrameError

    build = os.environ.get("GEAK_BUILD", "")
    try:
        if sys.argv[1] in ("zygote", "contained"):
            from . import zygote

            return zygote.main(build, sys.argv[1])
        if sys.argv[1] == "lowering":
            from . import lowering

            return lowering.main(build)
        from . import oracle

        return oracle.main(build)
    except (FrameError, BrokenPipeError, ConnectionResetError) as error:
        print(f"geak_worker: {error}", file=sys.stderr)
        return 1


sys.exit(main())
