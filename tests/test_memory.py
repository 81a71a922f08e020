"""What a build needs: weights byte for byte, cache layer by layer, and the line that columns are made of."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen_router.catalog import Catalog
from qwen_router.catalog.types import Architecture, Hybrid, Model
from qwen_router.errors import CatalogError, InvalidRequest, UnknownName
from qwen_router.hardware import Device, Machine, fit, longest_context, machine_named, memory, memory_line, place
from qwen_router.hardware.memory import MIB, kv_mib_per_token, read_mib_per_token, state_mib, tower_params, weights_mib
from qwen_router.hardware.quants import BLOCKS, QUANTISATIONS, quantisation, row_bytes, takes_more_bits
from qwen_router.hardware.tensors import tensors, text_params

CATALOG = Catalog.load()
COUNTABLE = [
    m for m in CATALOG.models if m.architecture and (m.architecture.hybrid is None or m.architecture.hybrid.conv_kernel)
]

# The four checkpoints of benchmarks/memory.py, text only; the last two cut down to what two cores can convert.
CASES: dict[str, tuple[str, dict[str, object]]] = {
    "qwen2.5-0.5b": ("Qwen/Qwen2.5-0.5B-Instruct", {}),
    "qwen3-0.6b": ("Qwen/Qwen3-0.6B", {}),
    "moe-cut": ("Qwen/Qwen3-30B-A3B", {"layers": 4, "experts": 32}),
    "qwen3.5-0.8b": ("Qwen/Qwen3.5-0.8B", {"vision_params": None, "mtp_params": None}),
}


def case(name: str) -> Model:
    model_id, cuts = CASES[name]
    row = CATALOG.get(model_id)
    assert row.architecture is not None
    return row.model_copy(
        update={
            "architecture": row.architecture.model_copy(update=cuts),
            "total_params": None,
            "modalities": ("text",),
            "context": row.context.model_copy(update={"native_tokens": 262144}),
        }
    )


# MiB that llama-quantize --dry-run printed for the same checkpoints (bf16: what it read, others: what it would write), and
# where the type asks for an importance matrix, with one. llama.cpp as vendored by llama-cpp-python 0.3.36.
QUANTISED = {
    "qwen2.5-0.5b": {
        "f32": 1884.59, "bf16": 942.43, "f16": 942.43, "q8_0": 500.79, "q6_K": 476.64, "q5_K_M": 394.95,
        "q5_K_S": 387.92, "q5_1": 394.15, "q5_0": 372.82, "q4_K_M": 373.71, "q4_K_S": 361.94, "q4_1": 351.50,
        "q4_0": 330.17, "iq4_NL": 332.22, "iq4_XS": 329.49, "q3_K_L": 346.57, "q3_K_M": 333.33, "q3_K_S": 316.92,
        "iq3_M": 321.20, "iq3_S": 317.25, "iq3_XS": 317.25, "iq3_XXS": 312.57, "q2_K": 317.25, "q2_K_S": 310.04,
        "iq2_M": 307.70, "iq2_S": 304.97, "iq2_XS": 303.71, "iq2_XXS": 300.98, "iq1_M": 297.57, "iq1_S": 295.53,
        "mxfp4": 500.79,
    },
    "qwen3-0.6b": {
        "f32": 2273.75, "bf16": 1137.00, "f16": 1137.00, "q8_0": 604.15, "q6_K": 466.50, "q5_K_M": 418.15,
        "q5_K_S": 410.71, "q5_1": 436.96, "q5_0": 410.71, "q4_K_M": 372.65, "q4_K_S": 359.84, "q4_1": 384.46,
        "q4_0": 358.21, "iq4_NL": 359.34, "iq4_XS": 346.50, "q3_K_L": 345.75, "q3_K_M": 325.37, "q3_K_S": 302.43,
        "iq3_M": 314.78, "iq3_S": 302.43, "iq3_XS": 292.59, "iq3_XXS": 260.41, "q2_K": 276.84, "q2_K_S": 261.89,
        "iq2_M": 246.96, "iq2_S": 236.74, "iq2_XS": 225.11, "iq2_XXS": 213.14, "iq1_M": 200.37, "iq1_S": 192.70,
        "mxfp4": 604.15,
    },
    "moe-cut": {
        "f32": 4967.07, "bf16": 2484.07, "f16": 2484.07, "q8_0": 1320.17, "q6_K": 1019.49, "q5_K_M": 907.03,
        "q5_K_S": 894.02, "q5_1": 953.06, "q5_0": 894.02, "q4_K_M": 801.19, "q4_K_S": 776.42, "q4_1": 834.97,
        "q4_0": 775.92, "iq4_NL": 776.42, "iq4_XS": 747.03, "q3_K_L": 709.23, "q3_K_M": 680.98, "q3_K_S": 650.45,
        "iq3_M": 655.23, "iq3_S": 650.98, "iq3_XS": 635.79, "iq3_XXS": 580.63, "q2_K": 578.19, "q2_K_S": 555.44,
        "iq2_M": 544.63, "iq2_S": 525.51, "iq2_XS": 490.87, "iq2_XXS": 470.74, "iq1_M": 446.84, "iq1_S": 432.49,
        "mxfp4": 1014.17,
    },
    "qwen3.5-0.8b": {
        "f32": 2870.15, "bf16": 1436.03, "f16": 1436.03, "q8_0": 763.78, "q6_K": 590.12, "q5_K_M": 540.77,
        "q5_K_S": 527.09, "q5_1": 556.75, "q5_0": 527.09, "q4_K_M": 494.32, "q4_K_S": 471.39, "q4_1": 497.43,
        "q4_0": 467.77, "iq4_NL": 482.96, "iq4_XS": 471.92, "q3_K_L": 458.11, "q3_K_M": 434.17, "q3_K_S": 404.74,
        "iq3_M": 422.47, "iq3_S": 419.48, "iq3_XS": 412.31, "iq3_XXS": 369.11, "q2_K": 392.31, "q2_K_S": 385.02,
        "iq2_M": 349.97, "iq2_S": 339.31, "iq2_XS": 336.56, "iq2_XXS": 325.53, "iq1_M": 312.20, "iq1_S": 304.21,
        "mxfp4": 763.78,
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "quant", "found_mib"), [(n, q, mib) for n, sizes in QUANTISED.items() for q, mib in sizes.items()]
)
def test_weights_are_what_llama_cpp_s_own_quantiser_writes(name: str, quant: str, found_mib: float) -> None:
    assert weights_mib(case(name), quant=quant) == pytest.approx(found_mib, abs=0.006)


# Buffers that llama.cpp logged on loading: context of a slot, slots, cache type -> KV, recurrent state, compute with output.
LOADED = [
    pytest.param("qwen3-0.6b", 512, 1, "f16", 56.00, 0.0, 29.10, id="dense"),
    pytest.param("qwen3-0.6b", 16384, 1, "f16", 1792.00, 0.0, 44.60, id="dense-long"),
    pytest.param("qwen3-0.6b", 4000, 1, "q8_0", 238.00, 0.0, 32.68, id="dense-8-bit-cache-and-padding-to-256"),
    pytest.param("qwen3-0.6b", 4096, 4, "f16", 1792.00, 0.0, 34.34, id="dense-four-slots"),
    pytest.param("moe-cut", 16384, 1, "f16", 128.00, 0.0, 104.60, id="experts"),
    pytest.param("qwen3.5-0.8b", 16384, 1, "f16", 192.00, 19.27, 51.97, id="hybrid-caches-6-of-24-layers"),
    pytest.param("qwen3.5-0.8b", 1024, 4, "f16", 48.00, 77.06, 48.09, id="hybrid-four-slots"),
]


@pytest.mark.parametrize(("name", "context", "parallel", "kv_type", "kv_mib", "state", "compute"), LOADED)
def test_cache_and_state_are_what_llama_cpp_allocates_and_compute_is_near(
    name: str, context: int, parallel: int, kv_type: str, kv_mib: float, state: float, compute: float
) -> None:
    need = memory(case(name), quant="bf16", context_tokens=context, parallel=parallel, kv_type=kv_type)
    assert need.kv_mib == pytest.approx(kv_mib, abs=0.01)
    assert need.state_mib == pytest.approx(state, abs=0.01)
    assert need.compute_mib == pytest.approx(compute, rel=0.1)
    parts = need.weights_mib + need.kv_mib + need.state_mib + need.compute_mib + need.vision_mib
    assert need.total_mib == pytest.approx(parts)
    assert need.estimated == ("compute",)


@pytest.mark.parametrize("model", [m for m in COUNTABLE if m.total_params and m.kind == "chat"], ids=lambda m: m.id)
def test_tensors_add_up_to_the_published_parameters(model: Model) -> None:
    arch = model.architecture
    assert arch is not None and model.total_params is not None
    total = text_params(arch) + tower_params(model) + (arch.mtp_params or 0)
    stored_twice = total + arch.vocab * arch.hidden if arch.tied_embeddings else total
    assert min(abs(n - model.total_params) / model.total_params for n in (total, stored_twice)) < 0.005


@pytest.mark.parametrize("name", CASES)
def test_the_sum_over_layer_kinds_is_the_sum_over_tensors(name: str) -> None:
    arch = case(name).architecture
    assert arch is not None
    assert text_params(arch) == sum(tensor.params for tensor in tensors(arch))
    assert len({tensor.name for tensor in tensors(arch)}) == len(tensors(arch))


def test_a_hybrid_model_caches_its_full_attention_layers_only() -> None:
    dense_like = 2 * 64 * 4 * 256 * 2 / MIB
    model = CATALOG.get("Qwen/Qwen3.5-27B")
    assert kv_mib_per_token(model) == pytest.approx(dense_like / 4)
    assert state_mib(model) > 0
    assert state_mib(CATALOG.get("Qwen/Qwen3-8B")) == 0


def test_a_mixture_of_experts_reads_its_active_part_only() -> None:
    model = CATALOG.get("Qwen/Qwen3-30B-A3B")
    assert read_mib_per_token(model, quant="q4_K_M") < 0.13 * weights_mib(model, quant="q4_K_M")
    dense = CATALOG.get("Qwen/Qwen3-0.6B")
    assert read_mib_per_token(dense, quant="q8_0") == weights_mib(dense, quant="q8_0")


def test_an_embedding_model_has_no_output_matrix() -> None:
    model = CATALOG.get("Qwen/Qwen3-Embedding-8B")
    assert weights_mib(model, quant="bf16", engine="transformers") == pytest.approx(7567295488 * 2 / MIB)


def test_a_vision_tower_counts_where_the_engine_loads_it() -> None:
    model = CATALOG.get("Qwen/Qwen3-VL-8B-Instruct")
    by_itself = memory(model, quant="bf16", context_tokens=4096, engine="transformers")
    text_only = memory(model, quant="bf16", context_tokens=4096, engine="llamacpp")
    asked = memory(model, quant="bf16", context_tokens=4096, engine="llamacpp", vision=True)
    assert (text_only.vision_mib, asked.vision_mib) == (0, by_itself.vision_mib)
    assert by_itself.estimated == ("compute", "vision")


@pytest.mark.parametrize("model", COUNTABLE, ids=lambda m: m.id)
def test_every_model_and_quantisation_has_a_size_in_order(model: Model) -> None:
    sizes = [
        weights_mib(model, quant=name) for name in ("f32", "bf16", "q8_0", "q6_K", "q5_K_M", "q4_K_M", "q3_K_M", "q2_K")
    ]
    assert sizes == sorted(sizes, reverse=True) and sizes[-1] > 0


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(sorted(CASES)),
    engine=st.sampled_from(["llamacpp", "ollama", "transformers"]),
    kv_type=st.sampled_from(["f32", "f16", "q8_0", "q4_0"]),
    context=st.integers(1, 200_000),
    more=st.integers(0, 60_000),
    parallel=st.integers(1, 8),
)
def test_more_context_never_needs_less_memory(
    name: str, engine: str, kv_type: str, context: int, more: int, parallel: int
) -> None:
    model = case(name)
    options = {"quant": "bf16", "engine": engine, "kv_type": kv_type, "parallel": parallel}
    line = memory_line(model, **options)  # type: ignore[arg-type]
    small = memory(model, context_tokens=context, **options)  # type: ignore[arg-type]
    large = memory(model, context_tokens=context + more, **options)  # type: ignore[arg-type]
    assert large.total_mib >= small.total_mib
    assert small.total_mib == pytest.approx(line.fixed_mib + line.per_token_mib * line.padded(context))


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(sorted(CASES)), free_mib=st.floats(0, 40_000), engine=st.sampled_from(["llamacpp", "transformers"])
)
def test_the_longest_context_fits_and_the_next_does_not(name: str, free_mib: float, engine: str) -> None:
    model = case(name)
    here = Machine("one", (Device("cpu", "cpu", "a CPU", 40_000, free_mib),), cores=4, system="made up")
    line = memory_line(model, quant="bf16", engine=engine)
    limit = model.context.native_tokens
    longest = longest_context(line, here, limit_tokens=limit)
    if longest:
        assert line.total_mib(longest) + line.overhead_mib <= free_mib * (1 + 1e-9) and place(line, longest, here).fits
    if longest < limit:
        assert line.total_mib(longest + 256) + line.overhead_mib > free_mib


def test_a_row_that_a_block_does_not_divide_falls_back_like_llama_cpp_s() -> None:
    qwen25 = case("qwen2.5-0.5b")
    assert qwen25.architecture is not None and qwen25.architecture.hidden % 256 == 128
    assert weights_mib(qwen25, quant="q4_K_M") > weights_mib(qwen25, quant="q4_0")
    assert row_bytes("q8_0", 64) == 68 and row_bytes("q4_K", 256) == 144 and row_bytes("q6_K", 512) == 420


def test_an_eighth_at_each_end_and_every_third_between_take_more_bits() -> None:
    chosen = [layer for layer in range(28) if takes_more_bits(layer, 28)]
    assert chosen == [0, 1, 2, 5, 8, 11, 14, 17, 20, 23, 24, 25, 26, 27]


@pytest.mark.parametrize("spelling", ["Q4_K_M", "q4_k_m", " q4_K_M "])
def test_a_quantisation_is_found_in_any_case(spelling: str) -> None:
    assert quantisation(spelling).name == "q4_K_M"
    assert {quant.block for quant in QUANTISATIONS.values()} <= set(BLOCKS)


BIG = CATALOG.get("Qwen/Qwen3-8B")
HERE = machine_named("cpu-laptop-16")


@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        pytest.param(lambda: fit(BIG, "q4_K_M", 0, "llamacpp", HERE), InvalidRequest, "at least 1", id="no-context"),
        pytest.param(lambda: fit(BIG, "q4_K_M", -5, "llamacpp", HERE), InvalidRequest, "not -5", id="negative-context"),
        pytest.param(
            lambda: fit(BIG, "q4_K_M", 10**6, "llamacpp", HERE), InvalidRequest, "32768.*YaRN.*131072", id="past-the-limit"
        ),
        pytest.param(lambda: fit(BIG, "q4_K_X", 4096, "llamacpp", HERE), UnknownName, "q4_K_M", id="misspelt-quantisation"),
        pytest.param(
            lambda: fit(BIG, "q4_K_M", 4096, "transformers", HERE), InvalidRequest, "cannot run.*bf16", id="not-this-engine"
        ),
        pytest.param(lambda: fit(BIG, "q4_K_M", 4096, "llamacp", HERE), UnknownName, "llamacpp", id="misspelt-engine"),
        pytest.param(
            lambda: fit(BIG, "q4_K_M", 4096, "llamacpp", HERE, kv_type="q9"), UnknownName, "KV cache type", id="cache-type"
        ),
        pytest.param(
            lambda: fit(BIG, "q4_K_M", 4096, "llamacpp", HERE, parallel=0), InvalidRequest, "parallel", id="no-slot"
        ),
        pytest.param(
            lambda: fit(BIG.model_copy(update={"architecture": None}), "q4_K_M", 4096, "llamacpp", HERE),
            CatalogError,
            "memory is unknown",
            id="no-architecture",
        ),
    ],
)
def test_a_wrong_question_is_answered_with_the_limit_and_a_way_out(ask: object, error: type[Exception], words: str) -> None:
    assert callable(ask)
    with pytest.raises(error, match=words):
        ask()


def test_a_half_described_hybrid_is_the_catalog_s_fault_and_never_a_guess() -> None:
    arch = Architecture(
        layers=8, hidden=64, heads=2, kv_heads=1, head_dim=32, vocab=100, ffn=128,
        hybrid=Hybrid(full_attention_layers=2, linear_attention_layers=6),
    )  # fmt: skip
    with pytest.raises(CatalogError, match="conv_kernel"):
        weights_mib(BIG.model_copy(update={"architecture": arch}), quant="bf16")


def test_yarn_raises_the_limit_when_asked() -> None:
    assert fit(BIG, "q4_K_M", 100_000, "llamacpp", machine_named("h100-80"), yarn=True).fits
    assert fit(BIG, "q4_K_M", 8192, "llamacpp", machine_named("h100-80"), yarn=True).max_context_tokens == 131072


def test_what_does_not_fit_says_which_context_would() -> None:
    tight = replace(HERE, devices=tuple(replace(d, memory_free_mib=5600.0) for d in HERE.devices))
    answer = fit(BIG, "q4_K_M", 32768, "llamacpp", tight)
    assert not answer.fits and answer.decode_tps is None and answer.device is None
    assert 0 < answer.max_context_tokens < 32768 and f"{answer.max_context_tokens} tokens" in answer.reason
    assert fit(BIG, "q4_K_M", answer.max_context_tokens, "llamacpp", tight).fits
