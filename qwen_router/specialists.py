"""Asking a model from within a tool: the prompt of a task, routed like every request, with limits and without tools.

Which model answers is the router's decision: the template's words and what is attached make the profile, the catalog's
scores tell who is good at it, and the policy weighs. A request carries the tag `specialist:NAME`, so that a policy can say
more (`when: {tags: ["specialist:math"]}`). Specialists get no tools, so none can call another. What they read is data; what
they write is a model's, and nothing here runs or obeys it.

    python -c "from qwen_router.specialists import consult; from qwen_router import prompts; \\
        print(consult('math', lambda **target: prompts.mathematics('What is 12 + 30?', **target)).answer)"
"""

from __future__ import annotations

import base64
import mimetypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Literal, Protocol

from qwen_router.errors import EngineNonsense, InvalidRequest, NoModelFits, RouterError
from qwen_router.media import Attachment, attachment_of
from qwen_router.request import Message, Request, Wishes
from qwen_router.tool_context import ToolContext, current
from qwen_router.tool_files import read_below

if TYPE_CHECKING:
    from qwen_router.reply import Reply
    from qwen_router.router import Router

MOST_MEDIA_BYTES = 20 * 1024**2
MOST_PIXELS = 50_000_000
_SOUNDS = (".wav", ".mp3", ".flac", ".ogg", ".oga", ".opus", ".m4a", ".aac")


class Prompt(Protocol):
    """Messages of a task, written for a model family (None: for any) that thinks or not."""

    def __call__(self, *, family: str | None = None, thinking: bool | None = None) -> tuple[Message, ...]: ...


@dataclass(frozen=True, slots=True)
class Consultation:
    """`answer` as the model gave it, and the reply that it came with."""

    answer: str
    reply: Reply

    @property
    def record(self) -> dict[str, Any]:
        """Who answered, for traces and accounts: what a tool hands on beside its result (`ToolMessage.artifact`)."""
        reply = self.reply
        return {
            "model": reply.served_by.build.model.short_name,
            "engine": reply.served_by.build.engine,
            "thinking": reply.served_by.thinking,
            "domain": reply.decision.profile.domain,
            "reason": reply.decision.reason,
            "prompt_tokens": reply.usage.prompt_tokens,
            "reasoning_tokens": reply.usage.reasoning_tokens,
            "answer_tokens": reply.usage.answer_tokens,
            "seconds": round(reply.timings.total_s, 3),
            "notice": reply.notice,
        }


def consult(
    name: str,
    prompt: Prompt,
    *,
    response_format: Mapping[str, Any] | None = None,
    check: Callable[[Reply], str | bool | None] | None = None,
    whole: bool = False,
) -> Consultation:
    """Ask for an answer within the limits of `tool_context.current()`.

    `whole` refuses an answer that was cut at its limit. A `check` that fails asks the next better model, as `Router.ask`
    does, and the caller checks the last answer itself. Raises `NoModelFits`, naming what to get, when nothing served
    here can take what is attached, `EngineNonsense` for an answer that is empty or cut, and what the router raises else.
    """
    context = current()
    router = context.routing()
    request = Request(
        messages=prompt(),
        response_format=response_format,
        user=context.user,
        tags=(f"specialist:{name}",),
        wishes=Wishes(
            max_output_tokens=context.specialist_tokens,
            thinking_budget_tokens=context.specialist_thinking_tokens,
            deadline_s=context.specialist_s,
        ),
    )
    try:
        reply = router.ask(_for_its_model(router, request, prompt), check=check)
    except NoModelFits as error:
        raise _what_to_get(router, request, error) from error
    if context.on_reply is not None:
        context.on_reply(reply)
    return Consultation(_answer(reply, context, whole), reply)


def _for_its_model(router: Router, request: Request, prompt: Prompt) -> Request:
    """The request in the words that suit the model which would get it; they move the decision by a few tokens at most."""
    chosen = router.route(request, answering=True).chosen
    if chosen is None or chosen.build.model.demo:
        return request
    try:
        return replace(request, messages=prompt(family=chosen.build.model.id, thinking=chosen.thinking))
    except RouterError:  # a model that the catalog does not know, or a language that its family's template does not take
        return request


def _answer(reply: Reply, context: ToolContext, whole: bool) -> str:
    model, answer = reply.served_by.build.model.short_name, reply.answer.strip()
    if not answer:
        spent = " but thoughts" if reply.reasoning.strip() else ""
        raise EngineNonsense(f"{model} answered nothing{spent}", fix="ask again in other words, or a part of it")
    if reply.finish_reason != "length":
        return answer
    limit = f"the limit of {context.specialist_tokens:,} tokens"
    if whole:
        raise EngineNonsense(f"the answer of {model} was cut at {limit}", fix="give it a smaller piece")
    return f"{answer}\n[cut at {limit}]"


def _what_to_get(router: Router, request: Request, error: NoModelFits) -> RouterError:
    """The error for a request whose attachment no model here reads: which one this machine could run, and how to get it."""
    kinds = sorted({attachment.kind for attachment in request.attachments})
    served = {kind for build in router.builds(router.scope(answering=True)) for kind in build.model.modalities}
    if not kinds or served.issuperset(kinds):
        return error
    from qwen_router.decide import decide
    from qwen_router.profile import inspect

    advice = decide(request, inspect(request), router.table(scope="advice"), scope="advice").chosen
    senses = " and ".join({"image": "sees images", "audio": "hears audio"}.get(kind, f"reads {kind}") for kind in kinds)
    problem = f"no model that {senses} is served here"
    if advice is None:
        return NoModelFits(
            f"{problem}, and none of the catalog fits this machine", fix="serve one elsewhere: QWEN_ROUTER_ENDPOINTS"
        )
    return NoModelFits(problem, fix=router.way_out(advice.build.model.id))


def attached(path: str, kind: Literal["image", "audio"]) -> Attachment:
    """A picture or a sound below the tools' folder, whole. Raises `InvalidRequest` for what is none, or is too large."""
    data = read_below(current().root, path, most_bytes=MOST_MEDIA_BYTES)
    if not data:
        raise InvalidRequest(f"{path!r} is empty", fix=f"name an {kind} file")
    encoded = base64.b64encode(data).decode("ascii")
    found = attachment_of({"type": kind, "base64": encoded}, where=repr(path))
    guessed = mimetypes.guess_type(path)[0]
    media_type = found.media_type or guessed or "application/octet-stream"
    if not media_type.startswith(f"{kind}/") and not (kind == "audio" and PurePosixPath(path).suffix.lower() in _SOUNDS):
        raise InvalidRequest(f"{path!r} is no {kind} file: it is {media_type}", fix=f"name an {kind} file")
    if (found.width_px or 0) * (found.height_px or 0) > MOST_PIXELS:
        raise InvalidRequest(
            f"{path!r} has {found.width_px} x {found.height_px} pixels, more than {MOST_PIXELS // 10**6} million",
            fix="scale it down",
        )
    return replace(found, source=f"data:{media_type};base64,{encoded}", media_type=media_type)
