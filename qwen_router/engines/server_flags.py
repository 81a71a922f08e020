"""The flags that a server needs for one exact checkpoint: a wrong reasoning parser puts answers where reasoning belongs.

A model without thinking gets no reasoning parser at all: with one, its answers come as reasoning. Sources: the deployment
pages of QwenLM/Qwen3 (vLLM, SGLang, llama.cpp) and vllm-project/recipes, models/Qwen, for Qwen3.5 and later.

    python -m qwen_router models flags Qwen3-4B-Thinking-2507
"""

from __future__ import annotations

from qwen_router.catalog.types import Model
from qwen_router.engines.chatml import XML_FAMILIES

_TAG_IN_TEMPLATE = ("qwen3-2507", "qwen3-next", "qwen3-vl", "qwen3-omni", "qwq")
"""Their templates open `<think>` themselves, so the reply has only the closing tag: DeepSeek-R1's parser reads that."""
NOT_VERIFIED = ("qwq", "qwen3-next", "qwen3-vl", "qwen3-omni")
"""Families for which no source names the parser: theirs is that of Qwen3-Thinking-2507, whose templates are alike."""


def server_commands(model: Model) -> dict[str, str]:
    """The command that serves this checkpoint, by server. Only chat models of the hub have one."""
    if model.family == "hosted" or model.kind != "chat":
        return {}
    calls = model.tools is not False
    reads = _parser(model)
    vllm = [f"vllm serve {model.id}"]
    sglang = [f"python -m sglang.launch_server --model-path {model.id}"]
    llama = ["llama-server -m FILE.gguf --jinja"]
    if reads:
        vllm.append(f"--reasoning-parser {reads}")
        sglang.append(f"--reasoning-parser {reads.replace('_', '-')}")
        llama.append("--reasoning-format deepseek")
    if calls:
        xml = model.family in XML_FAMILIES
        vllm.append(f"--enable-auto-tool-choice --tool-call-parser {'qwen3_coder' if xml else 'hermes'}")
        sglang.append(f"--tool-call-parser {'qwen3_coder' if xml else 'qwen25'}")
    return {"vllm": " ".join(vllm), "sglang": " ".join(sglang), "llama.cpp": " ".join(llama)}


def _parser(model: Model) -> str:
    if model.thinking.behaviour not in ("toggle", "always") or model.family == "qvq":  # QVQ thinks without tags
        return ""
    return "deepseek_r1" if model.family in _TAG_IN_TEMPLATE else "qwen3"
