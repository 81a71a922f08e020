"""The types of a catalog row: one checkpoint with its architecture, context, thinking behaviour, scores and sources.

`catalog/load.py` reads `catalog/data/*.yaml` into these. Unknown is None, never 0; capabilities are fields, never
deduced from a model's name.

    python -c "from qwen_router.catalog import Catalog; print(Catalog.load().get('Qwen/Qwen3-8B').architecture)"
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from qwen_router.request import Modality

ThinkingBehaviour = Literal["none", "never", "toggle", "always"]
ModelKind = Literal["chat", "embedding", "reranker"]
ScoreMode = Literal["thinking", "non-thinking", "always-thinking", "none", "n/a", "unstated"]


class Frozen(BaseModel):
    """Immutable, and closed: an unknown key is an error of its author."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Hybrid(Frozen):
    """Gated DeltaNet layers between full-attention layers (Qwen3-Next, Qwen3.5 and later): only the latter keep KV."""

    full_attention_layers: int = Field(gt=0)
    linear_attention_layers: int = Field(gt=0)
    linear_v_heads: int | None = Field(default=None, gt=0)
    linear_qk_heads: int | None = Field(default=None, gt=0)
    linear_head_dim: int | None = Field(default=None, gt=0)
    conv_kernel: int | None = Field(default=None, gt=0)


class Architecture(Frozen):
    """Shapes of the text decoder, from the checkpoint's config.json. `ffn` is absent when every layer mixes experts."""

    layers: int = Field(gt=0)
    hidden: int = Field(gt=0)
    heads: int = Field(gt=0)
    kv_heads: int = Field(gt=0)
    head_dim: int = Field(gt=0)
    vocab: int = Field(gt=0)
    ffn: int | None = Field(default=None, gt=0)
    tied_embeddings: bool | None = None
    qkv_bias: bool = False
    qk_norm: bool = False
    gated_attention: bool = False
    experts: int | None = Field(default=None, gt=0)
    experts_active: int | None = Field(default=None, gt=0)
    moe_ffn: int | None = Field(default=None, gt=0)
    shared_expert_ffn: int | None = Field(default=None, ge=0)
    hybrid: Hybrid | None = None
    vision_params: int | None = Field(default=None, gt=0)
    mtp_params: int | None = Field(default=None, gt=0)


class Context(Frozen):
    """Tokens that the checkpoint was trained for, and how far YaRN or its like stretches it."""

    native_tokens: int = Field(gt=0)
    extended_tokens: int | None = Field(default=None, gt=0)
    note: str | None = None


class Thinking(Frozen):
    """How this exact build thinks: `none` (no reasoning mode), `never`, `toggle`, `always`."""

    behaviour: ThinkingBehaviour
    default_on: bool
    soft_switch: bool = False
    efforts: tuple[str, ...] = ()
    default_effort: str | None = None
    preserve_thinking: Literal["unsupported", "default_off", "default_on"] = "unsupported"


class Sampling(Frozen):
    """A recommended sampling set; an absent value is not recommended either way."""

    temperature: float | None = Field(default=None, ge=0)
    top_p: float | None = Field(default=None, gt=0, le=1)
    top_k: int | None = Field(default=None, ge=0)
    min_p: float | None = Field(default=None, ge=0, le=1)
    presence_penalty: float | None = None


class SamplingSets(Frozen):
    """One set a mode, because the cards ask for different sampling with and without thinking."""

    thinking: Sampling | None = None
    thinking_code: Sampling | None = None
    non_thinking: Sampling | None = None


class Score(Frozen):
    """One published score. Two versions of one benchmark are two benchmarks; `unstated`: the source names no mode."""

    benchmark: str
    score: float
    mode: ScoreMode
    source: str = Field(min_length=3)
    verified: bool


class Model(Frozen):
    """One checkpoint of the catalog. `sources` say where the row comes from, `unverified` which fields no file confirmed.

    `total_params` counts every parameter once (a tied output head is the embedding), vision tower and MTP layers included.
    `active_params` is absent for dense models, where all are active. `release_date` has no day where none was published.
    `demo` marks the model that this project trains to show itself off; it is never advice.
    """

    id: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    family: str
    kind: ModelKind = "chat"
    release_date: str = Field(pattern=r"^\d{4}-\d{2}(-\d{2})?$")
    licence: str
    commercial_use: bool | None = None
    modalities: tuple[Modality, ...]
    total_params: int | None = Field(default=None, gt=0)
    active_params: int | None = Field(default=None, gt=0)
    architecture: Architecture | None = None
    context: Context
    thinking: Thinking
    sampling: SamplingSets = SamplingSets()
    tools: bool | None = None
    max_answer_tokens: int | None = Field(default=None, gt=0)
    speech_output: bool = False
    languages: int | None = Field(default=None, gt=0)
    ollama_tags: tuple[str, ...] = ()
    scores: tuple[Score, ...] = ()
    sources: tuple[str, ...] = Field(min_length=1)
    checked_on: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    unverified: tuple[str, ...] = ()
    demo: bool = False

    @property
    def short_name(self) -> str:
        """The id without its organisation: `Qwen3-8B`."""
        return self.id.rpartition("/")[2]
