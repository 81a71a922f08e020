"""Makes messages of a template and named values. No template engine: the template's text is cut at its `{{names}}` and the
values are put between the pieces, once; a value is never read for braces or anything else.

Raises instead of guessing: a value that the template does not take, or that has no place for this model, is an error and
not lost. Control tokens within values are left to the engines, which keep them text (docs/engines.md).

    python -c "from qwen_router.prompts import render; print(render('reasoning', {'question': 'Why {{x}}?'})[0].text)"
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import product

from qwen_router.errors import InvalidRequest, UnknownName
from qwen_router.media import Attachment
from qwen_router.prompts.languages import language_name
from qwen_router.prompts.load import load_template
from qwen_router.prompts.target import Target, target_of
from qwen_router.prompts.types import SLOT, Kind, Template, Variant
from qwen_router.request import Message

Messages = tuple[Message, ...]
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LINE_BREAK = re.compile(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")


def render(
    template: str | Template, values: Mapping[str, object], *, family: str | None = None, thinking: bool | None = None
) -> Messages:
    """The messages of a template (by name, path or loaded) with these values; None and what is empty is not given.

    `family` is a family of the catalog or one of its models by any name; `thinking` says whether it will think (None: what
    that model does by default). Raises `UnknownName` for a template, parameter or family that does not exist,
    `InvalidRequest` for a value that is missing, of the wrong kind or without a place, `InvalidTemplate` for a broken file.
    """
    name = template if isinstance(template, str) else "template"
    loaded = load_template(template) if isinstance(template, str) else template
    given = {key: value for key, value in values.items() if not _is_nothing(value)}
    for key in given:
        if key not in loaded.parameters:
            raise UnknownName.among(key, loaded.parameters, kind=f"parameter of {name!r}")
    for key, parameter in loaded.parameters.items():
        if parameter.required and key not in given:
            raise InvalidRequest(f"{name!r} needs {key!r}: {parameter.about}", fix=f"give {key}=...")
    target = target_of(family, thinking)
    variant = chosen_variant(loaded, target, _options(loaded, given))
    _refuse_languages(loaded, variant, given, target)
    attachments = _attachments(loaded, given, target)
    texts = {
        key: _TEXTS[loaded.parameters[key].kind](value, f"{name}: {key}")
        for key, value in given.items()
        if loaded.parameters[key].kind in _TEXTS
    }
    for key in texts:
        if key not in variant.slots():
            raise InvalidRequest(
                f"{name!r} has no place for {key!r} when it is written for {target.name or 'any model'}",
                fix=f"leave {key} out, or name another family",
            )
    system, user = (_filled(paragraphs, texts) for paragraphs in (variant.system, variant.user))
    ask = "\n\n".join(texts[key] for key in loaded.ask if key in texts) or None
    messages = (Message("system", system),) if system else ()
    return (*messages, Message("user", user, attachments=attachments, ask=ask))


def chosen_variant(template: Template, target: Target, options: Mapping[str, str]) -> Variant:
    """The first variant whose conditions hold. The last one of a checked template has none."""
    return next(
        variant
        for variant in template.variants
        if _is_for(variant, target) and all(options.get(name) == value for name, value in variant.when.items())
    )


def variants_for(template: Template, target: Target) -> tuple[tuple[Mapping[str, str], Variant], ...]:
    """(options, variant) for every choice of the template's options, in their order; a variant that several choices share
    comes once, with the first of them."""
    names = [name for name, parameter in template.parameters.items() if parameter.kind == "option"]
    found: dict[int, tuple[Mapping[str, str], Variant]] = {}
    for values in product(*(template.parameters[name].options for name in names)):
        options = dict(zip(names, values, strict=True))
        variant = chosen_variant(template, target, options)
        found.setdefault(id(variant), (options, variant))
    return tuple(found.values())


def _is_for(variant: Variant, target: Target) -> bool:
    named = not variant.families or any(map(target.is_called, variant.families))
    return named and variant.thinking in (None, target.thinking)


def _options(template: Template, given: Mapping[str, object]) -> dict[str, str]:
    """The value of every option, given or default. Raises `UnknownName` for one that is not offered."""
    chosen: dict[str, str] = {}
    for name, parameter in template.parameters.items():
        if parameter.kind == "option":
            value = str(given.get(name, parameter.options[0]))
            if value not in parameter.options:
                raise UnknownName.among(value, parameter.options, kind=name)
            chosen[name] = value
    return chosen


def _refuse_languages(template: Template, variant: Variant, given: Mapping[str, object], target: Target) -> None:
    """Raises `InvalidRequest` when the answer is asked in a language that the variant rules out."""
    if not variant.languages:
        return
    known = {language.lower() for language in variant.languages}
    for name, value in given.items():
        if template.parameters[name].kind in ("language", "languages"):
            for language in (_language(item, name) for item in _several(value, name)):
                if language.lower() not in known:
                    raise InvalidRequest(
                        f"{target.name} is for {' and '.join(variant.languages)}, not for {language!r}",
                        fix="name another family",
                    )


def _attachments(template: Template, given: Mapping[str, object], target: Target) -> tuple[Attachment, ...]:
    found: list[Attachment] = []
    for name, value in given.items():
        if template.parameters[name].kind != "attachments":
            continue
        items = value if isinstance(value, Sequence) else [value]
        for item in items:
            if not isinstance(item, Attachment):
                fix = "Attachment.from_file('page.png'), from qwen_router.media"
                raise InvalidRequest(f"{name} holds {_shown(item)}, no attachment", fix=fix)
            if target.modalities is not None and item.kind not in target.modalities:
                reads = ", ".join(sorted(target.modalities))
                raise InvalidRequest(
                    f"{target.name} cannot read the attachment, of kind {item.kind}: it reads {reads}",
                    fix="name a family that can: qwen-router models compare --families",
                )
            found.append(item)
    return tuple(found)


def _filled(paragraphs: Sequence[str], texts: Mapping[str, str]) -> str:
    """The paragraphs whose parameters are all given, with the values in their places."""
    kept = [text.strip("\n") for text in paragraphs if all(name in texts for name in SLOT.findall(text))]
    return "\n\n".join(SLOT.sub(lambda place: texts[place[1]], text) for text in kept)


# --- a value as text, by its kind -----------------------------------------------------------------------------------


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise InvalidRequest(f"{where} is {_shown(value)}, not text", fix="give a string")
    if not value.strip():
        raise InvalidRequest(f"{where} is empty", fix="give a text, or None to leave it out")
    return value


def _line(value: object, where: str) -> str:
    text = _text(value, where)
    if _LINE_BREAK.search(text):
        raise InvalidRequest(f"{where} has a line break: {_shown(text)}", fix="give one line")
    return text


def _block(value: object, where: str) -> str:
    """The text between fences of more backticks than stand together anywhere in it (CommonMark, fenced code blocks)."""
    text = _text(value, where)
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


def _several(value: object, where: str) -> list[object]:
    """The items of a sequence; a lone text is one item, not a sequence of letters."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, bytes):
        return list(value) if isinstance(value, Sequence) else sorted(value, key=str)
    raise InvalidRequest(f"{where} is {_shown(value)}, not a list of texts", fix="give a list")


