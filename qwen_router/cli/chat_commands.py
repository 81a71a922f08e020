"""The commands of a chat: lines that begin with a slash, what each does, and how Tab completes them.

The conversation and the turns are `chat.py`'s.

    echo /help | qwen-router chat --engine llamacpp
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from qwen_router.cli.chat_input import path_of
from qwen_router.cli.shown import aside
from qwen_router.errors import InvalidRequest, UnknownName

if TYPE_CHECKING:
    from qwen_router.cli.chat import Chat

_COMMAND = re.compile(r"/(?P<name>[A-Za-z]+)(?:\s+(?P<argument>.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Command:
    """`run` gets the chat and the rest of the line; `choices` gives what the argument may be, from what is typed of it."""

    takes: str
    told: str
    run: Callable[[Chat, str], None]
    choices: Callable[[Chat, str], Iterable[str]] = lambda chat, typed: ()


def command_in(entry: str) -> tuple[str, str] | None:
    """The command's name and its argument. A path is no command, and neither is a line that begins with a blank."""
    match = _COMMAND.fullmatch(entry)
    return None if match is None else (match["name"].lower(), (match["argument"] or "").strip())


def obey(chat: Chat, name: str, argument: str) -> bool:
    """Run a command; False for /quit. Raises `UnknownName` for one that there is not, and what the command raises."""
    if name in ("quit", "exit", "bye"):
        return False
    if name not in COMMANDS:
        listing = "/help lists the commands; a blank before the line makes it text"
        raise UnknownName.among(f"/{name}", [f"/{known}" for known in COMMANDS], kind="command", listing=listing)
    COMMANDS[name].run(chat, argument)
    return True


def completions(chat: Chat, typed: str) -> Iterable[str]:
    """What a line that is typed so far may become."""
    name, blank, argument = typed.partition(" ")
    if not blank:
        lines = (f"/{known}{' ' * bool(command.takes)}" for known, command in COMMANDS.items())
        return (line for line in lines if typed and line.startswith(typed))
    command = COMMANDS.get(name.removeprefix("/")) if name.startswith("/") else None
    choices = command.choices(chat, argument) if command else ()
    return (f"{name} {choice}" for choice in choices if choice.startswith(argument))


def _help(chat: Chat, _: str) -> None:
    for name, command in COMMANDS.items():
        chat.tell(f"{f'/{name} {command.takes}':<24}{command.told}", hang=24)
    chat.tell('Text of several lines stands between """ and """. A line that begins with a blank is never a command.')
    chat.tell("Ctrl-C stops an answer and keeps what was said of it; Ctrl-D leaves.")


def _why(chat: Chat, _: str) -> None:
    from qwen_router.decide.explain import duration
    from qwen_router.decide.summary import summary

    if chat.decision is None:
        raise InvalidRequest("nothing was decided yet", fix="ask something first")
    for line in summary(chat.decision):
        chat.tell(line, hang=12)
    if chat.reply is not None:
        usage = chat.reply.usage
        counts = (
            ("read", usage.prompt_tokens),
            ("of them cached", usage.cached_tokens),
            ("thought", usage.reasoning_tokens),
            ("answered", usage.answer_tokens),
        )
        tokens = ", ".join(f"{count} {what}" for what, count in counts if count)
        took = duration(chat.reply.timings.total_s)
        chat.tell(f"took        {took}; tokens: {tokens or 'the engine does not say'}", hang=12)


def _pin(chat: Chat, name: str) -> None:
    from qwen_router.request import Wishes

    if name == "off":
        _unpin(chat, "")
        return
    if name:
        chat.probe(Wishes(model=name))
        _wish(chat, model=name)
    pinned = chat.conversation.wishes.model
    aside("the policy chooses the model" if pinned is None else f"pinned to {pinned}")


def _unpin(chat: Chat, _: str) -> None:
    _wish(chat, model=None)
    aside("the policy chooses the model")


def _think(chat: Chat, word: str) -> None:
    modes = {"on": True, "off": False, "0": False, "auto": None}
    if word in modes:
        _wish(chat, thinking=modes[word], thinking_budget_tokens=None)
    elif word.isascii() and word.isdigit() and len(word) < 8:
        _wish(chat, thinking=True, thinking_budget_tokens=int(word))
    elif word:
        raise InvalidRequest(f"/think takes no {word!r}", fix="/think on, off, auto, or a number of tokens")
    wishes = chat.conversation.wishes
    limit = f", at most {wishes.thinking_budget_tokens} tokens" if wishes.thinking_budget_tokens else ""
    aside({True: "thinking on", False: "thinking off", None: "thinking as the policy says"}[wishes.thinking] + limit)


