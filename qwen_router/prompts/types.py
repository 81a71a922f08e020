"""The shape of a template file: a version, declared parameters, and variants for families and for thinking on or off.

Types and what must hold between their fields; `load.py` reads files into them, `render.py` makes messages of them.

    python -c "from qwen_router.prompts import load_template; print(load_template('mathematics').version)"
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Literal, Self, get_args

from pydantic import Field, model_validator

from qwen_router.catalog.types import Frozen

Kind = Literal["text", "block", "line", "language", "languages", "lines", "choices", "pairs", "option", "attachments"]
"""What a parameter takes, and how it stands in the message:

- `text`: any text, as it is; `block`: the same between two fences longer than any in it, so that its end cannot be forged
- `line`: text without a line break; `language`, `languages`: names, or ISO 639-1 codes, which become names
- `lines`: texts, one a bullet; `choices`: texts, lettered A to Z; `pairs`: a mapping, one `key = value` a bullet
- `option`: one of `options`, which selects a variant; `attachments`: images, audio, video of the user message
"""
KINDS: tuple[Kind, ...] = get_args(Kind)
UNPLACED: tuple[Kind, ...] = ("option", "attachments")
"""Kinds that have no place in a text."""

SLOT = re.compile(r"\{\{\s*([A-Za-z_]\w*)\s*\}\}")
"""A place for a parameter in a template's text: `{{problem}}`. Every other brace is a brace."""
_CONTROL = re.compile(r"<\|\w+\|>|</?(?:think|tool_call|tool_response)>")


class Parameter(Frozen):
    """A named value that the template takes. The first of `options` is taken when none is given."""

    kind: Kind = "text"
    about: str = Field(min_length=1)
    required: bool = False
    options: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _options_belong_to_the_kind(self) -> Self:
        if (self.kind == "option") != bool(self.options):
            raise ValueError("options, at least one, belong to the kind option and to no other")
        return self


class Variant(Frozen):
    """The texts for some models. Each entry of `system` and `user` is a paragraph; one whose parameters are not all given
    is left out.

    It is for `families` (of the catalog, or models by any name; empty: all), for thinking on or off (None: both), and for
    the options in `when`. `languages` are all that these models may be asked to answer in (empty: any).
    """

    families: tuple[str, ...] = ()
    thinking: bool | None = None
    when: Mapping[str, str] = Field(default_factory=dict)
    languages: tuple[str, ...] = ()
    system: tuple[str, ...] = ()
    user: tuple[str, ...] = Field(min_length=1)
    source: str | None = None

    @property
    def conditional(self) -> bool:
        return bool(self.families or self.when) or self.thinking is not None

    def paragraphs(self) -> Iterator[tuple[Literal["system", "user"], int, str]]:
        """(role, index, text) of every paragraph."""
        for role, texts in (("system", self.system), ("user", self.user)):
            for index, text in enumerate(texts):
                yield role, index, text  # type: ignore[misc]  # both literals above are roles

    def slots(self) -> frozenset[str]:
        """The parameters that have a place in this variant."""
        return frozenset(name for _, _, text in self.paragraphs() for name in SLOT.findall(text))


class Template(Frozen):
    """A template file. `version` rises with every change of a text; the first variant that matches is taken, and the last
    must match everything. `ask` names the parameters that are the person's own words: routing reads those and not the
    template's (empty: the whole message)."""

    version: int = Field(ge=1)
    description: str = Field(min_length=1)
    parameters: Mapping[str, Parameter] = Field(min_length=1)
    ask: tuple[str, ...] = ()
    variants: tuple[Variant, ...] = Field(min_length=1)

    def faults(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        """(path of keys, problem, what to do) of everything that does not hold between the fields."""
        for v, variant in enumerate(self.variants):
            yield from self._faults_of_texts(variant, v)
            for name, value in variant.when.items():
                yield from self._faults_of_option(name, value, v)
        for index, name in enumerate(self.ask):
            if name not in self.parameters:
                yield ("ask", index), f"{name!r} is no parameter of this template", _meant(name, self.parameters)
            elif self.parameters[name].kind in UNPLACED:
                yield ("ask", index), f"{name!r} is of kind {self.parameters[name].kind}, not text", "take it out"
        if self.variants[-1].conditional:
            yield ("variants", len(self.variants) - 1), "the last variant does not match every model", "add one for the rest"

    def _faults_of_texts(self, variant: Variant, v: int) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        for role, index, text in variant.paragraphs():
            at = ("variants", v, role, index)
            if found := _CONTROL.search(text):
                yield at, f"the control token {found[0]!r} stands in a text", "write words; engines put control tokens"
            for name in SLOT.findall(text):
                if name not in self.parameters:
                    yield at, f"{{{{{name}}}}} is no parameter of this template", _meant(name, self.parameters)
                elif self.parameters[name].kind in UNPLACED:
                    kind = self.parameters[name].kind
                    yield at, f"{{{{{name}}}}} is of kind {kind} and has no place in a text", "take it out"
                elif role == "system":
                    problem = f"{{{{{name}}}}} is the caller's data and would speak as the system"
                    yield at, problem, "put it into user"
        for name, parameter in self.parameters.items():
            if parameter.required and parameter.kind not in UNPLACED and name not in variant.slots():
                yield ("variants", v), f"the required parameter {name!r} has no place", f"put {{{{{name}}}}} into user"

    def _faults_of_option(self, name: str, value: str, v: int) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        parameter = self.parameters.get(name)
        if parameter is None or parameter.kind != "option":
            options = [n for n, p in self.parameters.items() if p.kind == "option"]
            yield ("variants", v, "when", name), f"{name!r} is no parameter of kind option", _meant(name, options)
        elif value not in parameter.options:
            yield ("variants", v, "when", name), f"{value!r} is no option of {name!r}", _meant(value, parameter.options)


def _meant(name: str, known: Mapping[str, object] | list[str] | tuple[str, ...]) -> str:
    close = get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"one of {', '.join(known) or 'none'}"
