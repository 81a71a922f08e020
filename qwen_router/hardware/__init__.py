"""The machine: what it is, what a build needs of it, and how fast it will be.

Values only: nothing here talks to an engine. `detect()` reads this computer, `machine_named()` a preset or a file,
`fit()` puts a model and a machine together.

    python -c "from qwen_router.hardware import detect; print(detect().summary())"
"""

from __future__ import annotations

from qwen_router.hardware.calibration import Calibration
from qwen_router.hardware.detect import detect
from qwen_router.hardware.fit import Fit, fit
from qwen_router.hardware.machine import Device, Machine, ServedBuild
from qwen_router.hardware.memory import MemoryLine, MemoryNeed, memory, memory_line
from qwen_router.hardware.placement import Placement, Share, longest_context, place
from qwen_router.hardware.presets import machine as machine_named
from qwen_router.hardware.presets import preset_names
from qwen_router.hardware.speed import MeasuredSpeed, PlacedSpeed, PredictedSpeed, placed_speed, predict_speed

__all__ = [
    "Calibration",
    "Device",
    "Fit",
    "Machine",
    "MeasuredSpeed",
    "MemoryLine",
    "MemoryNeed",
    "PlacedSpeed",
    "Placement",
    "PredictedSpeed",
    "ServedBuild",
    "Share",
    "detect",
    "fit",
    "longest_context",
    "machine_named",
    "memory",
    "memory_line",
    "place",
    "placed_speed",
    "predict_speed",
    "preset_names",
]