def _wish(chat: Chat, **changes: object) -> None:
    wishes = replace(chat.conversation.wishes, **changes)  # type: ignore[arg-type]
    chat.conversation = replace(chat.conversation, wishes=wishes)


def _policy(chat: Chat, name: str) -> None:
    from qwen_router.policy import Policy, policy_names

    if name:
        chat.policy = Policy.load(name)
        aside(f"policy {chat.policy.name}")
    else:
        aside(f"policy {chat.policy.name}; there are {', '.join(policy_names())}")


def _image(chat: Chat, path: str) -> None:
    if path == "off":
        chat.attached = ()
        aside("nothing is attached")
    elif path:
        chat.attach(Path(path) if Path(path).is_file() else path_of(path))
    else:
        aside(f"{len(chat.attached)} attached; /image PATH adds one, /image off drops them")


def _history(chat: Chat, count: str) -> None:
    """The conversation, or its last turns: what the person said marked, what the model said as it was."""
    if count and not (count.isascii() and count.isdigit() and 0 < int(count[:9])):
        raise InvalidRequest(f"/history takes no {count!r}", fix="/history, or /history 3 for the last three turns")
    messages = chat.conversation.messages
    if count:
        asked = [at for at, message in enumerate(messages) if message.role == "user"]
        messages = messages[asked[-int(count[:9])] :] if len(asked) > int(count[:9]) else messages
    if not messages:
        aside("nothing was said yet")
    for message in messages:
        names = [f"[{attachment.kind}]" for attachment in message.attachments]
        said = " ".join([*names, message.text]).strip()
        mark = {"user": "> ", "assistant": ""}.get(message.role, f"{message.role}: ")
        chat.tell_text(mark + said.replace("\n", f"\n{' ' * len(mark)}"))


def _new(chat: Chat, _: str) -> None:
    chat.conversation, chat.attached, chat.file = chat.conversation.afresh(), (), None
    aside("a new conversation")


def _save(chat: Chat, name: str) -> None:
    path = path_of(name) if name else chat.file
    if path is None:
        raise InvalidRequest("/save names no file", fix="/save conversation.json")
    if not chat.conversation.messages:
        raise InvalidRequest("there is nothing to save yet", fix="ask something first")
    if path.exists() and path != chat.file:
        raise InvalidRequest(f"{str(path)!r} is there already", fix="name another file, or remove it")
    chat.conversation.save(path)
    chat.file = path
    aside(f"saved {len(chat.conversation.messages)} messages; `qwen-router chat --load {quote(str(path))}` goes on")


def _quit(chat: Chat, _: str) -> None:
    """Stands in the table for /help and Tab; `obey` knows it before."""


def _models(chat: Chat, _: str) -> Iterable[str]:
    return ("off", *(served.name for served in chat.router.served()))


def _policies(chat: Chat, _: str) -> Iterable[str]:
    from qwen_router.policy import policy_names

    return policy_names()


def _paths(chat: Chat, typed: str) -> Iterable[str]:
    folder, slash, start = typed.rpartition("/")
    inside = Path(folder + slash).expanduser()
    try:
        found = [path for path in inside.iterdir() if path.name.startswith(start)]
    except OSError:
        return ()
    return (f"{folder}{slash}{path.name}{'/' * path.is_dir()}" for path in found)


COMMANDS = {
    "why": Command("", "what decided the last turn, and what would change it", _why),
    "pin": Command("MODEL", "answer with this model", _pin, _models),
    "unpin": Command("", "let the policy choose again", _unpin),
    "think": Command(
        "on|off|N|auto",
        "think, or not, for at most N tokens, as the policy says",
        _think,
        lambda *_: ("on", "off", "auto"),
    ),
    "policy": Command("NAME", "choose by another policy", _policy, _policies),
    "image": Command("PATH|off", "attach an image, audio or video file (or drag it in)", _image, _paths),
    "history": Command("[N]", "what was said so far, or in the last N turns", _history),
    "new": Command("", "begin anew; what was set stays", _new),
    "save": Command("FILE", "write the conversation; `chat --load FILE` goes on", _save, _paths),
    "help": Command("", "this list", _help),
    "quit": Command("", "leave", _quit),
}
