"""`ask`: route a request and answer it here.

qwen-router ask "What is 12 + 30 + 58?" --think
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from qwen_router.cli.common import (
    FilesOption,
    JsonOption,
    PolicyOption,
    print_json,
    read_request,
    router_from,
    tell_unreachable,
)
from qwen_router.cli.prompts import SetOption, filled
from qwen_router.errors import InvalidRequest

if TYPE_CHECKING:
    from qwen_router.reply import Reply


def add_to(app: typer.Typer) -> None:
    app.command("ask")(ask)


def ask(
    words: Annotated[
        list[str] | None, typer.Argument(help="The request; standard input when left out.", show_default=False)
    ] = None,
    attach: FilesOption = None,
    policy: PolicyOption = None,
    model: Annotated[str | None, typer.Option(help="Answer with this model.")] = None,
    engine: Annotated[str | None, typer.Option(help="Use only this engine: ollama, openai, llamacpp, transformers.")] = None,
    think: Annotated[
        bool | None, typer.Option("--think/--no-think", help="Switch thinking on or off; the policy decides otherwise.")
    ] = None,
    budget: Annotated[int | None, typer.Option(min=1, help="Most tokens to think for.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Most tokens of the answer.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the sampling.")] = None,
    template: Annotated[
        str | None, typer.Option("--template", "-t", help="Put the words into this prompt template (prompts list).")
    ] = None,
    values: SetOption = None,
    show_reasoning: Annotated[
        bool, typer.Option("--reasoning/--no-reasoning", help="Show the thinking (on stderr).")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Answer a request with the model that routing chooses among those that run here."""
    from qwen_router.catalog import Catalog
    from qwen_router.cli.shown import AnswerPrinter, aftermath, aside
    from qwen_router.request import Request

    if template is not None:
        known = model if model is not None and Catalog.load().resolve(model) is not None else None
        request = Request(messages=filled(template, words, values, attach, family=known, thinking=think))
    elif values:
        raise InvalidRequest("--set gives a value to a template, and none is named", fix="--template mathematics")
    else:
        request = read_request(words, attach)
    wishes = replace(
        request.wishes, model=model, thinking=think, thinking_budget_tokens=budget, max_output_tokens=max_tokens, seed=seed
    )
    router = router_from(policy=policy, engine=engine)
    try:
        stream = router.stream(request.with_wishes(wishes))
        if as_json:
            for _ in stream:
                pass
            print_json(reply_line(stream.reply))
            return
        tell_unreachable(router)
        with AnswerPrinter(reasoning=show_reasoning) as printer:
            for event in stream:
                printer.take(event)
        reply = stream.reply
        took = f"{reply.served_by.label} on {reply.served_by.build.engine}, {reply.timings.total_s:.1f} s"
        for line in (took, *aftermath(reply)):
            aside(line)
    finally:
        router.close()


def reply_line(reply: Reply) -> dict[str, object]:
    """The reply as JSON for programs."""
    from dataclasses import asdict

    return {
        "answer": reply.answer,
        "reasoning": reply.reasoning,
        "tool_calls": [{"id": c.id, "name": c.name, "arguments": dict(c.arguments)} for c in reply.tool_calls],
        "finish_reason": reply.finish_reason,
        "model": reply.served_by.build.model.id,
        "engine": reply.served_by.build.engine,
        "thinking": reply.served_by.thinking,
        "usage": asdict(reply.usage),
        "timings": asdict(reply.timings),
        "violations": [asdict(v) for v in reply.violations],
        "failed_attempts": list(reply.failed_attempts),
        "decision_id": reply.decision.id,
        "notice": reply.notice,
    }
