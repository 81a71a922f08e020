"""Makes small checkpoints that embed and rerank: Qwen3's architecture shrunk, random weights, files as the published ones.

Rebuilt, for want of a network: the tokenizer is qwen3-nano's with `yes` as one token; the embedding's appends
<|endoftext|>, and modules.json, 1_Pooling, 1_LogitScore and README.md are as sentence-transformers and Qwen write them.
"""

from __future__ import annotations

import atexit
import json
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Literal

from qwen_router.demo import demo_checkpoint

Kind = Literal["embedding", "reranker"]
HIDDEN, CONTEXT_TOKENS = 64, 1024
_PACKAGE = "sentence_transformers"
_MODULES: dict[Kind, list[dict[str, Any]]] = {
    "embedding": [
        {"idx": 0, "name": "0", "path": "", "type": f"{_PACKAGE}.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": f"{_PACKAGE}.models.Pooling"},
        {"idx": 2, "name": "2", "path": "2_Normalize", "type": f"{_PACKAGE}.models.Normalize"},
    ],
    "reranker": [
        {"idx": 0, "name": "0", "path": "", "type": f"{_PACKAGE}.base.modules.transformer.Transformer"},
        {"idx": 1, "name": "1", "path": "1_LogitScore", "type": f"{_PACKAGE}.cross_encoder.modules.logit_score.LogitScore"},
    ],
}


@cache
def made(kind: Kind) -> Path:
    """The folder of a checkpoint, made once a run and removed at its end."""
    home = Path(mkdtemp(prefix="qwen-router-search-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    make(kind, home / f"tiny-{kind}")
    return home / f"tiny-{kind}"


def make(kind: Kind, folder: Path, *, seed: int = 11) -> None:
    """Write the checkpoint into `folder`."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    folder.mkdir(parents=True)
    vocab = _tokenizer(kind, folder)
    torch.manual_seed(seed)
    config = Qwen3Config(
        vocab_size=len(vocab),
        hidden_size=HIDDEN,
        intermediate_size=128,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=CONTEXT_TOKENS,
        tie_word_embeddings=True,
        initializer_range=0.3,
        bos_token_id=vocab["<|endoftext|>"],
        eos_token_id=vocab["<|endoftext|>"],
        pad_token_id=vocab["<|endoftext|>"],
    )
    model = Qwen3ForCausalLM(config).eval()
    for name, weights in model.named_parameters():
        if "norm" in name:
            torch.nn.init.uniform_(weights, 0.5, 1.5)  # ones would hide a norm that is left out
    (model.model if kind == "embedding" else model).save_pretrained(folder)
    written = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**written, "architectures": ["Qwen3ForCausalLM"]}))
    (folder / "modules.json").write_text(json.dumps(_MODULES[kind]))
    part = folder / _MODULES[kind][1]["path"]
    part.mkdir()
    if kind == "embedding":
        settings: dict[str, Any] = {"word_embedding_dimension": HIDDEN, "include_prompt": True}
        modes = ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")
        settings |= {f"pooling_mode_{mode}": mode == "lasttoken" for mode in modes}
    else:
        settings = {"true_token_id": vocab["yes"], "false_token_id": vocab["no"]}
        (folder / "README.md").write_text("---\npipeline_tag: text-ranking\n---\n# Qwen3-Reranker-tiny\n")
    (part / "config.json").write_text(json.dumps(settings))


def gguf_of(kind: Kind) -> Path:
    """The same weights as a GGUF file in f32, converted by llama.cpp's own script."""
    out = made(kind).with_suffix(".gguf")
    if not out.exists():
        _convert(made(kind), out)
    return out


def _convert(checkpoint: Path, out: Path) -> None:
    import logging

    import gguf
    from conversion.qwen import Qwen3Model

    class NamedPreTokeniser(Qwen3Model):
        model_arch = gguf.MODEL_ARCH.QWEN3

        def get_vocab_base_pre(self, tokenizer: object) -> str:
            return "qwen2"

    logging.disable(logging.WARNING)
    try:
        NamedPreTokeniser(checkpoint, gguf.LlamaFileType.ALL_F32, out, model_name=checkpoint.name).write()
    finally:
        logging.disable(logging.NOTSET)


def _tokenizer(kind: Kind, folder: Path) -> dict[str, int]:
    """qwen3-nano's tokenizer, in which `yes` takes the place of the token that was merged last."""
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(demo_checkpoint() / name, folder / name)
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text(encoding="utf-8"))
    vocab: dict[str, int] = tokenizer["model"]["vocab"]
    added = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    merges = tokenizer["model"]["merges"]
    vocab["yes"] = vocab.pop("".join(merges[-1]))
    merges[-1] = ["y", "es"]
    if kind == "embedding":
        end = "<|endoftext|>"
        tokenizer["post_processor"] = {
            "type": "TemplateProcessing",
            "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": end, "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {end: {"id": end, "ids": [added[end]], "tokens": [end]}},
        }
    path.write_text(json.dumps(tokenizer), encoding="utf-8")
    return vocab | added
