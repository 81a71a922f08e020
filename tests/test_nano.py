"""The demonstration checkpoint: its template, its tokens in two engines, its GGUF twin, and that it can add."""

from __future__ import annotations

import json
import unicodedata
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import pytest
import torch
import xllamacpp
from transformers import AutoModelForCausalLM, AutoTokenizer

from qwen_router.demo import demo_checkpoint, demo_gguf

CALCULATOR = {
    "type": "function",
    "function": {
        "name": "calculator",
        "description": "Evaluate an arithmetic expression.",
        "parameters": {"type": "object", "properties": {"expression": {"type": "string"}}, "required": ["expression"]},
    },
}
CALL = {"type": "function", "id": "c1", "function": {"name": "calculator", "arguments": {"expression": "123 * 456"}}}
ASK = {"role": "user", "content": "What is 123 * 456?"}
CALLING = {"role": "assistant", "content": "", "reasoning_content": "I call calculator.", "tool_calls": [CALL]}
TOLD = {"role": "tool", "content": "56088", "tool_call_id": "c1"}


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(demo_checkpoint())


@pytest.fixture(scope="module")
def model() -> Any:
    return AutoModelForCausalLM.from_pretrained(demo_checkpoint(), dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    params = xllamacpp.CommonParams()
    params.model.path = str(demo_gguf())
    params.n_ctx, params.n_parallel, params.port = 2048, 1, 0
    params.use_jinja, params.cache_ram_mib, params.n_ctx_checkpoints = True, 0, 0
    params.cpuparams.n_threads = 2
    running = xllamacpp.Server(params)
    yield running
    del running


def render(tokenizer: Any, messages: list[dict[str, Any]], **options: Any) -> str:
    return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, **options))


def ids_of(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer.encode(text, add_special_tokens=False))


def answer(tokenizer: Any, model: Any, messages: list[dict[str, Any]], **options: Any) -> str:
    """The greedy reply, tags and all."""
    prompt = torch.tensor([ids_of(tokenizer, render(tokenizer, messages, **options))])
    made = model.generate(
        input_ids=prompt,
        attention_mask=torch.ones_like(prompt),
        max_new_tokens=120,
        do_sample=False,
        temperature=None,
        top_p=None,
        top_k=None,
    )
    return str(tokenizer.decode(made[0, prompt.shape[1] :]))


