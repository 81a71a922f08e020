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


PAGES = {"cli.md": cli_page}


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
