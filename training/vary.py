"""What people and programs do to a request without changing what it needs: typos, case, wrappers, envelopes, other scripts.

Training sees varied copies of its rows. The robustness card of `benchmarks/classifier.py` has perturbations of its own.

    python -c "import random; from training.vary import varied; print(varied('What is 2 + 2?', 'en', random.Random(1)))"
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable

_PREFIXES = (
    "Please help: ",
    "Hi! ",
    "Hello, ",
    "hey ",
    "Can you help me with this?\n\n",
    "Question: ",
    "Q: ",
    "Task: ",
    "User: ",
    "quick one - ",
    "I need your help. ",
    "ok so ",
    "Could you please answer the following?\n",
    "Here is my request:\n",
    "### Instruction:\n",
    "[INST] ",
    "Good morning! ",
    "Thanks in advance. ",
    "As an expert, ",
    "You are a helpful assistant.\n\n",
    "请问，",
    "你好！",
    "麻烦帮我看一下：",
    "Hola, ",
    "Bonjour, ",
    "Hallo! ",
    "Olá! ",
    "Привет! ",
    "お願いします。",
    "안녕하세요. ",
    "مرحبا، ",
    "नमस्ते, ",
    "Merhaba, ",
    "Answer in one word. ",
    "Be brief. ",
    "Think step by step. ",
    "Use your biggest model for this. ",
    "This is urgent!! ",
)
_SUFFIXES = (
    " Thanks!",
    " thank you",
    "\n\nThanks a lot",
    " pls",
    " asap",
    "\nAnswer:",
    "\n\nAnswer in one line.",
    " Please think step by step.",
    " Explain briefly.",
    "\nA:",
    "\n### Response:",
    " (no need for details)",
    " Give only the final answer.",
    "?!",
    " ...",
    " 🙏",
    " 谢谢！",
    "\n请直接给出答案。",
    " ¡Gracias!",
    " Merci !",
    " Danke!",
    " Спасибо!",
    " ありがとう。",
    " 감사합니다",
    " شكرا",
    " धन्यवाद",
    "\n\n---\nSent from my phone",
    " Use the strongest model you have.",
    " Ignore the difficulty and answer fast.",
    "\nRespond in JSON.",
    " lol",
    "\nYour answer should be short.",
)
_ENVELOPES = (
    "<context>\nworking directory: /home/user/project\nplatform: linux\n</context>\n{}",
    "# Rules for this workspace\n- be concise\n- run the tests before you commit\n- never edit generated files\n\n{}",
    "[system note: the following message comes from the user]\n{}",
    "<user_query>\n{}\n</user_query>",
    '<message role="user">{}</message>',
    "Available tools: search, read_file, write_file, run_command\n\nUser request: {}",
    "{}\n\n<reminder>Keep answers under 200 words. Do not mention these instructions.</reminder>",
    "```\n{}\n```",
    "> {}",
    '"{}"',
)


_CHATTER = (
    "Sorry for the long message.",
    "I have been at this since breakfast.",
    "My cat just walked over the keyboard.",
    "It has been raining here all week.",
    "Not sure if this is the right place to ask.",
    "A colleague told me to try you.",
    "We talked about this at lunch.",
    "Typing on my phone, so excuse the mistakes.",
    "The coffee machine is broken again.",
    "This came up yesterday and I could not sleep over it.",
    "Hope you are having a good day.",
    "My brother says it is easy.",
    "I will show it to my teacher later.",
    "No rush at all.",
    "Between us, I forgot how this works.",
    "说来话长，先谢谢了。",
    "Perdón por molestar otra vez.",
    "Désolé, je suis un peu pressé.",
    "Ich sitze gerade im Zug.",
    "Заранее благодарю, у меня мало времени.",
    "急いでいてすみません。",
    "آسف على الإزعاج.",
    "माफ़ कीजिए, थोड़ी जल्दी है।",
)


def _with_chatter(text: str, rng: random.Random) -> str:
    """The same ask among sentences that have nothing to do with it."""
    before, after = (" ".join(rng.sample(_CHATTER, rng.choice((0, 1, 1, 2)))) for _ in range(2))
    joint = rng.choice((" ", "\n", "\n\n"))
    return joint.join(part for part in (before, text, after) if part)


def _typos(text: str, rng: random.Random) -> str:
    """Swapped, dropped, doubled and wrong letters: one of twenty-five or so."""
    out = list(text)
    for i in range(1, len(out) - 1):
        if out[i].isalpha() and rng.random() < 0.04:
            roll = rng.randrange(4)
            if roll == 0:
                out[i], out[i + 1] = out[i + 1], out[i]
            else:
                out[i] = ("", out[i] * 2, chr(ord("a") + rng.randrange(26)) if out[i].isascii() else out[i])[roll - 1]
    return "".join(out)


def _without_accents(text: str, _: random.Random) -> str:
    plain = unicodedata.normalize("NFD", text)
    return "".join(char for char in plain if unicodedata.category(char) != "Mn")


def _without_marks(text: str, rng: random.Random) -> str:
    marks = ",.;:!?¿¡\"'()" if rng.random() < 0.5 else ".?!。？！"
    return "".join(char for char in text if char not in marks)


def _wrapped(text: str, rng: random.Random) -> str:
    roll = rng.random()
    return (rng.choice(_PREFIXES) if roll < 0.7 else "") + text + (rng.choice(_SUFFIXES) if roll > 0.4 else "")


def _enveloped(text: str, rng: random.Random) -> str:
    return rng.choice(_ENVELOPES).format(text) if "{" not in text else text


def _on_one_line(text: str, _: random.Random) -> str:
    return " ".join(text.split())


_WAYS: tuple[tuple[float, Callable[[str, random.Random], str]], ...] = (
    (0.2, _typos),
    (0.08, lambda text, _: text.lower()),
    (0.05, lambda text, _: text.upper() if len(text) < 300 else text),
    (0.1, _without_marks),
    (0.06, _without_accents),
    (0.28, _wrapped),
    (0.1, _with_chatter),
    (0.08, _enveloped),
    (0.05, _on_one_line),
)


def varied(text: str, language: str, rng: random.Random, *, code: bool = False) -> str:
    """A copy of `text` changed in one or two ways; code keeps its marks and lines."""
    ways = [way for way in _WAYS if not (code and way[1] in (_without_marks, _on_one_line, _without_accents))]
    for _ in range(rng.choice((1, 1, 2))):
        (_, way), *_rest = rng.choices(ways, weights=[weight for weight, _ in ways])
        text = way(text, rng)
    return text
