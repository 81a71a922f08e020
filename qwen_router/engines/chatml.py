"""Renders a conversation as the text that Qwen's chat templates make of it, up to the end of a thought that was cut short.

Needed where an engine has no thinking budget of its own: its stream is left at the limit, and the answer is asked for with
a raw prompt (Ollama's `/api/generate`, OpenAI's `/v1/completions`) that goes on behind `</think>`. Text of users is made
plain first, for raw endpoints parse control tokens. Only models that think are rendered, and no attachments.

The shapes are those of the templates that ship with the checkpoints (Qwen3: tokenizer_config.json; Qwen3.5 and later:
chat_template.jinja, also in Ollama's model/renderers/qwen35.go); so what a server has cached of the prompt stays good.

    python -c "from qwen_router.engines.chatml import thought_prompt; print(thought_prompt.__doc__)"
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from qwen_router.control_tokens import neutralise
from qwen_router.engines.base import Call
from qwen_router.engines.local_prompt import neutralised, tool_specs
from qwen_router.engines.thinking import CALL_CLOSE, CALL_OPEN, CLOSE, OPEN
from qwen_router.request import Message, ToolCall

START, END = "<|im_start|>", "<|im_end|>"
XML_FAMILIES = ("qwen3-coder", "qwen3.5", "qwen3.6", "qwen3.8")
"""Families whose templates ask for tool calls in XML; the others ask for JSON."""
TAG_IN_PROMPT = ("qwen3-2507", "qwen3-next", "qwen3.5", "qwen3.6", "qwen3.8")
"""Families whose templates open `<think>` themselves: a server that leaves it at that sends reasoning without the tag."""
PRESERVING_FAMILIES = ("qwen3.6", "qwen3.8")
"""Families that forget their plan in a tool loop unless their template is told to keep what was thought."""

_JSON_TOOLS = """# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
{tools}
</tools>

For each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:
<tool_call>
{{"name": <function-name>, "arguments": <args-json-object>}}
</tool_call>"""
_XML_TOOLS = """# Tools

You have access to the following functions:

<tools>
{tools}
</tools>

If you choose to call a function ONLY reply in the following format with NO suffix:

<tool_call>
<function=example_function_name>
<parameter=example_parameter_1>
value_1
</parameter>
<parameter=example_parameter_2>
This is the value for the second parameter
that can span
multiple lines
</parameter>
</function>
</tool_call>

<IMPORTANT>
Reminder:
- Function calls MUST follow the specified format: an inner <function=...></function> block must be nested within \
<tool_call></tool_call> XML tags
- Required parameters MUST be specified
- You may provide optional reasoning for your function call in natural language BEFORE the function call, but NOT after
- If there is no function call available, answer the question like normal with your current knowledge and do not tell the \
user about function calls
</IMPORTANT>"""
"""Both are part of what the models were trained on, so they are given word for word: see the module's sources."""


def can_continue(call: Call) -> bool:
    """Whether a cut thought of this call can be gone on from: raw prompts carry no attachments."""
    return not any(message.attachments for message in call.messages)


def thought_prompt(call: Call, reasoning: str) -> str:
    """The whole prompt with this reasoning closed; what the model writes next is its answer."""
    return f"{conversation(call)}{START}assistant\n{OPEN}\n{neutralise(reasoning.strip())}\n{CLOSE}\n\n"


def conversation(call: Call) -> str:
    """All messages, without the head of the reply."""
    xml = call.family in XML_FAMILIES
    messages = call.messages
    opens = messages[0].text if messages and messages[0].role == "system" else None
    parts = [_system(call, None if opens is None else _words(opens, xml=xml), xml=xml)]
    rest = messages if opens is None else messages[1:]
    queries = [n for n, message in enumerate(rest) if message.role == "user"]
    last_query = queries[-1] if queries else len(rest)
    for n, message in enumerate(rest):
        after, before = rest[n + 1 : n + 2], rest[n - 1] if n else None
        if message.role == "assistant":
            thinks = n > last_query or call.family == "qwen3.8"  # which keeps the block of every turn
            parts.append(_assistant(message, thinks=thinks, last=n == len(rest) - 1, xml=xml))
        elif message.role == "tool":
            head = "" if before is not None and before.role == "tool" else f"{START}user"
            foot = "" if after and after[0].role == "tool" else f"{END}\n"
            parts.append(f"{head}\n<tool_response>\n{_words(message.text, xml=xml)}\n</tool_response>{foot}")
        else:
            parts.append(f"{START}{message.role}\n{_words(message.text, xml=xml)}{END}\n")
    return "".join(parts)


def _words(text: str, *, xml: bool) -> str:
    """A message's text; the newer templates strip it."""
    return neutralise(text.strip() if xml else text)


def _system(call: Call, opens: str | None, *, xml: bool) -> str:
    tools = tool_specs(call) if call.tool_choice != "none" else []
    if not tools:
        return "" if opens is None else f"{START}system\n{opens}{END}\n"
    listed = "\n".join(json.dumps(neutralised(tool), ensure_ascii=False) for tool in tools)
    said = (_XML_TOOLS if xml else _JSON_TOOLS).format(tools=listed)
    pieces = (said, opens) if xml else (opens, said)
    return f"{START}system\n" + "\n\n".join(piece for piece in pieces if piece) + f"{END}\n"


def _assistant(message: Message, *, thinks: bool, last: bool, xml: bool) -> str:
    content = _words(message.text, xml=xml)
    thought = neutralise((message.reasoning or "").strip())
    block = f"{OPEN}\n{thought}\n{CLOSE}\n\n" if thinks and (xml or last or thought) else ""
    return f"{START}assistant\n{block}{content}{_calls(message.tool_calls, content, xml=xml)}{END}\n"


def _calls(calls: Sequence[ToolCall], content: str, *, xml: bool) -> str:
    parts = []
    for n, call in enumerate(calls):
        gap = ("\n\n" if xml else "\n") if n == 0 else "\n"
        arguments = neutralised(dict(call.arguments))
        body = (
            _xml_call(call.name, arguments)
            if xml
            else json.dumps({"name": call.name, "arguments": arguments}, ensure_ascii=False)
        )
        parts.append(f"{gap if n or content else ''}{CALL_OPEN}\n{body}\n{CALL_CLOSE}")
    return "".join(parts)


def _xml_call(name: str, arguments: Mapping[str, Any]) -> str:
    values = (
        f"<parameter={key}>\n{value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}\n</parameter>\n"
        for key, value in arguments.items()
    )
    return f"<function={name}>\n{''.join(values)}</function>"
