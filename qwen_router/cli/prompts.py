"""`prompts`: list the prompt templates and show one: its file, or the texts that one family gets.

qwen-router prompts show mathematics --family qwen2.5-math
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from qwen_router.cli.common import JsonOption, print_json, say
from qwen_router.errors import InvalidTemplate

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="List and show prompt templates.")


def add_to(parent: typer.Typer) -> None:
    parent.add_typer(app, name="prompts")


@app.command("list")
def list_prompts(as_json: JsonOption = False) -> None:
    """List every template that can be found: those of the working folder first, then the user's, then the shipped ones."""
    from qwen_router.prompts import load_template, template_names
    from qwen_router.prompts.load import template_path

    for name in template_names():
        row: dict[str, Any] = {"name": name, "path": str(template_path(name))}
        try:
            template = load_template(name)
            row |= {
                "version": template.version,
                "description": template.description,
                "parameters": list(template.parameters),
            }
        except InvalidTemplate as error:  # a broken file must not hide the others
            row |= {"description": f"BROKEN: {error.problem}", "error": error.problem}
        if as_json:
            print_json(row)
        else:
            say(f"{name:<21} {row['description']}", hang=22)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A template by name, or a YAML file.", show_default=False)],
    family: Annotated[
        str | None, typer.Option(help="The texts for this family or model, not the file: qwen3, Qwen3-8B, ...")
    ] = None,
    thinking: Annotated[
        bool | None,
        typer.Option("--thinking/--no-thinking", help="The texts for thinking on or off (default: the model's)."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show a template's file, to copy and change; or with --family the texts that this family gets."""
    from qwen_router.prompts import load_template
    from qwen_router.prompts.load import template_path
    from qwen_router.prompts.render import variants_for
    from qwen_router.prompts.target import target_of

    template = load_template(name)  # a broken file is told before it is shown
    if family is None and thinking is None:
        if as_json:
            print_json({"name": name, "path": str(template_path(name)), **template.model_dump(mode="json")})
        else:
            typer.echo(template_path(name).read_text(encoding="utf-8").rstrip())
        return
    target = target_of(family, thinking)
    variants = variants_for(template, target)
    if as_json:
        print_json({
            "name": name,
            "version": template.version,
            "family": target.family,
            "thinking": target.thinking,
            "variants": [{"options": options, **variant.model_dump(mode="json")} for options, variant in variants],
        })  # fmt: skip
        return
    typer.echo(
        f"{name}, version {template.version}, for {family or 'any model'}, thinking {'on' if target.thinking else 'off'}"
    )
    for options, variant in variants:
        typer.echo("".join(f"\nwhere {option} is {value}" for option, value in options.items()))
        for role, texts in (("system", variant.system), ("user", variant.user)):
            for at, line in enumerate("\n\n".join(text.strip("\n") for text in texts).splitlines()):
                typer.echo(f"{'' if at else role:<7} {line}".rstrip())
        if variant.source:
            say(f"source: {variant.source}", hang=8)
