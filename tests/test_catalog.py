"""The catalog's rows, its names, and what a wrong file is told."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest
import yaml

from qwen_router.catalog import Catalog, Model, quant, quant_of_tag
from qwen_router.catalog.load import SHIPPED, Compiled, fingerprint, read_file, read_folder
from qwen_router.catalog.quants import split_quant
from qwen_router.errors import CatalogError, UnknownName
from training.facts_to_catalog import nano_row, with_table

CATALOG = Catalog.load()
ROW = """
- id: someone/Test-1B
  release_date: '2026-01'
  licence: apache-2.0
  modalities: [text]
  context: {native_tokens: 4096}
  thinking: {behaviour: none, default_on: false}
  sources: [the test]
  checked_on: '2026-11-23'
"""


def write(folder: Path, rows: str, *, name: str = "test.yaml") -> Path:
    path = folder / name
    path.write_text(f"family: test\nmodels:{rows}", encoding="utf-8")
    return path


@pytest.mark.parametrize("model", CATALOG.models, ids=lambda m: m.short_name)
def test_every_row_says_where_it_comes_from_and_hangs_together(model: Model) -> None:
    assert model.sources and all(len(source) > 3 for source in model.sources)
    assert "2026-11-23" <= model.checked_on
    assert "text" in model.modalities
    assert all(score.source for score in model.scores)
    if model.architecture and model.architecture.experts:
        assert model.active_params and model.total_params and model.active_params < model.total_params
    if model.architecture and (hybrid := model.architecture.hybrid):
        assert hybrid.full_attention_layers + hybrid.linear_attention_layers == model.architecture.layers
    if model.context.extended_tokens:
        assert model.context.extended_tokens > model.context.native_tokens
    assert model.thinking.default_on is (model.thinking.behaviour == "always") or model.thinking.behaviour == "toggle"


def test_all_families_from_qwen25_on_are_there_and_the_demo_comes_last() -> None:
    assert set(CATALOG.families()) == {
        *("qwen2.5", "qwen2.5-coder", "qwen2.5-math", "qwen2.5-vl", "qwen2.5-omni", "qwq", "qvq", "qwen3", "qwen3-2507"),
        *("qwen3-coder", "qwen3-next", "qwen3-vl", "qwen3-omni", "qwen3-embedding", "qwen3-reranker", "qwen3.5", "qwen3.6"),
        *("qwen3.8", "qwen3-nano"),
    }
    assert [model.id for model in CATALOG.models if model.demo] == [CATALOG.models[-1].id] == ["qwen-router/qwen3-nano"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("Qwen/Qwen3-8B", "Qwen/Qwen3-8B", id="id"),
        pytest.param("qwen3-8b", "Qwen/Qwen3-8B", id="short-name-any-case"),
        pytest.param("qwen3:8b", "Qwen/Qwen3-8B", id="ollama-tag"),
        pytest.param("qwen3:8b-q8_0", "Qwen/Qwen3-8B", id="tag-with-a-known-quantisation"),
        pytest.param("qwen3:8b-q5_K_M", "Qwen/Qwen3-8B", id="tag-with-another-quantisation"),
        pytest.param("qwen2.5:7b-instruct-fp16", "Qwen/Qwen2.5-7B-Instruct", id="tag-with-instruct"),
        pytest.param("qwen3:4b", "Qwen/Qwen3-4B-Thinking-2507", id="bare-tag-that-moved-to-thinking-2507"),
        pytest.param("qwen3:30b-a3b-instruct-2507-q4_K_M", "Qwen/Qwen3-30B-A3B-Instruct-2507", id="full-tag"),
        pytest.param("qwq:latest", "Qwen/QwQ-32B", id="latest"),
        pytest.param("/models/Qwen3-8B-Q4_K_M.gguf", "Qwen/Qwen3-8B", id="gguf-file"),
        pytest.param("hf.co/Qwen/Qwen3-8B-GGUF:Q8_0", "Qwen/Qwen3-8B", id="gguf-repository"),
        pytest.param("Qwen/Qwen3-8B@main", "Qwen/Qwen3-8B", id="name-that-transformers-serve-reports"),
        pytest.param("llama3:8b", None, id="another-maker"),
        pytest.param("qwen3:8b-mytune", None, id="a-tag-nobody-knows"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_a_served_name_resolves_by_exact_known_names_only(name: str, expected: str | None) -> None:
    found = CATALOG.resolve(name)
    assert (found.id if found else None) == expected


def test_a_misspelt_model_is_told_the_close_ones() -> None:
    with pytest.raises(UnknownName) as caught:
        CATALOG.get("qwen3:8")
    assert "qwen3:8b" in caught.value.close
    assert caught.value.exit_code == 2


def test_no_two_models_share_a_name() -> None:
    tags = [tag.lower() for model in CATALOG.models for tag in model.ollama_tags]
    assert len(tags) == len(set(tags))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        pytest.param("  architectur: {}\n", "architectur", id="unknown-key"),
        pytest.param("  total_params: many\n", "total_params", id="wrong-type"),
        pytest.param("  architecture: {layers: 0}\n", "architecture.layers", id="impossible-number"),
        pytest.param("  tools: maybe\n", "tools", id="not-a-boolean"),
    ],
)
def test_a_typo_names_file_row_and_field(tmp_path: Path, line: str, told: str) -> None:
    path = write(tmp_path, ROW + line)
    with pytest.raises(CatalogError) as caught:
        read_file(path)
    assert "test.yaml" in caught.value.problem
    assert "someone/Test-1B" in caught.value.problem
    assert told in caught.value.problem


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("family: [x", "line", id="not-yaml"),
        pytest.param("family: x\n", "models", id="no-models"),
        pytest.param("- a\n- b\n", "models", id="a-list"),
        pytest.param("family: x\nmodels: [3]\n", "row 1", id="a-row-that-is-a-number"),
        pytest.param("family: x\nmodels:\n- {licence: mit}\n", "row 1", id="a-row-without-an-id"),
        pytest.param("a: &a [x]\nb: !!python/object:os.system {}\n", "YAML", id="a-tag-that-would-run-code"),
    ],
)
def test_a_broken_file_is_one_clear_error(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CatalogError) as caught:
        read_file(path)
    assert "broken.yaml" in caught.value.problem and told in caught.value.problem


def test_bytes_that_are_not_text_are_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "binary.yaml"
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(CatalogError, match=r"binary\.yaml"):
        read_file(path)


def test_one_id_in_two_files_is_refused(tmp_path: Path) -> None:
    write(tmp_path, ROW, name="a.yaml")
    write(tmp_path, ROW, name="b.yaml")
    with pytest.raises(CatalogError, match=r"b\.yaml.*also in a\.yaml"):
        read_folder(tmp_path)


def test_a_users_folder_adds_models_and_replaces_rows(tmp_path: Path) -> None:
    write(tmp_path, ROW + ROW.replace("someone/Test-1B", "Qwen/Qwen3-8B"))
    catalog = Catalog.load((tmp_path,))
    assert catalog.get("test-1b").release_date == "2026-01"
    assert catalog.get("Qwen/Qwen3-8B").context.native_tokens == 4096
    assert len(catalog.models) == len(CATALOG.models) + 1


def test_the_compiled_file_holds_what_the_yaml_says() -> None:
    compiled = Compiled.model_validate_json((SHIPPED / "compiled.json").read_bytes())
    assert compiled.sha256 == fingerprint(SHIPPED), "run training.facts_to_catalog --out again"
    assert compiled.models == read_folder(SHIPPED)


@pytest.mark.parametrize("content", ["", "{}", '{"sha256": "other files", "models": []}'], ids=["empty", "hollow", "stale"])
def test_a_compiled_file_that_does_not_match_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    shutil.copy(SHIPPED / "qwq.yaml", tmp_path)
    (tmp_path / "compiled.json").write_text(content, encoding="utf-8")
    monkeypatch.setattr("qwen_router.catalog.load.SHIPPED", tmp_path)
    catalog = Catalog.load((tmp_path,))  # a folder of its own, so that nothing cached answers
    assert [model.id for model in catalog.models] == ["Qwen/QwQ-32B"]


def test_loading_takes_no_time_that_anyone_notices() -> None:
    from qwen_router.catalog.load import _load

    best_s = 9.0
    for _ in range(3):
        started = time.perf_counter()
        _load.__wrapped__(())
        best_s = min(best_s, time.perf_counter() - started)
    assert best_s < 0.12


@pytest.mark.parametrize(
    ("spelling", "name"), [("Q8_0", "q8_0"), ("fp16", "f16"), ("Q4_K_M", "q4_K_M"), ("q4_k_m", "q4_K_M"), ("BF16", "bf16")]
)
def test_quantisations_are_known_in_every_usual_spelling(spelling: str, name: str) -> None:
    assert quant(spelling).name == name


def test_an_unknown_quantisation_is_told_the_close_ones() -> None:
    with pytest.raises(UnknownName) as caught:
        quant("q4_K_X")
    assert "q4_K_M" in caught.value.close


def test_transformers_runs_no_gguf_quantisation() -> None:
    assert "transformers" in quant("bf16").engines
    assert "transformers" not in quant("q4_K_M").engines


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("qwen3:8b", "q4_K_M"),
        ("qwen3:8b-q8_0", "q8_0"),
        ("qwen3:8b-fp16", "f16"),
        ("qwen3:4b-thinking-2507-q4_K_M", "q4_K_M"),
        ("qwen3:8b-q5_K_M", None),
        ("qwen3-embedding:0.6b", None),
        ("hf.co/Qwen/Qwen3-8B-GGUF:Q8_0", "q8_0"),
    ],
)
def test_the_quantisation_of_a_tag_is_read_or_left_open(tag: str, expected: str | None) -> None:
    assert quant_of_tag(tag) == expected


def test_a_size_is_not_mistaken_for_a_quantisation() -> None:
    assert split_quant("qwen3:30b-a3b") == ("qwen3:30b-a3b", None, False)
    assert split_quant("Qwen/Qwen2.5-7B-Instruct-1M") == ("Qwen/Qwen2.5-7B-Instruct-1M", None, False)


def test_the_table_in_the_docs_is_todays(repository: Path) -> None:
    page = (repository / "docs" / "catalog.md").read_text(encoding="utf-8")
    assert page == with_table(page, CATALOG), "run `python -m training.facts_to_catalog --docs docs/catalog.md`"


def test_the_demo_row_is_what_its_config_says(repository: Path) -> None:
    config = repository / "qwen_router" / "demo" / "qwen3-nano" / "config.json"
    shipped = yaml.safe_load((SHIPPED / "qwen3-nano.yaml").read_text(encoding="utf-8"))["models"]
    assert shipped == [json.loads(json.dumps(nano_row(config)))], "run training.facts_to_catalog --nano again"
