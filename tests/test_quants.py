"""Quantisations: their names, the types of a GGUF mix, and the bytes of every other format."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_router.catalog import Catalog
from qwen_router.catalog.quants import ENGINE_QUANTS, OLLAMA_DEFAULT, QUANTS, Quant, quant, quant_of_tag, split_quant
from qwen_router.catalog.types import Architecture, Hybrid, Model
from qwen_router.errors import InvalidRequest, UnknownName
from qwen_router.hardware.layers import weight_bytes
from qwen_router.hardware.packing import packed_bytes
from qwen_router.hardware.quants import BLOCKS, KV_TYPES, MixTraits, layer_rule, row_bytes, tensor_type
from qwen_router.hardware.tensors import Tensor, tensors

MIB = 1024 * 1024
CATALOG = Catalog.load()
SPELLINGS = [(spelling, each.name) for each in QUANTS for spelling in (each.name, *each.aliases)]
GGUF = [each.name for each in QUANTS if each.kind == "gguf"]


def architecture(model_id: str, **cuts: object) -> Architecture:
    found = CATALOG.get(model_id).architecture
    assert found is not None
    return found.model_copy(update=cuts)


def packed_total(arch: Architecture, name: str) -> int:
    return sum(packed_bytes(tensor, quant(name)) for tensor in tensors(arch))


# ── names ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("spelling", "name"), SPELLINGS)
def test_every_name_and_alias_is_found_in_any_case(spelling: str, name: str) -> None:
    for written in (spelling, spelling.upper(), spelling.lower(), f" {spelling} ", spelling.replace("-", "_")):
        assert quant(written).name == name


def test_no_spelling_stands_in_two_rows() -> None:
    keys = [spelling.lower().replace("-", "_") for spelling, _ in SPELLINGS]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize(
    ("typo", "close"),
    [("q4_K_N", "q4_K_M"), ("iq2_XSS", "iq2_XXS"), ("gptq", "gptq-int4"), ("gptq", "gptq-int8"), ("nf5", "nf4"),
     ("mlx4bit", "mlx-4bit")],
)  # fmt: skip
def test_a_misspelt_or_ambiguous_name_is_told_the_close_ones(typo: str, close: str) -> None:
    with pytest.raises(UnknownName) as caught:
        quant(typo)
    assert close in caught.value.close


def test_a_name_that_is_close_to_none_is_told_all() -> None:
    with pytest.raises(UnknownName, match=r"one of f32, bf16, .*mlx-8bit"):
        quant("zzz")


@pytest.mark.parametrize(
    ("name", "stem", "found", "spelt"),
    [
        pytest.param("qwen3:8b-q8_0", "qwen3:8b", "q8_0", True, id="ollama"),
        pytest.param("qwen3:8b-q5_K_M", "qwen3:8b", "q5_K_M", True, id="ollama-five-bits"),
        pytest.param("Qwen/Qwen3-8B-FP8", "Qwen/Qwen3-8B", "fp8", True, id="fp8"),
        pytest.param("Qwen/Qwen3-8B-AWQ", "Qwen/Qwen3-8B", "awq", True, id="awq"),
        pytest.param("Qwen/Qwen2.5-7B-Instruct-GPTQ-Int4", "Qwen/Qwen2.5-7B-Instruct", "gptq-int4", True, id="gptq"),
        pytest.param("Qwen/Qwen2.5-7B-Instruct-GPTQ-Int8", "Qwen/Qwen2.5-7B-Instruct", "gptq-int8", True, id="not-LLM.int8"),
        pytest.param("Qwen/Qwen3-8B-MLX-4bit", "Qwen/Qwen3-8B", "mlx-4bit", True, id="mlx"),
        pytest.param("mlx-community/Qwen3-8B-8bit", "mlx-community/Qwen3-8B", "mlx-8bit", True, id="mlx-community"),
        pytest.param("unsloth/Qwen3-8B-bnb-4bit", "unsloth/Qwen3-8B", "nf4-dq", True, id="unsloth"),
        pytest.param("hf.co/Qwen/Qwen3-8B-GGUF:IQ4_XS", "hf.co/Qwen/Qwen3-8B-GGUF", "iq4_XS", True, id="colon"),
        pytest.param("qwen3:8b-tq1_0", "qwen3:8b", None, True, id="outside-the-table"),
        pytest.param("Qwen3-8B-Int4", "Qwen3-8B", None, True, id="four-bits-of-whom"),
        pytest.param("Qwen3-8B-MLX-6bit", "Qwen3-8B-MLX", None, True, id="six-bits"),
        pytest.param("qwen3:30b-a3b", "qwen3:30b-a3b", None, False, id="a-size"),
        pytest.param("Qwen/Qwen2.5-7B-Instruct-1M", "Qwen/Qwen2.5-7B-Instruct-1M", None, False, id="a-context"),
        pytest.param("awq", "awq", None, False, id="nothing-before-it"),
    ],
)
def test_a_quantisation_is_cut_off_the_end_of_a_model_s_name(name: str, stem: str, found: str | None, spelt: bool) -> None:
    assert split_quant(name) == (stem, found, spelt)


def test_a_tag_without_a_quantisation_holds_ollama_s_default() -> None:
    assert quant_of_tag("qwen3:8b") == OLLAMA_DEFAULT == "q4_K_M"
    assert quant_of_tag("qwen3-embedding:0.6b") is None


@pytest.mark.parametrize(
    ("engine", "has", "has_not"),
    [
        ("llamacpp", ("bf16", "q4_K_M", "iq1_S", "mxfp4"), ("awq", "nf4", "fp8", "mlx-4bit")),
        ("ollama", ("f16", "q4_K_M", "iq4_XS"), ("awq", "gptq-int4")),
        ("transformers", ("bf16", "f32", "awq", "gptq-int8", "fp8", "nf4-dq", "int8"), ("q4_K_M", "mlx-8bit")),
        ("vllm", ("bf16", "awq", "gptq-int4", "fp8"), ("q4_K_M", "nf4", "mlx-4bit")),
        ("mlx", ("bf16", "mlx-4bit", "mlx-8bit"), ("q4_K_M", "awq", "nf4")),
        ("onnx", ("f32", "f16", "bf16", "onnx-int4", "onnx-int8"), ("q8_0", "int8", "awq")),
        ("openai", ("q4_K_M", "awq", "mlx-4bit", "nf4"), ()),
        ("fake", tuple(each.name for each in QUANTS), ()),
    ],
)
def test_an_engine_has_its_formats_and_no_others(engine: str, has: tuple[str, ...], has_not: tuple[str, ...]) -> None:
    assert set(has) <= set(ENGINE_QUANTS[engine])
    assert not set(has_not) & set(ENGINE_QUANTS[engine])
    assert set(ENGINE_QUANTS[engine]) == {each.name for each in QUANTS if engine in each.engines}


def test_a_row_says_what_its_kind_needs() -> None:
    for each in QUANTS:
        assert (each.block is not None) == (each.kind in ("plain", "gguf"))
        assert (each.bits is None) == (each.kind == "gguf")
    assert {each.block for each in QUANTS} - {None} <= set(BLOCKS)
    assert set(KV_TYPES) <= set(BLOCKS)


# ── GGUF ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

EXPERTS_24 = {"layers": 24, "kv_heads": 16}
MIXES = ("q4_K_M", "iq4_XS", "q3_K_L", "q3_K_S", "iq3_XS", "iq3_XXS", "q2_K", "iq2_M", "iq2_XXS", "iq1_S", "mxfp4")
# MiB that llama-quantize --dry-run printed for GGUF files of these shapes whose tensors are holes in the file: headers are
# all that it reads. llama.cpp as vendored by llama-cpp-python 0.3.36; tests/test_memory.py has four real files.
FULL_SIZE = [
    pytest.param("Qwen/Qwen2.5-72B-Instruct", {},
                 (45213.44, 38296.94, 37669.41, 32884.41, 31315.03, 30364.12,
                  28425.00, 27974.12, 24303.47, 21633.47, 73677.66),
                 id="70B-class"),
    pytest.param("Qwen/Qwen2.5-VL-72B-Instruct", {},
                 (45173.44, 38296.94, 37669.41, 32719.41, 31235.03, 30284.12,
                  28345.00, 27974.12, 24303.47, 21633.47, 73677.66),
                 id="seeing-models-have-no-70B-class"),
    pytest.param("Qwen/Qwen3.5-35B-A3B", {},
                 (20175.71, 18051.46, 17265.65, 14468.38, 13802.68, 12982.15,
                  12329.68, 11108.63, 9047.19, 7126.95, 18863.10),
                 id="hybrid-with-experts-and-a-shared-one"),
    pytest.param("Qwen/Qwen3-Coder-Next", {},
                 (46237.05, 41196.21, 39466.21, 32941.49, 31278.65, 29467.90,
                  27908.02, 24982.95, 20210.16, 15640.32, 41709.56),
                 id="next"),
    pytest.param("Qwen/Qwen3-30B-A3B", EXPERTS_24,
                 (9141.13, 8165.48, 7845.09, 6582.84, 6245.34, 5859.43,
                  5587.46, 5075.68, 4108.04, 3262.04, 8611.00),
                 id="experts-raise-values-where-heads-are-not-grouped"),
    pytest.param("Qwen/Qwen3-30B-A3B", {**EXPERTS_24, "experts": 8},
                 (1379.38, 1305.61, 1187.34, 1162.59, 1133.34, 1061.68,
                  1054.46, 915.62, 818.07, 754.32, 1703.50),
                 id="eight-experts"),
]  # fmt: skip


@pytest.mark.parametrize(("model_id", "cuts", "found_mib"), FULL_SIZE)
def test_a_mix_is_llama_cpp_s_for_every_kind_of_model(
    model_id: str, cuts: dict[str, object], found_mib: tuple[float, ...]
) -> None:
    arch = architecture(model_id, **cuts)
    for mix, found in zip(MIXES, found_mib, strict=True):
        assert gguf_bytes(arch, mix) / MIB == pytest.approx(found, abs=0.0051), mix


def gguf_bytes(arch: Architecture, mix: str) -> int:
    total = 0
    for tensor in tensors(arch):
        total += row_bytes(type_of(tensor, mix, MixTraits.of(arch)), tensor.shape[0]) * (tensor.params // tensor.shape[0])
    return total


def type_of(tensor: Tensor, mix: str, traits: MixTraits) -> str:
    layer = tensor.layer or 0
    return tensor_type(tensor.name, tensor.shape[0], len(tensor.shape), quant=quant(mix), layer=layer, traits=traits)


@pytest.mark.parametrize("model_id", ["Qwen/Qwen3-8B", "Qwen/Qwen2.5-72B-Instruct", "Qwen/Qwen3.5-35B-A3B"])
@pytest.mark.parametrize("mix", [each.name for each in QUANTS if each.block])
def test_layers_that_a_mix_does_not_tell_apart_have_equal_types(model_id: str, mix: str) -> None:
    arch = architecture(model_id)
    seen: dict[object, str] = {}
    for tensor in tensors(arch):
        if tensor.layer is not None:
            key = (tensor.name.split(".", 2)[2], layer_rule(quant(mix), tensor.layer, arch.layers))
            kind = type_of(tensor, mix, MixTraits.of(arch))
            assert seen.setdefault(key, kind) == kind


@given(st.sampled_from(GGUF), st.integers(1, 20), st.booleans())
def test_a_row_of_any_length_gets_a_type_whose_blocks_fill_it(mix: str, eighths: int, tied: bool) -> None:
    traits = MixTraits(layers=8, tied=tied, heads_per_kv=4, is_70b=False)
    for stem in ("token_embd", "output", "blk.7.attn_v", "blk.0.ffn_down", "blk.1.ssm_out"):
        kind = tensor_type(f"{stem}.weight", 8 * eighths, 2, quant=quant(mix), layer=0, traits=traits)
        assert 8 * eighths % BLOCKS[kind][0] == 0


@pytest.mark.parametrize(
    ("kind", "bits"),
    [("q8_0", 8.5), ("q6_K", 6.5625), ("q4_K", 4.5), ("mxfp4", 4.25), ("iq4_xs", 4.25), ("q3_K", 3.4375),
     ("iq3_xxs", 3.0625), ("q2_K", 2.625), ("iq2_xxs", 2.0625), ("iq1_m", 1.75), ("iq1_s", 1.5625)],
)  # fmt: skip
def test_a_block_takes_the_bits_a_weight_that_its_type_is_known_for(kind: str, bits: float) -> None:
    weights, size = BLOCKS[kind]  # type: ignore[index]
    assert size * 8 / weights == bits


def test_what_is_no_gguf_has_no_mix() -> None:
    traits = MixTraits(layers=8, tied=False, heads_per_kv=4, is_70b=False)
    with pytest.raises(InvalidRequest, match="'awq'"):
        tensor_type("output.weight", 256, 2, quant=quant("awq"), layer=0, traits=traits)


# ── every other format ──────────────────────────────────────────────────────────────────────────────────────────────────

PROJECTION = Tensor("blk.0.attn_q.weight", (512, 256))
EXPERTS = Tensor("blk.0.ffn_up_exps.weight", (512, 256, 10))
ROUTER = Tensor("blk.0.ffn_gate_inp.weight", (512, 10))
SHARED_GATE = Tensor("blk.0.ffn_gate_inp_shexp.weight", (512,))
NARROW = Tensor("blk.0.ssm_alpha.weight", (512, 32))
CONVOLUTION = Tensor("blk.0.ssm_conv1d.weight", (4, 1024))
TABLE = Tensor("token_embd.weight", (512, 1000))
OUTPUT = Tensor("output.weight", (512, 1000))
NORM = Tensor("blk.0.attn_norm.weight", (512,))
BIAS = Tensor("blk.0.attn_q.bias", (256,))
WEIGHTS = 512 * 256


@pytest.mark.parametrize(
    ("tensor", "name", "expected"),
    [
        pytest.param(PROJECTION, "f32", 4 * WEIGHTS, id="f32"),
        pytest.param(EXPERTS, "bf16", 20 * WEIGHTS, id="bf16-experts"),
        pytest.param(PROJECTION, "fp8", WEIGHTS + 4 * 2 * 2, id="fp8-4x2-scales"),
        pytest.param(Tensor("blk.0.attn_k.weight", (500, 130)), "fp8", 500 * 130 + 4 * 2 * 2, id="fp8-ragged-blocks"),
        pytest.param(EXPERTS, "fp8", 10 * (WEIGHTS + 16), id="fp8-experts-have-blocks-each"),
        pytest.param(PROJECTION, "awq", WEIGHTS // 2 + 4 * (128 + 512), id="awq-4-groups-of-zeros-and-scales"),
        pytest.param(EXPERTS, "awq", 10 * (WEIGHTS // 2 + 2560), id="awq-experts"),
        pytest.param(PROJECTION, "gptq-int4", WEIGHTS // 2 + 4 * (128 + 512) + 2048, id="gptq-int4-with-an-index-an-input"),
        pytest.param(PROJECTION, "gptq-int8", WEIGHTS + 4 * (256 + 512) + 2048, id="gptq-int8"),
        pytest.param(EXPERTS, "gptq-int4", 10 * (WEIGHTS // 2 + 2560 + 2048), id="gptq-experts"),
        pytest.param(PROJECTION, "int8", WEIGHTS + 4 * 256, id="int8-a-scale-an-output"),
        pytest.param(PROJECTION, "nf4", WEIGHTS // 2 + 4 * 2048 + 64, id="nf4-a-scale-for-64"),
        pytest.param(PROJECTION, "nf4-dq", WEIGHTS // 2 + 64 + 2048 + 4 * 8 + 4 + 1024, id="nf4-dq-nested-scales"),
        pytest.param(PROJECTION, "mlx-4bit", WEIGHTS // 2 + 256 * 8 * 4, id="mlx-4bit-scale-and-bias-for-64"),
        pytest.param(PROJECTION, "mlx-8bit", WEIGHTS + 256 * 8 * 4, id="mlx-8bit"),
        pytest.param(EXPERTS, "mlx-4bit", 10 * (WEIGHTS // 2 + 8192), id="mlx-experts"),
        pytest.param(TABLE, "mlx-4bit", 1000 * (256 + 32), id="mlx-packs-the-table-too"),
        pytest.param(PROJECTION, "onnx-int4", WEIGHTS // 2 + 256 * 16 * 4, id="onnx-int4-an-f32-scale-for-32"),
        pytest.param(PROJECTION, "onnx-int8", WEIGHTS + 256 * 16 * 4, id="onnx-int8"),
        pytest.param(NORM, "onnx-int4", 4 * NORM.params, id="onnx-norms-are-f32"),
        pytest.param(
            Tensor("token_embd.weight", (512, 1000), read_share=0.0), "onnx-int4", 2048000, id="onnx-keeps-an-untied-table"
        ),
        pytest.param(TABLE, "onnx-int4", 1000 * (256 + 64), id="onnx-int4-shares-a-tied-table"),
        pytest.param(TABLE, "onnx-int8", 2048000 + 1000 * (512 + 64), id="onnx-int8-copies-a-tied-table"),
        pytest.param(
            Tensor("blk.0.attn_q.weight", (40, 8)), "onnx-int4", 8 * 2 * 20, id="onnx-fills-the-last-block-of-a-row"
        ),
        pytest.param(ROUTER, "mlx-4bit", 10 * (512 + 32), id="mlx-routers-have-8-bits"),
        pytest.param(SHARED_GATE, "mlx-4bit", 512 + 32, id="mlx-gate-of-the-shared-expert-too"),
        pytest.param(SHARED_GATE, "int8", 512 + 4, id="a-shared-expert-s-gate-is-a-linear-to-bitsandbytes"),
        pytest.param(
            Tensor("blk.0.attn_q.weight", (96, 256)), "mlx-4bit", 2 * 96 * 256, id="mlx-row-that-64-does-not-divide"
        ),
    ],
)
def test_a_tensor_takes_what_a_hand_count_says(tensor: Tensor, name: str, expected: int) -> None:
    assert packed_bytes(tensor, quant(name)) == expected


@pytest.mark.parametrize("name", ["fp8", "awq", "gptq-int4", "gptq-int8", "nf4", "nf4-dq", "int8", "mlx-4bit", "mlx-8bit"])
def test_what_a_format_leaves_alone_takes_16_bits(name: str) -> None:
    kept = [NORM, BIAS, CONVOLUTION]
    if quant(name).kind != "mlx":
        kept += [TABLE, OUTPUT, ROUTER]
    if quant(name).kind in ("fp8", "awq", "gptq"):
        kept += [NARROW, SHARED_GATE]
    if quant(name).kind == "bnb":
        kept += [EXPERTS]
    for tensor in kept:
        assert packed_bytes(tensor, quant(name)) == 2 * tensor.params, tensor.name


HYBRID = Hybrid(
    full_attention_layers=1, linear_attention_layers=3, linear_v_heads=4, linear_qk_heads=2,
    linear_head_dim=32, conv_kernel=4,
)  # fmt: skip


def tiny(*, layers: int = 2, head_dim: int = 64, tied: bool = False, **fields: object) -> Architecture:
    shared = {"layers": layers, "hidden": 192, "heads": 4, "kv_heads": 2, "vocab": 1000, "head_dim": head_dim}
    return Architecture.model_validate({**shared, "tied_embeddings": tied, **fields})


DENSE = tiny(tied=True, ffn=448, qk_norm=True)
BIASED = tiny(head_dim=48, ffn=448, qkv_bias=True)
MIXTURE = {"experts": 8, "experts_active": 2}
DELTA = {"layers": 4, "qk_norm": True, "gated_attention": True, "hybrid": HYBRID}
DELTA_DENSE = tiny(tied=True, ffn=448, **DELTA)
# Bytes that tiny models with random weights really held. bitsandbytes 0.50.2 and transformers 5.23 on a CPU: the storages of
# all parameters and quantisation states once they were loaded (not after a forward pass, which repacks NF4 on some CPUs).
# mlx 0.32.4 and mlx-lm 0.32.2 on a CPU: `quantize_model`. fp8: the modules that transformers 5.23 puts into a model for
# Qwen's `modules_to_not_convert`, scales at 2 bytes.
HELD = [
    pytest.param(BIASED, {"nf4": 1187072, "nf4-dq": 1167128, "int8": 1522048, "mlx-4bit": 634176, "mlx-8bit": 1194816,
                          "fp8": 1508880}, id="qwen2-biases-untied"),
    pytest.param(DENSE, {"nf4": 843520, "nf4-dq": 820120, "int8": 1211776, "mlx-4bit": 566624, "mlx-8bit": 1068128,
                         "fp8": 1197584}, id="qwen3-tied"),
    pytest.param(tiny(moe_ffn=96, qk_norm=True, **MIXTURE), {"nf4": 2712448, "nf4-dq": 2706928, "int8": 2846592,
                                                             "fp8": 1956464}, id="qwen3-moe"),
    pytest.param(tiny(moe_ffn=128, qk_norm=True, **MIXTURE), {"mlx-4bit": 1051136, "mlx-8bit": 1980416}, id="qwen3-moe-mlx"),
    pytest.param(DELTA_DENSE, {"nf4": 1255760, "nf4-dq": 1216436, "int8": 1950672, "mlx-4bit": 977776, "mlx-8bit": 1837936,
                               "fp8": 1927296}, id="qwen3.5"),
    pytest.param(tiny(moe_ffn=96, shared_expert_ffn=96, **MIXTURE, **DELTA),
                 {"nf4": 4735488, "nf4-dq": 4738080, "int8": 5064416, "fp8": 3283824}, id="qwen3.5-moe"),
    pytest.param(tiny(moe_ffn=128, shared_expert_ffn=128, **MIXTURE, **DELTA), {"mlx-4bit": 2005504, "mlx-8bit": 3772672},
                 id="qwen3.5-moe-mlx"),
]  # fmt: skip


@pytest.mark.parametrize(("arch", "held"), HELD)
def test_a_model_takes_what_its_library_really_holds(arch: Architecture, held: dict[str, int]) -> None:
    assert {name: packed_total(arch, name) for name in held} == held


# Bytes of weights that onnxruntime-genai's model builder 0.18 wrote for these shapes with random weights, for the CPU.
ONNX = {"vocab": 2048, "ffn": 448}
BUILT = [
    pytest.param(tiny(tied=True, qk_norm=True, **ONNX),
                 {"f32": 4887296, "onnx-int8": 2998016, "onnx-int4": 823040}, id="tied"),
    pytest.param(tiny(qk_norm=True, **ONNX), {"f32": 6460160, "onnx-int8": 2998016, "onnx-int4": 2395904}, id="untied"),
    pytest.param(tiny(head_dim=48, tied=True, qkv_bias=True, **ONNX),
                 {"f32": 4578048, "onnx-int8": 2900736, "onnx-int4": 762624}, id="qwen2-biases-tied"),
    pytest.param(tiny(head_dim=48, qkv_bias=True, **ONNX),
                 {"f32": 6150912, "onnx-int8": 2900736, "onnx-int4": 2335488}, id="qwen2-biases-untied"),
]  # fmt: skip


@pytest.mark.parametrize(("arch", "built"), BUILT)
def test_a_model_takes_what_the_builder_of_onnxruntime_genai_writes(arch: Architecture, built: dict[str, int]) -> None:
    turns = 256 * arch.head_dim * 4  # sines and cosines for the 256 positions of these configurations
    for name, written in built.items():
        assert packed_total(arch, name) + turns == written, name
        parts = weight_bytes(arch, name, False)
        assert parts.total + turns == written
        assert parts.outside_read <= 4 * (2048 + 1) * 192


# GPU memory that Qwen measured in transformers, each in one run of its speed benchmark: Qwen2.5 in GiB at an input of 6,144
# tokens (QwenLM/Qwen2.5, docs/source/getting_started/speed_benchmark.rst at f4d356cb), Qwen3 in MiB at an input of 1
# (speed_benchmark.md at ac727245). What a quantisation saves against bf16 leaves caches and buffers out.
MEASURED = [
    pytest.param("Qwen/Qwen2.5-7B-Instruct", 1024.0, 15.38, {"gptq-int8": 9.43, "gptq-int4": 6.52, "awq": 6.39},
                 id="qwen2.5-7b"),
    pytest.param("Qwen/Qwen2.5-14B-Instruct", 1024.0, 29.50, {"gptq-int8": 17.61, "gptq-int4": 11.36, "awq": 11.22},
                 id="qwen2.5-14b"),
    pytest.param("Qwen/Qwen3-8B", 1.0, 15947.0, {"fp8": 9323.0, "awq": 6177.0}, id="qwen3-8b"),
    pytest.param("Qwen/Qwen3-14B", 1.0, 28402.0, {"fp8": 16012.0, "awq": 9962.0}, id="qwen3-14b"),
]  # fmt: skip


@pytest.mark.parametrize(("model_id", "unit_mib", "plain", "quantised"), MEASURED)
def test_a_published_checkpoint_saves_what_qwen_measured_on_a_gpu(
    model_id: str, unit_mib: float, plain: float, quantised: dict[str, float]
) -> None:
    arch = architecture(model_id)
    for name, measured in quantised.items():
        saved_mib = (packed_total(arch, "bf16") - packed_total(arch, name)) / MIB
        assert saved_mib == pytest.approx((plain - measured) * unit_mib, rel=0.02), name


def chat_models() -> list[Model]:
    known = [model for model in CATALOG.models if model.kind == "chat" and model.architecture]
    return [m for m in known if m.architecture and (m.architecture.hybrid is None or m.architecture.hybrid.conv_kernel)]


@pytest.mark.parametrize("model", chat_models(), ids=lambda m: m.id)
def test_fewer_bits_never_take_more_bytes(model: Model) -> None:
    assert model.architecture is not None
    for falling in (
        ("f32", "bf16", "mlx-8bit", "mlx-4bit"),
        ("bf16", "gptq-int8", "gptq-int4", "awq"),
        ("bf16", "gptq-int8", "fp8", "gptq-int4"),
        ("bf16", "int8", "nf4"),
        ("f32", "onnx-int8", "onnx-int4"),
    ):
        sizes = [packed_total(model.architecture, name) for name in falling]
        assert sizes == sorted(sizes, reverse=True)
    assert packed_total(model.architecture, "bf16") == packed_total(model.architecture, "f16")


def test_nesting_the_scales_pays_off_from_a_matrix_of_a_few_ten_thousand_weights_on() -> None:
    small, large = Tensor("blk.0.ssm_alpha.weight", (512, 32)), Tensor("blk.0.attn_q.weight", (4096, 4096))
    assert packed_bytes(small, quant("nf4-dq")) > packed_bytes(small, quant("nf4"))
    assert packed_bytes(large, quant("nf4-dq")) < packed_bytes(large, quant("nf4"))


@pytest.mark.parametrize("row", [each for each in QUANTS if each.kind == "gguf"], ids=lambda each: each.name)
def test_a_mix_of_gguf_is_not_packed_here(row: Quant) -> None:
    with pytest.raises(InvalidRequest, match="tensor_type"):
        packed_bytes(PROJECTION, row)