def _language(value: object, where: str) -> str:
    return language_name(_line(value, where))


def _languages(value: object, where: str) -> str:
    return ", ".join(dict.fromkeys(_language(item, where) for item in _several(value, where)))


def _lines(value: object, where: str) -> str:
    return "\n".join(_item("- ", _text(item, where)) for item in _several(value, where))


def _item(mark: str, text: str) -> str:
    """An entry of a list; its further lines are indented, so that none looks like the next entry."""
    return mark + text.replace("\n", "\n" + " " * len(mark))


def _choices(value: object, where: str) -> str:
    items = _several(value, where)
    if not 2 <= len(items) <= len(LETTERS):
        raise InvalidRequest(f"{where} has {len(items)} entries", fix=f"give 2 to {len(LETTERS)}")
    return "\n".join(_item(f"{letter}. ", _text(item, where)) for letter, item in zip(LETTERS, items, strict=False))


def _pairs(value: object, where: str) -> str:
    if not isinstance(value, Mapping):
        raise InvalidRequest(f"{where} is {_shown(value)}, not a mapping", fix="give {'term': 'translation'}")
    return "\n".join(f"- {_line(key, where)} = {_line(item, where)}" for key, item in value.items())


_TEXTS: Mapping[Kind, Callable[[object, str], str]] = {
    "text": _text,
    "block": _block,
    "line": _line,
    "language": _language,
    "languages": _languages,
    "lines": _lines,
    "choices": _choices,
    "pairs": _pairs,
}


def _is_nothing(value: object) -> bool:
    return value is None or (isinstance(value, str | Sequence | Mapping | set | frozenset) and not value)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
