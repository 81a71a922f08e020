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
from training.catalog_docs import with_tables
from training.catalog_nano import nano_row
from training.facts_to_catalog import compile_folder

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


FAMILIES = """
qwen1 qwen-vl qwen-audio qwen1.5 codeqwen1.5 qwen2 qwen2-math qwen2-audio qwen2-vl qwen2.5 qwen2.5-coder qwen2.5-math
qwen2.5-vl qwen2.5-omni qvq qwq qwen3 qwen3-embedding qwen3-reranker qwen3-2507 qwen3-coder qwen3-next qwen3-vl qwen3-omni
qwen3-vl-embedding qwen3-vl-reranker qwen3.5 qwen3.6 qwen3.8 hosted qwen3-nano
"""


def test_the_whole_line_is_there_and_the_demo_comes_last() -> None:
    assert set(CATALOG.families()) == set(FAMILIES.split())
    assert [model.id for model in CATALOG.models if model.demo] == [CATALOG.models[-1].id] == ["qwen-router/qwen3-nano"]


def test_every_family_says_what_it_is_for() -> None:
    assert set(CATALOG.about) == set(CATALOG.families())
    assert all(family.sources and family.name == name for name, family in CATALOG.about.items())


@pytest.mark.parametrize("model", [m for m in CATALOG.models if m.hosted], ids=lambda m: m.short_name)
def test_a_hosted_model_has_no_weights(model: Model) -> None:
    assert model.architecture is model.total_params is model.size_class is None
    assert model.names.hosted and not model.ollama_tags
    assert model.family == "hosted" and model.id.startswith("dashscope/")


def test_a_hosted_row_with_weights_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, ROW + "  hosted: true\n  total_params: 7000000000\n")
    with pytest.raises(CatalogError, match=r"test\.yaml, someone/Test-1B.*hosted"):
        read_file(path)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("Qwen3-0.6B", "tiny"),
        ("Qwen3-4B", "small"),
        ("Qwen3-14B", "medium"),
        ("Qwen3-32B", "large"),
        ("Qwen2.5-72B-Instruct", "huge"),
        ("Qwen3-VL-Reranker-2B", None),
    ],
)
def test_a_model_is_of_the_size_class_of_its_parameters(name: str, size: str | None) -> None:
    assert CATALOG.get(name).size_class == size


def test_names_elsewhere_are_of_their_kind() -> None:
    for model in CATALOG.models:
        names = model.names
        assert all(name.endswith("-GGUF") for name in names.gguf)
        quantised = (*names.gptq, *names.mlx, *(name for name in (names.awq, names.fp8, names.modelscope) if name))
        assert all(name.startswith(model.id) for name in quantised)
        assert all(name == name.lower() for name in names.hosted)


@pytest.mark.parametrize("model", [m for m in CATALOG.models if m.architecture], ids=lambda m: m.short_name)
def test_towers_go_with_modalities(model: Model) -> None:
    shape = model.architecture
    assert shape is not None
    assert not shape.vision_params or "image" in model.modalities
    assert bool(shape.audio_params) is ("audio" in model.modalities) is bool(shape.audio_tokens_per_s)
    assert bool(shape.speech_params) is (model.speech_output and model.family != "hosted")


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
        pytest.param("Qwen/Qwen3-8B-AWQ", "Qwen/Qwen3-8B", id="the-makers-awq"),
        pytest.param("Qwen/Qwen3-8B-MLX-4bit", "Qwen/Qwen3-8B", id="the-makers-mlx"),
        pytest.param("unsloth/Qwen3.5-9B-GGUF:Q4_K_M", "Qwen/Qwen3.5-9B", id="another-makers-gguf"),
        pytest.param("qwen2.5-coder-7b-instruct-cuda-gpu:4", "Qwen/Qwen2.5-Coder-7B-Instruct", id="foundry-id-with-version"),
        pytest.param("qwen2.5-7b", "Qwen/Qwen2.5-7B-Instruct", id="foundry-alias"),
        pytest.param("qwen-max", "dashscope/qwen-max", id="hosted"),
        pytest.param("qwen-1.8b-chat", "Qwen/Qwen-1_8B-Chat", id="hosted-name-of-open-weights"),
        pytest.param("qwen:7b", "Qwen/Qwen1.5-7B-Chat", id="ollama-tag-of-an-older-family"),
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


