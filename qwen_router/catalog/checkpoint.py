"""A catalog row for a checkpoint of one's own: from its config.json or from what a GGUF header says, nothing loaded.

Shapes are read; what a fine-tune keeps of its origin (sampling, thinking, tools, licence) is taken from the catalog row of
the same shapes, and said so in the row's sources. Reading a GGUF header itself is `engines/gguf_file.py`'s work.

    python -c "from qwen_router.catalog.checkpoint import row_of_folder; print(row_of_folder.__doc__)"
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from qwen_router.catalog.types import Architecture, Context, Hybrid, Model, Thinking
from qwen_router.errors import CatalogError, InvalidRequest
from qwen_router.request import Modality

ORGANISATION = "own"
"""What stands before the slash of the id of a checkpoint whose own name has none."""
_NEEDED = ("num_hidden_layers", "hidden_size", "num_attention_heads", "vocab_size")
_QK_NORM_FROM = ("qwen3", "qwen4")
_LIKE = "architecture, context, vision tower: as "


def row_of_folder(folder: Path, *, name: str | None, known: Iterable[Model]) -> Model:
    """The row of a Hugging Face folder with a config.json. Raises `CatalogError` that names what is missing."""
    path = folder / "config.json" if folder.is_dir() else folder
    try:
        config = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise InvalidRequest(f"there is no {str(path)!r}", fix="name a folder with a config.json, or a GGUF file") from error
    except (OSError, ValueError) as error:
        raise CatalogError(
            f"{str(path)!r} cannot be read: {error}", fix="download the checkpoint's config.json again"
        ) from error
    if not isinstance(config, dict):
        raise CatalogError(f"{str(path)!r} is no object", fix="download the checkpoint's config.json again")
    arch, context = _of_config(config, path)
    template = _template(path.parent)
    has_image = any(key in config for key in ("vision_config", "vision_start_token_id"))
    modalities: tuple[Modality, ...] = ("text", "image", "video") if has_image else ("text",)
    name = name or path.parent.resolve().name
    return _row(name, arch, context, template, modalities, known, source=f"config.json of {name}")


def row_of_gguf(
    metadata: Mapping[str, Any], *, parameters: int, template: str | None, name: str, known: Iterable[Model]
) -> Model:
    """The row of a GGUF file, from its metadata (arrays by their length, as `KEY.length`) and its number of weights."""
    kind = str(metadata.get("general.architecture", ""))

    def get(key: str) -> Any:
        return metadata.get(f"{kind}.{key}")

    needed = {"block_count", "embedding_length", "attention.head_count", "context_length"}
    missing = sorted(f"{kind}.{key}" for key in needed if not _whole(get(key)))
    vocab = _whole(metadata.get("tokenizer.ggml.tokens.length")) or _whole(get("vocab_size"))
    if not vocab:
        missing.append("tokenizer.ggml.tokens")
    if missing:
        raise CatalogError(
            f"the header lacks {', '.join(missing)}", fix="convert the checkpoint again with a current llama.cpp"
        )
    layers, hidden, heads = (int(get(key)) for key in ("block_count", "embedding_length", "attention.head_count"))
    values: dict[str, Any] = {
        "layers": layers,
        "hidden": hidden,
        "heads": heads,
        "kv_heads": _whole(get("attention.head_count_kv")) or heads,
        "head_dim": _whole(get("attention.key_length")) or hidden // heads,
        "vocab": vocab,
        "ffn": _whole(get("feed_forward_length")),
        "experts": _whole(get("expert_count")),
        "experts_active": _whole(get("expert_used_count")),
        "moe_ffn": _whole(get("expert_feed_forward_length")),
        "shared_expert_ffn": _whole(get("expert_shared_feed_forward_length")),
        **_traits(kind),
    }
    interval = _whole(get("full_attention_interval"))
    if _whole(get("ssm.state_size")):
        full = layers // (interval or 4)
        values["hybrid"] = Hybrid(
            full_attention_layers=full,
            linear_attention_layers=layers - full,
            linear_v_heads=_whole(get("ssm.time_step_rank")),
            linear_qk_heads=_whole(get("ssm.group_count")),
            linear_head_dim=_whole(get("ssm.state_size")),
            conv_kernel=_whole(get("ssm.conv_kernel")),
        )
    if values["experts"]:
        values["ffn"] = None
    arch = _tied_by_count(_architecture(values, f"the header of {name}"), parameters)
    return _row(name, arch, int(get("context_length")), template, ("text",), known, source="a GGUF header")


def yaml_of(row: Model) -> str:
    """The row as a file for a catalog folder."""
    import yaml

    data = row.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    family = data.pop("family")
    return yaml.safe_dump({"family": family, "models": [data]}, sort_keys=False, allow_unicode=True, width=120)


def _of_config(config: Mapping[str, Any], path: Path) -> tuple[Architecture, int]:
    """The text decoder's shapes and the longest context, from a config.json of any Qwen generation."""
    text: Mapping[str, Any] = next(
        (config[key] for key in ("text_config", "llm_config") if isinstance(config.get(key), dict)), config
    )
    if isinstance(config.get("thinker_config"), dict):  # Omni
        text = config["thinker_config"].get("text_config", config["thinker_config"])
    kind = str(text.get("model_type") or config.get("model_type") or "")
    missing = [key for key in _NEEDED if not _whole(text.get(key))]
    if missing:
        raise CatalogError(f"{str(path)!r} lacks {', '.join(missing)}", fix="take config.json from the checkpoint itself")
    hidden, heads = int(text["hidden_size"]), int(text["num_attention_heads"])
    layers = int(text["num_hidden_layers"])
    experts = _whole(text.get("num_experts"))
    tied = text.get("tie_word_embeddings", config.get("tie_word_embeddings"))
    values: dict[str, Any] = {
        "layers": layers,
        "hidden": hidden,
        "heads": heads,
        "kv_heads": _whole(text.get("num_key_value_heads")) or heads,
        "head_dim": _whole(text.get("head_dim")) or hidden // heads,
        "vocab": int(text["vocab_size"]),
        "ffn": None if experts else _whole(text.get("intermediate_size")),
        "tied_embeddings": bool(tied) if tied is not None else None,
        "experts": experts,
        "experts_active": _whole(text.get("num_experts_per_tok")),
        "moe_ffn": _whole(text.get("moe_intermediate_size")),
        "shared_expert_ffn": _whole(text.get("shared_expert_intermediate_size")),
        **_traits(kind),
    }
    if _whole(text.get("linear_num_value_heads")):
        kinds = text.get("layer_types")
        full = (
            sum(value == "full_attention" for value in kinds)
            if isinstance(kinds, list)
            else layers // (_whole(text.get("full_attention_interval")) or 4)
        )
        values["hybrid"] = Hybrid(
            full_attention_layers=full,
            linear_attention_layers=layers - full,
            linear_v_heads=_whole(text.get("linear_num_value_heads")),
            linear_qk_heads=_whole(text.get("linear_num_key_heads")),
            linear_head_dim=_whole(text.get("linear_key_head_dim")),
            conv_kernel=_whole(text.get("linear_conv_kernel_dim")),
        )
    return _architecture(values, str(path)), _whole(text.get("max_position_embeddings")) or 32_768


