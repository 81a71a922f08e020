"""Specialists as tools: mathematics, code, pictures, sounds, languages, each asked of the model that the router picks.

A tool's text is the answer alone; who gave it, thinking or not, with how many tokens, stands in the message's `artifact`.
Limits come from the tool's context, and none of them may use tools itself (qwen_router/specialists.py, docs/specialists.md).

    python -c "from qwen_router.tooling import load_tools; t = load_tools()['ask_math']; \\
        print(t.invoke({'problem': 'What is 12 + 30?'}))"
"""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from typing import Any

from langchain_core.tools import ToolException, tool
from pydantic import BaseModel, Field

from qwen_router import prompts
from qwen_router.errors import RouterError
from qwen_router.media import Attachment
from qwen_router.request import Message
from qwen_router.specialists import attached, consult

Answered = tuple[str, dict[str, Any]]
_BLOCK = re.compile(r"^(`{3,})[^\n`]*\n(.*?)^\1`*[ \t]*$", re.DOTALL | re.MULTILINE)


class SpecialistError(ToolException):
    """No specialist could answer; the text says why, for the model to read."""


class MathInput(BaseModel):
    """What the mathematician gets."""

    problem: str = Field(description="The problem, with all its data.")


class CoderInput(BaseModel):
    """What the programmer gets."""

    task: str = Field(description="What to do: write, explain, repair, review.")
    code: str = Field(default="", description="The code that it is about.")


class WriteInput(BaseModel):
    """What the writer of Python gets."""

    task: str = Field(description="What the program must do, with names of functions and examples.")
    code: str = Field(default="", description="Code to start from or to repair.")
    context: str = Field(default="", description="What else matters: an error message, tests that it must pass.")


class VisionInput(BaseModel):
    """What the model that sees gets."""

    question: str = Field(description="What to find out from the picture.")
    image: str = Field(description="The picture, relative to the tools' folder, such as scans/chart.png.")


class AudioInput(BaseModel):
    """What the model that hears gets."""

    question: str = Field(description="What to find out from the sound, or: write down what is said.")
    audio: str = Field(description="The sound, relative to the tools' folder, such as calls/monday.wav.")


class TranslatorInput(BaseModel):
    """What the translator gets."""

    task: str = Field(description="A question about languages, or a text to write in one, such as a polite refusal.")
    language: str = Field(description="The language of the answer, such as de or German.")


@tool(args_schema=MathInput, response_format="content_and_artifact")
def ask_math(problem: str) -> Answered:
    r"""Ask a mathematician; the answer ends in \boxed{}. Example: problem='Prove that sqrt(2) is irrational.'"""
    return _asked("math", lambda **target: prompts.mathematics(problem, **target))


@tool(args_schema=CoderInput, response_format="content_and_artifact")
def ask_coder(task: str, code: str = "") -> Answered:
    """Ask a programmer about code in any language. Example: task='Why does this loop never end?', code='while x: pass'."""
    return _asked("code", lambda **target: _as_code(prompts.coding(task, code=code or None, **target)))


@tool(args_schema=WriteInput, response_format="content_and_artifact")
def write_code(task: str, code: str = "", context: str = "") -> Answered:
    """Have a Python program written; gives the code alone, not run. Example: task='A function is_prime(n: int) -> bool.'"""
    answer, record = _asked(
        "code",
        lambda **target: _as_code(
            prompts.coding(task, code=code or None, context=context or None, programming_language="Python", **target)
        ),
        whole=True,
    )
    program = python_in(answer)
    if program is None:
        raise SpecialistError(f"{record['model']} gave no Python that parses: ask again, or ask_coder for an explanation")
    return program, record


@tool(args_schema=VisionInput, response_format="content_and_artifact")
def ask_vision(question: str, image: str) -> Answered:
    """Ask a model that sees about a picture. Example: question='Which bar is the highest?', image='scans/chart.png'."""
    picture = _attached(image, "image")
    return _asked("vision", lambda **target: prompts.vision(question, attachments=[picture], **target))


@tool(args_schema=AudioInput, response_format="content_and_artifact")
def ask_audio(question: str, audio: str) -> Answered:
    """Ask a model that hears about a sound. Example: question='Write down what is said.', audio='calls/monday.wav'."""
    sound = _attached(audio, "audio")
    return _asked("audio", lambda **_: (Message("user", question, attachments=(sound,)),))


@tool(args_schema=TranslatorInput, response_format="content_and_artifact")
def ask_translator(task: str, language: str) -> Answered:
    """Ask somebody who knows languages; translate does whole texts. Example: task='What is Feierabend?', language='en'."""
    return _asked("translation", lambda **target: prompts.multilingual(task, target_languages=language, **target))


def python_in(answer: str) -> str | None:
    """The longest fenced block of an answer that parses as Python, or all of it where it has no fence; None: neither."""
    blocks = [match[2] for match in _BLOCK.finditer(answer)] or [answer]
    for block in sorted(blocks, key=len, reverse=True):
        try:
            ast.parse(block)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        return block
    return None


def _as_code(messages: prompts.Messages) -> prompts.Messages:
    """Routed as code, which a short task without any ("Make it faster.") would not be by its words."""
    return (*messages[:-1], replace(messages[-1], ask=f"(code) {messages[-1].ask}"))


def _attached(path: str, kind: Any) -> Attachment:
    try:
        return attached(path, kind)
    except RouterError as error:
        raise SpecialistError(str(error)) from error


def _asked(name: str, prompt: Any, *, whole: bool = False) -> Answered:
    try:
        consulted = consult(name, prompt, whole=whole)
    except RouterError as error:
        raise SpecialistError(str(error)) from error
    return consulted.answer, consulted.record


_TIME = {"cost_s": 10, "timeout_s": 150}
ask_math.metadata = {"inputs": {"problem": "question"}, "output": "text", **_TIME}
ask_coder.metadata = {"inputs": {"task": "question", "code": "text"}, "output": "text", **_TIME}
write_code.metadata = {"inputs": {"task": "question", "code": "code", "context": "text"}, "output": "code", **_TIME}
ask_vision.metadata = {"inputs": {"question": "question", "image": "image"}, "output": "text", "untrusted": True, **_TIME}
ask_audio.metadata = {"inputs": {"question": "question", "audio": "audio"}, "output": "text", "untrusted": True, **_TIME}
ask_translator.metadata = {"inputs": {"task": "question", "language": "language"}, "output": "text", **_TIME}
ask_math.handle_tool_error = ask_coder.handle_tool_error = write_code.handle_tool_error = True
ask_vision.handle_tool_error = ask_audio.handle_tool_error = ask_translator.handle_tool_error = True
