"""The types of a catalog row: one checkpoint with its architecture, context, thinking behaviour, names, scores and sources.

`catalog/load.py` reads `catalog/data/*.yaml` into these. Unknown is None, never 0; capabilities are fields, never
deduced from a model's name. `Family` is what a family's file says about all of its rows.

    python -c "from qwen_router.catalog import Catalog; print(Catalog.load().get('Qwen/Qwen3-8B').architecture)"
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from qwen_router.request import Modality

ThinkingBehaviour = Literal["none", "never", "toggle", "always"]
ModelKind = Literal["chat", "embedding", "reranker"]
ScoreMode = Literal["thinking", "non-thinking", "always-thinking", "none", "n/a", "unstated"]
SizeClass = Literal["tiny", "small", "medium", "large", "huge"]
SIZE_BOUNDS: tuple[tuple[float, SizeClass], ...] = ((1e9, "tiny"), (5e9, "small"), (16e9, "medium"), (50e9, "large"))
"""Below so many parameters; "huge" is what is left. The cuts lie between the sizes that Qwen publishes: at 4 bits the
classes ask for about 1, 3, 10, 30 GiB and more, which are a phone, any computer, a graphics card, a large one, several."""


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


class Vision(Frozen):
    """How the processor cuts an image: what an image of so many pixels becomes in tokens follows from it.

    A side is rounded to `patch_size * spatial_merge` pixels, the image scaled into `min_pixels` to `max_pixels`, and each
    square of that side is a token; a video's frames are taken `temporal_patch` at a time. `tokens_per_image` is given
    where every image takes the same number (Qwen-VL); the other fields are then absent.
    """

    patch_size: int | None = Field(default=None, gt=0)
    spatial_merge: int | None = Field(default=None, gt=0)
    temporal_patch: int | None = Field(default=None, gt=0)
    min_pixels: int | None = Field(default=None, gt=0)
    max_pixels: int | None = Field(default=None, gt=0)
    tokens_per_image: int | None = Field(default=None, gt=0)


class Architecture(Frozen):
    """Shapes of the text decoder, from the checkpoint's config.json. `ffn` is absent when every layer mixes experts.

    `vision_params`, `audio_params`, `speech_params` and `mtp_params` are what the checkpoint holds beside the text decoder:
    towers with their projectors, the parts that speak (Omni's talker and vocoder), multi-token-prediction layers.
    """

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
    audio_params: int | None = Field(default=None, gt=0)
    speech_params: int | None = Field(default=None, gt=0)
    mtp_params: int | None = Field(default=None, gt=0)
    vision: Vision | None = None
    audio_tokens_per_s: float | None = Field(default=None, gt=0)


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


class Names(Frozen):
    """What the same weights are called elsewhere; the Hugging Face repository is `Model.id`, Ollama's are `ollama_tags`.

    Only names that a list or page showed. `gguf`: hub repositories of GGUF files; `modelscope`: the repository there;
    `foundry`: aliases of Foundry Local; `hosted`: API names of Alibaba Cloud Model Studio (DashScope). `awq`, `gptq`, `fp8`
    and `mlx` are the maker's own quantised repositories.
    """

    gguf: tuple[str, ...] = ()
    modelscope: str | None = None
    foundry: tuple[str, ...] = ()
    hosted: tuple[str, ...] = ()
    awq: str | None = None
    gptq: tuple[str, ...] = ()
    fp8: str | None = None
    mlx: tuple[str, ...] = ()

    def listed(self) -> tuple[str, ...]:
        """Every name, in the order of the fields."""
        one = (self.modelscope, self.awq, self.fp8)
        return (*self.gguf, *self.foundry, *self.hosted, *self.gptq, *self.mlx, *(name for name in one if name))


class Family(Frozen):
    """What a family is for: the `about` block of its file. `sources` say where strengths and limits come from."""

    name: str
    title: str
    summary: str
    strengths: tuple[str, ...] = Field(min_length=1)
    limits: tuple[str, ...] = Field(min_length=1)
    best_use: str
    sources: tuple[str, ...] = Field(min_length=1)


class Model(Frozen):
    """One checkpoint of the catalog. `sources` say where the row comes from, `unverified` which fields no file confirmed.

    `total_params` counts every parameter once (a tied output head is the embedding), vision tower and MTP layers included.
    `active_params` is absent for dense models, where all are active. `release_date` has no day where none was published.
    `training_tokens` is how many it was pretrained on. `demo` marks the model that this project trains to show itself off;
    it is never advice. `hosted` marks one that only its maker serves: no weights, so no shapes and no local names.
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
    training_tokens: float | None = Field(default=None, gt=0)
    ollama_tags: tuple[str, ...] = ()
    names: Names = Names()
    scores: tuple[Score, ...] = ()
    sources: tuple[str, ...] = Field(min_length=1)
    checked_on: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    unverified: tuple[str, ...] = ()
    demo: bool = False
    hosted: bool = False

    @model_validator(mode="after")
    def _hosted_has_no_weights(self) -> Self:
        names = Names(hosted=self.names.hosted)
        if self.hosted and (self.architecture or self.total_params or self.ollama_tags or self.names != names):
            raise ValueError("a hosted model has no architecture, parameters or local names")
        return self

    @property
    def size_class(self) -> SizeClass | None:
        """By all parameters: tiny below 1e9, small below 5e9, medium below 16e9, large below 50e9, else huge."""
        if self.total_params is None:
            return None
        return next((name for bound, name in SIZE_BOUNDS if self.total_params < bound), "huge")

    @property
    def short_name(self) -> str:
        """The id without its organisation: `Qwen3-8B`."""
        return self.id.rpartition("/")[2]