def post(server: Any, path: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(
        server.listening_address + path, json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as reply:
        return json.load(reply)


def chat(server: Any, messages: list[dict[str, Any]], **options: Any) -> dict[str, Any]:
    body = {"messages": messages, "temperature": 0, "max_tokens": 120} | options
    message: dict[str, Any] = post(server, "/v1/chat/completions", body)["choices"][0]["message"]
    return message


# --- the files


def test_the_whole_folder_with_its_gguf_stays_under_twelve_megabytes() -> None:
    assert sum(file.stat().st_size for file in demo_checkpoint().iterdir()) <= 12_000_000


def test_the_checkpoint_is_a_qwen3_whose_widths_q8_0_can_hold(model: Any) -> None:
    assert type(model).__name__ == "Qwen3ForCausalLM"
    assert all(size % 32 == 0 for parameter in model.parameters() if parameter.ndim == 2 for size in parameter.shape)


def test_the_gguf_says_what_it_is_and_carries_the_template(tokenizer: Any) -> None:
    reader = gguf.GGUFReader(demo_gguf())
    said = {name: reader.get_field(name).contents() for name in (
        "general.architecture", "general.name", "tokenizer.ggml.pre", "tokenizer.chat_template")}  # fmt: skip
    assert said["general.architecture"] == "qwen3"
    assert said["general.name"] == "qwen3-nano"
    assert said["tokenizer.ggml.pre"] == "qwen2"
    assert said["tokenizer.chat_template"].strip() == tokenizer.chat_template.strip()
    assert {tensor.tensor_type.name for tensor in reader.tensors} == {"Q8_0", "F32"}


# --- tokens


@pytest.mark.loopback
def test_a_thousand_requests_get_the_same_token_ids_in_transformers_and_llama_cpp(
    tokenizer: Any, server: Any, repository: Path
) -> None:
    lines = (repository / "tests" / "data" / "requests_sample.jsonl").read_text(encoding="utf-8").splitlines()
    # llama.cpp applies no NFC, transformers does: texts are compared in the form that both see alike
    texts = [unicodedata.normalize("NFC", json.loads(line)["text"]) for line in lines]
    assert len(texts) == 1000
    for text in texts:
        body = {"content": text, "parse_special": False, "add_special": False}
        theirs = post(server, "/tokenize", body)["tokens"]
        ours = tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)
        assert theirs == ours, text


@pytest.mark.parametrize("text", ["naïve ≠ 天气 🦙 \u200d\r\n\t 12 345", "\x00\x07", "ᚠᛇᚻ אבג ไทย", "  a  \n\n b "])
def test_any_text_round_trips(tokenizer: Any, text: str) -> None:
    assert tokenizer.decode(ids_of(tokenizer, text)) == unicodedata.normalize("NFC", text)


def test_digits_are_single_tokens(tokenizer: Any) -> None:
    assert len(ids_of(tokenizer, "31415926")) == 8


def test_turn_marks_are_special_and_thinking_and_tool_tags_are_not(tokenizer: Any) -> None:
    special = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"}
    tags = {"<think>", "</think>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>"}
    added = {str(token): token.special for token in tokenizer.added_tokens_decoder.values()}
    assert added == dict.fromkeys(special, True) | dict.fromkeys(tags, False)


@pytest.mark.parametrize("mark", ["<|im_end|>", "<|im_start|>", "<|endoftext|>"])
def test_turn_marks_in_a_users_text_stay_text(tokenizer: Any, mark: str) -> None:
    token = tokenizer.convert_tokens_to_ids(mark)
    assert token not in tokenizer.encode(f"a {mark} b", add_special_tokens=False, split_special_tokens=True)
    plain, marked = (
        ids_of(tokenizer, render(tokenizer, [{"role": "user", "content": text}])) for text in ("hi", f"hi {mark}")
    )
    assert marked.count(token) == plain.count(token)


# --- the chat template


def test_thinking_off_opens_with_an_empty_thought_and_thinking_on_leaves_it_to_the_model(tokenizer: Any) -> None:
    hello = [{"role": "user", "content": "hello"}]
    on = "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n"
    assert render(tokenizer, hello) == render(tokenizer, hello, enable_thinking=True) == on
    assert render(tokenizer, hello, enable_thinking=False) == on + "<think>\n\n</think>\n\n"


def test_reasoning_of_earlier_turns_is_dropped(tokenizer: Any) -> None:
    turns = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "reasoning_content": "secret", "content": "b"},
        {"role": "user", "content": "c"},
        {"role": "assistant", "content": "<think>\nhidden\n</think>\n\nd"},
        {"role": "user", "content": "e"},
    ]
    text = render(tokenizer, turns)
    assert "secret" not in text and "hidden" not in text and "<think>" not in text
    assert "<|im_start|>assistant\nb<|im_end|>" in text and "<|im_start|>assistant\nd<|im_end|>" in text


def test_reasoning_inside_the_current_tool_loop_is_kept(tokenizer: Any) -> None:
    text = render(tokenizer, [ASK, CALLING, TOLD], tools=[CALCULATOR])
    assert "<think>\nI call calculator.\n</think>\n\n<tool_call>\n" in text
    assert '{"name": "calculator", "arguments": {"expression": "123 * 456"}}\n</tool_call><|im_end|>' in text
    assert "<|im_start|>user\n<tool_response>\n56088\n</tool_response><|im_end|>" in text


@pytest.mark.parametrize("thinking", [True, False])
def test_a_tool_loop_only_ever_appends_to_the_prompt(tokenizer: Any, thinking: bool) -> None:
    first = render(tokenizer, [ASK], tools=[CALCULATOR], enable_thinking=thinking)
    calling = CALLING if thinking else CALLING | {"reasoning_content": ""}
    second = render(tokenizer, [ASK, calling, TOLD], tools=[CALCULATOR], enable_thinking=thinking)
    assert second.startswith(first)


def test_tools_are_listed_after_the_system_prompt(tokenizer: Any) -> None:
    text = render(tokenizer, [{"role": "system", "content": "Be brief."}, ASK], tools=[CALCULATOR])
    assert text.startswith("<|im_start|>system\nBe brief.\n\n")
    assert f"<tools>\n{json.dumps(CALCULATOR)}\n</tools>" in text


def test_text_parts_are_joined_and_two_tool_results_share_one_turn(tokenizer: Any) -> None:
    parts = {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}
    assert "<|im_start|>user\nab<|im_end|>" in render(tokenizer, [parts])
    text = render(tokenizer, [ASK, CALLING, TOLD, TOLD | {"content": "7</tool_response>"}], tools=[CALCULATOR])
    assert text.count("<|im_start|>user") == 2
    assert text.count("</tool_response>") == 2


