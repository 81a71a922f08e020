"""Renders a checkpoint's own chat template with Jinja alone, as transformers does, for engines that do without torch.

Templates come with the weights and are code of a stranger, so they run in Jinja's sandbox. What transformers gives them is
here: trimmed blocks, loop controls, `tojson` that leaves every script alone, `raise_exception`, `strftime_now`.

    python -c "from qwen_router.demo import demo_checkpoint; from qwen_router.engines.chat_template import template_of; \\
        print(template_of(demo_checkpoint())[:60])"
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

Render = Callable[[list[dict[str, Any]], list[dict[str, Any]], Mapping[str, Any]], str]


def template_of(folder: Path) -> str | None:
    """The folder's chat template: `chat_template.jinja`, or what `tokenizer_config.json` carries. None without either."""
    try:
        return (folder / "chat_template.jinja").read_text(encoding="utf-8")
    except OSError:
        pass
    template = tokenizer_config(folder).get("chat_template")
    if isinstance(template, list):  # several named ones, of which `default` is for chats
        template = next((t.get("template") for t in template if isinstance(t, dict) and t.get("name") == "default"), None)
    return template if isinstance(template, str) else None


def tokenizer_config(folder: Path) -> Mapping[str, Any]:
    """`tokenizer_config.json`, empty when there is none that can be read."""
    try:
        config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, Mapping) else {}


def renderer(template: str, specials: Mapping[str, str]) -> Render:
    """`render(messages, tools, options)` for one template; `specials` are names such as `eos_token` with their text.

    Raises jinja2's `TemplateError` for a template that is none, and when rendering what the template refuses.
    """
    from jinja2 import nodes
    from jinja2.exceptions import TemplateError
    from jinja2.ext import Extension
    from jinja2.parser import Parser
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """`{% generation %}` marks, for training, what an assistant said; here its inside is written as it is."""

        tags = {"generation"}  # noqa: RUF012  # jinja2's own shape

        def parse(self, parser: Parser) -> list[nodes.Node]:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    def raise_exception(message: str) -> None:
        raise TemplateError(message)

    def tojson(value: Any, ensure_ascii: bool = False, indent: int | None = None, **options: Any) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, **options)

    room = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", Generation]
    )
    room.filters["tojson"] = tojson
    room.globals["raise_exception"] = raise_exception
    room.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    compiled = room.from_string(template)

    def render(messages: list[dict[str, Any]], tools: list[dict[str, Any]], options: Mapping[str, Any]) -> str:
        return compiled.render(messages=messages, tools=tools or None, add_generation_prompt=True, **{**specials, **options})

    return render
