"""A checkpoint of one's own in the catalog: from config.json or a GGUF header, and what is said of broken ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from qwen_router.catalog import Catalog
from qwen_router.catalog.checkpoint import row_of_folder, row_of_gguf
from qwen_router.demo import demo_gguf
from qwen_router.engines.gguf_file import gguf_info
from qwen_router.errors import CatalogError, InvalidRequest
from qwen_router.hardware import memory
from qwen_router.hardware.tensors import text_params

KNOWN = Catalog.load().models
# What the published config.json files of these checkpoints say, cut to what shapes need.
CONFIGS: dict[str, dict[str, Any]] = {
    "Qwen/Qwen2.5-7B-Instruct": {
        "model_type": "qwen2", "num_hidden_layers": 28, "hidden_size": 3584, "num_attention_heads": 28,
        "num_key_value_heads": 4, "intermediate_size": 18944, "vocab_size": 152064, "tie_word_embeddings": False,
        "max_position_embeddings": 32768,
    },
    "Qwen/Qwen3-8B": {
        "model_type": "qwen3", "num_hidden_layers": 36, "hidden_size": 4096, "num_attention_heads": 32, "head_dim": 128,
        "num_key_value_heads": 8, "intermediate_size": 12288, "vocab_size": 151936, "tie_word_embeddings": False,
        "max_position_embeddings": 40960,
    },
    "Qwen/Qwen3-30B-A3B": {
        "model_type": "qwen3_moe", "num_hidden_layers": 48, "hidden_size": 2048, "num_attention_heads": 32, "head_dim": 128,
        "num_key_value_heads": 4, "intermediate_size": 6144, "moe_intermediate_size": 768, "num_experts": 128,
        "num_experts_per_tok": 8, "vocab_size": 151936, "tie_word_embeddings": False, "max_position_embeddings": 40960,
    },
    "Qwen/Qwen3.5-0.8B": {
        "model_type": "qwen3_5", "tie_word_embeddings": True, "vision_config": {"depth": 12},
        "text_config": {
            "model_type": "qwen3_5_text", "num_hidden_layers": 24, "hidden_size": 1024, "num_attention_heads": 8,
            "head_dim": 256, "num_key_value_heads": 2, "intermediate_size": 3584, "vocab_size": 248320,
            "layer_types": (["linear_attention"] * 3 + ["full_attention"]) * 6, "linear_num_value_heads": 16,
            "linear_num_key_heads": 16, "linear_key_head_dim": 128, "linear_conv_kernel_dim": 4,
            "max_position_embeddings": 262144,
        },
    },
}  # fmt: skip


def folder_with(tmp_path: Path, config: Any, name: str = "mine", **files: str) -> Path:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    for file, text in files.items():
        (folder / file.replace("__", ".")).write_text(text)
    return folder


@pytest.mark.parametrize("origin", CONFIGS)
def test_a_fine_tune_has_its_origin_s_shapes_memory_and_manners(tmp_path: Path, origin: str) -> None:
    row = row_of_folder(folder_with(tmp_path, CONFIGS[origin]), name="me/tuned", known=KNOWN)
    model = Catalog.load().get(origin)
    assert row.id == "me/tuned" and row.architecture is not None and model.architecture is not None
    assert text_params(row.architecture) == text_params(model.architecture)
    named = Catalog.load().get(row.sources[-1].partition(": as ")[2].partition(",")[0]).architecture
    assert named is not None and text_params(named) == text_params(model.architecture)
    quant = {"quant": "bf16", "context_tokens": 4096, "engine": "transformers"}
    assert memory(row, **quant).weights_mib == pytest.approx(memory(model, **quant).weights_mib)  # type: ignore[arg-type]
    assert ("image" in row.modalities) == ("image" in model.modalities)


def test_the_chat_template_says_how_it_thinks_and_whether_it_takes_tools(tmp_path: Path) -> None:
    template = "{% if tools %}...{% endif %}{% if enable_thinking is defined %}<think></think>{% endif %}"
    row = row_of_folder(
        folder_with(tmp_path, CONFIGS["Qwen/Qwen2.5-7B-Instruct"], chat_template__jinja=template), name=None, known=KNOWN
    )
    assert row.id == "own/mine" and row.thinking.behaviour == "toggle" and row.tools is True
    plain = folder_with(
        tmp_path, CONFIGS["Qwen/Qwen3-8B"], "plain", tokenizer_config__json=json.dumps({"chat_template": "{{ messages }}"})
    )
    row = row_of_folder(plain, name=None, known=KNOWN)
    assert row.thinking.behaviour == "none" and row.tools is False


def test_a_gguf_file_s_header_gives_the_same_shapes() -> None:
    info = gguf_info(demo_gguf())
    row = row_of_gguf(info.metadata, parameters=info.parameters, template=info.chat_template, name="me/nano", known=KNOWN)
    demo = next(m for m in KNOWN if m.demo)
    assert row.architecture is not None and demo.architecture is not None
    assert text_params(row.architecture) == text_params(demo.architecture) == info.parameters
    assert row.architecture.tied_embeddings == demo.architecture.tied_embeddings
    assert row.thinking.behaviour == "toggle"


def test_an_unknown_shape_is_a_model_of_its_own(tmp_path: Path) -> None:
    config = {**CONFIGS["Qwen/Qwen3-8B"], "num_hidden_layers": 7}
    row = row_of_folder(folder_with(tmp_path, config), name="me/odd", known=KNOWN)
    assert row.family == "own" and row.licence == "unknown" and row.commercial_use is None and len(row.sources) == 1


@pytest.mark.parametrize(
    ("config", "words"),
    [
        pytest.param("{", "cannot be read", id="not-json"),
        pytest.param([1], "is no object", id="a-list"),
        pytest.param({"model_type": "qwen3"}, "lacks num_hidden_layers, hidden_size", id="no-shapes"),
        pytest.param({**CONFIGS["Qwen/Qwen3-8B"], "hidden_size": -5}, "lacks hidden_size", id="negative-size"),
        pytest.param({**CONFIGS["Qwen/Qwen3-8B"], "vocab_size": "many"}, "lacks vocab_size", id="words-for-a-number"),
    ],
)
def test_a_broken_config_is_told_with_what_is_missing(tmp_path: Path, config: Any, words: str) -> None:
    with pytest.raises(CatalogError, match=words):
        row_of_folder(folder_with(tmp_path, config), name="me/x", known=KNOWN)


def test_what_is_not_there_and_a_lying_header_are_told() -> None:
    with pytest.raises(InvalidRequest, match="there is no"):
        row_of_folder(Path("not/there"), name=None, known=KNOWN)
    with pytest.raises(CatalogError, match=r"lacks qwen3\.attention\.head_count, .*tokenizer\.ggml\.tokens"):
        row_of_gguf({"general.architecture": "qwen3"}, parameters=5, template=None, name="x", known=KNOWN)
    with pytest.raises(CatalogError, match="--name organisation/model"):
        info = gguf_info(demo_gguf())
        row_of_gguf(info.metadata, parameters=info.parameters, template=None, name="me/a b?", known=KNOWN)
