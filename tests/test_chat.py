"""The terminal chat: commands, turns, errors and interrupts with a scripted engine, and one run in a real terminal."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from qwen_router.cli.chat import Chat
from qwen_router.cli.common import printable
from qwen_router.cli.conversation import Conversation
from qwen_router.engines.base import Call, Event, Text
from qwen_router.engines.fake import FakeEngine
from qwen_router.errors import EngineTimeout, InvalidRequest
from qwen_router.hardware.machine import ServedBuild
from qwen_router.router import Router
from tests import worlds

BUILD = ServedBuild("fake", "fake", "qwen3:8b", model_id="Qwen/Qwen3-8B", quant="q4_K_M", resident=True)


class Script:
    """Lines as a person types them."""

    def __init__(self, *lines: str, interactive: bool = True) -> None:
        self._lines, self.interactive = list(lines), interactive

    def read(self, prompt: str) -> str | None:
        return self._lines.pop(0) if self._lines else None

    def keep(self, text: str, *, in_file: bool) -> None:
        pass


class Interrupted(FakeEngine):
    """Ctrl-C comes after the first piece; `closed` says whether the stream was left properly."""

    closed = False

    def stream(self, call: Call) -> Iterator[Event]:
        try:
            yield Text("Once upon")
            raise KeyboardInterrupt
        finally:
            self.closed = True


def talk(engine: FakeEngine, *lines: str, interactive: bool = True) -> Chat:
    router = Router(machine=worlds.machine(), engines=(engine,))
    chat = Chat(router, Conversation())
    chat.run(Script(*lines, interactive=interactive))
    return chat


def engine(*answers: str, **fields: object) -> FakeEngine:
    return FakeEngine(answers, models=[BUILD], **fields)  # type: ignore[arg-type]


def test_each_turn_is_routed_in_one_line_and_the_next_one_knows_the_first(capfd):
    fake = engine("Hello.", "Again.")
    chat = talk(fake, "hi", "and again")
    out, err = capfd.readouterr()
    assert out.split() == ["Hello.", "Again."]
    assert err.count("→ Qwen3-8B q4_K_M") == 2
    assert [m.text for m in fake.calls[1].messages] == ["hi", "Hello.", "and again"]
    assert len(chat.conversation.messages) == 4


def test_control_sequences_of_a_model_never_reach_the_terminal(capfd):
    talk(engine("a\x1b]0;owned\x07\x1b[2Jb\x9b31m"), "hi", "/history")
    out, err = capfd.readouterr()
    assert not set("\x1b\x07\x9b") & set(out + err)
    assert out.count("owned") == 2
    assert printable("\x1b[2J") == "\u241b[2J"


def test_ctrl_c_stops_the_answer_closes_the_stream_and_keeps_the_chat(capfd):
    fake = Interrupted(models=[BUILD])
    chat = talk(fake, "a story", "/history")
    assert fake.closed
    assert [m.text for m in chat.conversation.messages] == ["a story", "Once upon"]
    assert "stopped" in capfd.readouterr().err


def test_an_engine_that_fails_is_told_in_one_line_and_the_conversation_stays(capfd):
    fake = engine("fine")
    chat = talk(fake, "first")
    fake._fail = EngineTimeout("nothing came for 3 s", fix="ask again")
    chat.run(Script("second"))
    assert "error: nothing came for 3 s; try: ask again" in capfd.readouterr().err
    assert [m.text for m in chat.conversation.messages] == ["first", "fine"]


@pytest.mark.parametrize(
    ("word", "thinking", "budget"), [("on", True, None), ("off", False, None), ("256", True, 256), ("auto", None, None)]
)
def test_think_sets_the_wish_of_every_later_turn(word, thinking, budget):
    wishes = talk(engine("ok"), f"/think {word}", "hi").conversation.wishes
    assert (wishes.thinking, wishes.thinking_budget_tokens) == (thinking, budget)


def test_pin_and_unpin_and_a_name_that_nobody_has(capfd):
    chat = talk(engine("ok"), "/pin qwen3:8b")
    assert chat.conversation.wishes.model == "qwen3:8b"
    chat.run(Script("/unpin", "/pin qwen3:8c"))
    assert chat.conversation.wishes.model is None
    assert "error: no model is called 'qwen3:8c'; try: did you mean" in capfd.readouterr().err


def test_why_help_and_an_unknown_command(capfd):
    talk(engine("ok"), "/why", "hi", "/why", "/help", "/hlep", "/quit", "never asked")
    out, err = capfd.readouterr()
    assert "nothing was decided yet" in err and "did you mean '/help'" in err
    assert "understood" in out and "decided" in out and "/unpin" in out


def test_save_and_load_go_on_with_the_conversation_and_new_begins_anew(tmp_path):
    path = tmp_path / "talk.json"
    chat = talk(engine("fine"), "hi", f"/save {path}", "/new")
    assert not chat.conversation.messages
    assert [m.text for m in Conversation.load(path).messages] == ["hi", "fine"]
    with pytest.raises(InvalidRequest, match="cannot read"):
        Conversation.load(tmp_path / "none.json")


def test_an_image_that_no_model_sees_is_told_and_waits_until_it_is_dropped(tmp_path, capfd):
    image = tmp_path / "dot.gif"
    image.write_bytes(b"GIF89a\x02\x00\x03\x00\x80\x00\x00")
    chat = talk(engine("ok"), f"/image {image}", "what is this?")
    assert "error: " in capfd.readouterr().err and len(chat.attached) == 1
    assert not chat.conversation.messages
    chat.run(Script("/image off", "hi"))
    assert chat.answered == 1


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_a_real_terminal_with_the_real_engine(tmp_path):
    import pty

    master, slave = pty.openpty()
    env = {**os.environ, "OLLAMA_HOST": "127.0.0.1:1", "TERM": "dumb", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "qwen_router", "chat", "--engine", "llamacpp"]
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=env, start_new_session=True)
    os.close(slave)
    os.write(master, b"What is 12 + 30?\n/why\n/quit\n")
    seen, until = b"", time.monotonic() + 60
    try:
        while time.monotonic() < until:
            if not select.select([master], [], [], 0.2)[0]:
                continue
            try:
                piece = os.read(master, 4096)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            seen += piece
        assert process.wait(10) == 0
    finally:
        process.kill()
        os.close(master)
    text = seen.decode()
    assert "→ qwen3-nano" in text and "The answer is" in text and "understood" in text
    assert "\x1b[2m" not in text and "Traceback" not in text
