"""`chat`: a conversation in the terminal, every turn of it routed.

Reads entries, keeps the conversation and shows what comes; deciding and answering are the router's (`Router.route`,
`ReplyStream`), commands `chat_commands.py`'s. No tools are offered to the model.

qwen-router chat --engine llamacpp
"""

from __future__ import annotations

import shutil
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from qwen_router.cli.ask import reply_line
from qwen_router.cli.chat_commands import command_in, completions, obey
from qwen_router.cli.chat_input import History, Lines, Pipe, Terminal, dragged, read_entry
from qwen_router.cli.common import (
    JsonOption,
    ObjectiveOption,
    PolicyOption,
    dimmed,
    print_json,
    printable,
    router_from,
    tell_unreachable,
)
from qwen_router.cli.conversation import Conversation
from qwen_router.cli.shown import AnswerPrinter, aftermath, aside, folded
from qwen_router.errors import InvalidRequest, NoModelFits, RouterError
from qwen_router.folders import user_config_folder

if TYPE_CHECKING:
    from qwen_router.decide import Candidate, Decision
    from qwen_router.media import Attachment
    from qwen_router.policy import Policy
    from qwen_router.reply import Reply
    from qwen_router.reply_stream import ReplyStream
    from qwen_router.request import Message, Wishes
    from qwen_router.router import Router

HISTORY_FILE = "chat_history.jsonl"
_TO_TRY = {
    "thought_though_off": "/pin another model, or /think on",
    "silent_though_on": "/pin a model that thinks, or /think off",
    "budget_exceeded": "/think off, or a smaller number",
    "empty_answer": "/think off, or ask again",
}
"""What helps after a violation; the other kinds are mended by the time they are told."""


def add_to(app: typer.Typer) -> None:
    app.command("chat")(chat)