def test_what_is_said_about_a_family_is_checked_like_a_row(tmp_path: Path) -> None:
    path = tmp_path / "test.yaml"
    path.write_text("family: test\nabout: {title: Test}\nmodels: []\n", encoding="utf-8")
    with pytest.raises(CatalogError, match=r"test\.yaml, about: summary: Field required"):
        read_file(path)


def test_a_shipped_family_without_a_description_is_refused(tmp_path: Path) -> None:
    write(tmp_path, ROW)
    with pytest.raises(CatalogError, match=r"test has no `about`"):
        compile_folder(tmp_path)


def test_a_family_is_described_once(tmp_path: Path) -> None:
    about = "{title: T, summary: S, strengths: [a], limits: [b], best_use: c, sources: [the test]}"
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(f"family: test\nabout: {about}\nmodels: []\n", encoding="utf-8")
    with pytest.raises(CatalogError, match=r"b\.yaml: test is also in a\.yaml"):
        read_folder(tmp_path)


def test_a_users_folder_adds_models_and_replaces_rows(tmp_path: Path) -> None:
    write(tmp_path, ROW + ROW.replace("someone/Test-1B", "Qwen/Qwen3-8B"))
    catalog = Catalog.load((tmp_path,))
    assert catalog.get("test-1b").release_date == "2026-01"
    assert catalog.get("Qwen/Qwen3-8B").context.native_tokens == 4096
    assert len(catalog.models) == len(CATALOG.models) + 1
    assert set(catalog.about) == set(CATALOG.about), "a user's family needs no `about`"


def test_the_compiled_file_holds_what_the_yaml_says() -> None:
    compiled = Compiled.model_validate_json((SHIPPED / "compiled.json").read_bytes())
    assert compiled.sha256 == fingerprint(SHIPPED), "run training.facts_to_catalog --out again"
    rows = read_folder(SHIPPED)
    assert (compiled.models, compiled.about) == (rows.models, rows.about)


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
    for _ in range(5):
        started = time.perf_counter()
        _load.__wrapped__(())
        best_s = min(best_s, time.perf_counter() - started)
    assert best_s < 0.03


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
        ("qwen3:8b-q5_K_M", "q5_K_M"),
        ("qwen3:8b-q9_9", None),
        ("qwen3-embedding:0.6b", None),
        ("hf.co/Qwen/Qwen3-8B-GGUF:Q8_0", "q8_0"),
    ],
)
def test_the_quantisation_of_a_tag_is_read_or_left_open(tag: str, expected: str | None) -> None:
    assert quant_of_tag(tag) == expected


def test_a_size_is_not_mistaken_for_a_quantisation() -> None:
    assert split_quant("qwen3:30b-a3b") == ("qwen3:30b-a3b", None, False)
    assert split_quant("Qwen/Qwen2.5-7B-Instruct-1M") == ("Qwen/Qwen2.5-7B-Instruct-1M", None, False)


def test_the_tables_in_the_docs_are_todays(repository: Path) -> None:
    page = (repository / "docs" / "catalog.md").read_text(encoding="utf-8")
    assert page == with_tables(page, CATALOG), "run `python -m training.facts_to_catalog --docs docs/catalog.md`"


def test_the_demo_row_is_what_its_config_says(repository: Path) -> None:
    config = repository / "qwen_router" / "demo" / "qwen3-nano" / "config.json"
    shipped = yaml.safe_load((SHIPPED / "qwen3-nano.yaml").read_text(encoding="utf-8"))["models"]
    assert shipped == [json.loads(json.dumps(nano_row(config)))], "run training.facts_to_catalog --nano again"
