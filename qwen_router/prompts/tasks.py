"""One function a task: its parameters by name, the messages for a model family out of the template of the same name.

All take `family` (a family of the catalog or a model by any of its names; None: texts for any model) and `thinking`
(None: what that model does by default), and raise as `render` does. Who answers is the router's choice: take both from a
`Decision`, or leave them out.

    python -c "from qwen_router.prompts import coding; print(coding('Reverse a list.', programming_language='Rust')[0].text)"
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from qwen_router.media import Attachment
from qwen_router.prompts.render import Messages, render

Texts = Sequence[str]


def reasoning(
    question: str,
    *,
    context: str | None = None,
    constraints: Texts = (),
    language: str | None = None,
    family: str | None = None,
    thinking: bool | None = None,
) -> Messages:
    """A question that takes several steps. Only a model that does not think is asked to write the steps down."""
    values = {"question": question, "context": context, "constraints": constraints, "language": language}
    return render("reasoning", values, family=family, thinking=thinking)


def multiple_choice(
    question: str,
    choices: Texts,
    *,
    context: str | None = None,
    family: str | None = None,
    thinking: bool | None = None,
) -> Messages:
    """A question with 2 to 26 choices; the answer is JSON with the letter in its field `answer`."""
    values = {"question": question, "choices": choices, "context": context}
    return render("multiple_choice", values, family=family, thinking=thinking)


def coding(
    task: str,
    *,
    code: str | None = None,
    context: str | None = None,
    constraints: Texts = (),
    programming_language: str | None = None,
    language: str | None = None,
    family: str | None = None,
    thinking: bool | None = None,
) -> Messages:
    """A programming task, with the code that it is about. `language` is that of the explanation."""
    values = {
        "task": task,
        "code": code,
        "context": context,
        "constraints": constraints,
        "programming_language": programming_language,
        "language": language,
    }
    return render("coding", values, family=family, thinking=thinking)


def mathematics(
    problem: str,
    *,
    context: str | None = None,
    constraints: Texts = (),
    language: str | None = None,
    method: Literal["cot", "tir"] = "cot",
    family: str | None = None,
    thinking: bool | None = None,
) -> Messages:
    r"""A problem whose final answer comes within \boxed{}.

    `method` "cot" reasons in words, "tir" with programs, which somebody must run. Qwen2.5-Math is for English and Chinese.
    """
    values = {
        "problem": problem,
        "context": context,
        "constraints": constraints,
        "language": language,
        "method": method,
    }
    return render("mathematics", values, family=family, thinking=thinking)


def multilingual(
    task: str,
    *,
    target_languages: Texts | str,
    context: str | None = None,
    constraints: Texts = (),
    family: str | None = None,
    thinking: bool | None = None,
) -> Messages:
    """A task, in whatever language, answered once in each of `target_languages`."""
    values = {"task": task, "target_languages": target_languages, "context": context, "constraints": constraints}
    return render("multilingual", values, family=family, thinking=thinking)


def translation(
    text: str,
    *,
    target_languages: Texts | str,
    source_language: str | None = None,
    domain: str | None = None,
    terms: Mapping[str, str] | None = None,
    context: str | None = None,
    constraints: Texts = (),
    family: str | None = None,
    thinking: bool | None = None,
) -> Messages:
    """The text in each of `target_languages`; `terms` says how single terms are rendered, `domain` where it is from."""
    values = {
        "text": text,
        "target_languages": target_languages,
        "source_language": source_language,
        "domain": domain,
        "terms": terms,
        "context": context,
        "constraints": constraints,
    }
    return render("translation", values, family=family, thinking=thinking)


def extraction(
    text: str,
    *,
    wanted: str | None = None,
    columns: Texts = (),
    family: str | None = None,
    thinking: bool | None = None,
) -> Messages:
    """A table of what the text says, as JSON with `columns` and `rows`; give the request a JSON Schema of the same form."""
    values = {"text": text, "wanted": wanted, "columns": columns}
    return render("extraction", values, family=family, thinking=thinking)


def vision(
    question: str,
    *,
    attachments: Sequence[Attachment],
    context: str | None = None,
    constraints: Texts = (),
    language: str | None = None,
    family: str | None = None,
    thinking: bool | None = None,
) -> Messages:
    """A question about images or a video; the family must be one that reads them."""
    values = {
        "question": question,
        "attachments": attachments,
        "context": context,
        "constraints": constraints,
        "language": language,
    }
    return render("vision", values, family=family, thinking=thinking)


def document_parsing(
    *,
    attachments: Sequence[Attachment],
    output: Literal["text", "markdown", "html"] = "markdown",
    constraints: Texts = (),
    family: str | None = None,
    thinking: bool | None = None,
) -> Messages:
    """What stands on the page, as plain text, Markdown or HTML. Qwen2.5-VL and Qwen3-VL have formats of their own, which
    keep the places of tables and pictures."""
    values = {"attachments": attachments, "output": output, "constraints": constraints}
    return render("document_parsing", values, family=family, thinking=thinking)
