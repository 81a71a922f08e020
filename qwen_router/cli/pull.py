"""`pull`: get a model through Ollama, or its files from Hugging Face or ModelScope, with a progress bar.

qwen-router pull Qwen3-8B --quant q4_K_M
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qwen_router.cli.common import JsonOption, print_json
from qwen_router.errors import InvalidRequest, RouterError, UnknownName
from qwen_router.pull.files import size_text

if TYPE_CHECKING:
    from qwen_router.catalog import Model
    from qwen_router.catalog.getting import Offer
    from qwen_router.hardware.fit import Fit
    from qwen_router.pull.download import Progress
    from qwen_router.pull.plan import Plan

HINT_CONTEXT_TOKENS = 8192
LINE_EVERY_S = 10.0


def add_to(app: typer.Typer) -> None:
    app.command("pull")(pull)


def pull(
    model: Annotated[
        str, typer.Argument(help="A model by any of its names; or a tag or ORGANISATION/REPOSITORY with --from.")
    ],
    quant: Annotated[
        str | None,
        typer.Option(
            "--quant", "--quantisation", "-q", help="Quantisation: q4_K_M, q8_0, bf16, awq, ... (what the source has)."
        ),
    ] = None,
    source: Annotated[
        str | None, typer.Option("--from", help="ollama, huggingface or modelscope (the first that has it here).")
    ] = None,
    file: Annotated[str | None, typer.Option("--file", help="Only the files that match, such as '*Q5_K_S*'.")] = None,
    to: Annotated[Path | None, typer.Option("--to", help="Folder for the files (default: the models folder).")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be downloaded, and stop.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Get a model: resumed where it stopped, checked by checksum, refused when the disk is too small."""
    from qwen_router.catalog import Catalog
    from qwen_router.pull import ollama
    from qwen_router.pull.plan import choose
    from qwen_router.settings import Settings

    settings = Settings.from_environment()
    offer, row = choose(
        model,
        quant_name=quant,
        source=_source(source),
        catalog=Catalog.load(),
        ollama_answers=lambda: file is None and to is None and ollama.answers(settings.ollama_host),
        has_llamacpp=find_spec("xllamacpp") is not None or find_spec("transformers") is None,
    )
    hint = _memory_hint(offer, row)
    if offer.source == "ollama":
        if file is not None or to is not None:
            raise InvalidRequest("Ollama keeps its files itself", fix="leave --file and --to out, or --from huggingface")
        _pull_tag(settings.ollama_host, offer, row, hint, dry_run=dry_run, as_json=as_json)
        return
    _pull_files(settings.models_folder, offer, row, hint, file=file, to=to, dry_run=dry_run, as_json=as_json)


def _source(name: str | None) -> Any:
    from qwen_router.catalog.getting import SOURCES

    if name is not None and name not in SOURCES:
        raise UnknownName.among(name, SOURCES, kind="source")
    return name


def _pull_tag(endpoint: str, offer: Offer, row: Model | None, hint: Fit | None, *, dry_run: bool, as_json: bool) -> None:
    from qwen_router.pull.ollama import pull_tag, store
    from qwen_router.settings import HubSettings

    tag, name = offer.names[0], row.short_name if row else offer.names[0]
    result = {"model": row.id if row else None, "source": "ollama", "tag": tag, "endpoint": endpoint, "quant": offer.quant,
              "fits": hint.fits if hint else None, "done": not dry_run}  # fmt: skip
    about = f", about {hint.weights_mib / 1024:.1f} GiB" if hint else ""
    _say(f"{tag} through Ollama at {endpoint}{about}")
    _tell(hint)
    if not dry_run:
        place = store(endpoint, HubSettings.from_environment().ollama_store)
        with _interruptible("the server keeps what has come"):
            _watch(pull_tag(endpoint, tag, store=place))
    _finish(result, f"qwen-router ask --model {name} TEXT", dry_run=dry_run, as_json=as_json)


