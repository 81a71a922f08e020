"""vLLM's rule: a share of every device, and how many requests of a context the rest of it holds."""

from __future__ import annotations

import pytest

from qwen_router.catalog import Catalog
from qwen_router.errors import InvalidRequest
from qwen_router.hardware import Device, Machine
from qwen_router.hardware.vllm import BLOCK_TOKENS, vllm_plan

CATALOG = Catalog.load()
DENSE, HYBRID = CATALOG.get("Qwen/Qwen3-8B"), CATALOG.get("Qwen/Qwen3.5-27B")


def gpus(count: int, *, total_mib: float = 81_559, free_mib: float = 81_000, name: str = "H100") -> Machine:
    devices = tuple(Device(f"cuda{i}", "cuda", name, total_mib, free_mib) for i in range(count))
    return Machine("made up", devices, cores=16, system="test")


def test_what_weights_and_buffers_leave_of_the_share_is_cache_in_blocks_of_16_tokens() -> None:
    plan = vllm_plan(DENSE, gpus(1), quant="bf16", context_tokens=8192)
    assert plan.requested_mib == 73_404  # ceil(0.9 x 81,559)
    assert plan.weights_mib == pytest.approx(8_190_735_360 * 2 / 1024**2, rel=1e-3)
    left = plan.requested_mib - plan.weights_mib - plan.activation_mib - plan.other_mib
    assert plan.kv_mib == pytest.approx(left)
    token_mib = 36 * 2 * 8 * 128 * 2 / 1024**2  # layers x keys and values x heads x width x bytes
    assert plan.block_tokens == BLOCK_TOKENS and plan.kv_tokens == plan.blocks * 16
    assert plan.kv_tokens * token_mib == pytest.approx(left, rel=0.01)
    assert plan.concurrency == pytest.approx(plan.kv_tokens / 8192, rel=1e-3) and plan.fits


def test_an_8_bit_cache_holds_twice_as_much_and_two_devices_share_weights_and_heads() -> None:
    one, eight_bit = (vllm_plan(DENSE, gpus(1), quant="bf16", context_tokens=8192, kv_type=k) for k in ("auto", "fp8"))
    assert eight_bit.blocks == pytest.approx(2 * one.blocks, abs=2)
    two = vllm_plan(DENSE, gpus(2), quant="bf16", context_tokens=8192, tensor_parallel=2)
    assert two.weights_mib == pytest.approx(one.weights_mib / 2)
    assert two.kv_tokens > 2 * one.kv_tokens
    many = vllm_plan(DENSE, gpus(16), quant="bf16", context_tokens=8192, tensor_parallel=16)
    eight = vllm_plan(DENSE, gpus(8), quant="bf16", context_tokens=8192, tensor_parallel=8)
    assert many.blocks < 1.2 * eight.blocks  # 8 key-value heads: from there on every device keeps one


def test_a_hybrid_model_s_blocks_grow_until_one_holds_a_linear_layer_s_state() -> None:
    plan = vllm_plan(HYBRID, gpus(1), quant="bf16", context_tokens=32_768)
    assert plan.block_tokens > BLOCK_TOKENS and plan.block_tokens % BLOCK_TOKENS == 0
    arch = HYBRID.architecture
    assert arch is not None and arch.hybrid is not None
    state = 4 * (arch.hybrid.linear_v_heads or 0) * (arch.hybrid.linear_head_dim or 0) ** 2
    page = plan.block_tokens * 2 * arch.kv_heads * arch.head_dim * 2
    assert page >= state > page - BLOCK_TOKENS * 2 * arch.kv_heads * arch.head_dim * 2 * 2
    needed = -(-32_768 // plan.block_tokens) + 3  # 48 linear layers in three groups of 16
    assert plan.concurrency == pytest.approx(plan.blocks / needed)


@pytest.mark.parametrize(
    ("machine", "options", "words"),
    [
        pytest.param(gpus(1, free_mib=40_000), {}, "71.7 GiB.*39.1 are free.*0.49", id="others-hold-the-device"),
        pytest.param(gpus(1, total_mib=16_000, free_mib=15_900), {}, "are left for the cache", id="too-small"),
        pytest.param(gpus(1), {"tensor_parallel": 2}, "needs 2 equal accelerators", id="one-device-too-few"),
        pytest.param(Machine("none", (), cores=2, system="test"), {}, "needs 1 equal", id="no-accelerator"),
    ],
)
def test_what_does_not_fit_says_why(machine: Machine, options: dict[str, int], words: str) -> None:
    plan = vllm_plan(DENSE, machine, quant="bf16", context_tokens=8192, **options)
    assert not plan.fits
    import re

    assert re.search(words, plan.reason), plan.reason


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param({"gpu_memory_utilization": 1.5}, r"in \(0, 1\], not 1.5", id="more-than-all"),
        pytest.param({"kv_type": "q8_0"}, "no cache type 'q8_0'", id="a-cache-type-of-llama-cpp"),
        pytest.param({"tensor_parallel": 3}, "32 attention heads.*3 devices", id="heads-do-not-divide"),
        pytest.param({"tensor_parallel": 0}, "cannot be split over 0", id="no-device"),
    ],
)
def test_a_wrong_question_is_refused(options: dict[str, float | str], words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        vllm_plan(DENSE, gpus(4), quant="bf16", context_tokens=8192, **options)  # type: ignore[arg-type]
