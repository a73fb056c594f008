"""What a candidate learns when it asks about the device: facts of each target, from the vendors' public data sheets.

A plan for target `cpu` is made as for sm_90: the machine runs Triton IR, which is nearly the same for all targets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Tuple

GIB = 1 << 30


@dataclass(frozen=True)
class Device:
    """One target. Rates in kHz, bus width in bits, sizes in bytes."""

    target: str
    backend: str
    arch: Any
    warp_size: int
    name: str
    capability: Tuple[int, int]
    multiprocessors: int
    memory: int
    shared_per_block: int
    shared_per_multiprocessor: int
    threads_per_multiprocessor: int
    registers: int
    l2: int
    clock: int
    memory_clock: int
    bus_width: int

    def driver_properties(self) -> Dict[str, int]:
        """As Triton's driver answers get_device_properties()."""
        return {
            "max_shared_mem": self.shared_per_block,
            "max_num_regs": self.registers,
            "multiprocessor_count": self.multiprocessors,
            "warpSize": self.warp_size,
            "warp_size": self.warp_size,
            "sm_clock_rate": self.clock,
            "mem_clock_rate": self.memory_clock,
            "mem_bus_width": self.bus_width,
            "max_threads_per_sm": self.threads_per_multiprocessor,
        }


_DEVICES = [
    Device("sm_80", "cuda", 80, 32, "NVIDIA A100-SXM4-80GB", (8, 0), 108, 80 * GIB, 166912, 167936, 2048, 65536,
           40 << 20, 1410000, 1593000, 5120),
    Device("sm_90", "cuda", 90, 32, "NVIDIA H100 80GB HBM3", (9, 0), 132, 80 * GIB, 232448, 233472, 2048, 65536,
           50 << 20, 1980000, 2619000, 5120),
    Device("sm_100", "cuda", 100, 32, "NVIDIA B200", (10, 0), 148, 180 * GIB, 232448, 233472, 2048, 65536,
           126 << 20, 1965000, 3996000, 8192),
    Device("gfx90a", "hip", "gfx90a", 64, "AMD Instinct MI250X", (9, 0), 110, 64 * GIB, 65536, 65536, 2048, 65536,
           8 << 20, 1700000, 1600000, 4096),
    Device("gfx942", "hip", "gfx942", 64, "AMD Instinct MI300X", (9, 4), 304, 192 * GIB, 65536, 65536, 2048, 65536,
           4 << 20, 2100000, 2600000, 8192),
    Device("gfx950", "hip", "gfx950", 64, "AMD Instinct MI355X", (9, 5), 256, 288 * GIB, 163840, 163840, 2048, 65536,
           4 << 20, 2400000, 2000000, 8192),
]  # fmt: skip

DEVICES = {device.target: device for device in _DEVICES}
DEVICES["cpu"] = DEVICES["sm_90"]


def find(target: str) -> Device:
    """The facts of a target. Raises ValueError with the known names."""
    if target not in DEVICES:
        raise ValueError(f"unknown target {target!r}; known are {', '.join(sorted(DEVICES))}")
    return DEVICES[target]


class Properties:
    """As torch.cuda.get_device_properties() answers."""

    def __init__(self, device: Device) -> None:
        self.name = device.name
        self.major, self.minor = device.capability
        self.total_memory = device.memory
        self.multi_processor_count = device.multiprocessors
        self.warp_size = device.warp_size
        self.max_threads_per_multi_processor = device.threads_per_multiprocessor
        self.max_threads_per_block = 1024
        self.shared_memory_per_block = min(device.shared_per_block, 49152)
        self.shared_memory_per_block_optin = device.shared_per_block
        self.shared_memory_per_multiprocessor = device.shared_per_multiprocessor
        self.regs_per_multiprocessor = device.registers
        self.L2_cache_size = device.l2
        self.clock_rate = device.clock
        self.memory_clock_rate = device.memory_clock
        self.memory_bus_width = device.bus_width
        self.gcnArchName = str(device.arch) if device.backend == "hip" else device.name
        self.is_integrated = False
        self.is_multi_gpu_board = False
