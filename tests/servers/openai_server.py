"""Speaks the OpenAI chat protocol from a script, in the dialects of the servers that people run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.servers.loopback import RESET, Answer, Asked, LoopbackServer
from tests.servers.script import Say, Turn, Turns


def openai_server(
    *says: Turn,
    owned_by: str = "llamacpp",
    reasoning_field: str = "reasoning_content",
    models: tuple[str, ...] = ("Qwen3-8B-Q4_K_M.gguf",),
    refuses: tuple[str, ...] = (),
    api_key: str | None = None,
    models_status: int = 200,
    streams: bool = True,
    raw: list[Any] | None = None,
    status: int = 200,
    content_type: str = "text/event-stream",
    extra_model_fields: dict[str, Any] | None = None,
) -> LoopbackServer:
    """The n-th chat gets the n-th of `says`. `refuses` are fields answered with 400, `raw` replaces a chat's body."""
    turns = Turns(*says)

    def answer(asked: Asked) -> Answer:
        if api_key is not None and asked.headers.get("authorization") != f"Bearer {api_key}":
            return Answer.of_json({"error": {"message": "Invalid API Key", "type": "authentication_error"}}, status=401)
        if asked.path.partition("?")[0] == "/v1/models":
            if models_status != 200:
                return Answer(status=models_status, body=(b"Internal Server Error",), content_type="text/plain")
            fields = {"object": "model", "owned_by": owned_by, **(extra_model_fields or {})}
            return Answer.of_json({"object": "list", "data": [{"id": name, **fields} for name in models]})
        if asked.path.partition("?")[0] != "/v1/chat/completions":
            return Answer.of_json({"error": {"message": "File Not Found", "type": "not_found_error"}}, status=404)
        return chat(asked.body)

    def chat(body: dict[str, Any]) -> Answer:
        refused = next((name for name in refuses if name in body), None)
        if refused is not None:
            return Answer.of_json({"error": {"message": f"Unrecognized request argument supplied: {refused}"}}, status=400)
        if body["model"] not in models:
            return Answer.of_json({"error": {"message": f"The model `{body['model']}` does not exist."}}, status=404)
        if raw is not None:
            return Answer(status=status, body=raw, content_type=content_type)
        say = turns.next(body)
        if not streams:
            return Answer.of_json(_whole(body, say, reasoning_field))
        return Answer(body=_events(body, say, reasoning_field), content_type=content_type)

    return LoopbackServer(answer)


def _usage(say: Say) -> dict[str, Any]:
    usage: dict[str, Any] = {"prompt_tokens": say.prompt_tokens, "completion_tokens": say.completion_tokens}
    if say.reasoning_tokens is not None:
        usage["completion_tokens_details"] = {"reasoning_tokens": say.reasoning_tokens}
    return usage


def _calls(say: Say) -> list[dict[str, Any]]:
    return [
        {"id": f"chatcmpl-tool-{i}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for i, (name, arguments) in enumerate(say.calls)
    ]


def _whole(body: dict[str, Any], say: Say, reasoning_field: str) -> dict[str, Any]:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": say.content or None,
        reasoning_field: say.reasoning or None,
    }
    if say.calls:
        message["tool_calls"] = _calls(say)
    choice = {"index": 0, "message": message, "finish_reason": say.finish_reason}
    return {"id": "x", "object": "chat.completion", "model": body["model"], "choices": [choice], "usage": _usage(say)}


def _events(body: dict[str, Any], say: Say, reasoning_field: str) -> Iterator[Any]:
    def event(**fields: Any) -> bytes:
        chunk = {"id": "x", "object": "chat.completion.chunk", "model": body["model"], **fields}
        return f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n".encode()

    def delta(finish_reason: str | None = None, **fields: Any) -> bytes:
        return event(choices=[{"index": 0, "delta": fields, "finish_reason": finish_reason}])

    yield delta(role="assistant", content="")
    yield b": keep-alive\n\n"
    for kind, text in say.deltas():
        yield delta(**{reasoning_field if kind == "reasoning" else "content": text})
    for i, call in enumerate(_calls(say)):
        function, arguments = call["function"], call["function"]["arguments"]
        yield delta(tool_calls=[{"index": i, **call, "function": {"name": function["name"], "arguments": ""}}])
        for start in range(0, len(arguments), say.chunk_chars):
            piece = {"arguments": arguments[start : start + say.chunk_chars]}
            yield delta(tool_calls=[{"index": i, "function": piece}])
    if say.broken == "error":
        yield b'data: {"error": {"message": "CUDA out of memory", "type": "server_error", "code": 500}}\n\n'
        return
    if say.broken == "stall":
        yield say.stall_s
    if say.broken == "reset":
        yield 0.05
        yield RESET
    if say.broken == "end":
        return
    yield delta(finish_reason="tool_calls" if say.calls else say.finish_reason)
    if (body.get("stream_options") or {}).get("include_usage"):
        yield event(choices=[], usage=_usage(say))
    yield b"data: [DONE]\n\n"
