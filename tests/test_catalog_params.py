"""Every architecture that transformers knows, built on the meta device, has the parameters that are published."""

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
    "qwen2_moe": transformers.Qwen2MoeConfig,
    "qwen3": transformers.Qwen3Config,
    "qwen3_moe": transformers.Qwen3MoeConfig,
    "qwen3_next": transformers.Qwen3NextConfig,
    "qwen3_5": transformers.Qwen3_5TextConfig,
    "qwen3_5_moe": transformers.Qwen3_5MoeTextConfig,
}
NOT_BUILT = {
    "Qwen/Qwen3.8-Flash-Next": "its linear attention heads are not known, and transformers 5.23 has no class for it"
}


def kind_of(model: Model) -> str:
    """The text model's class: Qwen to Qwen2.5 differ in names only, as do Qwen3's vision and omni models from Qwen3."""
    shape = model.architecture
    assert shape is not None
    if shape.hybrid:
        of_next = model.family == "qwen3-next" or model.id == "Qwen/Qwen3-Coder-Next"
        return "qwen3_next" if of_next else "qwen3_5_moe" if shape.experts else "qwen3_5"
    return ("qwen3" if shape.qk_norm else "qwen2") + ("_moe" if shape.experts else "")


def distinct() -> list[Model]:
    """One model for each architecture and total; a tower's pixels and tokens are no shapes."""
    seen: dict[object, Model] = {}
    for model in CATALOG.models:
        if model.architecture and model.total_params and model.id not in NOT_BUILT:
            shapes = model.architecture.model_copy(update={"vision": None, "audio_tokens_per_s": None})
            seen.setdefault((shapes, model.total_params), model)
    return list(seen.values())


MODELS = distinct()


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
    if not kind.startswith("qwen2"):
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


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("model", MODELS, ids=[model.short_name for model in MODELS])
def test_parameters_of_a_meta_device_build_are_the_published_ones(model: Model) -> None:
    shape = model.architecture
    assert shape is not None and model.total_params is not None
    network = built(model, kind_of(model))
    beside = (shape.vision_params, shape.audio_params, shape.speech_params, shape.mtp_params)
    assert count(network) + sum(params or 0 for params in beside) == pytest.approx(model.total_params, rel=0.005)

    names = dict(network.named_parameters())
    attention = [name.rpartition("q_proj.")[0] for name in names if name.endswith("self_attn.q_proj.weight")]
    expected_layers = shape.hybrid.full_attention_layers if shape.hybrid else shape.layers
    assert len(attention) == expected_layers
    for prefix in attention:
        assert (f"{prefix}q_proj.bias" in names) is shape.qkv_bias
        assert (f"{prefix}q_norm.weight" in names) is shape.qk_norm
        gate = 2 if shape.gated_attention else 1
        assert names[f"{prefix}q_proj.weight"].shape[0] == gate * shape.heads * shape.head_dim


def test_only_what_cannot_be_built_is_left_out() -> None:
    unbuilt = [model.id for model in CATALOG.models if model.architecture and not model.total_params]
    assert unbuilt == []
    assert {CATALOG.get(name).id for name in NOT_BUILT} == set(NOT_BUILT)


def tower_of(model_id: str) -> Architecture:
    shape = CATALOG.get(model_id).architecture
    assert shape is not None
    return shape


@pytest.mark.parametrize("model_id", ["Qwen/Qwen2-VL-2B-Instruct", "Qwen/Qwen2-VL-7B-Instruct", "Qwen/QVQ-72B-Preview"])
def test_the_vision_tower_of_qwen2_vl_has_the_parameters_of_its_row(model_id: str) -> None:
    from transformers.models.qwen2_vl.configuration_qwen2_vl import Qwen2VLVisionConfig
    from transformers.models.qwen2_vl.modeling_qwen2_vl import Qwen2VisionTransformerPretrainedModel

    shape = tower_of(model_id)
    with torch.device("meta"):
        tower = Qwen2VisionTransformerPretrainedModel._from_config(Qwen2VLVisionConfig(hidden_size=shape.hidden))
    assert count(tower) == shape.vision_params


