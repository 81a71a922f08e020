"""Turn the team's facts (qwen_models.yaml, qwen_scores.yaml) into the catalog, one YAML file a family, and its docs page.

The facts stay as they are said; what a build on the meta device or a primary document disproves is corrected in
`CORRECTIONS`, with the reason. What this leaves to others: reading the catalog (`qwen_router/catalog/load.py`) and the
words around the table in docs/catalog.md.

    python -m training.facts_to_catalog --facts ../shared/facts --out qwen_router/catalog/data
    python -m training.facts_to_catalog --nano qwen_router/demo/qwen3-nano/config.json --out qwen_router/catalog/data
    python -m training.facts_to_catalog --docs docs/catalog.md
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from qwen_router.catalog import Catalog, Model
from qwen_router.catalog.load import Compiled, fingerprint, read_folder

CHECKED_ON = "2026-11-23"
FIRST_FAMILIES = (
    "qwen2.5 qwen2.5-coder qwen2.5-math qwen2.5-vl qwen2.5-omni qwq qvq qwen3 qwen3-2507 qwen3-coder qwen3-next qwen3-vl "
    "qwen3-omni qwen3-embedding qwen3-reranker qwen3.5 qwen3.6 qwen3.8"
).split()
NANO_ID = "qwen-router/qwen3-nano"
TABLE_BEGIN, TABLE_END = "<!-- catalog table: begin (generated) -->", "<!-- catalog table: end -->"

COMMERCIAL = {
    "apache-2.0": True,
    "qwen": True,  # up to 100 million monthly users, see docs/catalog.md
    "tongyi-qianwen": True,  # the same condition
    "qwen-research": False,
    "tongyi-qianwen-research": False,
}
"""By licence name; a licence that is not here is unknown, not forbidden."""

_TEMPLATE_25 = "tools: ggml-org/llama.cpp:docs/function-calling.md (native format of Qwen 2.5 and Qwen 2.5 Coder)"
_TEMPLATE_3 = "tools: vllm tool parser per family (shared facts, engines.vllm.tool_parser)"
TOOLS: dict[str, tuple[bool, str]] = {
    "qwen2.5": (True, _TEMPLATE_25),
    "qwen2.5-coder": (True, _TEMPLATE_25),
    "qwq": (True, "tools: Qwen/QwQ-32B chat template (copied in OptimalScale/LMFlow as QWEN_QWQ_TEMPLATE)"),
    "qwen3": (True, _TEMPLATE_3),
    "qwen3-2507": (True, "tools: QwenLM/Qwen3:README.md (tool usage of Qwen3-2507)"),
    "qwen3-coder": (True, _TEMPLATE_3),
    "qwen3-next": (True, "tools: BFCL v3 and TAU2 scores of the model card"),
    "qwen3-vl": (True, "tools: QwenLM/Qwen3-VL:README.md"),
    "qwen3.5": (True, _TEMPLATE_3),
    "qwen3.6": (True, _TEMPLATE_3),
    "qwen3.8": (True, _TEMPLATE_3),
    "qwen2.5-math": (False, "tools: none (the README advises against tasks other than maths)"),
    "qvq": (False, "tools: none in the chat template"),
    "qwen3-embedding": (False, "tools: not a chat model"),
    "qwen3-reranker": (False, "tools: not a chat model"),
}
"""Families whose chat template takes tools, and where that is said. A family that is not here is unknown."""

LANGUAGES: dict[str, tuple[int, str]] = {
    "qwen2.5": (29, "languages: Qwen/Qwen2.5-0.5B-Instruct README ('over 29 languages')"),
    "qwen3": (119, "languages: QwenLM/Qwen3:Qwen3_Technical_Report.pdf (119 languages and dialects)"),
    "qwen3.5": (201, "languages: Qwen/Qwen3.5-0.8B README, third-party copy (201 languages and dialects)"),
}

_TIED = "safetensors stores the tied lm_head twice; a build counts it once"
_TOWER = "the vision tower of this width, built on the meta device; with the text model it equals the published total"
CORRECTIONS: dict[str, tuple[dict[str, int | bool], str]] = {
    "Qwen/Qwen3-0.6B": ({"total_params": 596049920}, _TIED),
    "Qwen/Qwen3-1.7B": ({"total_params": 1720574976}, _TIED),
    "Qwen/Qwen2.5-Math-72B-Instruct": ({"tied_embeddings": False}, "only an untied head gives the published total"),
    "Qwen/Qwen3-Embedding-0.6B": ({"tied_embeddings": True}, "no output head is stored"),
    "Qwen/Qwen3-Embedding-4B": (
        {"tied_embeddings": True, "total_params": 4021774336},
        "no output head is stored (as in its siblings); total from a build, as none is published",
    ),
    "Qwen/Qwen3-Embedding-8B": ({"tied_embeddings": True}, "no output head is stored"),
    "Qwen/Qwen2.5-VL-3B-Instruct": ({"vision_params": 668684288}, _TOWER),
    "Qwen/Qwen2.5-VL-7B-Instruct": ({"vision_params": 676550144}, _TOWER),
    "Qwen/Qwen2.5-VL-32B-Instruct": ({"vision_params": 688841984}, "published total less the text model"),
    "Qwen/Qwen2.5-VL-72B-Instruct": ({"vision_params": 704573696}, "published total less the text model"),
    "Qwen/Qwen3.8-Flash-Next": (
        {"total_params": 180_000_000_000, "active_params": 6_000_000_000, "mtp_params": 4_000_000_000},
        "published only rounded: 125B backbone + 51B n-gram table + 4B MTP, 6B active",
    ),
}
"""Where a row differs from the facts, and why. Fields of `architecture` and of the row itself, by name."""

EXTRA_TAGS: dict[str, tuple[str, ...]] = {
    "Qwen/Qwen3-4B-Thinking-2507": ("qwen3:4b", "qwen3:4b-thinking"),
    "Qwen/Qwen3-4B-Instruct-2507": ("qwen3:4b-instruct",),
    "Qwen/Qwen3-30B-A3B-Thinking-2507": ("qwen3:30b", "qwen3:30b-a3b", "qwen3:30b-thinking"),
    "Qwen/Qwen3-30B-A3B-Instruct-2507": ("qwen3:30b-instruct",),
}
"""Bare Ollama tags that moved to the 2507 builds: ollama/ollama issues 12438, 12917, 17292 and QwenLM/Qwen3:README.md."""


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Build the catalog's YAML files or its docs page.")
    parser.add_argument("--facts", type=Path, help="folder with qwen_models.yaml and qwen_scores.yaml")
    parser.add_argument("--nano", type=Path, help="config.json of the demo checkpoint: writes its row")
    parser.add_argument("--out", type=Path, help="folder for the YAML files")
    parser.add_argument("--families", nargs="*", default=FIRST_FAMILIES, help="'all' for the older ones too")
    parser.add_argument("--docs", type=Path, help="rewrite the generated table in this page")
    args = parser.parse_args(argv)
    if args.facts and args.out:
        for family, rows in family_rows(args.facts, families=args.families).items():
            (args.out / f"{family}.yaml").write_text(dump_family(family, rows), encoding="utf-8")
    if args.nano and args.out:
        (args.out / "qwen3-nano.yaml").write_text(dump_family("qwen3-nano", [nano_row(args.nano)]), encoding="utf-8")
    if args.out:
        compile_folder(args.out)
    if args.docs:
        args.docs.write_text(with_table(args.docs.read_text(encoding="utf-8"), Catalog.load()), encoding="utf-8")


def family_rows(facts: Path, *, families: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Rows a family, in the order of the facts, each with its scores."""
    models = yaml.safe_load((facts / "qwen_models.yaml").read_text(encoding="utf-8"))["models"]
    scores: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for score in yaml.safe_load((facts / "qwen_scores.yaml").read_text(encoding="utf-8"))["scores"]:
        scores[score["model"]].append(_score(score))
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for fact in models:
        if families == ["all"] or fact["family"] in families:
            rows[fact["family"]].append(_row(fact, scores[fact["id"]]))
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


