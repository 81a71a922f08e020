"""Turn the team's facts (qwen_models.yaml, qwen_scores.yaml) into the catalog, one YAML file a family, and its docs page.

The facts stay as they are said. What they lack, what a build on the meta device or a primary document disproves, what models
are called elsewhere and what a family is for stand in `training/data/catalog_*.yaml`, each with its source. What this leaves
to others: reading the catalog (`qwen_router/catalog/load.py`) and the words around the tables in docs/catalog.md.

    python -m training.facts_to_catalog --facts ../shared/facts --out qwen_router/catalog/data
    python -m training.facts_to_catalog --nano qwen_router/demo/qwen3-nano/config.json --out qwen_router/catalog/data
    python -m training.facts_to_catalog --docs docs/catalog.md
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from qwen_router.catalog import Catalog
from qwen_router.catalog.load import Compiled, fingerprint, read_folder
from qwen_router.errors import CatalogError
from training.catalog_changes import CHECKED_ON, HOSTED, change, data, hosted_rows, names_of, unknown_ids, without_unknown
from training.catalog_docs import with_tables
from training.catalog_nano import nano_row

FAMILY_OF = {"Qwen/CodeQwen1.5-7B-Chat": "codeqwen1.5"}
"""Where the facts put a model into another's family."""

KINDS = {
    "qwen3-embedding": "embedding",
    "qwen3-vl-embedding": "embedding",
    "qwen3-reranker": "reranker",
    "qwen3-vl-reranker": "reranker",
}
COMMERCIAL = {
    "apache-2.0": True,
    "qwen": True,  # up to 100 million monthly users, see docs/catalog.md
    "tongyi-qianwen": True,  # the same condition
    "qwen-research": False,
    "tongyi-qianwen-research": False,
}
"""By licence name; a licence that is not here is unknown, not forbidden."""


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Build the catalog's YAML files or its docs page.")
    parser.add_argument("--facts", type=Path, help="folder with qwen_models.yaml and qwen_scores.yaml")
    parser.add_argument("--nano", type=Path, help="config.json of the demo checkpoint: writes its row")
    parser.add_argument("--out", type=Path, help="folder for the YAML files")
    parser.add_argument("--docs", type=Path, help="rewrite the generated tables in this page")
    args = parser.parse_args(argv)
    if args.facts and args.out:
        for family, rows in family_rows(args.facts).items():
            (args.out / f"{family}.yaml").write_text(dump_family(family, rows), encoding="utf-8")
    if args.nano and args.out:
        (args.out / "qwen3-nano.yaml").write_text(dump_family("qwen3-nano", [nano_row(args.nano)]), encoding="utf-8")
    if args.out:
        compile_folder(args.out)
    if args.docs:
        args.docs.write_text(with_tables(args.docs.read_text(encoding="utf-8"), Catalog.load()), encoding="utf-8")


def family_rows(facts: Path) -> dict[str, list[dict[str, Any]]]:
    """Rows a family, in the order of the facts, each with its scores; those that the facts lack come after."""
    models = yaml.safe_load((facts / "qwen_models.yaml").read_text(encoding="utf-8"))["models"]
    scores: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for score in yaml.safe_load((facts / "qwen_scores.yaml").read_text(encoding="utf-8"))["scores"]:
        scores[score["model"]].append(_score(score))
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for fact in (*models, *data("rows")["models"]):
        family = FAMILY_OF.get(fact["id"], fact["family"])
        rows[family].append(_row(fact, family, scores[fact["id"]]))
    rows[HOSTED] = hosted_rows()
    ids = frozenset(row["id"] for group in rows.values() for row in group)
    if strangers := unknown_ids(ids, frozenset(rows)):
        raise SystemExit(f"training/data speaks of {', '.join(sorted(strangers))}, which no row is")
    return dict(rows)


def _score(fact: Mapping[str, Any]) -> dict[str, Any]:
    """A score whose sources disagree is kept, but counts as not verified."""
    return {
        "benchmark": fact["benchmark"],
        "mode": fact["thinking"],
        "score": float(fact["score"]),
        "verified": bool(fact["verified"]) and not fact.get("conflict"),
        "source": fact["source"],
    }