@pytest.mark.parametrize(("size", "ffn"), [("3B", 3420), ("7B", 3420), ("32B", 3456), ("72B", 3456)])
def test_the_vision_tower_of_qwen25_vl_is_what_lies_between_text_and_published_total(size: str, ffn: int) -> None:
    from transformers.models.qwen2_5_vl.configuration_qwen2_5_vl import Qwen2_5_VLVisionConfig
    from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VisionTransformerPretrainedModel

    shape = tower_of(f"Qwen/Qwen2.5-VL-{size}-Instruct")
    config = Qwen2_5_VLVisionConfig(hidden_size=1280, intermediate_size=ffn, out_hidden_size=shape.hidden)
    with torch.device("meta"):
        tower = Qwen2_5_VisionTransformerPretrainedModel._from_config(config)
    assert count(tower) == shape.vision_params


def test_the_ear_of_qwen2_audio_has_the_parameters_of_its_row() -> None:
    from transformers.models.qwen2_audio.modeling_qwen2_audio import Qwen2AudioForConditionalGeneration

    row = CATALOG.get("Qwen/Qwen2-Audio-7B-Instruct")
    shape = tower_of(row.id)
    text = {"model_type": "qwen2", **config_of(shape, "qwen2").to_diff_dict()}
    with torch.device("meta"):
        whole = Qwen2AudioForConditionalGeneration(transformers.Qwen2AudioConfig(text_config=text))
    ear = (whole.model.audio_tower, whole.model.multi_modal_projector)
    assert sum(map(count, ear)) == shape.audio_params
    assert count(whole) == row.total_params


@pytest.mark.parametrize(("size", "talker"), [("7B", (12, 4, 128, 18944)), ("3B", (14, 2, 64, 4864))])
def test_ears_eyes_and_voice_of_qwen25_omni_have_the_parameters_of_its_row(size: str, talker: tuple[int, ...]) -> None:
    from transformers.models.qwen2_5_omni import configuration_qwen2_5_omni as configs
    from transformers.models.qwen2_5_omni import modeling_qwen2_5_omni as omni

    shape = tower_of(f"Qwen/Qwen2.5-Omni-{size}")
    heads, kv_heads, head_dim, ffn = talker
    talker_config = configs.Qwen2_5OmniTalkerConfig(
        hidden_size=896,
        num_hidden_layers=24,
        vocab_size=8448,
        embedding_size=shape.hidden,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        head_dim=head_dim,
        intermediate_size=ffn,
    )
    audio = configs.Qwen2_5OmniAudioEncoderConfig(output_dim=shape.hidden)
    vision = configs.Qwen2_5OmniVisionEncoderConfig(hidden_size=1280, out_hidden_size=shape.hidden)
    with torch.device("meta"):
        voice = (
            omni.Qwen2_5OmniTalkerForConditionalGeneration(talker_config),
            omni.Qwen2_5OmniToken2WavModel(configs.Qwen2_5OmniToken2WavConfig()),
        )
        ear, eye = omni.Qwen2_5OmniAudioEncoder._from_config(audio), omni.Qwen2_5OmniVisionEncoder._from_config(vision)
    assert (count(ear), count(eye), sum(map(count, voice))) == (shape.audio_params, shape.vision_params, shape.speech_params)


def test_the_thinker_of_qwen3_omni_is_the_whole_thinking_checkpoint() -> None:
    from transformers.models.qwen3_omni_moe import configuration_qwen3_omni_moe as configs
    from transformers.models.qwen3_omni_moe import modeling_qwen3_omni_moe as omni

    row = CATALOG.get("Qwen/Qwen3-Omni-30B-A3B-Thinking")
    shape = tower_of(row.id)
    audio = configs.Qwen3OmniMoeAudioEncoderConfig(output_dim=shape.hidden, n_window=50)
    vision = configs.Qwen3OmniMoeVisionEncoderConfig(out_hidden_size=shape.hidden)
    with torch.device("meta"):
        ear = omni.Qwen3OmniMoeAudioEncoder._from_config(audio)
        eye = omni.Qwen3OmniMoeVisionEncoder._from_config(vision)
    assert (count(ear), count(eye)) == (shape.audio_params, shape.vision_params)
    text = count(built(row, kind_of(row)))
    assert text + count(ear) + count(eye) == row.total_params