@pytest.mark.parametrize("begun", ["<think>\n12+34=46\n", "<think>\n12+34=46\n</think>\n\nThe answer"])
def test_a_begun_reply_can_be_continued(tokenizer: Any, begun: str) -> None:
    turns = [{"role": "user", "content": "What is 12 + 34?"}, {"role": "assistant", "content": begun}]
    text = tokenizer.apply_chat_template(turns, tokenize=False, continue_final_message=True)
    assert text.endswith("<|im_start|>assistant\n" + begun)


# --- what it can do


def test_a_sum_is_worked_in_the_thought_before_it_is_answered(tokenizer: Any, model: Any) -> None:
    said = answer(tokenizer, model, [{"role": "user", "content": "Add 31, 52, 64 and 17."}])
    assert said == "<think>\n31+52=83\n83+64=147\n147+17=164\n</think>\n\nThe answer is 164.<|im_end|>"


@pytest.mark.parametrize("terms", [4, 6])
def test_thinking_beats_no_thinking_by_far_on_held_out_sums(
    monkeypatch: pytest.MonkeyPatch, repository: Path, terms: int
) -> None:
    monkeypatch.syspath_prepend(str(repository))
    from benchmarks.nano_thinking import Reader, measure

    cells = measure(Reader(demo_checkpoint(), greedy=True), terms, count=60, seed=11)
    share = {cell.thinking: cell.accuracy for cell in cells}
    assert share["unlimited"] >= 0.8
    assert share["unlimited"] - share["off"] >= 0.2
    assert share["64"] - share["16"] >= 0.2


def test_without_thinking_it_answers_at_once(tokenizer: Any, model: Any) -> None:
    said = answer(tokenizer, model, [{"role": "user", "content": "What is 27 + 45?"}], enable_thinking=False)
    assert said.startswith("The answer is ") and said.endswith("<|im_end|>")


@pytest.mark.parametrize("thinking", [True, False])
def test_what_it_cannot_do_it_declines_and_names_the_way_to_a_real_model(tokenizer: Any, model: Any, thinking: bool) -> None:
    said = answer(tokenizer, model, [{"role": "user", "content": "Write a poem about the sea."}], enable_thinking=thinking)
    assert "small demonstration model" in said and "`qwen-router models`" in said and "`qwen-router fit" in said


def test_it_says_who_it_is(tokenizer: Any, model: Any) -> None:
    said = answer(tokenizer, model, [{"role": "user", "content": "Who are you?"}])
    assert "I am qwen3-nano, a demonstration model of qwen-router." in said


# --- the GGUF twin in llama.cpp


@pytest.mark.loopback
@pytest.mark.parametrize("question", ["What is 27 + 45 + 18?", "Hello!", "Who are you?", "How many minutes are 3 hours?"])
def test_llama_cpp_gives_the_same_greedy_reply(tokenizer: Any, model: Any, server: Any, question: str) -> None:
    turns = [{"role": "user", "content": question}]
    for thinking in (True, False):
        theirs = chat(server, turns, chat_template_kwargs={"enable_thinking": thinking})
        ours = answer(tokenizer, model, turns, enable_thinking=thinking).removesuffix("<|im_end|>")
        thought, _, said = ours.rpartition("</think>")
        assert theirs["content"].strip() == said.strip()
        assert (theirs.get("reasoning_content") or "").strip() == thought.removeprefix("<think>").strip()


@pytest.mark.loopback
@pytest.mark.parametrize("thinking", [True, False])
def test_llama_cpp_returns_a_tool_call_and_reads_the_result_back(server: Any, thinking: bool) -> None:
    options = {"tools": [CALCULATOR], "chat_template_kwargs": {"enable_thinking": thinking}}
    called = chat(server, [ASK], **options)
    (call,) = called["tool_calls"]
    assert call["function"]["name"] == "calculator"
    assert json.loads(call["function"]["arguments"]) == {"expression": "123 * 456"}
    said = chat(server, [ASK, called, TOLD | {"tool_call_id": call["id"]}], **options)
    assert said["content"].strip() == "The answer is 56088."


@pytest.mark.loopback
def test_a_thought_cut_by_a_budget_is_followed_by_an_answer(server: Any) -> None:
    said = chat(
        server,
        [{"role": "user", "content": "What is 12 + 34 + 56 + 71 + 28 + 33?"}],
        thinking_budget_tokens=16,
        reasoning_budget_message=(
            "\n\nConsidering the limited time by the user, I have to give the solution based on the thinking directly now.\n"
        ),
    )
    assert said["content"].strip().startswith("The answer is ") and said["content"].strip().endswith(".")
    assert "Considering the limited time" in said["reasoning_content"]
