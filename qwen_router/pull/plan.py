"""From a model's name to files on disk: which source, which files, how much room, then one file after the other.

`choose` picks the source, `plan` asks the hub what it has and sees what of it is missing here, `check_room` compares that
with the disk, `fetch` downloads. Pulling through Ollama is `ollama.py`'s business.

    python -m qwen_router pull Qwen3-0.6B --from huggingface --quant q8_0 --dry-run
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from qwen_router.catalog import Catalog, Model
from qwen_router.catalog.getting import SOURCES, Form, Offer, Source, offers
from qwen_router.catalog.quants import QuantName, quant, split_quant
from qwen_router.engines.gguf_file import gguf_group
from qwen_router.errors import (
    EngineRefused,
    EngineTimeout,
    EngineUnreachable,
    InvalidRequest,
    NotEnoughDisk,
    RouterError,
    UnknownName,
)
from qwen_router.pull.download import Download, Progress, download, have_bytes
from qwen_router.pull.files import (
    MARGIN_BYTES,
    HubFile,
    checkpoint_files,
    gguf_files,
    gguf_quants,
    is_harmless,
    matching_files,
    size_text,
)
from qwen_router.pull.hubs import HUBS, Hub, Listing
from qwen_router.settings import HubSettings

SHOWN = 12


@dataclass(frozen=True, slots=True)
class Planned:
    """One file of a plan: where it goes, and how much of it is there."""

    file: HubFile
    path: Path
    have_bytes: int

    @property
    def missing_bytes(self) -> int:
        return self.file.size_bytes - self.have_bytes


@dataclass(frozen=True, slots=True)
class Plan:
    """What a pull would do. `folder` holds the files; `in_store` says whether the engines look there by themselves."""

    source: Source
    form: Form
    repository: str
    revision: str
    quant: QuantName | None
    folder: Path
    in_store: bool
    files: tuple[Planned, ...]

    @property
    def missing_bytes(self) -> int:
        return sum(planned.missing_bytes for planned in self.files)

    @property
    def total_bytes(self) -> int:
        return sum(planned.file.size_bytes for planned in self.files)


def choose(
    name: str,
    *,
    quant_name: QuantName | None = None,
    source: Source | None = None,
    catalog: Catalog,
    ollama_answers: Callable[[], bool],
    has_llamacpp: bool,
) -> tuple[Offer, Model | None]:
    """The way that a model is got here, and its row where the catalog has one.

    Without `source`: Ollama when it answers and a tag of its library is known at that quantisation, else GGUF files when
    llama.cpp is installed, else the checkpoint, else what there is. A name outside the catalog needs a source. Raises
    `UnknownName`, and `InvalidRequest` for a model without weights.
    """
    model = catalog.resolve(name)
    if model is None:
        return _stranger(name, quant_name, source, catalog), None
    wanted = quant(quant_name).name if quant_name else split_quant(name)[1]
    found = offers(model, wanted, name=name)
    if source is not None:
        found = tuple(offer for offer in found if offer.source == source)
    if not found:
        where = f" from {source}" if source else ""
        raise UnknownName(
            f"no way is known to get {model.id} at {wanted or 'any quantisation'}{where}",
            fix=_other_ways(model, source), name=name,
        )  # fmt: skip
    if source is not None:
        return found[0], model
    tag = next((o for o in found if o.form == "tag" and not o.names[0].startswith("hf.co/")), None)
    if tag is not None and ollama_answers():
        return tag, model
    on_hubs = [offer for offer in found if offer.source == "huggingface"]
    if not has_llamacpp:
        on_hubs.sort(key=lambda offer: offer.form != "checkpoint")
    return (on_hubs or list(found))[0], model


def _stranger(name: str, quant_name: QuantName | None, source: Source | None, catalog: Catalog) -> Offer:
    """A name that the catalog does not know is a repository or tag of the source that was named."""
    wanted = quant(quant_name).name if quant_name else None
    if source == "ollama":
        return Offer("ollama", "tag", (name,), wanted)
    repository = name.removeprefix("hf.co/")
    if source is not None and repository.count("/") == 1 and all(repository.split("/")):
        return Offer(source, "any", (repository,), wanted)
    known = [n for m in catalog.models if not m.hosted for n in (m.id, m.short_name, *m.ollama_tags)]
    hint = f"ORGANISATION/REPOSITORY with --from {source}" if source else "qwen-router models, or --from huggingface"
    error = UnknownName.among(name, known, kind="model", listing=hint)
    if source is None and "/" in name:
        error.fix += " A repository outside the catalog needs --from huggingface or --from modelscope"
    raise error


def _other_ways(model: Model, source: Source | None) -> str:
    ways = [f"--from {s}" for s in SOURCES if s != source and any(o.source == s for o in offers(model))]
    return f"another quantisation, or {' or '.join(ways)}" if ways else "another quantisation"


def plan(
    offer: Offer,
    hub: Hub,
    *,
    models_folder: Path,
    to: Path | None = None,
    pattern: str | None = None,
    projector: bool = False,
    size_guess_bytes: int | None = None,
) -> Plan:
    """Ask the hub for the files and see which of them are here.

    The repositories of the offer are tried in order. Raises `UnknownName` when none has such files, naming what there is;
    `EngineUnreachable` when the hub does not answer, naming what is missing, where it is found and where it goes.
    """
    refusals: list[RouterError] = []
    for repository in offer.names:
        folder = to or models_folder / Path(*PurePosixPath(repository).parts)
        try:
            listing = hub.listing(repository)
            form, files = _select(offer, hub, listing, pattern=pattern, projector=projector)
        except (EngineUnreachable, EngineTimeout) as error:
            raise _offline(error, offer, hub, folder, pattern, size_guess_bytes) from error
        except (UnknownName, EngineRefused) as error:
            refusals.append(error)
            continue
        planned = (Planned(file, folder / file.path, have_bytes(folder / file.path, file)) for file in files)
        quant_name = offer.quant or (split_quant(gguf_group(files[0].path)[0])[1] if form == "gguf" else None)
        return Plan(
            offer.source, form, repository, listing.revision, quant_name, folder, to is None, tuple(planned)
        )  # fmt: skip
    if len(refusals) == 1:
        raise refusals[0]
    raise UnknownName("; ".join(error.problem for error in refusals), fix=refusals[0].fix)


def _select(
    offer: Offer, hub: Hub, listing: Listing, *, pattern: str | None, projector: bool
) -> tuple[Form, tuple[HubFile, ...]]:
    """The files that are needed, and what they make up."""
    files = listing.files
    if pattern is not None:
        found = matching_files(files, pattern)
        if not found:
            raise _nothing(hub, listing, f"no file that matches {pattern!r}", [f for f in files if is_harmless(f)])
        return ("gguf" if any(f.path.endswith(".gguf") for f in found) else "checkpoint"), found
    wants_gguf = offer.quant is not None and quant(offer.quant).kind == "gguf"
    if offer.form == "checkpoint" or (offer.form == "any" and not wants_gguf and not gguf_quants(files)):
        found = checkpoint_files(files)
        if not found:
            raise _nothing(hub, listing, "no safetensors (pickles and code are not fetched)", files)
        return "checkpoint", found
    found = gguf_files(files, offer.quant, projector=projector or offer.form == "any")
    if not found:
        have = gguf_quants(files)
        problem = f"no {offer.quant or 'q4_K_M'} GGUF file"
        if have:
            raise UnknownName(
                f"{listing.repository!r} on {hub.title} has {problem}; it has {', '.join(sorted(have))}",
                fix=f"--quant {next(iter(sorted(have)))}, or --file PATTERN", name=str(offer.quant),
            )  # fmt: skip
        raise _nothing(hub, listing, problem, files)
    return "gguf", found


def _nothing(hub: Hub, listing: Listing, what: str, files: Sequence[HubFile]) -> UnknownName:
    """Says what a repository lacks and what it has instead."""
    shown = [f"{file.path} ({size_text(file.size_bytes)})" for file in sorted(files, key=lambda f: -f.size_bytes)[:SHOWN]]
    more = f" and {len(files) - SHOWN} more" if len(files) > SHOWN else ""
    return UnknownName(
        f"{listing.repository!r} on {hub.title} has {what}; it has {', '.join(shown) or 'no files'}{more}",
        fix="--file with the name of one of them, or see " + hub.page(listing.repository),
        name=listing.repository,
    )


def _offline(
    error: EngineUnreachable | EngineTimeout, offer: Offer, hub: Hub, folder: Path, pattern: str | None, guess: int | None
) -> EngineUnreachable | EngineTimeout:
    """What someone needs to know who brings the files from another computer."""
    if pattern or offer.form == "any":
        wanted = pattern or "every file"
    elif offer.form == "gguf":
        wanted = f"*{(offer.quant or '').upper()}*.gguf (every part, in any case)"
    else:
        wanted = "*.safetensors, *.json, merges.txt, *.jinja"
    about = f", about {size_text(guess)}" if guess else ""
    found = sorted(path.name for path in folder.glob("*") if path.is_file()) if folder.is_dir() else []
    here = f"\n  here already: {', '.join(found[:SHOWN])} (not compared with the hub)" if found else ""
    lines = f"\n  missing: {wanted}{about}\n  from: {' or '.join(hub.page(name) for name in offer.names)}\n  into: {folder}"
    fix = f"{error.fix}; or fetch the files on another computer and copy them there"
    return type(error)(error.problem + lines + here, fix=fix, engine=hub.title, endpoint=hub.endpoint)


def check_room(plan: Plan) -> None:
    """Raise `NotEnoughDisk` when what is missing, and a margin, has no room on the disk of the folder."""
    place = next((p for p in (plan.folder, *plan.folder.absolute().parents) if p.exists()), Path.cwd())
    free = shutil.disk_usage(place).free
    if plan.missing_bytes and plan.missing_bytes + MARGIN_BYTES > free:
        raise NotEnoughDisk(
            f"{plan.repository} needs {size_text(plan.missing_bytes)} more (and {size_text(MARGIN_BYTES)} to spare), "
            f"and the disk of {str(place)!r} has {size_text(free)} free",
            fix="free some room, a smaller quantisation (--quant), or another disk: --to FOLDER",
        )


def fetch(plan: Plan, hub: Hub) -> Iterator[Progress]:
    """Download what is missing and check what is there, file by file, in the order of the plan.

    An error while downloading names what is still missing and where to go on.
    """
    for number, planned in enumerate(plan.files):
        url = hub.url(plan.repository, plan.revision, planned.file.path)
        try:
            yield from download(Download(hub, plan.repository, url, planned.file, planned.path))
        except (EngineUnreachable, EngineTimeout) as error:
            left = [p for p in plan.files[number:] if not p.path.exists()]
            lines = "".join(
                f"\n  missing: {p.file.path} ({size_text(p.file.size_bytes)}) from "
                f"{hub.url(plan.repository, plan.revision, p.file.path)}"
                for p in left[:SHOWN]
            )
            problem = f"{error.problem}{lines}\n  into: {plan.folder}"
            raise type(error)(problem, fix=error.fix, engine=hub.title, endpoint=hub.endpoint) from error


def hub_of(source: Source, settings: HubSettings) -> Hub:
    """The hub of that name. Raises `InvalidRequest` for Ollama, which is none."""
    if source not in HUBS:
        raise InvalidRequest(f"{source!r} is no hub of files", fix=f"one of {', '.join(HUBS)}")
    return HUBS[source](settings)
