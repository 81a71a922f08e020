"""Each architecture of the catalog, built by transformers on the meta device, has the parameters that are published."""

from __future__ import annotations

import pytest
import torch
import transformers
from torch import nn
from transformers import AutoModelForCausalLM, PretrainedConfig

from qwen_router.catalog import Architecture, Catalog, Model

CATALOG = Catalog.load()
TEXT_CONFIGS = {
    "qwen2": transformers.Qwen2Config,
    "qwen3": transformers.Qwen3Config,
    "qwen3_moe": transformers.Qwen3MoeConfig,
    "qwen3_next": transformers.Qwen3NextConfig,
    "qwen3_5": transformers.Qwen3_5TextConfig,
    "qwen3_5_moe": transformers.Qwen3_5MoeTextConfig,
}
CASES = [
    ("Qwen/Qwen2.5-0.5B-Instruct", "qwen2"),
    ("Qwen/Qwen2.5-Math-72B-Instruct", "qwen2"),
    ("Qwen/QwQ-32B", "qwen2"),
    ("Qwen/Qwen3-0.6B", "qwen3"),
    ("Qwen/Qwen3-8B", "qwen3"),
    ("Qwen/Qwen3-4B-Thinking-2507", "qwen3"),
    ("Qwen/Qwen3-30B-A3B", "qwen3_moe"),
    ("Qwen/Qwen3-Coder-480B-A35B-Instruct", "qwen3_moe"),
    ("Qwen/Qwen3-Next-80B-A3B-Instruct", "qwen3_next"),
    ("Qwen/Qwen3-VL-2B-Instruct", "qwen3"),
    ("Qwen/Qwen3-VL-30B-A3B-Thinking", "qwen3_moe"),
    ("Qwen/Qwen3.5-0.8B", "qwen3_5"),
    ("Qwen/Qwen3.5-35B-A3B", "qwen3_5_moe"),
    ("Qwen/Qwen3.6-27B", "qwen3_5"),
    ("Qwen/Qwen3.8-27B", "qwen3_5"),
    ("Qwen/Qwen3.8-2.4T-A95B", "qwen3_5_moe"),
    ("Qwen/Qwen3-Embedding-4B", "qwen3"),
    ("qwen-router/qwen3-nano", "qwen3"),
]


def config_of(shape: Architecture, kind: str) -> PretrainedConfig:
    options = {
        "vocab_size": shape.vocab,
        "hidden_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "intermediate_size": shape.ffn,
        "tie_word_embeddings": bool(shape.tied_embeddings),
        "num_experts": shape.experts,
        "num_experts_per_tok": shape.experts_active,
        "moe_intermediate_size": shape.moe_ffn,
        "shared_expert_intermediate_size": shape.shared_expert_ffn,
    }
    if kind != "qwen2":
        options["head_dim"] = shape.head_dim
    if shape.hybrid:
        options |= {
            "linear_num_value_heads": shape.hybrid.linear_v_heads,
            "linear_num_key_heads": shape.hybrid.linear_qk_heads,
            "linear_key_head_dim": shape.hybrid.linear_head_dim,
            "linear_value_head_dim": shape.hybrid.linear_head_dim,
            "linear_conv_kernel_dim": shape.hybrid.conv_kernel,
        }
    return TEXT_CONFIGS[kind](**{name: value for name, value in options.items() if value is not None})


def built(model: Model, kind: str) -> nn.Module:
    assert model.architecture is not None
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config_of(model.architecture, kind))


@pytest.mark.parametrize(("model_id", "kind"), CASES, ids=[case[0].partition("/")[2] for case in CASES])
def test_parameters_of_a_meta_device_build_are_the_published_ones(model_id: str, kind: str) -> None:
    model = CATALOG.get(model_id)
    shape = model.architecture
    assert shape is not None and model.total_params is not None
    network = built(model, kind)
    text = sum(parameter.numel() for parameter in network.parameters())
    total = text + (shape.vision_params or 0) + (shape.mtp_params or 0)
    assert total == pytest.approx(model.total_params, rel=0.005)

    names = dict(network.named_parameters())
    attention = [name.rpartition("q_proj.")[0] for name in names if name.endswith("self_attn.q_proj.weight")]
    expected_layers = shape.hybrid.full_attention_layers if shape.hybrid else shape.layers
    assert len(attention) == expected_layers
    for prefix in attention:
        assert (f"{prefix}q_proj.bias" in names) is shape.qkv_bias
        assert (f"{prefix}q_norm.weight" in names) is shape.qk_norm
        gate = 2 if shape.gated_attention else 1
        assert names[f"{prefix}q_proj.weight"].shape[0] == gate * shape.heads * shape.head_dim


@pytest.mark.parametrize(("size", "ffn"), [("3B", 3420), ("7B", 3420), ("32B", 3456), ("72B", 3456)])
def test_the_vision_tower_of_qwen25_vl_is_what_lies_between_text_and_published_total(size: str, ffn: int) -> None:
    from transformers.models.qwen2_5_vl.configuration_qwen2_5_vl import Qwen2_5_VLVisionConfig
    from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VisionTransformerPretrainedModel

    shape = CATALOG.get(f"Qwen/Qwen2.5-VL-{size}-Instruct").architecture
    assert shape is not None
    config = Qwen2_5_VLVisionConfig(hidden_size=1280, intermediate_size=ffn, out_hidden_size=shape.hidden)
    with torch.device("meta"):
        tower = Qwen2_5_VisionTransformerPretrainedModel._from_config(config)
    assert sum(parameter.numel() for parameter in tower.parameters()) == shape.vision_params