def _row(fact: Mapping[str, Any], family: str, scores: list[dict[str, Any]]) -> dict[str, Any]:
    tags = [tag.partition(" (")[0] for tag in fact.get("ollama_tags", ())]
    if family in ("qwen2.5", "qwen2.5-coder"):  # ollama.com/library: `qwen2.5:7b` and `qwen2.5:7b-instruct` are one build
        tags += [f"{tag}-instruct" for tag in tags]
    names, names_source = names_of(fact["id"])
    row: dict[str, Any] = {
        "id": fact["id"],
        "family": family,
        "kind": KINDS.get(family, "chat"),
        "release_date": fact["release_date"],
        "licence": fact["licence"].partition(" (")[0],
        "commercial_use": None,
        "modalities": [modality for modality in fact["modalities"] if modality != "speech-out"],
        "speech_output": "speech-out" in fact["modalities"],
        "total_params": fact.get("total_params"),
        "active_params": fact.get("active_params"),
        "architecture": _architecture(fact["architecture"], family) if "architecture" in fact else None,
        "context": {
            "native_tokens": fact["context"]["native"],
            "extended_tokens": fact["context"].get("extended"),
            "note": fact["context"].get("note"),
        },
        "thinking": _thinking(fact["thinking"]),
        "sampling": _sampling(fact.get("sampling", {})),
        "tools": None,
        "languages": len(fact.get("languages", ())) or None,
        "training_tokens": None,
        "ollama_tags": tags,
        "names": names,
        "sources": [*dict.fromkeys(fact["sources"]), *([names_source] if names_source else ())],
        "checked_on": CHECKED_ON,
        "unverified": list(fact.get("unverified", ())),
        "scores": scores,
    }
    change(row)
    row["commercial_use"] = COMMERCIAL.get(row["licence"])
    del row["family"]
    return without_unknown(row)


def _architecture(fact: Mapping[str, Any], family: str) -> dict[str, Any]:
    """`family` decides what no facts field says; each is proved by a build (tests/test_catalog_params.py)."""
    hybrid = fact.get("hybrid")
    shapes = ("layers", "hidden", "heads", "kv_heads", "head_dim", "vocab", "ffn", "tied_embeddings")
    experts = ("experts", "experts_active", "moe_ffn", "shared_expert_ffn")
    linear = ("linear_v_heads", "linear_qk_heads", "linear_head_dim", "conv_kernel")
    mtp = (fact.get("mtp") or {}).get("params")
    return {
        **{key: fact.get(key) for key in shapes},
        "qkv_bias": not family.startswith("qwen3"),
        "qk_norm": family.startswith("qwen3"),
        "gated_attention": hybrid is not None,
        **{key: fact.get(key) for key in experts},
        "hybrid": hybrid and {key: hybrid.get(key) for key in ("full_attention_layers", "linear_attention_layers", *linear)},
        "vision_params": fact.get("vision_encoder_params"),
        "mtp_params": mtp if isinstance(mtp, int) else None,
    }


def _thinking(fact: Mapping[str, Any]) -> dict[str, Any]:
    preserve = str(fact.get("preserve_thinking", ""))
    preserved = "default_on" if "default true" in preserve else "default_off" if preserve else "unsupported"
    effort = fact.get("reasoning_effort", {})
    return {
        "behaviour": fact["mode"],
        "default_on": fact["default"] == "on",
        "soft_switch": str(fact.get("soft_switch", "")).startswith("/think and /no_think"),
        "efforts": list(effort.get("values", ())),
        "default_effort": effort.get("default"),
        "preserve_thinking": preserved,
    }


def _sampling(fact: Mapping[str, Any]) -> dict[str, Any]:
    """Only what is a number; notes of the cards stay in the facts."""
    named = {"thinking": "thinking", "thinking_precise_coding": "thinking_code", "non_thinking": "non_thinking"}
    fields = ("temperature", "top_p", "top_k", "min_p", "presence_penalty")
    sets = {ours: fact.get(theirs, {}) for theirs, ours in named.items()}
    return {name: {field: values[field] for field in fields if field in values} for name, values in sets.items()}


def compile_folder(folder: Path) -> None:
    """Write `compiled.json` beside the YAML files: the same rows, checked, in the form that loads fastest."""
    rows = read_folder(folder)
    if silent := sorted({model.family for model in rows.models} - {family.name for family in rows.about}):
        raise CatalogError(
            f"{', '.join(silent)} has no `about`", fix="say in training/data/catalog_about.yaml what it is for"
        )
    compiled = Compiled(sha256=fingerprint(folder), models=rows.models, about=rows.about)
    (folder / "compiled.json").write_text(compiled.model_dump_json(exclude_defaults=True) + "\n", encoding="utf-8")


def dump_family(family: str, rows: list[dict[str, Any]]) -> str:
    """What the family is for, then one row after the other, leaves on one line: a diff of a fact is a diff of a line."""
    origin = (
        "--nano from the demo checkpoint's config.json" if rows[0].get("demo") else "from the shared facts and training/data"
    )
    head = f"# Made by training/facts_to_catalog.py {origin}; the fields are those of qwen_router/catalog/types.py.\n"
    document = {"family": family, "about": data("about")[family], "models": rows}
    return head + yaml.dump(
        document, Dumper=_Plain, sort_keys=False, default_flow_style=None, width=10_000, allow_unicode=True
    )


class _Plain(yaml.SafeDumper):
    """No anchors: a value that two rows share is written in both."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


if __name__ == "__main__":
    main()
