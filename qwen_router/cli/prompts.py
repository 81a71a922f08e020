"""`prompts`: list the prompt templates, show one (its file, or the texts that one family gets), fill one with values.

qwen-router prompts fill mathematics "What is 2 + 2?" --set language=de
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qwen_router.cli.common import FilesOption, JsonOption, print_json, read_text, say
from qwen_router.errors import InvalidRequest, InvalidTemplate, UnknownName

if TYPE_CHECKING:
    from qwen_router.prompts import Messages

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="List, show and fill prompt templates.")

FamilyOption = Annotated[str | None, typer.Option(help="Write for this family or model: qwen3, Qwen3-8B, ...")]
ThinkingOption = Annotated[
    bool | None, typer.Option("--thinking/--no-thinking", help="Write for thinking on or off (default: the model's).")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A parameter of the template; repeat it for a list."),
]


def add_to(parent: typer.Typer) -> None:
    parent.add_typer(app, name="prompts")


@app.command("list")
def list_prompts(as_json: JsonOption = False) -> None:
    """List the templates that can be found here: yours and the shipped ones."""
    from qwen_router.folders import shipped_folder
    from qwen_router.prompts import load_template, template_names
    from qwen_router.prompts.load import template_path

    for name in template_names():
        path = template_path(name)
        row: dict[str, Any] = {"name": name, "path": str(path), "shipped": path.parent == shipped_folder("prompts")}
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
            version = f"v{row['version']}" if "version" in row else ""
            yours = "" if row["shipped"] or "error" in row else f" [yours: {row['path']}]"
            say(f"{name:<18} {version:<3} {row['description']}{yours}", hang=23)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A template by name, or a YAML file.", show_default=False)],
    family: FamilyOption = None,
    thinking: ThinkingOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a template's file, to copy and change; with --family the texts that it gets."""
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


@app.command()
def fill(
    name: Annotated[str, typer.Argument(help="A template by name, or a YAML file.", show_default=False)],
    words: Annotated[
        list[str] | None, typer.Argument(help="What is asked; standard input when left out.", show_default=False)
    ] = None,
    values: SetOption = None,
    attach: FilesOption = None,
    family: FamilyOption = None,
    thinking: ThinkingOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the messages that a template makes of your words. `ask --template` sends them."""
    messages = filled(name, words, values, attach, family=family, thinking=thinking)
    if as_json:
        print_json([{"role": m.role, "text": m.text, "attachments": [a.kind for a in m.attachments]} for m in messages])
        return
    for message in messages:
        for at, line in enumerate(message.text.splitlines()):
            typer.echo(f"{'' if at else message.role:<7} {line}".rstrip())
        for attachment in message.attachments:
            typer.echo(f"{'':<7} [{attachment.kind}]")


def filled(
    name: str,
    words: list[str] | None,
    values: list[str] | None,
    files: list[Path] | None,
    *,
    family: str | None = None,
    thinking: bool | None = None,
) -> Messages:
    """The messages of a template: `words` (or standard input) are its first required text, `values` are NAME=VALUE.

    Raises what `render` does, and `InvalidRequest` for a value that has no `=` or is given twice.
    """
    from qwen_router.media import Attachment
    from qwen_router.prompts import load_template, render

    parameters = load_template(name).parameters
    given: dict[str, Any] = {}
    for entry in values or ():
        key, equals, value = entry.partition("=")
        if not equals:
            raise InvalidRequest(f"--set {entry!r} has no =", fix="--set language=de")
        if key not in parameters:
            raise UnknownName.among(key, parameters, kind=f"parameter of {name!r}")
        _add(given, key, value, parameters[key].kind)
    main = next((key for key, p in parameters.items() if p.required and p.kind in ("text", "block")), None)
    if main is not None and main not in given:
        given[main] = read_text(words)
    elif words:
        fix = f"leave the words out, or --set {main}" if main else "leave the words out"
        raise InvalidRequest(f"{name!r} has no place for {' '.join(words)!r:.60}", fix=fix)
    if files:
        media = next((key for key, p in parameters.items() if p.kind == "attachments"), None)
        if media is None:
            raise InvalidRequest(f"{name!r} takes no attachments", fix="leave --attach out, or use the template vision")
        given[media] = tuple(map(Attachment.from_file, files))
    return render(name, given, family=family, thinking=thinking)


def _add(given: dict[str, Any], key: str, value: str, kind: str) -> None:
    """Put one `--set` where its kind keeps it: lists grow, pairs split again, everything else may come once."""
    if kind in ("lines", "choices", "languages"):
        given.setdefault(key, []).append(value)
    elif kind == "pairs":
        term, equals, meaning = value.partition("=")
        if not equals:
            raise InvalidRequest(f"--set {key}={value!r} is no pair", fix=f"--set {key}=term=translation")
        given.setdefault(key, {})[term] = meaning
    elif kind == "attachments":
        raise InvalidRequest(f"--set {key} names a file", fix=f"--attach {value}")
    elif key in given:
        raise InvalidRequest(f"--set {key} is given twice", fix="keep one of them")
    else:
        given[key] = value
