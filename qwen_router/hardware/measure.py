"""Measures this computer: how fast main memory is read and how fast it multiplies, in about 0.3 s together.

Called only on request (`qwen-router hardware --measure`) or by a caller that has no figure; `with_measured` puts the figures
into a `Machine`. Accelerators are not measured here.

    python -c "from qwen_router.hardware.measure import measure_bandwidth; print(measure_bandwidth(), 'GiB/s')"
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from qwen_router.hardware.machine import Machine

GIB = 1024**3


def measure_bandwidth(*, threads: int = 2, seconds: float = 0.15) -> float:
    """GiB/s that `threads` threads read together: dot products over arrays far larger than any cache."""
    arrays = [np.ones(16 * 1024 * 1024, dtype=np.float32) for _ in range(threads)]

    def read(array: np.ndarray) -> int:
        deadline, read_bytes = time.perf_counter() + seconds, 0
        while time.perf_counter() < deadline:
            np.max(array)
            read_bytes += array.nbytes
        return read_bytes

    with ThreadPoolExecutor(threads) as pool:
        started = time.perf_counter()
        total_bytes = sum(pool.map(read, arrays))
        return total_bytes / (time.perf_counter() - started) / GIB


def measure_compute(*, seconds: float = 0.15, width: int = 768) -> float:
    """f32 TFLOPS of a square matrix product, with as many threads as numpy's library takes."""
    left = np.ones((width, width), dtype=np.float32)
    right = np.ones((width, width), dtype=np.float32)
    out = np.empty_like(left)
    np.matmul(left, right, out=out)
    best_s, deadline = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < deadline:
        started = time.perf_counter()
        np.matmul(left, right, out=out)
        best_s = min(best_s, time.perf_counter() - started)
    return float(2 * width**3 / best_s / 1e12)


def with_measured(machine: Machine) -> Machine:
    """The same machine with its CPU's two figures measured now."""
    bandwidth = measure_bandwidth(threads=machine.cores)
    compute = measure_compute()
    devices = tuple(
        replace(device, bandwidth_gib_s=bandwidth, compute_tflops=compute, measured=True) if device.kind == "cpu" else device
        for device in machine.devices
    )
    return replace(machine, devices=devices)
