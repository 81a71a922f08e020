"""How a build is got: the Ollama tag, the repository of GGUF files or the checkpoint that holds a model at a quantisation.

The one place that knows it, from the names in the catalog alone: `route`, `models guide` and `pull` read it here. Nothing is
asked of a hub, so an offer may turn out to be empty; downloading is `pull/`'s business.

    python -c "from qwen_router.catalog import *; from qwen_router.catalog.getting import *; \
print(how_to_get(Catalog.load().get('Qwen3-8B'), 'q8_0'))"
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from qwen_router.catalog.quants import OLLAMA_DEFAULT, QuantName, quant, quant_of_tag, split_quant
from qwen_router.catalog.types import Model
from qwen_router.errors import InvalidRequest

Source = Literal["ollama", "huggingface", "modelscope"]
SOURCES: tuple[Source, ...] = ("ollama", "huggingface", "modelscope")
Form = Literal["tag", "gguf", "checkpoint", "any"]
"""What a name stands for: an Ollama tag, a repository of GGUF files, one of safetensors, or a repository unknown to us."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One way to get a build. `names` are tried in order; `quant` is None where the name alone says what is in it."""

    source: Source
    form: Form
    names: tuple[str, ...]
    quant: QuantName | None = None


def offers(model: Model, quant_name: QuantName | None = None, *, name: str = "") -> tuple[Offer, ...]:
    """Every known way to get `model`, the easiest first. Without a quantisation: what each source would give by itself.

    `name` is what the model was asked for by: a tag or repository in it is taken before the catalog's own. Raises
    `InvalidRequest` for a model that has no weights to get, or needs none got.
    """
    if model.hosted:
        raise InvalidRequest(f"{model.id!r} has no weights to get: only its maker serves it", fix="pull an open model")
    if model.demo:
        raise InvalidRequest(f"{model.id!r} came with qwen-router", fix=f"qwen-router ask --model {model.short_name} TEXT")
    wanted = None if quant_name is None else quant(quant_name).name
    kind = None if wanted is None else quant(wanted).kind
    gguf = _gguf_repositories(model, name)
    by_name = bool(name) and name.lower() in (repo.lower() for repo in gguf)
    tags = _tags(model, wanted, name)
    found = [Offer("ollama", "tag", tags, wanted)] if tags else []
    files: list[Offer] = []
    if gguf and kind in (None, "gguf", "plain"):
        hubs: tuple[Source, ...] = ("huggingface", "modelscope")
        files = [Offer(hub, "gguf", gguf, wanted or OLLAMA_DEFAULT) for hub in hubs]
    whole = () if by_name else _checkpoints(model, wanted)
    found += [*whole, *files] if kind == "plain" else [*files, *whole]
    if gguf and not tags and kind in (None, "gguf"):  # Ollama takes them from Hugging Face: huggingface.co/docs/hub/ollama
        found.append(Offer("ollama", "tag", (f"hf.co/{gguf[0]}:{(wanted or OLLAMA_DEFAULT).upper()}",), wanted))
    return tuple(found)


def how_to_get(model: Model, quant_name: QuantName) -> str:
    """The command that gets this build, or what to look for where no name is known."""
    if model.hosted or model.demo:
        return "nothing to get"
    tags = _tags(model, quant_name, "")
    if tags:
        return f"ollama pull {tags[0]}"
    if offers(model, quant_name):
        return f"qwen-router pull {model.short_name} --quant {quant_name}"
    return f"find a {quant_name} GGUF of {model.id}"


def _tags(model: Model, wanted: QuantName | None, name: str) -> tuple[str, ...]:
    """The tag that was asked for, else the catalog's at that quantisation."""
    if ":" in name and (wanted is None or split_quant(name)[1] == wanted or quant_of_tag(name) == wanted):
        return (name,)
    fitting = (tag for tag in model.ollama_tags if wanted is None or quant_of_tag(tag) == wanted)
    return tuple(fitting)[:1]


def _gguf_repositories(model: Model, name: str) -> tuple[str, ...]:
    asked = tuple(repo for repo in model.names.gguf if repo.lower() == name.lower())
    return asked or model.names.gguf


def _checkpoints(model: Model, wanted: QuantName | None) -> tuple[Offer, ...]:
    """The maker's repository of safetensors at that quantisation, on both hubs (quantised ones bear one name on both)."""
    kind = "plain" if wanted is None else quant(wanted).kind
    names = model.names
    if kind in ("plain", "bnb"):  # bitsandbytes packs while it loads
        there = names.modelscope
        found = (Offer("huggingface", "checkpoint", (model.id,), wanted),)
        return (*found, Offer("modelscope", "checkpoint", (there,), wanted)) if there else found
    repositories = {
        "fp8": (names.fp8,), "awq": (names.awq,), "gptq": names.gptq, "mlx": names.mlx,
    }.get(kind, ())  # fmt: skip
    fitting = tuple(repo for repo in repositories if repo and _holds(repo, str(wanted)))
    if not fitting:
        return ()
    return Offer("huggingface", "checkpoint", fitting, wanted), Offer("modelscope", "checkpoint", fitting, wanted)


def _holds(repository: str, wanted: QuantName) -> bool:
    """Whether the name ends in that quantisation; `-Int4` alone counts, because the row says whose it is."""
    return split_quant(repository)[1] == wanted or repository.lower().endswith("-" + wanted.rpartition("-")[2])
