"""The clock of an end-to-end figure: libgeakbox's, which has asked the driver for its functions before the candidate came."""

from __future__ import annotations

import ctypes
import time
from typing import Any, Optional, Tuple


class WitnessError(Exception):
    """The driver does not answer."""


class Witness:
    """Device events and the host's clock around calls. Without a device, or without the library, the host's alone."""

    def __init__(self, library: Optional[Any]) -> None:
        self.library = library
        self.has_device = False
        self.started = 0
        self.clock = time.monotonic_ns

    def open(self, driver: str) -> None:
        """In the candidate's process, before anything of it is loaded. Raises WitnessError."""
        if self.library is None:
            raise WitnessError("libgeakbox.so is not there")
        message = ctypes.create_string_buffer(256)
        if self.library.gk_witness_open(driver.encode(), message, len(message)) < 0:
            raise WitnessError(message.value.decode("utf-8", "replace"))
        self.has_device = True

    def synchronize(self) -> None:
        if self.has_device and self.library.gk_witness_wait() < 0:
            raise WitnessError("the device has failed")

    def begin(self) -> None:
        if self.library is not None:
            if self.library.gk_witness_begin() < 0:
                raise WitnessError("the device has failed")
            return
        self.started = self.clock()

    def end(self) -> Tuple[Optional[float], float]:
        """Milliseconds by events (None without a device) and by the host's clock."""
        if self.library is None:
            return None, (self.clock() - self.started) / 1e6
        event, host = ctypes.c_double(-1.0), ctypes.c_double(0.0)
        if self.library.gk_witness_end(ctypes.byref(event), ctypes.byref(host)) < 0:
            raise WitnessError("the device has failed")
        return (event.value if event.value >= 0 else None), host.value
