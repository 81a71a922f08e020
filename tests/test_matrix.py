"""`doctor --thinking`: every combination tried, what fails named, and the server's flags that would mend it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from typer.testing import CliRunner

from qwen_router.catalog import Catalog
from qwen_router.cli import app, register
from qwen_router.engines.matrix import Tried, advice, matrix
from qwen_router.engines.openai import OpenAIEngine
from qwen_router.engines.server_flags import server_commands
from tests.servers.openai_server import openai_server
from tests.servers.script import Say, Turn


@contextmanager
def _rows(say: Turn, model_id: str = "Qwen/Qwen3-8B", **options: Any) -> Iterator[list[Tried]]:
    model = Catalog.load().get(model_id)
    with openai_server(say, models=(model.id,), **options) as server, closing(OpenAIEngine(server.url)) as engine:
        (build,) = engine.installed()
        yield list(matrix(engine, build, model))


def _good(body: dict[str, Any]) -> Say:
    thinks = body.get("chat_template_kwargs", {}).get("enable_thinking", False)
    content = '{"sum": 110}' if "response_format" in body else "It is 110."
    return Say(content=content, reasoning="12 + 30" if thinks else "")


@pytest.mark.loopback
def test_all_sixteen_and_a_budget_hold_on_a_server_that_obeys() -> None:
    with _rows(_good, owned_by="vllm") as rows:
        assert [row.holds for row in rows] == [True] * 17
        assert len({(row.think, row.tools, row.formatted, row.by_loop) for row in rows[:-1]}) == 16
        assert rows[-1].budget_tokens == 16
        assert advice(Catalog.load().get("Qwen/Qwen3-8B"), rows) is None


@pytest.mark.loopback
def test_thinking_that_cannot_be_switched_off_is_named_with_the_right_parser() -> None:
    with _rows(Say(content='{"sum": 110}', reasoning="hm"), owned_by="vllm") as rows:
        failed = [row for row in rows if not row.holds]
        assert failed and all(not row.think for row in failed)
        assert all(fault.startswith("thought though off") for row in failed for fault in row.faults)
        said = advice(Catalog.load().get("Qwen/Qwen3-8B"), rows)
        assert said is not None and "--reasoning-parser qwen3 " in said


@pytest.mark.loopback
def test_an_answer_in_the_reasoning_field_of_an_instruct_model_names_the_wrong_flag() -> None:
    with _rows(Say(reasoning='{"sum": 110}'), "Qwen/Qwen3-4B-Instruct-2507", owned_by="vllm") as rows:
        assert not any(row.holds for row in rows) and not any(row.think for row in rows)
        said = advice(Catalog.load().get("Qwen/Qwen3-4B-Instruct-2507"), rows)
        assert said is not None and "without a reasoning parser" in said


@pytest.mark.loopback
def test_an_engine_that_fails_is_a_fault_of_its_row_and_ends_nothing() -> None:
    with _rows(Say(content="It is", broken="error"), owned_by="vllm") as rows:
        assert len(rows) == 17 and all("CUDA out of memory" in row.faults[0] for row in rows)


@pytest.mark.parametrize(
    ("name", "vllm", "sglang"),
    [
        ("Qwen/Qwen3-8B", "--reasoning-parser qwen3 ", "--reasoning-parser qwen3 "),
        ("Qwen/Qwen3-4B-Thinking-2507", "--reasoning-parser deepseek_r1 ", "--reasoning-parser deepseek-r1 "),
        ("Qwen/Qwen3-4B-Instruct-2507", "Qwen3-4B-Instruct-2507 --enable", "Qwen3-4B-Instruct-2507 --tool"),
        ("Qwen/Qwen3.5-9B", "--tool-call-parser qwen3_coder", "--tool-call-parser qwen3_coder"),
        ("Qwen/Qwen3-8B", "--tool-call-parser hermes", "--tool-call-parser qwen25"),
        ("Qwen/Qwen3-Coder-30B-A3B-Instruct", "--tool-call-parser qwen3_coder", "--tool-call-parser qwen3_coder"),
    ],
)
def test_each_exact_checkpoint_has_its_flags(name: str, vllm: str, sglang: str) -> None:
    commands = server_commands(Catalog.load().get(name))
    assert vllm in f"{commands['vllm']} " and sglang in f"{commands['sglang']} "


def test_what_is_no_chat_model_has_none() -> None:
    assert server_commands(Catalog.load().get("Qwen/Qwen3-Embedding-0.6B")) == {}


@pytest.mark.loopback
def test_the_command_tries_the_real_demonstration_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9")
    register()
    done = CliRunner().invoke(app, ["doctor", "--thinking", "--model", "qwen3-nano-q8_0", "--json"])
    assert done.exit_code == 0, done.output
    (report,) = json.loads(done.stdout)
    assert report["engine"] == "llamacpp" and len(report["rows"]) == 17
    assert all(row["holds"] for row in report["rows"]) and report["rows"][-1]["reasoning_tokens"] <= 16


def test_a_model_that_nobody_serves_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qwen_router.engines.configured.configured_engines", lambda: ())
    register()
    done = CliRunner().invoke(app, ["doctor", "--thinking", "--model", "qwen3:8b"])
    assert done.exception is not None and "no engine here serves 'qwen3:8b'" in str(done.exception)
    done = CliRunner().invoke(app, ["doctor", "--model", "qwen3:8b"])
    assert "--model chooses what --thinking tries" in str(done.exception)
