"""`train`: fit the classifier's last layer to one's own labelled requests, and keep it only where it is better.

qwen-router train --data mine.jsonl
"""

from __future__ import annotations

import json
from typing import IO, Annotated, Any

import typer

from qwen_router.cli.common import JsonOption, print_json
from qwen_router.cli.lines import open_lines
from qwen_router.errors import InvalidRequest, UnknownName


def add_to(app: typer.Typer) -> None:
    app.command("train")(train)


def train(
    data: Annotated[
        str | None,
        typer.Option("--data", help='Labelled requests, one JSON object a line ({"text", "domain"}); - is standard input.'),
    ] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Go back to the shipped classifier.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would come of it and write nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Fit the classifier to your own labelled requests; kept only if better than the old weights on a held-out part."""
    from qwen_router.profile.classifier import Classifier
    from qwen_router.profile.refit import refit, save_layer, user_layer

    if reset == (data is not None):
        raise InvalidRequest("give either --data or --reset", fix="qwen-router train --data mine.jsonl")
    if data is None:
        there = user_layer().is_file()
        user_layer().unlink(missing_ok=True)
        typer.echo("the shipped classifier is in use again" if there else "the shipped classifier was in use already")
        return
    with open_lines(data) as lines:
        rows = _rows(lines)
    result = refit(rows, Classifier.load())
    written = save_layer(result) if result.better and not dry_run else None
    if as_json:
        before, after = ({"accuracy": q.accuracy, "log_loss": q.log_loss} for q in (result.before, result.after))
        told = {"rows": result.rows, "held_out": result.held_out, "before": before, "after": after}
        print_json({**told, "better": result.better, "written": str(written) if written else None})
        return
    typer.echo(f"{result.rows} labelled requests, {result.held_out} of them held out")
    for name, quality in (("shipped", result.before), ("fitted", result.after)):
        typer.echo(f"{name:8} {quality.accuracy:6.1%} right on the held-out part, log loss {quality.log_loss:.3f}")
    if not result.better:
        typer.echo("not better: the shipped classifier stays")
    else:
        typer.echo(f"better: {'would be written to' if dry_run else 'written to'} {user_layer()}")


def _rows(lines: IO[bytes]) -> list[Any]:
    """The labelled requests. The first line that is none stops the command: a wrong label teaches wrong things."""
    from qwen_router.profile.refit import Labelled
    from qwen_router.profile.types import DOMAINS

    rows = []
    for number, raw in enumerate(lines, 1):
        if not raw.strip():
            continue
        try:
            item = json.loads(raw.decode("utf-8"))
        except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
            raise InvalidRequest(f"line {number} is not JSON: {error}", fix="one JSON object a line, in UTF-8") from error
        if not isinstance(item, dict) or not isinstance(item.get("text"), str) or not item["text"].strip():
            raise InvalidRequest(f"line {number} has no text", fix='{"text": "...", "domain": "math"}')
        domain = item.get("domain")
        if domain not in DOMAINS:
            raise UnknownName.among(str(domain), DOMAINS, kind=f"domain (line {number})")
        rows.append(Labelled(item["text"], domain))
    return rows
