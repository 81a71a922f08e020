"""From a call to token ids, so that nothing a person writes becomes a control token.

A checkpoint's chat template mixes control tokens with user text, and a tokenizer cannot tell which is which afterwards.
So every control token in a text is replaced by a random word before the template runs; in the rendered prompt the words
become the text again, and it is tokenised by a copy of the tokenizer that knows no control tokens. The pieces between
control tokens are what the tokenizer would have worked on anyway, so an ordinary text gets exactly the ids it always had.

That is `PromptEncoder`, for `transformers.py` and `onnx.py`. The shapes of messages and tools and the sampling rule are
shared with `llamacpp.py`. Nothing here runs a model.

    python -c "from qwen_router.engines.local_prompt import control_pattern; print(control_pattern(['<think>']))"
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from qwen_router.catalog.types import Sampling
from qwen_router.control_tokens import neutralise
from qwen_router.engines.base import Call
from qwen_router.errors import EngineRefused
from qwen_router.request import Message


def chat_messages(call: Call, *, arguments_as_text: bool, engine: str, media: Collection[str] = ()) -> list[dict[str, Any]]:
    """The messages of a call as chat templates read them (or as OpenAI's protocol does: arguments as text).

    Attachments come before the text of their message. Raises what `check_attachments` raises.
    """
    check_attachments(call, engine=engine, media=media)
    return [_message(m, arguments_as_text=arguments_as_text) for m in call.messages]


def check_attachments(call: Call, *, engine: str, media: Collection[str]) -> None:
    """Raises `EngineRefused` for an attachment whose kind is not in `media`."""
    for message in call.messages:
        for kind in (a.kind for a in message.attachments if a.kind not in media):
            reads = ", ".join(("text", *media)) if media else "text only"
            raise EngineRefused(
                f"{call.model!r} in the {engine} engine reads {reads}; the {message.role} message holds {kind}",
                fix="pick a model that takes it, or an Ollama or OpenAI-compatible server that serves one",
                engine=engine,
                endpoint="in process",
            )


def _message(message: Message, *, arguments_as_text: bool) -> dict[str, Any]:
    out: dict[str, Any] = {"role": message.role, "content": message.text}
    if message.attachments:
        text = [{"type": "text", "text": message.text}] if message.text else []
        out["content"] = [*({"type": a.kind} for a in message.attachments), *text]
    if message.reasoning is not None:
        out["reasoning_content"] = message.reasoning
    if message.tool_calls:
        out["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {
                    "name": call.name,
                    "arguments": json.dumps(call.arguments, ensure_ascii=False)
                    if arguments_as_text
                    else dict(call.arguments),
                },
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        out["tool_call_id"] = message.tool_call_id
    if message.name is not None:
        out["name"] = message.name
    return out


def tool_specs(call: Call) -> list[dict[str, Any]]:
    """The tools of a call in OpenAI's shape, which chat templates read too."""
    return [
        {
            "type": "function",
            "function": {"name": t.name, "description": t.description, "parameters": dict(t.parameters)},
        }
        for t in call.tools
    ]


def template_options(call: Call, template: str) -> dict[str, Any]:
    """What a chat template is told besides messages and tools."""
    options: dict[str, Any] = {"enable_thinking": call.thinking.enabled}
    if "preserve_thinking" in template and call.tools:
        options["preserve_thinking"] = True  # without it Qwen3.6+ forgets its plan in a tool loop
    return options


def neutralised(value: Any) -> Any:
    """A copy in which no text holds a control token, for an endpoint that would parse it (`thinking.neutralise`)."""
    if isinstance(value, str):
        return neutralise(value)
    if isinstance(value, Mapping):
        return {key: neutralised(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [neutralised(item) for item in value]
    return value


THINKING_SAMPLING = Sampling(temperature=0.6, top_p=0.95, top_k=20)
"""Used when a thinking call would be greedy: Qwen3's cards warn of endless repetition and recommend this set."""


def effective_sampling(call: Call, *, thinking: bool) -> Sampling:
    """What the call asks for; never greedy while thinking: what it does not say, and a temperature of 0, are replaced."""
    if not thinking or call.sampling.temperature:
        return call.sampling
    asked = {k: v for k, v in call.sampling.model_dump().items() if v is not None and k != "temperature"}
    return THINKING_SAMPLING.model_copy(update=asked)


def control_pattern(tokens: Iterable[str]) -> re.Pattern[str]:
    """Matches any of the tokens, the longest first, as tokenizers do."""
    ordered = sorted((t for t in tokens if t), key=lambda t: (-len(t), t))
    return re.compile("|".join(map(re.escape, ordered)) if ordered else r"(?!)")


@dataclass
class PromptEncoder:
    """Renders and tokenises for one checkpoint.

    `render(messages, tools, template_options)` gives the prompt's text, `encode(text)` its ids with control tokens
    parsed, `plain_encoder()` builds (once, when first needed) the function that parses none.
    """

    render: Callable[[list[dict[str, Any]], list[dict[str, Any]], Mapping[str, Any]], str]
    encode: Callable[[str], list[int]]
    plain_encoder: Callable[[], Callable[[str], list[int]]]
    control_ids: Mapping[str, int]

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return control_pattern(self.control_ids)

    @cached_property
    def _plain(self) -> Callable[[str], list[int]]:
        return self.plain_encoder()

    def prompt(
        self, messages: list[dict[str, Any]], tools: list[dict[str, Any]], options: Mapping[str, Any]
    ) -> tuple[str, list[int]]:
        """The prompt's text (as it would read) and its ids."""
        words: dict[str, str] = {}
        hidden_messages = [self._hide(m, words) for m in messages]
        hidden_tools = [self._hide(t, words) for t in tools]
        rendered = self.render(hidden_messages, hidden_tools, options)
        if not words:
            return rendered, self.encode(rendered)
        text = rendered
        for word, token in words.items():
            text = text.replace(word, token)
        return text, self._joined(rendered, words)

    def _hide(self, value: Any, words: dict[str, str]) -> Any:
        """A copy in which a random word stands for each control token in any text; `words` learns what stands for what."""
        if isinstance(value, str):
            return self._pattern.sub(lambda m: _word_for(m[0], words), value)
        if isinstance(value, Mapping):
            return {self._hide(k, words): self._hide(v, words) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [self._hide(v, words) for v in value]
        return value

    def _joined(self, rendered: str, words: Mapping[str, str]) -> list[int]:
        ids: list[int] = []
        spot = re.compile(f"{'|'.join(map(re.escape, words))}")
        start = 0
        for match in self._pattern.finditer(rendered):
            ids += self._piece(rendered[start : match.start()], spot, words)
            ids.append(self.control_ids[match[0]])
            start = match.end()
        return ids + self._piece(rendered[start:], spot, words)

    def _piece(self, text: str, spot: re.Pattern[str], words: Mapping[str, str]) -> list[int]:
        return self._plain(spot.sub(lambda m: words[m[0]], text)) if text else []


def plain_encoder(tokenizer: Any) -> Callable[[str], list[int]]:
    """A copy of a `tokenizers.Tokenizer` without its added tokens: `<think>` is not special, so no switch would leave it
    out."""
    from tokenizers import Tokenizer

    description = json.loads(tokenizer.to_str())
    description["added_tokens"] = []
    description["post_processor"] = None
    plain = Tokenizer.from_str(json.dumps(description))
    return lambda text: list(plain.encode(text, add_special_tokens=False).ids)


def decoder(tokenizer: Any) -> Callable[[int], str | None]:
    """From one id after the other to text, control tokens included; None while a character is incomplete."""
    from tokenizers.decoders import DecodeStream

    pieces = DecodeStream(skip_special_tokens=False)
    return lambda token: pieces.step(tokenizer, token)


def _word_for(token: str, words: dict[str, str]) -> str:
    """Letters only, so that templates, JSON and strip() leave it alone; random, so that nobody can write it."""
    for word, stands_for in words.items():
        if stands_for == token:
            return word
    word = "Qx" + secrets.token_hex(12) + "xQ"
    words[word] = token
    return word
