"""`qwen3-nano` built for onnxruntime-genai, once for all tests of a run, in a folder that goes away with the process."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import warnings
from functools import cache
from pathlib import Path

from qwen_router.demo import demo_checkpoint
from training.nano_onnx import write_onnx


@cache
def nano_onnx(precision: str = "fp32") -> Path:
    """The built folder, called `qwen3-nano`."""
    place = Path(tempfile.mkdtemp(prefix="qwen-router-onnx-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the builder's own
        write_onnx(demo_checkpoint(), place / "qwen3-nano", precision=precision)
    return place / "qwen3-nano"