def _row(fact: Mapping[str, Any], scores: list[dict[str, Any]]) -> dict[str, Any]:
    family, licence = fact["family"], fact["licence"].partition(" (")[0]
    tools, tools_source = TOOLS.get(family, (None, None))
    languages, languages_source = LANGUAGES.get(family, (len(fact.get("languages", ())) or None, None))
    modalities = [modality for modality in fact["modalities"] if modality != "speech-out"]
    tags = [tag.partition(" (")[0] for tag in fact.get("ollama_tags", ())] + list(EXTRA_TAGS.get(fact["id"], ()))
    if family in ("qwen2.5", "qwen2.5-coder"):  # ollama.com/library: `qwen2.5:7b` and `qwen2.5:7b-instruct` are one build
        tags += [f"{tag}-instruct" for tag in tags]
    row: dict[str, Any] = {
        "id": fact["id"],
        "kind": {"qwen3-embedding": "embedding", "qwen3-reranker": "reranker"}.get(family, "chat"),
        "release_date": fact["release_date"],
        "licence": licence,
        "commercial_use": COMMERCIAL.get(licence),
        "modalities": modalities,
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
        "tools": tools,
        "languages": languages,
        "ollama_tags": tags,
        "sources": [*dict.fromkeys(fact["sources"]), *(s for s in (tools_source, languages_source) if s)],
        "checked_on": CHECKED_ON,
        "unverified": list(fact.get("unverified", ())),
        "scores": scores,
    }
    _correct(row)
    return _without_unknown(row)


def _architecture(fact: Mapping[str, Any], family: str) -> dict[str, Any]:
    """`family` decides what no facts field says; each is proved by the exact parameter count (tests/test_catalog.py)."""
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


