"""`ask`: route a request and answer it here; a file of many is `ask_many.py`'s work.

qwen-router ask "What is 12 + 30 + 58?" --think
"""

from __future__ import annotations

from pathlib import Path
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
    engine: Annotated[
        str | None, typer.Option(help="Use only this engine: ollama, openai, llamacpp, transformers, onnx.")
    ] = None,
    jsonl: Annotated[
        str | None,
        typer.Option(
            "--jsonl",
            help='Answer many requests, one JSON object a line ({"id", "text"} or {"id", "messages"}); - is standard input.',
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="With --jsonl: append answers to this file as they end; run again, it goes on there."),
    ] = None,
    concurrency: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="With --jsonl: most requests that an engine gets at once (8 to a server, 1 to llama.cpp in process).",
            show_default=False,
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume/--fresh", help="With --out: go on where the file ends, or begin it anew.")
    ] = True,
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
        bool | None,
        typer.Option(
            "--reasoning/--no-reasoning",
            help="Show the thinking, on stderr (the default); with --jsonl, put it into the lines.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Answer a request with the model that routing chooses among those that run here."""
    from dataclasses import asdict

    from qwen_router.catalog import Catalog
    from qwen_router.cli.shown import AnswerPrinter, aftermath, aside
    from qwen_router.errors import EngineError
    from qwen_router.request import Request, Wishes

    if think is False and budget is not None:
        raise InvalidRequest("--no-think leaves nothing for --budget", fix="drop one of them")
    wishes = Wishes(model=model, thinking=think, thinking_budget_tokens=budget, max_output_tokens=max_tokens, seed=seed)
    if jsonl is not None:
        _check_alone(text_or_files=bool(words or attach), template=bool(template or values))
        from qwen_router.cli.ask_many import ask_many

        ask_many(
            jsonl,
            router_from(policy=policy, engine=engine, parallel=concurrency),
            wishes,
            out=out,
            concurrency=concurrency,
            fresh=not resume,
            with_reasoning=bool(show_reasoning),
        )
        return
    if out is not None or concurrency is not None or not resume:
        raise InvalidRequest("--out, --concurrency and --fresh need --jsonl", fix="qwen-router ask --jsonl FILE --out FILE")
    if template is not None:
        known = model if model is not None and Catalog.load().resolve(model) is not None else None
        request = Request(messages=filled(template, words, values, attach, family=known, thinking=think))
    elif values:
        raise InvalidRequest("--set gives a value to a template, and none is named", fix="--template mathematics")
    else:
        request = read_request(words, attach)
    router = router_from(policy=policy, engine=engine)
    try:
        stream = router.stream(request.with_wishes(wishes))
        if as_json:
            try:
                for _ in stream:
                    pass
            except EngineError as error:  # what came is not lost
                if error.partial is not None:
                    print_json({"error": error.problem, **asdict(error.partial), "failed_attempts": stream.failed})
                raise
            print_json(reply_line(stream.reply))
            return
        tell_unreachable(router)
        with AnswerPrinter(reasoning=show_reasoning is not False) as printer:
            for event in stream:
                printer.take(event)
        reply = stream.reply
        took = f"{reply.served_by.label} on {reply.served_by.build.engine}, {reply.timings.total_s:.1f} s"
        for line in (took, *aftermath(reply)):
            aside(line)
    finally:
        router.close()


def _check_alone(*, text_or_files: bool, template: bool) -> None:
    """Refuse what does not go with a file of requests."""
    if text_or_files:
        raise InvalidRequest("--jsonl goes with neither text nor --attach", fix="put the requests into the file")
    if template:
        fix = "fill the template into the file: qwen-router prompts fill"
        raise InvalidRequest("--jsonl goes with neither --template nor --set", fix=fix)


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
        "changes": list(reply.changes),
    }
