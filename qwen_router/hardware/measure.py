"""Measures this computer: how fast main memory is read and how fast it multiplies, in about half a second together.

Called only on request (`qwen-router hardware --measure`) or by a caller that has no figure; `with_measured` puts the figures
into a `Machine`. Accelerators are not measured here, and neither is the disk.

    python -c "from qwen_router.hardware.measure import measure_bandwidth; print(measure_bandwidth(), 'GiB/s')"
"""

from __future__ import annotations

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import numpy as np

from qwen_router.hardware.detect_cpu import last_level_cache_mib
from qwen_router.hardware.machine import Machine

GIB = 1024**3
MIB = 1024**2
WINDOWS = 5
CACHES = 8
"""All arrays together are so many times the last-level cache: from 4 times on, an EPYC with 32 MiB reads no slower."""
SMALLEST_MIB = 256.0
SMALLEST_ARRAY_MIB = 16.0
"""An array's read must outlast what Python needs to start it, about 5 us: 16 MiB take 0.3 ms at 50 GiB/s."""


def measure_bandwidth(*, threads: int = 2, seconds: float = 0.25) -> float:
    """GiB/s that `threads` threads read together: the median of five windows over arrays far larger than the caches.

    The same on all cores at once is what decoding does; one core alone reaches less on most machines.
    """
    array_mib = array_size_mib(threads, last_level_cache_mib(), _available_mib())
    together = Barrier(threads, timeout=30)  # a thread that got no memory must not hold up the others

    def read(_: int) -> list[float]:
        array = np.ones(int(array_mib * MIB) // 4, dtype=np.float32)  # touched by the core that reads it
        rates = []
        for _window in range(WINDOWS):
            together.wait()
            started, read_bytes = time.perf_counter(), 0
            while time.perf_counter() - started < seconds / WINDOWS:
                array.max()
                read_bytes += array.nbytes
            rates.append(read_bytes / (time.perf_counter() - started) / GIB)
        return rates

    with ThreadPoolExecutor(threads) as pool:
        return float(statistics.median(map(sum, zip(*pool.map(read, range(threads)), strict=True))))


def array_size_mib(threads: int, cache_mib: float | None, available_mib: float) -> float:
    """Each thread's array: together `CACHES` times the last-level cache, but no more than a quarter of what is free."""
    together_mib = min(max(CACHES * (cache_mib or 0.0), SMALLEST_MIB), available_mib / 4)
    return max(together_mib / threads, SMALLEST_ARRAY_MIB)


def _available_mib() -> float:
    import psutil

    return float(psutil.virtual_memory().available / MIB)


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
    """The same machine with its CPU's two figures measured now, by as many threads as it may use cores."""
    bandwidth = measure_bandwidth(threads=machine.cores)
    compute = measure_compute()
    devices = tuple(
        replace(device, bandwidth_gib_s=bandwidth, compute_tflops=compute, measured=True) if device.kind == "cpu" else device
        for device in machine.devices
    )
    return replace(machine, devices=devices)
