"""Choices between two causes or two effects in many languages, from the bank of stories in `causes.txt`, in many layouts.

A line of the bank is `premise | what is plausible | what is not | cause or effect`, under the language's heading. The
question is asked in the story's language, in English, or by a mere tag, as programs ask.

    python -c "import random; from training.causes import choice; print(choice(random.Random(1)))"
"""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path
from typing import NamedTuple

_BANK = Path(__file__).parent / "causes.txt"


class Story(NamedTuple):
    language: str
    premise: str
    plausible: str
    implausible: str
    kind: str


_TAGS = {
    "cause": (
        "[cause]",
        "(why?)",
        "Cause?",
        "(reason)",
        "<cause>",
        "- because of what?",
        "CAUSE:",
        "(what caused it?)",
        "← why",
        "Why?",
    ),
    "effect": (
        "[effect]",
        "(and then?)",
        "Result?",
        "(outcome)",
        "<effect>",
        "- so what?",
        "EFFECT:",
        "(what follows?)",
        "→ then",
        "So?",
    ),
}
_ENGLISH = {
    "cause": (
        "What was the cause?",
        "Which is the more plausible cause?",
        "What most likely led to this?",
        "Why did this happen?",
        "Pick the reason that makes more sense.",
        "Which of the two explains it better?",
        "Choose the likelier cause.",
    ),
    "effect": (
        "What happened as a result?",
        "Which is the more plausible outcome?",
        "What most likely happened next?",
        "Pick the consequence that makes more sense.",
        "Which of the two follows?",
        "Choose the likelier effect.",
    ),
}
_NATIVE = {
    "zh": ("原因是什么？", "结果是什么？"),
    "es": ("¿Cuál fue la causa?", "¿Qué pasó después?"),
    "fr": ("Quelle en est la cause ?", "Que s'est-il passé ensuite ?"),
    "de": ("Was war der Grund?", "Was geschah danach?"),
    "ru": ("Какова причина?", "Что произошло потом?"),
    "ja": ("原因はどちらですか。", "その結果どうなりましたか。"),
    "ko": ("원인은 무엇입니까?", "결과는 무엇입니까?"),
    "pt": ("Qual foi a causa?", "O que aconteceu depois?"),
    "it": ("Qual è la causa?", "Che cosa è successo dopo?"),
    "ar": ("ما السبب؟", "ماذا حدث بعد ذلك؟"),
    "hi": ("कारण क्या था?", "फिर क्या हुआ?"),
    "vi": ("Nguyên nhân là gì?", "Kết quả là gì?"),
    "tr": ("Nedeni nedir?", "Sonra ne oldu?"),
    "id": ("Apa penyebabnya?", "Apa akibatnya?"),
    "th": ("สาเหตุคืออะไร", "ผลคืออะไร"),
    "sw": ("Sababu ni ipi?", "Matokeo yake ni yapi?"),
    "pl": ("Jaka jest przyczyna?", "Co stało się potem?"),
    "nl": ("Wat was de oorzaak?", "Wat gebeurde er daarna?"),
    "uk": ("Яка причина?", "Що сталося потім?"),
}
_OPTIONS = (
    "\n1) {}\n2) {}",
    "\n(a) {}\n(b) {}",
    "\nA) {}\nB) {}",
    "\nA: {}\nB: {}",
    "\n- {}\n- {}",
    " {} / {}",
    "\nOption 1: {}\nOption 2: {}",
    "\n甲：{}\n乙：{}",
    "\n\n1. {}\n2. {}",
    "\n① {} ② {}",
    "\nA. {} B. {}",
    "\n{}\n{}",
    "\na. {}\nb. {}",
)
_AROUND = (
    "{}",
    "{}",
    "{}",
    "{}\nAnswer:",
    "Premise: {}",
    "Read the situation and choose.\n{}",
    "{}\nReply with the letter or number only.",
    "Which alternative is more plausible?\n{}",
    "Common sense: {}",
)


@cache
def stories() -> tuple[Story, ...]:
    """The bank, in order."""
    found, language = [], ""
    for line in _BANK.read_text("utf-8").splitlines():
        if line.startswith("## "):
            language = line[3:].strip()
        elif line.strip():
            premise, plausible, implausible, kind = (part.strip() for part in line.split("|"))
            found.append(Story(language, premise, plausible, implausible, kind))
    return tuple(found)


def choice(rng: random.Random) -> tuple[str, str]:
    """One request and its language."""
    story = rng.choice(stories())
    roll = rng.random()
    if roll < 0.35:
        question = rng.choice(_TAGS[story.kind])
    elif roll < 0.65 or story.language not in _NATIVE:
        question = rng.choice(_ENGLISH[story.kind])
    else:
        question = _NATIVE[story.language][story.kind == "effect"]
    options = [story.plausible, story.implausible]
    rng.shuffle(options)
    listed = rng.choice(_OPTIONS[: -4 if story.language not in ("zh", "ja") else None]).format(*options)
    if rng.random() < 0.2:
        text = f"{question} {story.premise}{listed}"
    else:
        text = f"{story.premise}{rng.choice((' ', ' ', chr(10)))}{question}{listed}"
    return rng.choice(_AROUND).format(text), story.language
