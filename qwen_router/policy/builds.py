"""Which models, quantisations and engines a rule's words mean, for a reader of policies who has no candidates yet.

`decide/candidates.py` asks the same of real builds (`fits`); a test holds the two against each other.

    python -c "from qwen_router.catalog import Catalog; from qwen_router.policy.builds import names_of; \\
        print(names_of(Catalog.load()).matches('family', 'qwen3*'))"
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import get_args

from qwen_router.catalog import Catalog, Model
from qwen_router.catalog.quants import QUANTS
from qwen_router.hardware.machine import EngineName
from qwen_router.policy.schema import Builds

ENGINES: tuple[str, ...] = get_args(EngineName)


@dataclass(frozen=True, slots=True)
class Names:
    """Everything that a pattern may match, by kind."""

    models: tuple[str, ...]
    families: tuple[str, ...]
    quants: tuple[str, ...]

    def of(self, kind: str) -> tuple[str, ...]:
        return {"model": self.models, "family": self.families, "quantisation": self.quants}[kind]

    def matches(self, kind: str, pattern: str) -> bool:
        return any(match(name, pattern) for name in self.of(kind))


@dataclass(frozen=True, slots=True)
class Meant:
    """The builds that a `require`, `forbid` or `pin` means: every combination of the three."""

    models: frozenset[str]
    quants: frozenset[str]
    engines: frozenset[str]

    def __and__(self, other: Meant) -> Meant:
        return Meant(self.models & other.models, self.quants & other.quants, self.engines & other.engines)

    def __bool__(self) -> bool:
        return bool(self.models and self.quants and self.engines)

    def within(self, other: Meant) -> bool:
        return self.models <= other.models and self.quants <= other.quants and self.engines <= other.engines


def names_of(catalog: Catalog) -> Names:
    models = [name for model in catalog.models for name in model_names(model)]
    return Names(tuple(models), catalog.families(), tuple(q.name for q in QUANTS))


def meant(wanted: Builds, models: Iterable[Model], quants: Sequence[str]) -> Meant:
    """What `wanted` means among these models and quantisations."""
    return Meant(
        frozenset(m.id for m in models if _fits(m, wanted)),
        frozenset(q for q in quants if not wanted.quants or any(match(q, p) for p in wanted.quants)),
        frozenset(wanted.engines or ENGINES),
    )


def model_names(model: Model) -> tuple[str, ...]:
    return (model.id, model.short_name, *model.ollama_tags, *model.names.hosted)


def match(name: str, pattern: str) -> bool:
    return fnmatchcase(name.lower(), pattern.lower())


def _fits(model: Model, wanted: Builds) -> bool:
    return (
        (not wanted.models or any(match(name, p) for p in wanted.models for name in model_names(model)))
        and (not wanted.families or any(match(model.family, p) for p in wanted.families))
        and (not wanted.sizes or model.size_class in wanted.sizes)
        and (wanted.commercial_use is None or (model.commercial_use is True) == wanted.commercial_use)
    )
