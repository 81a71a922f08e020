"""Writes the pages of docs/ that are made from the code: the command line's reference and the catalog's table.

python docs/reference.py          # write them
python docs/reference.py --check  # fail when one has drifted from the code
"""

from __future__ import annotations

import sys
from pathlib import Path

import click
import typer

from qwen_router.cli import app, register

DOCS = Path(__file__).parent


def cli_page() -> str:
    """Every command's `--help`, as text of 100 columns."""
    register()
    group = typer.main.get_command(app)
    assert isinstance(group, click.Group) or hasattr(group, "commands")
    parts = ["# Command line\n\nMade by `python docs/reference.py` from the code; do not edit.\n"]
    root = click.Context(group, info_name="qwen-router", terminal_width=100, max_content_width=100)
    parts.append(f"```text\n{group.get_help(root).rstrip()}\n```\n")
    for name, command in sorted(group.commands.items()):
        context = click.Context(command, info_name=name, parent=root, terminal_width=100, max_content_width=100)
        parts.append(f"## {name}\n\n```text\n{command.get_help(context).rstrip()}\n```\n")
    return "\n".join(parts)


_TEMPLATE = "`enable_thinking` in the template"
_OTHERS = (
    (
        "`transformers`, `onnx`",
        f"{_TEMPLATE}; `<think>` forbidden when off",
        "our own loop, to the token",
        "by token ids",
        "run here",
    ),
    ("`llamacpp`", _TEMPLATE, "llama.cpp's sampler, to the token", "llama.cpp's parser, ours behind it", "run here"),
    (
        "`ollama`",
        "`think`",
        "left, gone on with raw `/api/generate`",
        "field `thinking`, ours behind it",
        "its source, fb3076099",
    ),
)
_SWITCH = {"template": "`chat_template_kwargs.enable_thinking`", "body": "`enable_thinking`"}
_UNKNOWN_SWITCH = "`chat_template_kwargs.enable_thinking`, once; never again where it is refused"


def thinking_page() -> str:
    """How each engine switches, limits and parses thinking, and how each exact build is served."""
    from qwen_router.catalog import Catalog
    from qwen_router.engines.dialects import DIALECTS
    from qwen_router.engines.server_flags import NOT_VERIFIED, server_commands

    parts = [
        "# Thinking, engine by engine and build by build\n\nMade by `python docs/reference.py` from the code; do not edit. "
        "What the columns mean is in [engines.md](engines.md).\n",
        "## Engines\n\n| engine | switch | budget | parsed | as of |\n|---|---|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in _OTHERS),
        "",
        "Kinds of OpenAI-compatible servers, told by asking them:\n\n"
        "| server | switch | budget | where that is not held | `response_format` | as of |\n|---|---|---|---|---|---|",
    ]
    for row in DIALECTS.values():
        switch = _SWITCH.get(row.switch, _UNKNOWN_SWITCH) if row.name != "ollama" else "refused"
        budget = f"`{row.budget_field}`" if row.budget_field else "none"
        left = (
            "left, gone on with `/v1/completions`" if row.raw else "left, asked again without thinking (builds that toggle)"
        )
        left = left if row.name != "ollama" else ""
        since = f"{row.since}; {row.source}" if row.since else row.source
        parts.append(f"| {row.name} | {switch} | {budget} | {left} | {row.formats} | {since} |")
    parts.append(
        "\n## Builds\n\n`qwen-router models flags NAME` prints the commands. No source names the parsers marked with ?.\n"
    )
    parts.append("| model | thinking | vLLM's reasoning parser | tool parser |\n|---|---|---|---|")
    for model in Catalog.load().models:
        command = server_commands(model).get("vllm", "")
        if not command or model.thinking.behaviour == "none":
            continue
        words = command.split()
        reasoning = words[words.index("--reasoning-parser") + 1] if "--reasoning-parser" in words else "none"
        unsure = "?" if model.family in NOT_VERIFIED and model.thinking.behaviour == "always" else ""
        tools = words[words.index("--tool-call-parser") + 1] if "--tool-call-parser" in words else "none"
        parts.append(f"| {model.id} | {model.thinking.behaviour} | {reasoning}{unsure} | {tools} |")
    return "\n".join(parts) + "\n"


PAGES = {"cli.md": cli_page, "thinking.md": thinking_page}


def main() -> int:
    drifted = []
    for name, page in PAGES.items():
        path, text = DOCS / name, page()
        if "--check" in sys.argv:
            if not path.is_file() or path.read_text(encoding="utf-8") != text:
                drifted.append(name)
        else:
            path.write_text(text, encoding="utf-8")
    if drifted:
        print(f"drifted from the code: {', '.join(drifted)}; run `python docs/reference.py`", file=sys.stderr)
    return 1 if drifted else 0


if __name__ == "__main__":
    sys.exit(main())
