"""How a generated puzzle is laid out as a request: prose or list, question first or last, options, closing hints.

A kind of puzzle makes a `Draft` (what is said and asked); `render` chooses one of many looks for it. Used by puzzles.py.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field


@dataclass
class Draft:
    """What a puzzle says: an introduction, facts (sentences without full stop), a question, perhaps options."""

    intro: str
    facts: list[str]
    question: str
    options: list[str] = field(default_factory=list)
    yes_no: bool = False
    need_options: bool = False
    bare: bool = False
    """The question already contains everything: no list layout, no header."""


Kind = Callable[[random.Random, int], Draft]

CUES: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {
        "yes_no": ("Answer yes or no.", "Yes or no?", "Reply with Yes or No only.", "A plain yes or no will do.", "yes/no"),
        "choose": (
            "Choose one.",
            "Pick the right option.",
            "Reply with the letter only.",
            "Which one is it?",
            "Give the correct option and a one-line reason.",
        ),
        "think": (
            "Let us think.",
            "Reason it through before you answer.",
            "Show how you get there.",
            "Explain briefly.",
            "Only the final answer, please.",
            "Think step by step, then state the result on the last line.",
            "Can you explain why?",
            "No explanation needed.",
        ),
        "options": ("Options:", "Choices:", "Possible answers:", "Choose from:", "Answers"),
        "facts": ("Facts:", "Clues:", "What is known:", "Given:", "Here is what we know:", "Conditions:", "Statements:"),
        "question": ("Question: ", "Q: ", "Task: ", "To answer: ", "My question: "),
        "hello": (
            "Puzzle for you. ",
            "Quick logic question: ",
            "My son's homework: ",
            "Can you solve this? ",
            "Stuck on this one. ",
            "From last night's quiz: ",
            "help me with this please: ",
        ),
    },
    "zh": {
        "yes_no": ("请回答是或否。", "是还是不是？", "只回答“是”或“否”。"),
        "choose": ("请选择一项。", "选出正确答案。", "只写字母。"),
        "think": ("请说明理由。", "一步一步想。", "只给出答案。", "请简要说明推理过程。"),
        "options": ("选项：",),
        "facts": ("已知：", "条件：", "线索："),
        "question": ("问题：", "问："),
        "hello": ("帮我想想这道题：", "逻辑题：", "求解。"),
    },
    "es": {
        "yes_no": ("Responde sí o no.", "¿Sí o no?"),
        "choose": ("Elige una opción.", "Marca la correcta."),
        "think": ("Explica tu razonamiento.", "Piénsalo paso a paso.", "Solo la respuesta."),
        "options": ("Opciones:",),
        "facts": ("Datos:", "Pistas:", "Se sabe que:"),
        "question": ("Pregunta: ",),
        "hello": ("Un acertijo: ", "Ayúdame con esto. "),
    },
    "fr": {
        "yes_no": ("Réponds par oui ou non.", "Oui ou non ?"),
        "choose": ("Choisis une réponse.", "Quelle est la bonne option ?"),
        "think": ("Explique ton raisonnement.", "Réfléchis étape par étape.", "Donne juste la réponse."),
        "options": ("Choix :", "Options :"),
        "facts": ("Indices :", "On sait que :", "Données :"),
        "question": ("Question : ",),
        "hello": ("Une énigme : ", "Petit problème de logique. "),
    },
    "de": {
        "yes_no": ("Antworte mit Ja oder Nein.", "Ja oder nein?"),
        "choose": ("Wähle eine Antwort.", "Welche Antwort stimmt?"),
        "think": ("Bitte kurz begründen.", "Denk Schritt für Schritt nach.", "Nur die Antwort bitte."),
        "options": ("Auswahl:", "Antworten:"),
        "facts": ("Hinweise:", "Bekannt ist:", "Angaben:"),
        "question": ("Frage: ",),
        "hello": ("Ein Rätsel: ", "Kannst du das lösen? "),
    },
    "ru": {
        "yes_no": ("Ответьте да или нет.", "Да или нет?"),
        "choose": ("Выберите один вариант.", "Какой вариант верный?"),
        "think": ("Объясните ход рассуждений.", "Рассуждай по шагам.", "Только ответ."),
        "options": ("Варианты:",),
        "facts": ("Дано:", "Известно:", "Условия:"),
        "question": ("Вопрос: ",),
        "hello": ("Логическая задача. ", "Помоги решить: "),
    },
    "ja": {
        "yes_no": ("はいかいいえで答えてください。", "はい？いいえ？"),
        "choose": ("一つ選んでください。", "正しいものを選べ。"),
        "think": ("理由も説明してください。", "順を追って考えてください。", "答えだけでいいです。"),
        "options": ("選択肢：",),
        "facts": ("条件：", "わかっていること：", "ヒント："),
        "question": ("問題：", "質問："),
        "hello": ("推理クイズです。", "これ解けますか？"),
    },
    "hi": {
        "yes_no": ("हाँ या नहीं में उत्तर दें।", "हाँ या नहीं?"),
        "choose": ("एक विकल्प चुनिए।", "सही विकल्प बताइए।"),
        "think": ("कारण भी बताइए।", "चरण दर चरण सोचिए।", "सिर्फ़ उत्तर दीजिए।"),
        "options": ("विकल्प:",),
        "facts": ("दी गई जानकारी:", "संकेत:"),
        "question": ("प्रश्न: ",),
        "hello": ("एक पहेली है। ", "यह हल करने में मदद करें: "),
    },
    "ar": {
        "yes_no": ("أجب بنعم أو لا.", "نعم أم لا؟"),
        "choose": ("اختر إجابة واحدة.", "ما الخيار الصحيح؟"),
        "think": ("اشرح طريقة تفكيرك.", "فكّر خطوة بخطوة.", "الجواب فقط."),
        "options": ("الخيارات:",),
        "facts": ("المعطيات:", "نعلم أن:"),
        "question": ("السؤال: ",),
        "hello": ("لغز منطقي: ", "ساعدني في حل هذا. "),
    },
    "pt": {
        "yes_no": ("Responda sim ou não.", "Sim ou não?"),
        "choose": ("Escolha uma opção.", "Qual é a correta?"),
        "think": ("Explique o raciocínio.", "Pense passo a passo.", "Só a resposta."),
        "options": ("Opções:", "Alternativas:"),
        "facts": ("Pistas:", "Dados:", "Sabe-se que:"),
        "question": ("Pergunta: ",),
        "hello": ("Um enigma: ", "Me ajuda com essa? "),
    },
    "vi": {
        "yes_no": ("Trả lời có hoặc không.", "Đúng hay sai?"),
        "choose": ("Chọn một đáp án.", "Đáp án nào đúng?"),
        "think": ("Giải thích cách suy luận.", "Hãy suy nghĩ từng bước.", "Chỉ cần đáp án."),
        "options": ("Lựa chọn:",),
        "facts": ("Dữ kiện:", "Biết rằng:"),
        "question": ("Câu hỏi: ",),
        "hello": ("Câu đố logic: ", "Giúp mình bài này với. "),
    },
    "tr": {
        "yes_no": ("Evet ya da hayır diye cevapla.", "Evet mi hayır mı?"),
        "choose": ("Bir seçenek seç.", "Hangisi doğru?"),
        "think": ("Nedenini açıkla.", "Adım adım düşün.", "Sadece cevabı yaz."),
        "options": ("Seçenekler:",),
        "facts": ("Bilinenler:", "İpuçları:"),
        "question": ("Soru: ",),
        "hello": ("Bir mantık sorusu: ", "Şunu çözebilir misin? "),
    },
    "id": {
        "yes_no": ("Jawab ya atau tidak.", "Ya atau tidak?"),
        "choose": ("Pilih satu jawaban.", "Mana yang benar?"),
        "think": ("Jelaskan alasannya.", "Pikirkan langkah demi langkah.", "Jawabannya saja."),
        "options": ("Pilihan:",),
        "facts": ("Diketahui:", "Petunjuk:"),
        "question": ("Pertanyaan: ",),
        "hello": ("Teka-teki logika: ", "Tolong bantu soal ini. "),
    },
    "sw": {
        "yes_no": ("Jibu ndiyo au hapana.", "Ndiyo au hapana?"),
        "choose": ("Chagua jibu moja.", "Lipi ni sahihi?"),
        "think": ("Eleza sababu zako.", "Fikiri hatua kwa hatua.", "Toa jibu tu."),
        "options": ("Chaguo:",),
        "facts": ("Tunajua kwamba:", "Vidokezo:"),
        "question": ("Swali: ",),
        "hello": ("Fumbo la mantiki: ", "Nisaidie na hili. "),
    },
}
_QUOTES = "'\"”»“"
_ENDS = tuple(".?!:;。？！：।؟,…)")
_AN = re.compile(r"\b([Aa]) (?=[aeiou])(?!one\b|un[io])")
STOPS = {"zh": "。", "ja": "。", "hi": "।"}
_LABELS = ("({A}) ", "{A}) ", "{A}. ", "({a}) ", "{a}. ", "{a}) ", "{n}) ", "{n}. ", "- ", "[{A}] ", "{A}: ", "")
_BULLETS = ("- {s}", "* {s}", "{n}. {s}", "{n}) {s}", "({n}) {s}", "• {s}", "{s}", "[{n}] {s}", "{r}. {s}")
_ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x")


def _sentence(text: str, language: str) -> str:
    text = text[:1].upper() + text[1:]
    closed = text.rstrip(_QUOTES)[-1:] in _ENDS or text.endswith("\n")
    return text if closed else text + STOPS.get(language, ".")


def _join(parts: Sequence[str], language: str, gap: str = " ") -> str:
    kept = [part for part in parts if part]
    return ("" if language in ("zh", "ja") and gap == " " else gap).join(kept)


def _facts(rng: random.Random, facts: Sequence[str], language: str, prose: float) -> tuple[str, bool]:
    """The facts as prose or as a list, and whether they are a list."""
    sentences = [_sentence(fact, language) for fact in facts]
    if len(sentences) < 2 or rng.random() < prose:
        return _join(sentences, language), False
    style = rng.choice(_BULLETS)
    lines = [style.format(s=s, n=i + 1, r=_ROMAN[i] if i < len(_ROMAN) else str(i + 1)) for i, s in enumerate(sentences)]
    header = rng.choice(CUES[language]["facts"]) + "\n" if rng.random() < 0.4 else ""
    if language == "en" and rng.random() < 0.15:
        lines = [f"Clue {i}: {s}" for i, s in enumerate(sentences, 1)]
        header = ""
    return header + "\n".join(lines), True


def _options(rng: random.Random, options: Sequence[str], language: str) -> str:
    """The options in one of many styles, with what separates them from the question."""
    label = rng.choice(_LABELS)
    items = [label.format(A=chr(65 + i), a=chr(97 + i), n=i + 1) + option for i, option in enumerate(options)]
    header = rng.choice(CUES[language]["options"]) if rng.random() < 0.45 else ""
    short = max(map(len, options)) < 28
    if short and rng.random() < 0.4:
        if label in ("- ", ""):
            return f" ({' / '.join(options)})"
        return " " + (header + " " if header else "") + (" " if rng.random() < 0.7 else "  ").join(items)
    return "\n" + (header + "\n" if header else "") + "\n".join(items)


def _hint(rng: random.Random, draft: Draft, language: str, shown: bool) -> str:
    cue = "choose" if shown else "yes_no" if draft.yes_no else "think"
    if rng.random() < (0.45 if cue != "think" else 0.35):
        return rng.choice(CUES[language][cue])
    return ""


def _rough(rng: random.Random, text: str, language: str) -> str:
    """Sometimes as hastily typed: without capitals or without the last mark."""
    draw = rng.random()
    text = _AN.sub(r"\1n ", text) if language == "en" else text
    if draw < 0.06 and language in ("en", "es", "fr", "pt", "id", "sw", "vi"):
        text = text.lower()
    elif draw < 0.1:
        text = text.rstrip(".?!。？")
    return text


def render(rng: random.Random, draft: Draft, language: str = "en") -> str:
    """One request from the draft, in a look drawn at random."""
    cues = CUES[language]
    shown = bool(draft.options) and (draft.need_options or rng.random() < 0.5)
    options = _options(rng, draft.options, language) if shown else ""
    hint = _hint(rng, draft, language, shown)
    hello = rng.choice(cues["hello"]) if rng.random() < 0.07 else ""
    if draft.bare:
        return _rough(rng, _with_hint(rng, hello + draft.question + options, hint, language), language)
    facts, listed = _facts(rng, draft.facts, language, prose=0.55)
    question = rng.choice(cues["question"]) if rng.random() < 0.15 else ""
    question += draft.question[:1].upper() + draft.question[1:]
    gap = "\n" if listed and not draft.intro.endswith("\n") else " "
    body = _join([_sentence(draft.intro, language) if draft.intro else "", facts], language, gap).replace("\n ", "\n")
    if not draft.need_options and not options and rng.random() < 0.12:
        return _rough(rng, hello + _join([question, body, hint], language, rng.choice(["\n\n", "\n"])), language)
    between = rng.choice(["\n\n", "\n"]) if listed or rng.random() < 0.3 else " "
    whole = _join([hello + body, question + options], language, between).replace("\n ", "\n")
    return _rough(rng, _with_hint(rng, whole, hint, language), language)


def _with_hint(rng: random.Random, text: str, hint: str, language: str) -> str:
    new_line = "\n" in text[-120:] or text[-1:] not in _ENDS or rng.random() < 0.3
    return _join([text, hint], language, "\n" if new_line else " ")


def listing(items: Sequence[str], last: str = "and") -> str:
    """`a, b and c`."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {last} {items[-1]}"


def article(word: str) -> str:
    """The word with `a` or `an`."""
    return ("an " if word[0].lower() in "aeiou" else "a ") + word
