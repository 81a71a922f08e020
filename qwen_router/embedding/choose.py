"""Which installed model embeds or reranks: the pinned one, else the one kept, else the best scored that fits.

An index must be searched with the model that made it, so what was chosen once is kept as long as it is served. What is done
with it is `search.py`'s.

    python -c "from qwen_router.embedding.choose import BENCHMARKS; print(BENCHMARKS)"
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from qwen_router.catalog import Catalog, Model
from qwen_router.catalog.getting import how_to_get
from qwen_router.catalog.quants import QuantName
from qwen_router.catalog.types import ModelKind
from qwen_router.decide.candidates import is_remote, kept_away, kind_of
from qwen_router.engines.base import Engine
from qwen_router.engines.embedding import Embedder
from qwen_router.errors import InvalidRequest, NoModelFits, RouterError, UnknownName
from qwen_router.hardware import Machine, ServedBuild
from qwen_router.hardware.memory import memory_line
from qwen_router.hardware.placement import capacity_mib, place
from qwen_router.policy import Policy
from qwen_router.settings import Settings

BENCHMARKS: Mapping[ModelKind, str] = {"embedding": "MTEB multilingual mean(task)", "reranker": "MTEB-R"}
"""The published scores that models are compared by; both stand for every Qwen3 model of that kind."""
FIT_TOKENS = 2048
"""The window at which a model has to fit. Engines that open a longer one check that themselves."""
_VERBS: Mapping[ModelKind, str] = {"embedding": "embeds texts", "reranker": "rates documents", "chat": "chats"}
_NOUNS: Mapping[ModelKind, str] = {"embedding": "embedding model", "reranker": "reranker", "chat": "chat model"}


class Serving(Protocol):
    """The part of a router that is needed here. `kept` holds what was chosen, by kind."""

    catalog: Catalog
    machine: Machine
    policy: Policy
    settings: Settings
    unreachable: tuple[RouterError, ...]
    kept: dict[ModelKind, str]

    @property
    def engines(self) -> tuple[Engine, ...]: ...

    def served(self) -> tuple[ServedBuild, ...]: ...


@dataclass(frozen=True, slots=True)
class Chosen:
    """A served build, what the catalog knows of it, and the engine that runs it."""

    build: ServedBuild
    model: Model | None
    engine: Embedder

    @property
    def name(self) -> str:
        return self.build.name if self.model is None else self.model.id


def choose(
    router: Serving, kind: ModelKind, pin: str | None = None, *, prefer: Callable[[Embedder], bool] = lambda _: True
) -> Chosen:
    """The build that does it. With a pin that model, else the one kept, else the best scored that fits; ties by model, then
    as the engines come. Engines that `prefer` likes come before the others.

    Raises `NoModelFits` (what to pull; or that what made the vectors so far is gone), `UnknownName`, and `InvalidRequest`
    for a model that is for something else.
    """
    served = [item for item in router.served() if not kept_away(item, router.policy)]
    able = [found for item in served if (found := _able(router, item, kind)) is not None]
    able.sort(key=lambda found: not prefer(found.engine))
    if pin is not None and not isinstance(pin, str):
        raise InvalidRequest(f"the model is {type(pin).__name__}, not a name", fix="give its name, or None for the best")
    if pin is not None and pin != "auto":
        return _pinned(router, kind, pin, served, able)
    able = [found for found in able if found.model is None or found.model.modalities == ("text",)]
    before = router.kept.get(kind)
    kept = [found for found in able if found.name == before]
    if before is not None and not kept and kind == "embedding":
        raise NoModelFits(
            f"{before!r} made the vectors so far, and nothing serves it now; another's do not compare with them",
            fix=f"serve it again, or name another: model={(able[0].name if able else _best_to_get(router, kind).id)!r}",
        )
    fitting = kept or [found for found in able if _fits(router.machine, found)]
    if not fitting:
        raise _nothing(router, kind, able)
    best = min(fitting, key=lambda found: (-(_score(found.model, kind) or -1.0), found.name))
    router.kept[kind] = best.name
    return best


def _able(router: Serving, item: ServedBuild, kind: ModelKind) -> Chosen | None:
    if kind_of(router.catalog, item) != kind:
        return None
    engine = next((e for e in router.engines if (e.name, e.endpoint) == (item.engine, item.endpoint)), None)
    model = None if item.model_id is None else router.catalog.resolve(item.model_id)
    return Chosen(item, model, engine) if isinstance(engine, Embedder) else None


def _pinned(router: Serving, kind: ModelKind, pin: str, served: Sequence[ServedBuild], able: Sequence[Chosen]) -> Chosen:
    known = router.catalog.resolve(pin)
    for found in able:
        if found.build.name.lower() == pin.lower() or (
            known is not None and found.model is not None and found.model.id == known.id
        ):
            if found.model is not None and found.model.modalities != ("text",):
                raise _sees(pin, kind)
            return found
    item = next((item for item in served if item.name.lower() == pin.lower()), None)
    if item is not None and item.model_id is None and item.kind is None:  # a stranger that nothing is known of: as named
        engine = next((e for e in router.engines if (e.name, e.endpoint) == (item.engine, item.endpoint)), None)
        if isinstance(engine, Embedder):
            return Chosen(item, None, engine)
    is_for = known.kind if known is not None else None if item is None else kind_of(router.catalog, item)
    if is_for is not None and is_for != kind:
        other = able[0].name if able else _best_to_get(router, kind).id
        raise InvalidRequest(
            f"{pin!r} is no {_NOUNS[kind]}: it {_VERBS[is_for]}", fix=f"model={other!r}, or leave the model out"
        )
    if known is not None:
        if known.modalities != ("text",):
            raise _sees(pin, kind)
        raise NoModelFits(f"{pin!r} is not installed here", fix=_how_to_get(known))
    names = [*(found.build.name for found in able), *(m.short_name for m in _of_kind(router.catalog, kind))]
    raise UnknownName.among(pin, names, kind=_NOUNS[kind])


def _sees(pin: str, kind: ModelKind) -> InvalidRequest:
    return InvalidRequest(
        f"{pin!r} reads pictures too, which no engine here does for an {_NOUNS[kind]}",
        fix="use Qwen3-Embedding or Qwen3-Reranker, for text",
    )


def _nothing(router: Serving, kind: ModelKind, able: Sequence[Chosen]) -> NoModelFits:
    best = _best_to_get(router, kind)
    fix = _how_to_get(best)
    if able:
        names = ", ".join(sorted({found.name for found in able}))
        return NoModelFits(f"no installed {_NOUNS[kind]} fits the free memory ({names})", fix=fix)
    silent = f" ({router.unreachable[0].problem})" if router.unreachable else ""
    return NoModelFits(f"no {_NOUNS[kind]} is installed here{silent}", fix=fix)


def _best_to_get(router: Serving, kind: ModelKind) -> Model:
    """The best scored of the catalog that fits this machine, else the smallest."""
    models = _of_kind(router.catalog, kind)
    fitting = [m for m in models if _model_fits(router.machine, m, *_usual_build(m))]
    ranked = sorted(fitting, key=lambda m: (-(_score(m, kind) or -1.0), m.id))
    return ranked[0] if ranked else min(models, key=lambda m: (m.total_params or 0, m.id))


def _of_kind(catalog: Catalog, kind: ModelKind) -> list[Model]:
    return [model for model in catalog.models if model.kind == kind and model.modalities == ("text",) and not model.hosted]


def _usual_build(model: Model) -> tuple[str, QuantName]:
    """The engine and quantisation that a newcomer would use: a GGUF where one is known, else the checkpoint."""
    return ("llamacpp", "q8_0") if model.ollama_tags or model.names.gguf else ("transformers", "bf16")


def _how_to_get(model: Model) -> str:
    return f"ollama pull {model.ollama_tags[0]}" if model.ollama_tags else how_to_get(model, _usual_build(model)[1])


def _score(model: Model | None, kind: ModelKind) -> float | None:
    """Its published score in the benchmark of that kind."""
    return next((s.score for s in (model.scores if model else ()) if s.benchmark == BENCHMARKS[kind]), None)


def _fits(machine: Machine, found: Chosen) -> bool:
    """Whether it has room: resident ones do, those on other computers are their server's business, and of a model that
    nobody knows the size of its weights counts."""
    build = found.build
    if build.resident or is_remote(build):
        return True
    if found.model is not None:
        return _model_fits(machine, found.model, build.engine, build.quant or _usual_build(found.model)[1])
    return build.memory_mib is None or build.memory_mib <= capacity_mib(machine)


def _model_fits(machine: Machine, model: Model, engine: str, quant: str) -> bool:
    try:
        return place(memory_line(model, quant=quant, engine=engine), FIT_TOKENS, machine).fits
    except RouterError:  # a quantisation or an architecture that nothing is known of
        return True
