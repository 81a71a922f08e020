"""Requests of our own writing: the files of `training/corpus/`, and what fills their slots.

A file holds blocks under `## DOMAIN LANGUAGE`, one request a line; `\\n` in a line is a line break. `⟪3..40⟫` is a random
number, `⟪a|b⟫` one of several, `⟪name⟫` a first name. Every line was written for this repository; none is from a data set.

    python -c "from training.corpus import read; print(len(read('training/corpus/people.txt')))"
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent / "corpus"
_SLOT = re.compile("⟪([^⟫]*)⟫")
_RANGE = re.compile(r"(-?\d+(?:\.(\d+))?)\.\.(-?\d+(?:\.(\d+))?)")
_BREAK = re.compile(r"(?<!\\)\\n")


class Line(NamedTuple):
    """One request as written, slots and all. `file` is the name of the file that holds it, without its ending."""

    text: str
    domain: str
    language: str
    file: str


def read(path: Path | str) -> list[Line]:
    """The lines of one file, in order."""
    lines: list[Line] = []
    domain = language = ""
    for raw in Path(path).read_text("utf-8").split("\n"):
        if raw.startswith("## "):
            domain, language = raw[3:].split()[:2]
        elif raw.strip():
            lines.append(Line(_BREAK.sub("\n", raw).replace("\\\\n", "\\n"), domain, language, Path(path).stem))
    return lines


def read_all(folder: Path = FOLDER) -> list[Line]:
    """The lines of every file of a folder."""
    return [line for path in sorted(folder.glob("*.txt")) for line in read(path)]


def fill(text: str, language: str, rng: random.Random) -> str:
    """`text` with its slots filled."""
    return _SLOT.sub(lambda slot: _value(slot[1], language, rng), text)


def fillings(line: Line, rng: random.Random, *, count: int) -> Iterator[str]:
    """Up to `count` different texts of a line that has slots, else its one text."""
    yield from dict.fromkeys(fill(line.text, line.language, rng) for _ in range(count if "⟪" in line.text else 1))


def _value(slot: str, language: str, rng: random.Random) -> str:
    if (span := _RANGE.fullmatch(slot)) is not None:
        digits = max(len(span[2] or ""), len(span[4] or ""))
        if digits:
            return f"{rng.uniform(float(span[1]), float(span[3])):.{digits}f}"
        return str(rng.randint(*sorted((int(span[1]), int(span[3])))))
    if "|" in slot:
        return rng.choice(slot.split("|"))
    return rng.choice(NAMES.get(language, NAMES["en"]))


NAMES: dict[str, list[str]] = {
    language: names.split()
    for language, names in {
        "en": "Anna Ben Carla Dev Ella Frank Grace Hugo Ivy Jack Kim Leo Maya Noah Omar Priya Quinn Rosa Sam Tess Uma",
        "zh": "小明 小红 李华 王芳 张伟 陈静 刘洋 赵磊 孙丽 周杰 小刚 小丽",
        "ja": "太郎 花子 健太 美咲 翔太 由美 大輔 葵 蓮 さくら",
        "ko": "민수 지영 철수 영희 서준 하은 지훈 수빈 도윤 예린",
        "es": "Lucía Mateo Carmen Diego Pablo Elena Javier Marta Sofía Andrés",
        "fr": "Camille Julien Chloé Antoine Manon Hugo Léa Paul Inès Lucas",
        "de": "Lena Jonas Greta Felix Marie Paul Hanna Moritz Klara Emil",
        "it": "Giulia Marco Chiara Luca Sara Paolo Elisa Davide Anna Matteo",
        "pt": "João Mariana Pedro Beatriz Tiago Ana Rafael Inês Bruno Clara",
        "ru": "Аня Миша Катя Дима Лена Серёжа Оля Ваня Маша Петя",
        "uk": "Оля Тарас Марійка Андрій Софія Богдан Ірина Максим",
        "bg": "Иван Мария Георги Елена Петър Ани Стоян Вера",
        "sr": "Марко Јелена Никола Ана Стефан Милица Лука Ивана",
        "ar": "أحمد فاطمة يوسف مريم خالد ليلى عمر سارة حسن نور",
        "fa": "علی زهرا رضا مریم حسین سارا امیر نرگس",
        "ur": "علی عائشہ احمد فاطمہ بلال زینب حسن مریم",
        "he": "דנה יוסי נועה אורי מיכל דוד תמר אלון",
        "el": "Μαρία Γιώργος Ελένη Νίκος Κώστας Σοφία Άννα Δημήτρης",
        "hi": "राम सीता अमित नेहा रवि पूजा सुनील कविता अर्जुन मीना",
        "mr": "सचिन मेघा राहुल स्नेहा अमोल वर्षा विजय आरती",
        "ne": "राम सीता हरि गीता बिकास सुनिता कमल मीना",
        "bn": "রহিম করিম মিতা রিনা সুমন পলাশ নীলা তানিয়া",
        "te": "రవి సీత రాము లక్ష్మి కిరణ్ అనిత సురేష్ పద్మ",
        "ta": "குமார் மீனா ரவி லதா முருகன் கவிதா அருண் பிரியா",
        "kn": "ರವಿ ಸೀತಾ ಕಿರಣ್ ಲತಾ ಸುರೇಶ್ ಅನಿತಾ",
        "ml": "രവി സീത അനിൽ ലത സുരേഷ് മീര",
        "gu": "રવિ મીના કિરણ પૂજા અમિત નીતા",
        "pa": "ਗੁਰਪ੍ਰੀਤ ਸਿਮਰਨ ਹਰਜੀਤ ਮਨਪ੍ਰੀਤ ਅਮਨ ਜਸਲੀਨ",
        "th": "สมชาย มานี สมหญิง ปิติ วีระ ชูใจ นิดา อนันต์",
        "vi": "Lan Minh Hùng Hoa Nam Mai Tuấn Hương Dũng Linh",
        "tr": "Ayşe Mehmet Elif Can Zeynep Emre Deniz Burak",
        "id": "Budi Siti Andi Dewi Rina Agus Putri Joko",
        "ms": "Ahmad Siti Aminah Farid Nurul Hakim Aisyah Zul",
        "tl": "Juan Maria Jose Ana Pedro Liza Ramon Grace",
        "sw": "Juma Amina Hassan Zawadi Baraka Neema Musa Asha",
        "pl": "Ola Kuba Zosia Janek Kasia Tomek Ania Piotr",
        "cs": "Jana Petr Eva Honza Tereza Martin Lucie Tomáš",
        "hu": "Anna Bence Dóra Gergő Kata Péter Zsófi Máté",
        "ro": "Ana Mihai Ioana Andrei Elena Radu Maria Vlad",
        "am": "አበበ ሰላም ከበደ ሄለን ዳዊት ሰናይት",
        "my": "မောင်မောင် လှလှ အောင်အောင် စုစု",
        "ka": "ნინო გიორგი მარიამ ლუკა ანა დათო",
    }.items()
}