def _traits(kind: str) -> dict[str, bool]:
    """What a generation's attention has: biases up to Qwen2.5, query and key norms from Qwen3, gates from Qwen3-Next."""
    kind = kind.lower().replace("-", "_").replace(".", "_")
    normed = kind.startswith(_QK_NORM_FROM)
    gated = kind.startswith(("qwen3next", "qwen3_next", "qwen3_5", "qwen35", "qwen4"))
    return {"qkv_bias": kind.startswith(("qwen2", "qwen1")) or kind == "qwen", "qk_norm": normed, "gated_attention": gated}


def _architecture(values: Mapping[str, Any], place: str) -> Architecture:
    try:
        return Architecture.model_validate({key: value for key, value in values.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise CatalogError(f"{place}: {field}: {first['msg']}", fix="take the file from the checkpoint itself") from error


def _tied_by_count(arch: Architecture, parameters: int) -> Architecture:
    """A header does not say whether the output is tied; its number of weights does."""
    layers_hold = parameters - arch.vocab * arch.hidden
    untied_holds = layers_hold - arch.vocab * arch.hidden
    per_layer = arch.hidden * (2 * arch.heads * arch.head_dim + 2 * arch.kv_heads * arch.head_dim + 3 * (arch.ffn or 0))
    if arch.experts:
        per_layer += 3 * arch.hidden * (arch.moe_ffn or 0) * arch.experts
    expected = arch.layers * per_layer
    tied = abs(layers_hold - expected) <= abs(untied_holds - expected)
    return arch.model_copy(update={"tied_embeddings": tied})


def _template(folder: Path) -> str | None:
    for name in ("chat_template.jinja", "tokenizer_config.json"):
        try:
            text = (folder / name).read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        if name.endswith(".jinja"):
            return text
        try:
            found = json.loads(text).get("chat_template")
        except (ValueError, AttributeError):
            continue
        if isinstance(found, str):
            return found
    return None


def _row(
    name: str,
    arch: Architecture,
    context_tokens: int,
    template: str | None,
    modalities: tuple[Modality, ...],
    known: Iterable[Model],
    *,
    source: str,
) -> Model:
    """The row, with what the catalog knows of a model of the same shapes filled in."""
    origin = _same_shapes(arch, known)
    identity = name if "/" in name else f"{ORGANISATION}/{name}"
    today = date.today().isoformat()
    thinking = _thinking(template) or (origin.thinking if origin else Thinking(behaviour="none", default_on=False))
    sources = [source, *([f"{_LIKE}{origin.id}, which has the same shapes"] if origin else [])]
    if origin is not None and origin.architecture is not None:
        towers = {key: getattr(origin.architecture, key) for key in ("vision_params", "audio_params", "vision")}
        arch = arch.model_copy(update={key: value for key, value in towers.items() if value is not None})
        modalities = origin.modalities if len(modalities) > 1 else modalities
    try:
        return Model(
            id=identity,
            family=origin.family if origin else "own",
            release_date=today[:7],
            licence=origin.licence if origin else "unknown",
            commercial_use=origin.commercial_use if origin else None,
            modalities=modalities,
            architecture=arch,
            context=origin.context if origin else Context(native_tokens=context_tokens),
            thinking=thinking,
            sampling=origin.sampling if origin else Model.model_fields["sampling"].default,
            tools=("tools" in template) if template else (origin.tools if origin else None),
            sources=tuple(sources),
            checked_on=today,
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise CatalogError(
            f"{name!r}: {first['msg']}", fix="--name organisation/model, of letters, digits, . _ -"
        ) from error


def _same_shapes(arch: Architecture, known: Iterable[Model]) -> Model | None:
    """The newest catalog row with these very shapes, instruction-tuned ones that think by a switch first."""
    shape = ("layers", "hidden", "heads", "kv_heads", "head_dim", "ffn", "experts", "moe_ffn", "qk_norm", "qkv_bias")
    same = [
        model
        for model in known
        if model.architecture is not None
        and model.kind == "chat"
        and all(getattr(model.architecture, key) == getattr(arch, key) for key in shape)
    ]
    return max(same, key=lambda m: (m.thinking.behaviour == "toggle", m.release_date, m.id), default=None)


def _thinking(template: str | None) -> Thinking | None:
    """How the chat template thinks: by its switch, always where it opens the tag by itself, else not."""
    if template is None:
        return None
    if "enable_thinking" in template:
        return Thinking(behaviour="toggle", default_on=True)
    opens = template.rstrip().endswith(("<think>\\n' }}{%- endif %}", "<think>\\n' }}\n{%- endif %}"))
    if opens or ("add_generation_prompt" in template and "<think>\\n" in template.rpartition("add_generation_prompt")[2]):
        return Thinking(behaviour="always", default_on=True)
    return Thinking(behaviour="none", default_on=False)


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
