"""Which files of a repository are needed to run a model: GGUF files at a quantisation, or a checkpoint of safetensors.

Pure: it reads names. Pickles and code are never chosen, whatever is asked for, and no name leads out of its folder.

    python -c "from qwen_router.pull.files import *; print(is_safe('../x'))"
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from qwen_router.catalog.quants import OLLAMA_DEFAULT, QuantName, split_quant
from qwen_router.engines.gguf_file import gguf_group
from qwen_router.engines.models_folder import is_projector

MARGIN_BYTES = 512 * 1024**2
"""Left free on the disk, so that the system goes on working."""
_PROJECTOR_QUANTS = ("f16", "bf16", "q8_0", "f32")
"""In the order of wish: what llama.cpp's own conversion writes first, then what loses least for its size."""
_CHECKPOINT = (
    "*.safetensors", "*.safetensors.index.json", "config.json", "generation_config.json", "tokenizer.json",
    "tokenizer_config.json", "tokenizer.model", "vocab.json", "merges.txt", "special_tokens_map.json", "added_tokens.json",
    "chat_template.jinja", "chat_template.json", "preprocessor_config.json", "video_preprocessor_config.json",
    "processor_config.json", "quantize_config.json", "quant_config.json", "*.tiktoken", "LICENSE*",
    "modules.json", "config_sentence_transformers.json", "sentence_bert_config.json",
)  # fmt: skip
_PARTS = "[0-9]_*/config.json"
"""What sentence-transformers keeps in folders of their own: how an embedding pools, which words a reranker compares."""
_HARMLESS = (".gguf", ".safetensors", ".json", ".jinja", ".txt", ".model", ".tiktoken", ".md")


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file as a hub lists it. `sha256` is the content's; `git_sha1` git's name for it (small files on Hugging Face)."""

    path: str
    size_bytes: int
    sha256: str | None = None
    git_sha1: str | None = None

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name


def size_text(size_bytes: int) -> str:
    """`4.68 GiB`, or MiB and KiB for what is small."""
    for unit, unit_bytes in (("GiB", 1024**3), ("MiB", 1024**2)):
        if size_bytes >= 0.1 * unit_bytes:
            return f"{size_bytes / unit_bytes:.2f} {unit}"
    return f"{size_bytes / 1024:.1f} KiB"


def is_safe(path: str) -> bool:
    """Whether a name from a hub stays within the folder that it is put into, on every system."""
    parts = PurePosixPath(path).parts
    odd = any(c in path for c in '\\:*?"<>|\0') or any(ord(c) < 32 for c in path)
    return bool(parts) and not path.startswith("/") and ".." not in parts and not odd


def is_harmless(file: HubFile) -> bool:
    """Data of a kind that runs nothing when it is loaded: no pickle (`*.bin`, `*.pt`), no code."""
    return file.name.lower().endswith(_HARMLESS) or file.name.upper().startswith(("LICENSE", "NOTICE"))


def gguf_quants(files: Iterable[HubFile]) -> dict[QuantName, tuple[HubFile, ...]]:
    """The models that a repository has, by quantisation: every part of each, in order. Incomplete ones are left out.

    Of two at one quantisation the plain one counts, not unsloth's "UD" mix, whose sizes the memory estimate does not know.
    """
    groups: dict[str, list[HubFile]] = {}
    for file in files:
        if file.path.lower().endswith(".gguf") and not is_projector(file.name):
            folder = str(PurePosixPath(file.path).parent)
            groups.setdefault(f"{folder}/{gguf_group(file.name)[0]}", []).append(file)
    found: dict[QuantName, tuple[HubFile, ...]] = {}
    for stem in sorted(groups, key=lambda stem: ("-ud-" in stem.lower(), len(stem), stem)):
        parts = sorted(groups[stem], key=lambda file: gguf_group(file.name)[1])
        quant_name = split_quant(stem.rpartition("/")[2])[1]
        numbers = [gguf_group(file.name)[1] for file in parts]
        if quant_name and quant_name not in found and numbers == list(range(1, gguf_group(parts[0].name)[2] + 1)):
            found[quant_name] = tuple(parts)
    return found


def gguf_files(files: Sequence[HubFile], quant_name: QuantName | None, *, projector: bool) -> tuple[HubFile, ...]:
    """The parts at that quantisation, and the projector where one is wanted and there; () when there is none.

    Without a quantisation: Q4_K_M, else the only one that there is.
    """
    by_quant = gguf_quants(files)
    if quant_name is None:
        quant_name = OLLAMA_DEFAULT if OLLAMA_DEFAULT in by_quant or len(by_quant) != 1 else next(iter(by_quant))
    parts = by_quant.get(quant_name, ())
    return (*parts, *_projector(files)) if parts and projector else parts


def _projector(files: Sequence[HubFile]) -> tuple[HubFile, ...]:
    found = [file for file in files if is_projector(file.name) and file.name.lower().endswith(".gguf")]

    def rank(file: HubFile) -> tuple[int, int, str]:
        quant_name = split_quant(file.name.removesuffix(".gguf"))[1]
        at = _PROJECTOR_QUANTS.index(quant_name) if quant_name in _PROJECTOR_QUANTS else len(_PROJECTOR_QUANTS)
        return at, len(file.path), file.path

    return tuple(sorted(found, key=rank)[:1])


def checkpoint_files(files: Iterable[HubFile]) -> tuple[HubFile, ...]:
    """Weights, configuration, tokenizer and licence; () without safetensors. `config.json` comes last: the folder is taken
    for a checkpoint as soon as that is there, so everything else must be."""
    listed = tuple(files)
    found = [file for file in listed if "/" not in file.path and any(fnmatchcase(file.path, p) for p in _CHECKPOINT)]
    found += [file for file in listed if file.path.count("/") == 1 and fnmatchcase(file.path, _PARTS)]
    if not any(file.path.endswith(".safetensors") for file in found):
        return ()
    return tuple(sorted(found, key=lambda file: (file.path == "config.json", file.path.endswith(".safetensors"), file.path)))


def matching_files(files: Iterable[HubFile], pattern: str) -> tuple[HubFile, ...]:
    """The harmless files whose path or name matches a shell pattern, in any case."""
    wanted = pattern.lower()
    found = [f for f in files if fnmatchcase(f.path.lower(), wanted) or fnmatchcase(f.name.lower(), wanted)]
    return tuple(sorted((f for f in found if is_harmless(f)), key=lambda file: (file.path == "config.json", file.path)))