def _correct(row: dict[str, Any]) -> None:
    changes, reason = CORRECTIONS.get(row["id"], ({}, ""))
    for field, value in changes.items():
        target = row if field in row else row["architecture"]
        target[field] = value
    if changes:
        row["sources"].append(f"{', '.join(changes)}: {reason}")


def nano_row(config_path: Path) -> dict[str, Any]:
    """The demo checkpoint's row, from the config.json that `training/nano.py` wrote. It has no scores on purpose."""
    config = json.loads(config_path.read_text(encoding="utf-8"))
    hidden, ffn, layers, vocab = (
        config[key] for key in ("hidden_size", "intermediate_size", "num_hidden_layers", "vocab_size")
    )
    heads, kv_heads, head_dim = config["num_attention_heads"], config["num_key_value_heads"], config["head_dim"]
    tied = bool(config.get("tie_word_embeddings"))
    attention = hidden * head_dim * (2 * heads + 2 * kv_heads) + 2 * head_dim
    layer = attention + 3 * hidden * ffn + 2 * hidden
    return _without_unknown(
        {
            "id": NANO_ID,
            "kind": "chat",
            "release_date": CHECKED_ON,
            "licence": "apache-2.0",
            "commercial_use": True,
            "modalities": ["text"],
            "max_answer_tokens": 192,  # its answers are a sentence; what is longer has lost its way
            "total_params": layers * layer + hidden + vocab * hidden * (1 if tied else 2),
            "architecture": {
                "layers": layers,
                "hidden": hidden,
                "heads": heads,
                "kv_heads": kv_heads,
                "head_dim": head_dim,
                "vocab": vocab,
                "ffn": ffn,
                "tied_embeddings": tied,
                "qkv_bias": bool(config.get("attention_bias")),
                "qk_norm": True,
            },
            "context": {"native_tokens": config["max_position_embeddings"]},
            "thinking": {"behaviour": "toggle", "default_on": True, "soft_switch": False},
            "sampling": {},
            "tools": True,
            "sources": ["qwen_router/demo/qwen3-nano/config.json, made by training/nano.py"],
            "checked_on": CHECKED_ON,
            "demo": True,
        }
    )


def _without_unknown(row: dict[str, Any]) -> dict[str, Any]:
    """Absent means unknown, so None and empty values are not written."""
    kept = {key: _without_unknown(item) if isinstance(item, dict) else item for key, item in row.items()}
    return {key: item for key, item in kept.items() if item not in (None, [], {})}


def compile_folder(folder: Path) -> None:
    """Write `compiled.json` beside the YAML files: the same rows, checked, in the form that loads fastest."""
    compiled = Compiled(sha256=fingerprint(folder), models=read_folder(folder))
    (folder / "compiled.json").write_text(compiled.model_dump_json(exclude_defaults=True) + "\n", encoding="utf-8")


def dump_family(family: str, rows: list[dict[str, Any]]) -> str:
    """One row after the other, leaves on one line, so that a diff of a fact is a diff of a line."""
    origin = "--nano from the demo checkpoint's config.json" if rows[0].get("demo") else "from the shared facts"
    head = f"# Made by training/facts_to_catalog.py {origin}; the fields are those of qwen_router/catalog/types.py.\n"
    document = {"family": family, "models": rows}
    return head + yaml.safe_dump(document, sort_keys=False, default_flow_style=None, width=10_000, allow_unicode=True)


def with_table(page: str, catalog: Catalog) -> str:
    """`page` with the text between the two markers replaced by today's table."""
    before, _, rest = page.partition(TABLE_BEGIN)
    _, _, after = rest.partition(TABLE_END)
    return f"{before}{TABLE_BEGIN}\n{table(catalog)}\n{TABLE_END}{after}"


def table(catalog: Catalog) -> str:
    lines = [
        "| model | released | parameters | active | context (extended) | thinking | input | tools | languages | licence "
        "| scores |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    return "\n".join(lines + [_line(model) for model in catalog.models])


def _line(model: Model) -> str:
    extended = f" ({model.context.extended_tokens:,})" if model.context.extended_tokens else ""
    licence = model.licence + {True: "", False: " (not commercial)", None: " (commercial use unknown)"}[model.commercial_use]
    cells = (
        f"`{model.id}`",
        model.release_date,
        _billions(model.total_params),
        _billions(model.active_params) if model.active_params else "all",
        f"{model.context.native_tokens:,}{extended}",
        _thinks(model),
        ", ".join(model.modalities),
        {True: "yes", False: "no", None: "?"}[model.tools],
        str(model.languages or "?"),
        licence,
        str(len(model.scores)),
    )
    return "| " + " | ".join(cells) + " |"


def _thinks(model: Model) -> str:
    if model.kind != "chat":
        return model.kind
    return model.thinking.behaviour + (" (default on)" if model.thinking.default_on else "")


def _billions(params: int | None) -> str:
    if params is None:
        return "?"
    return f"{params / 1e6:.2f}M" if params < 1e8 else f"{params / 1e9:.3g}B" if params < 1e12 else f"{params / 1e12:.3g}T"


if __name__ == "__main__":
    main()