def _pull_files(
    folder: Path | None,
    offer: Offer,
    row: Model | None,
    hint: Fit | None,
    *,
    file: str | None,
    to: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    from qwen_router.folders import user_models_folder
    from qwen_router.pull.plan import check_room, fetch, hub_of, plan
    from qwen_router.settings import HubSettings

    with hub_of(offer.source, HubSettings.from_environment()) as hub:
        wanted = plan(
            offer,
            hub,
            models_folder=folder or user_models_folder(),
            to=to,
            pattern=file,
            projector=row is not None and row.modalities != ("text",),
            size_guess_bytes=round(hint.weights_mib * 1024**2) if hint else None,
        )
        _say(f"{wanted.repository} from {hub.title} at {wanted.revision[:12]}, into {wanted.folder}")
        for planned in wanted.files:
            state = {0: "missing", planned.file.size_bytes: "here"}.get(planned.have_bytes, "begun")
            _say(f"  {state:<8}{size_text(planned.file.size_bytes):>12}  {planned.file.path}")
        _say(f"  {size_text(wanted.missing_bytes)} of {size_text(wanted.total_bytes)} to download")
        _tell(hint)
        check_room(wanted)
        if not dry_run:
            with _interruptible(f"what has come is kept in {wanted.folder}"):
                _watch(fetch(wanted, hub))
    _finish(_result(wanted, row, hint, done=not dry_run), _use(wanted, row), dry_run=dry_run, as_json=as_json)


def _result(wanted: Plan, row: Model | None, hint: Fit | None, *, done: bool) -> dict[str, Any]:
    return {
        "model": row.id if row else None,
        "source": wanted.source,
        "repository": wanted.repository,
        "revision": wanted.revision,
        "quant": wanted.quant,
        "form": wanted.form,
        "folder": str(wanted.folder),
        "total_bytes": wanted.total_bytes,
        "missing_bytes": 0 if done else wanted.missing_bytes,
        "files": [
            {
                "path": planned.file.path,
                "size_bytes": planned.file.size_bytes,
                "have_bytes": planned.file.size_bytes if done else planned.have_bytes,
                "sha256": planned.file.sha256,
                "checked_by": "sha256" if planned.file.sha256 else "git sha1" if planned.file.git_sha1 else "length",
            }
            for planned in wanted.files
        ],
        "fits": hint.fits if hint else None,
        "done": done,
    }


def _use(wanted: Plan, row: Model | None) -> str:
    """What to type next: nothing needs to be set for files in our own folder."""
    from qwen_router.catalog.quants import quant
    from qwen_router.engines.gguf_file import gguf_group
    from qwen_router.engines.models_folder import is_projector

    paths = (planned.path for planned in wanted.files)
    gguf = next((path for path in paths if path.suffix == ".gguf" and not is_projector(path.name)), None)
    if wanted.quant and gguf is None and "transformers" not in quant(wanted.quant).engines:
        return f"serve {wanted.folder} with mlx-lm, and name that server in QWEN_ROUTER_ENDPOINTS"
    extra, module = ("llamacpp", "xllamacpp") if gguf else ("transformers", "transformers")
    name = row.short_name if row else gguf_group(gguf.name)[0] if gguf else wanted.folder.name
    ask = f"qwen-router ask --model {name} TEXT"
    if not wanted.in_store:
        variable, value = ("QWEN_ROUTER_GGUF", gguf) if gguf else ("QWEN_ROUTER_CHECKPOINTS", wanted.folder)
        ask = f"{variable}={str(value)!r} {ask}"
    return ask if find_spec(module) else f'pip install "qwen-router[{extra}]", then {ask}'


def _finish(result: dict[str, Any], use: str, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        print_json({**result, "use": use})
    elif dry_run:
        typer.echo("nothing was downloaded (--dry-run)")
    else:
        typer.echo(f"done. use it: {use}")


# ── whether it will run here ────────────────────────────────────────────────────────────────────────────────────────────


def _memory_hint(offer: Offer, row: Model | None) -> Fit | None:
    """What `fit` says of it on this machine; None where it cannot be computed."""
    from qwen_router.catalog.quants import OLLAMA_DEFAULT, quant, quant_of_tag
    from qwen_router.cli.machine import machine_for
    from qwen_router.hardware.fit import fit

    if row is None:
        return None
    form_engine = {"tag": "ollama", "checkpoint": "transformers"}.get(offer.form, "llamacpp")
    name = offer.quant or (quant_of_tag(offer.names[0]) if offer.form == "tag" else None)
    name = name or ("bf16" if offer.form == "checkpoint" else OLLAMA_DEFAULT)
    engine = form_engine if form_engine in quant(name).engines else quant(name).engines[0]
    try:
        return fit(row, name, min(HINT_CONTEXT_TOKENS, row.context.native_tokens), engine, machine_for(None))
    except RouterError:
        return None


def _tell(hint: Fit | None) -> None:
    """A hint, never a refusal: a model may be pulled for another machine."""
    if hint is None:
        return
    need = f"{hint.total_mib / 1024:.1f} GiB of memory with {hint.context_tokens:,} tokens of context"
    if hint.fits:
        _say(f"  it needs {need}, and fits here")
    else:
        _say(f"  warning: it needs {need}, and does not fit here now: {hint.reason}")


# ── what is seen meanwhile ──────────────────────────────────────────────────────────────────────────────────────────────


def _say(line: str) -> None:
    typer.echo(line, err=True)


@contextmanager
def _interruptible(kept: str) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        _say(f"interrupted: {kept}; run the same command again to go on")
        raise typer.Exit(130) from None


def _watch(steps: Iterable[Progress]) -> None:
    """Show every step: a bar with rate and time left on a terminal, else a line every ten seconds."""
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        _bar(steps)
    else:
        _lines(steps)


def _lines(steps: Iterable[Progress]) -> None:
    pace, shown_s = Pace(), 0.0
    for step in steps:
        began = pace.see(step)
        now_s = time.monotonic()
        if began or now_s - shown_s >= LINE_EVERY_S:
            shown_s = now_s
            _say(f"  {step.phase} {step.name}".rstrip() + (f": {text}" if (text := pace.text()) else ""))


def _bar(steps: Iterable[Progress]) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, ProgressColumn, TextColumn
    from rich.progress import Progress as Bars
    from rich.text import Text

    pace = Pace()

    class PaceColumn(ProgressColumn):
        """Computed at every frame, so that a silent connection is seen to slow down."""

        def render(self, _: object) -> Text:
            return Text(pace.text())

    columns = (TextColumn("{task.description}", markup=False), BarColumn(None), PaceColumn())
    with Bars(*columns, console=Console(stderr=True), expand=True) as bars:
        task = None
        for step in steps:
            if pace.see(step):
                if task is not None:
                    bars.remove_task(task)
                    task = None
                if step.total_bytes is None or step.phase in ("done", "retrying"):
                    bars.console.print(f"{step.phase} {step.name}".rstrip(), markup=False, highlight=False)
                    continue
                task = bars.add_task(_tail(f"{step.phase} {step.name}"), total=step.total_bytes)
            if task is not None:
                bars.update(task, completed=step.done_bytes)


class Pace:
    """How far and how fast the thing goes that is being seen now."""

    def __init__(self) -> None:
        self._step: Progress | None = None
        self._began_s, self._began_bytes = 0.0, 0

    def see(self, step: Progress) -> bool:
        """Whether something new begins with it."""
        began = self._step is None or (step.phase, step.name) != (self._step.phase, self._step.name)
        self._step = step
        if began:
            self._began_s, self._began_bytes = time.monotonic(), step.done_bytes
        return began

    def text(self) -> str:
        """`30 % of 4.68 GiB, 52.0 MiB/s, 1:05 left`, as far as it is known; what was there before counts in no rate."""
        step = self._step
        if step is None or not step.total_bytes or step.phase in ("done", "retrying"):
            return ""
        text = f"{100 * step.done_bytes // step.total_bytes} % of {size_text(step.total_bytes)}"
        gone_s, come_bytes = time.monotonic() - self._began_s, step.done_bytes - self._began_bytes
        if come_bytes <= 0 or gone_s <= 0:
            return text
        minutes, seconds = divmod(round((step.total_bytes - step.done_bytes) * gone_s / come_bytes), 60)
        return f"{text}, {come_bytes / gone_s / 1024**2:.1f} MiB/s, {minutes}:{seconds:02} left"


def _tail(name: str, limit: int = 40) -> str:
    return name if len(name) <= limit else "..." + name[3 - limit :]
