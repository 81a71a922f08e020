"""What training/data says about the catalog's rows beyond the shared facts: corrections, names elsewhere, hosted models.

Every change there names its source, which goes into the row. Reading the facts is `facts_to_catalog.py`'s work.

    python -c "from training.catalog_changes import hosted_rows; print(hosted_rows()[0])"
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

DATA = Path(__file__).parent / "data"
CHECKED_ON = "2026-11-25"
HOSTED = "hosted"
"""The family of models without open weights."""


@functools.cache
def data(name: str) -> Any:
    """The content of `training/data/catalog_<name>.yaml`."""
    return yaml.safe_load((DATA / f"catalog_{name}.yaml").read_text(encoding="utf-8"))


def change(row: dict[str, Any]) -> None:
    """Apply every change that concerns this row, in the order of the file."""
    for entry in data("changes")["changes"]:
        of = entry["of"]
        if row["family"] != of if isinstance(of, str) else row["id"] not in of:
            continue
        for field, value in entry.get("set", {}).items():
            outer, _, inner = field.partition(".")
            if inner:
                row[outer] = {**row[outer], inner: value}
            else:
                row[outer] = value
        for field, values in entry.get("add", {}).items():
            row[field] = [*row[field], *values]
        row["unverified"] = [item for item in row["unverified"] if item not in entry.get("confirms", ())]
        row["sources"].append(_said(entry))


def _said(entry: Mapping[str, Any]) -> str:
    """The source, after the fields that it is for, unless it says so itself."""
    fields = [field.partition(".")[2] or field for field in (*entry.get("set", ()), *entry.get("add", ()))]
    source: str = entry["source"]
    return source if not fields or source.partition(":")[0] in (*fields, *_GROUPS) else f"{', '.join(fields)}: {source}"


_GROUPS = ("licence", "licence, context", "licence, release_date", "release_date", "vision, audio", "audio", "audio_params")


def unknown_ids(ids: frozenset[str], families: frozenset[str]) -> set[str]:
    """What training/data speaks of and no row has: a misspelt id would change nothing, silently."""
    of = [entry["of"] for entry in data("changes")["changes"]]
    spoken = {name for group in of if not isinstance(group, str) for name in group} | set(data("names")["models"])
    return (spoken - ids) | ({group for group in of if isinstance(group, str)} - families)


def names_of(model_id: str) -> tuple[dict[str, Any], str | None]:
    """What the model is called elsewhere, and the lists where that was seen."""
    known = data("names")
    names = dict(known["models"].get(model_id, {}))
    seen_in = names.pop("seen_in", ())
    return names, "names: " + "; ".join(known["lists"][key] for key in seen_in) if seen_in else None


def hosted_rows() -> list[dict[str, Any]]:
    """One row for each model that only its maker serves."""
    told = data("hosted")
    rows = []
    for fact in told["models"]:
        name = fact["name"]
        toml = told["source"].format(provider=fact.get("provider", "alibaba"), name=fact.get("toml", name))
        behaviour = fact.get("think", "never")
        row = {
            "id": f"dashscope/{name}",
            "release_date": fact["release_date"],
            "licence": "proprietary",
            "modalities": fact.get("modalities", ["text"]),
            "speech_output": fact.get("speech"),
            "context": {"native_tokens": fact["context"]},
            "max_answer_tokens": fact["output"],
            "thinking": {"behaviour": behaviour, "default_on": behaviour == "always"},
            "tools": fact.get("tools", True),
            "languages": fact.get("languages"),
            "training_tokens": fact.get("training_tokens"),
            "names": {"hosted": [*fact.get("api", [name]), *fact.get("aliases", ())]},
            "sources": [toml, *fact.get("sources", ())],
            "checked_on": CHECKED_ON,
            "unverified": [*fact.get("unverified", ()), *(["thinking.default_on"] if behaviour == "toggle" else [])],
            "hosted": True,
        }
        rows.append(without_unknown(row))
    return rows


def without_unknown(row: dict[str, Any]) -> dict[str, Any]:
    """Absent means unknown, so None and empty values are not written."""
    kept = {key: without_unknown(item) if isinstance(item, dict) else item for key, item in row.items()}
    return {key: item for key, item in kept.items() if item not in (None, [], {})}
