"""Build a checkpoint folder, `qwen3-nano` above all, for onnxruntime-genai with that library's own model builder.

Writes model.onnx, its weights, genai_config.json and the tokenizer's files, for the CPU. Works offline from a local folder.
Needs the extras `onnx`, `transformers` and `train`. A model of the hub is better built with the library's own command:
`python -m onnxruntime_genai.models.builder -m Qwen/Qwen3-0.6B -o Qwen3-0.6B-int4 -p int4 -e cpu`.

    python -m training.nano_onnx qwen_router/demo/qwen3-nano build/qwen3-nano --precision int4
"""

from __future__ import annotations

import argparse
import io
import logging
import os
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

PRECISIONS = ("fp32", "int8", "int4")
"""What the builder makes for a CPU. int8 and int4 are rounded to nearest, in blocks of 32 weights of a row."""


def write_onnx(checkpoint: Path, out: Path, *, precision: str = "fp32") -> None:
    """Write the folder `out` from a transformers folder; what the builder prints on its way is swallowed."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read when onnxruntime is imported
    from onnxruntime_genai.models import builder

    provider = "cpu"
    logging.disable(logging.ERROR)  # "Gather only supports 4 bits": at int8 the embedding stays as it is
    try:
        with tempfile.TemporaryDirectory() as cache, redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            place = ("", str(checkpoint), str(out), precision, provider, cache)
            builder.create_model(*place, **builder.parse_extra_options(*place, ["hf_token=false"]))
    finally:
        logging.disable(logging.NOTSET)


def main() -> None:
    """Build one folder."""
    parser = argparse.ArgumentParser(description="Build a checkpoint for onnxruntime-genai on the CPU.")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--precision", choices=PRECISIONS, default="fp32")
    options = parser.parse_args()
    write_onnx(options.checkpoint, options.out, precision=options.precision)
    size_bytes = sum(file.stat().st_size for file in options.out.glob("*.onnx*"))
    print(f"{options.out}: {size_bytes / 2**20:.2f} MiB in {options.precision}")


if __name__ == "__main__":
    main()
