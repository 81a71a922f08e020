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
    show_reasoning: Annotated[
        bool, typer.Option("--reasoning/--no-reasoning", help="Show the thinking (on stderr).")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Answer a request with the model that routing chooses among those that run here."""
    from dataclasses import asdict

    from qwen_router.engines.base import Reasoning, Text
    from qwen_router.errors import EngineError
    from qwen_router.request import ToolCall

    request = read_request(words, attach)
    wishes = replace(
        request.wishes, model=model, thinking=think, thinking_budget_tokens=budget, max_output_tokens=max_tokens, seed=seed
    )
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
        said = thought = False
        try:
            for event in stream:
                if isinstance(event, Text | ToolCall) and thought and not said:
                    typer.echo(err=True)  # the thinking ends its own line
                match event:
                    case Reasoning(text) if show_reasoning:
                        typer.secho(text, nl=False, err=True, dim=True)
                        thought = True
                    case Text(text):
                        typer.echo(text, nl=False)
                        said = True
                    case ToolCall(name=name, arguments=arguments):
                        typer.echo(f"[calls {name} with {dict(arguments)}]", nl=False)
                        said = True
        finally:
            if said:
                typer.echo()
        _print_end(stream.reply)
    finally:
        router.close()


def _print_end(reply: Reply) -> None:
    typer.secho(
        f"— {reply.served_by.label} on {reply.served_by.build.engine}, {reply.timings.total_s:.1f} s", err=True, dim=True
    )
    for attempt in reply.failed_attempts:
        typer.secho(f"— before: {attempt}", err=True, dim=True)
    for violation in reply.violations:
        typer.secho(f"— violation: {violation.kind}: {violation.detail}", err=True, dim=True)
    if reply.notice:
        typer.secho(f"— {reply.notice}", err=True, dim=True)


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
