"""What servers say of their own cache, in their own shapes."""

from __future__ import annotations

import pytest

from qwen_router.engines.held import cache_of_metrics, slots_of_props
from qwen_router.engines.openai import OpenAIEngine
from tests.servers.loopback import Answer, Asked, LoopbackServer

# The shape of vLLM's /metrics (names and labels as vllm/v1/metrics/loggers.py writes them).
METRICS = """# HELP vllm:cache_config_info Information of the LLMEngine CacheConfig
# TYPE vllm:cache_config_info gauge
vllm:cache_config_info{block_size="16",cache_dtype="auto",gpu_memory_utilization="0.9",num_gpu_blocks="573"} 1.0
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc{engine="0",model_name="qwen3-32b"} 0.25
vllm:num_requests_running{engine="0",model_name="qwen3-32b"} 2.0
vllm:num_requests_waiting{engine="0",model_name="qwen3-32b"} 1.0
"""
PROPS = {"default_generation_settings": {"n_ctx": 8192, "id": 0}, "total_slots": 4, "model_path": "/models/x.gguf"}


def test_vllm_s_metrics_tell_its_cache() -> None:
    expected = "cache of 9,168 tokens (573 blocks of 16), 25% of it taken, 2 requests running, 1 waiting"
    assert cache_of_metrics(METRICS) == expected
    assert cache_of_metrics('vllm:cache_config_info{block_size="16",num_gpu_blocks="None"} 1.0') is None
    assert cache_of_metrics("vllm:kv_cache_usage_perc nothing\n<html>") is None


def test_llama_cpp_s_props_tell_its_slots() -> None:
    assert slots_of_props(PROPS) == "4 slots of 8,192 tokens"
    assert slots_of_props({"total_slots": 1}) == "1 slot"
    assert slots_of_props({"default_generation_settings": None}) is None


@pytest.mark.loopback
@pytest.mark.parametrize(
    ("owner", "expected"),
    [
        pytest.param("vllm", "cache of 9,168 tokens (573 blocks of 16)", id="vllm"),
        pytest.param("llamacpp", "4 slots of 8,192 tokens", id="llama-server"),
        pytest.param("somebody", None, id="a-server-that-says-nothing"),
    ],
)
def test_the_server_is_asked_where_its_kind_tells(owner: str, expected: str | None) -> None:
    def answer(asked: Asked) -> Answer:
        if asked.path == "/v1/models":
            return Answer.of_json({"data": [{"id": "qwen3-32b", "owned_by": owner}]})
        if asked.path == "/metrics":
            return Answer(body=(METRICS.encode(),), content_type="text/plain")
        return Answer.of_json(PROPS)

    with LoopbackServer(answer) as server:
        engine = OpenAIEngine(server.url)
        note = engine.cache_note()
        engine.close()
    assert note is None if expected is None else note is not None and note.startswith(expected)


@pytest.mark.loopback
def test_a_server_without_metrics_is_no_error() -> None:
    def answer(asked: Asked) -> Answer:
        if asked.path == "/v1/models":
            return Answer.of_json({"data": [{"id": "q", "owned_by": "vllm"}]})
        return Answer(status=404, body=(b"no",))

    with LoopbackServer(answer) as server:
        engine = OpenAIEngine(server.url)
        assert engine.cache_note() is None
        engine.close()