def chat(
    policy: PolicyOption = None,
    objective: ObjectiveOption = None,
    model: Annotated[str | None, typer.Option(help="Answer with this model; /pin changes it.")] = None,
    engine: Annotated[str | None, typer.Option(help="Use only this engine: ollama, openai, llamacpp, transformers.")] = None,
    think: Annotated[
        bool | None, typer.Option("--think/--no-think", help="Switch thinking on or off; /think changes it.")
    ] = None,
    budget: Annotated[int | None, typer.Option(min=1, help="Most tokens to think for.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Most tokens of each answer.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the sampling.")] = None,
    system: Annotated[str | None, typer.Option(help="The system message.")] = None,
    load: Annotated[Path | None, typer.Option(help="Go on with a conversation that /save wrote.")] = None,
    show_reasoning: Annotated[
        bool, typer.Option("--reasoning/--no-reasoning", help="Show the thinking (on stderr).")
    ] = True,
    history: Annotated[
        bool, typer.Option("--history/--no-history", help="Keep what is typed for the arrow keys of later chats.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Talk with the models that run here; each turn is routed. Each line of a pipe is a turn."""
    conversation = Conversation() if load is None else Conversation.load(load)
    before = conversation.wishes
    wishes = replace(
        before,
        model=before.model if model is None else model,
        thinking=before.thinking if think is None else think,
        thinking_budget_tokens=before.thinking_budget_tokens if budget is None else budget,
        max_output_tokens=before.max_output_tokens if max_tokens is None else max_tokens,
        seed=before.seed if seed is None else seed,
    )
    conversation = replace(conversation, wishes=wishes)
    if system is not None:
        conversation = conversation.with_system(system)
    router = router_from(policy=policy, objective=objective, engine=engine)
    try:
        talk = Chat(router, conversation, reasoning=show_reasoning, as_json=as_json, file=load)
        lines = _lines(talk, history=history)
        talk.begin(greet=lines.interactive)
        talk.run(lines)
    finally:
        router.close()
    if not lines.interactive and talk.failed is not None and not talk.answered:
        raise typer.Exit(talk.failed.exit_code)


def _lines(talk: Chat, *, history: bool) -> Lines:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return Pipe(interactive=sys.stdin.isatty())
    path = user_config_folder() / HISTORY_FILE if history else None
    return Terminal(History(path, warn=aside), completions=lambda typed: completions(talk, typed))


class Chat:
    """The conversation with what was set for it. `answered` counts turns, `failed` is the last error; `file` is where it
    was loaded from or saved to, `attached` what goes with the next turn; `decision` and `reply` are the last turn's."""

    def __init__(
        self,
        router: Router,
        conversation: Conversation,
        *,
        reasoning: bool = True,
        as_json: bool = False,
        file: Path | None = None,
    ) -> None:
        self.router, self.conversation, self.file = router, conversation, file
        self.policy: Policy = router.policy
        self.attached: tuple[Attachment, ...] = ()
        self.decision: Decision | None = None
        self.reply: Reply | None = None
        self.answered = 0
        self.failed: RouterError | None = None
        self._reasoning, self._as_json = reasoning, as_json
        self._noticed = False
        self._served_by: Candidate | None = None

    def begin(self, *, greet: bool) -> None:
        """Raises `EngineUnreachable` or `NoModelFits` when not even a greeting could be answered."""
        self.probe(self.conversation.wishes)
        tell_unreachable(self.router)
        if greet:
            count = len(self.router.served())
            aside(f"policy {self.policy.name}, {count} model{'s' * (count != 1)} served here; /help lists the commands")
        if self.file is not None:
            aside(f"goes on from {str(self.file)!r}: {len(self.conversation.messages)} messages")

    def probe(self, wishes: Wishes) -> None:
        """Raises what a greeting with these wishes would raise before it is sent; nothing is sent or logged."""
        from qwen_router.reply_stream import ReplyStream
        from qwen_router.request import Request

        request = Request.from_text("hello").with_wishes(wishes)
        decision = self.router.route(request, policy=self.policy, answering=True)
        try:
            ReplyStream(self.router, request, decision)
        except NoModelFits as error:
            why = decision.reason.partition("nothing can serve it; ")[2] or decision.reason  # nobody asked about "hello"
            raise NoModelFits(f"nothing can answer here: {why}", fix=error.fix) from error

    def run(self, lines: Lines) -> None:
        """Take entries until they end or one says /quit. Errors are told and the chat goes on.

        Ctrl-C takes back what is being typed or asked; in a pipe it ends the chat.
        """
        while True:
            try:
                prompt = f"[{len(self.attached)} attached] > " if self.attached else "> "
                entry = read_entry(lines, prompt)
                if entry is None or not self._take(entry, lines):
                    break
            except KeyboardInterrupt:
                if not lines.interactive:
                    raise
                typer.echo(err=True)
            except RouterError as error:
                self._tell_error(error)

    def tell(self, text: str, *, hang: int = 0) -> None:
        """A line that a command was asked for. Standard output is for JSON alone where that is asked for."""
        typer.echo(folded(text, hang=hang, to=self._told_to), err=self._as_json)

    def tell_text(self, text: str) -> None:
        """Text of several lines as it is, its control characters made visible."""
        typer.echo(printable(text), err=self._as_json)

    def attach(self, path: Path) -> None:
        """Attach a file to the next turn. Raises `InvalidRequest` when it cannot be read."""
        from qwen_router.media import Attachment

        if path.exists() and not path.is_file():  # a device would be read for ever
            raise InvalidRequest(f"{str(path)!r} is no file", fix="name an image, audio or video file")
        attachment = Attachment.from_file(path)
        self.attached = (*self.attached, attachment)
        size = f", {attachment.width_px} x {attachment.height_px}" if attachment.width_px else ""
        aside(f"attached {path.name} ({attachment.kind}{size})")

    # ── a turn ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _take(self, entry: str, lines: Lines) -> bool:
        """Obey a command or answer a turn; False for /quit."""
        if not entry.strip():
            return True
        command = command_in(entry)
        lines.keep(entry, in_file=command is None)
        if command is not None:
            return obey(self, *command)
        if lines.interactive:  # only a person drags; a path in a pipe's text is text
            entry, files = dragged(entry)
            for file in files:
                self.attach(file)
        self._turn(entry.strip(), may_stop=lines.interactive)
        if lines.interactive:
            typer.echo(err=True)  # air before the next prompt
        return True

    def _turn(self, text: str, *, may_stop: bool) -> None:
        """Ask, show, and add the turn to the conversation. A turn without an answer leaves no trace in it."""
        from qwen_router.request import Request

        question = replace(Request.from_text(text).messages[0], attachments=self.attached)
        printer = AnswerPrinter(reasoning=self._reasoning, silent=self._as_json)
        try:
            stream = self._stream(question)
            self._show(stream, printer)
        except KeyboardInterrupt:
            if not may_stop:
                raise
            if not printer.begun:
                typer.echo(err=True)  # the terminal wrote ^C
            self._stopped(question, printer.answer)
            return
        self.reply = reply = stream.reply
        self.answered, self._served_by = self.answered + 1, reply.served_by
        if reply.answer.strip():
            self._add(question, reply.answer, reasoning=reply.reasoning)
        self._tell_end(reply)
        if not reply.answer.strip():
            aside("no answer came; the question was taken back")

    def _add(self, question: Message, answer: str, *, reasoning: str = "") -> None:
        self.conversation = self.conversation.told(question, answer, reasoning=reasoning)
        self.attached = ()  # until here they wait: a turn that failed is asked again with them

    def _stream(self, question: Message) -> ReplyStream:
        """The answer to come. The decision is kept for /why before it is tried: it may be that nothing fits."""
        from qwen_router.reply_stream import ReplyStream

        request = self.conversation.asking(question)
        decision = self.router.route(request, policy=self.policy, answering=True)
        self.decision, self.reply = self.router.logged(request, decision), None
        return ReplyStream(self.router, request, self.decision)

    def _show(self, stream: ReplyStream, printer: AnswerPrinter) -> None:
        """Print the route and the answer. Leaving in the middle closes the stream, which frees the engine."""
        if not self._as_json:
            self._tell_route(stream.decision)
        with printer, closing(iter(stream)) as events:  # type: ignore[type-var]  # a generator
            told = False
            for event in events:
                if stream.served_by is not stream.decision.chosen and not told:
                    aside(f"{stream.served_by.label} on {stream.served_by.build.engine} answers instead")
                    told = True
                printer.take(event)

    def _stopped(self, question: Message, answer: str) -> None:
        """Ctrl-C: what the person has read stays, so that "go on" means something; a turn without it is forgotten."""
        if answer.strip():
            self._add(question, answer)
            aside("stopped; what was said stays in the conversation")
        else:
            aside("stopped; the question was taken back")

    # ── what is told ────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def _told_to(self) -> TextIO:
        return sys.stderr if self._as_json else sys.stdout

    def _tell_route(self, decision: Decision) -> None:
        pinned = self.conversation.wishes.model is not None
        columns = shutil.get_terminal_size().columns if sys.stderr.isatty() else None
        words = route_in_words(decision, before=self._served_by, pinned=pinned, most_chars=columns and columns - 2)
        dimmed(printable(f"→ {words}"))
        for override in decision.overrides:
            aside(override)

    def _tell_end(self, reply: Reply) -> None:
        if self._as_json:
            print_json(reply_line(reply))
            return
        if reply.finish_reason == "length":
            aside("the answer was cut at its limit of tokens")
        for line in aftermath(reply, to_try=_TO_TRY):
            if line != reply.notice or not self._noticed:  # the notice once a chat
                aside(line)
            self._noticed = self._noticed or line == reply.notice

    def _tell_error(self, error: RouterError) -> None:
        self.failed = error
        if self._as_json:
            print_json({"error": str(error)})
        else:
            typer.echo(folded(f"error: {error.problem}; try: {error.fix}", hang=2, to=sys.stderr), err=True)
            if self.attached:
                aside(f"{len(self.attached)} attached to the next turn; /image off drops it")


def route_in_words(
    decision: Decision, *, before: Candidate | None = None, pinned: bool = False, most_chars: int | None = None
) -> str:
    """Who answers and why, for one line: the model, how long it may take, why the model of `before` stays or goes, the
    domain. What does not fit into `most_chars` is left out, the last first."""
    from qwen_router.decide.explain import duration

    chosen, profile = decision.chosen, decision.profile
    assert chosen is not None
    parts = [f"{chosen.label} on {chosen.build.engine}"]
    if chosen.total_s is not None:
        parts.append(f", about {duration(chosen.total_s)}")
    if (chosen.load_s or 0) >= 0.1:
        parts.append(f" with {duration(chosen.load_s)} of loading")
    if pinned:
        parts.append("; pinned")
    else:
        if decision.kept is not None and before is not None:
            only_mode = before.build.name == chosen.build.name and before.thinking != chosen.thinking
            kept = "stays, in another mode" if only_mode else decision.kept.removeprefix(f"{chosen.label} ")
            parts.append(f"; {kept}")
        parts += [f"; {'perhaps ' * profile.abstained}{profile.domain}", f", depth {profile.depth:.2f}"]
    while most_chars is not None and len(parts) > 1 and sum(map(len, parts)) > most_chars:
        parts.pop()
    line = "".join(parts)
    return line if most_chars is None or len(line) <= most_chars else f"{line[: most_chars - 1]}…"
