"""The language of a text, and the languages that its answer is asked in.

Scripts that one language owns (kana, Hangul, Thai, ...) decide by themselves; the rest is left to CLD2 (`pycld2`), the
fastest and, but for one, the most accurate of the five libraries measured (see docs/profile.md). Code points that say
nothing about a language (code, LaTeX) are not removed: a text that is mostly those comes out as the language around them.

    python -c "from qwen_router.profile.language import language_of; print(language_of('Wie viel Uhr ist es?'))"
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from qwen_router.profile import chars

UNKNOWN, MIXED = "und", "mul"
READ_CHARS = 400
"""CLD2 reads this much: its accuracy on the shared requests does not rise beyond."""
MIXED_SHARE_PERCENT = 30
"""A second language from this share of the text on makes it mixed."""
MIXED_LETTERS = 40
"""Below this many letters a second language is more likely a name or a term than a mixture."""

_OWNED = {
    "greek": "el", "armenian": "hy", "gurmukhi": "pa", "gujarati": "gu", "oriya": "or", "tamil": "ta", "telugu": "te", "kannada": "kn",
    "malayalam": "ml", "sinhala": "si", "thai": "th", "lao": "lo", "tibetan": "bo", "myanmar": "my", "georgian": "ka", "khmer": "km",
    "hangul": "ko", "hiragana": "ja", "katakana": "ja",
}  # fmt: skip
_COMMONEST = {"cyrillic": "ru", "arabic": "ar", "hebrew": "he", "devanagari": "hi", "bengali": "bn", "ethiopic": "am"}
"""What a script that several languages share is taken for when CLD2 finds no language."""
_OWNER = {chars.SCRIPT_CLASS[script]: language for script, language in _OWNED.items()}
_LIKELY = {chars.SCRIPT_CLASS[script]: language for script, language in _COMMONEST.items()}
_HAN, _HIRAGANA = chars.SCRIPT_CLASS["han"], chars.SCRIPT_CLASS["hiragana"]
_ALIASES = {"iw": "he", "jw": "jv", "in": "id", "mo": "ro", "sh": "sr", "tl": "tl", "zh-hant": "zh", "ji": "yi", "nb": "no", "nn": "no"}

_NAMES: dict[str, str] = {
    "en": "english|inglés|ingles|inglês|anglais|englisch|inglese|английск\\w*|英文|英语|英語|영어|الإنجليزية|अंग्रेज़ी|अंग्रेजी|tiếng anh|i̇ngilizce\\w*|ingilizce\\w*|bahasa inggris|angielski|engels|ภาษาอังกฤษ",
    "fr": "french|francés|francês|français|französisch\\w*|francese|французск\\w*|法语|法文|フランス語|프랑스어|الفرنسية|फ़्रेंच|फ्रेंच|tiếng pháp|fransızca\\w*|bahasa prancis|francuski|frans",
    "de": "german|alemán|alemão|allemand|deutsch\\w*|tedesco|немецк\\w*|德语|德文|ドイツ語|독일어|الألمانية|जर्मन|tiếng đức|almanca\\w*|bahasa jerman|niemiecki|duits",
    "es": "spanish|español|espanhol|espagnol|spanisch\\w*|spagnolo|испанск\\w*|西班牙语|西班牙文|スペイン語|스페인어|الإسبانية|स्पेनिश|tiếng tây ban nha|i̇spanyolca\\w*|ispanyolca\\w*|bahasa spanyol|hiszpański|spaans",
    "zh": "chinese|mandarin|chino|chinês|chinois|chinesisch\\w*|cinese|китайск\\w*|中文|汉语|漢語|中国語|중국어|الصينية|चीनी|tiếng trung|çince\\w*|bahasa mandarin|chiński|chinees",
    "ja": "japanese|japonés|japonês|japonais|japanisch\\w*|giapponese|японск\\w*|日语|日文|日本語|일본어|اليابانية|जापानी|tiếng nhật|japonca\\w*|bahasa jepang|japoński|japans",
    "ko": "korean|coreano|coréen|koreanisch\\w*|корейск\\w*|韩语|韩文|韓国語|한국어|الكورية|कोरियाई|tiếng hàn|korece\\w*|bahasa korea|koreański|koreaans",
    "ru": "russian|ruso|russo|russe|russisch\\w*|русск\\w*|俄语|俄文|ロシア語|러시아어|الروسية|रूसी|tiếng nga|rusça\\w*|bahasa rusia|rosyjski",
    "pt": "portuguese|portugués|português|portugais|portugiesisch\\w*|portoghese|португальск\\w*|葡萄牙语|ポルトガル語|포르투갈어|البرتغالية|tiếng bồ đào nha|portekizce\\w*",
    "it": "italian|italiano|italien|italienisch\\w*|итальянск\\w*|意大利语|イタリア語|이탈리아어|الإيطالية|tiếng ý|i̇talyanca\\w*|italyanca\\w*|bahasa italia",
    "ar": "arabic|árabe|arabe|arabisch\\w*|arabo|арабск\\w*|阿拉伯语|アラビア語|아랍어|العربية|अरबी|tiếng ả rập|arapça\\w*|bahasa arab",
    "hi": "hindi|хинди|印地语|ヒンディー語|힌디어|الهندية|हिंदी|हिन्दी",
    "vi": "vietnamese|vietnamita|vietnamien|vietnamesisch\\w*|越南语|ベトナム語|베트남어|tiếng việt|вьетнамск\\w*",
    "th": "thai|泰语|タイ語|태국어|ภาษาไทย|tiếng thái",
    "tr": "turkish|turco|turc|türkisch\\w*|турецк\\w*|土耳其语|トルコ語|터키어|التركية|türkçe\\w*",
    "id": "indonesian|indonesio|indonesisch\\w*|印尼语|インドネシア語|인도네시아어|bahasa indonesia",
    "nl": "dutch|néerlandais|holandés|niederländisch\\w*|荷兰语|オランダ語|nederlands",
    "pl": "polish|polaco|polonais|polnisch\\w*|польск\\w*|波兰语|polski\\w*",
    "uk": "ukrainian|украинск\\w*|українськ\\w*|乌克兰语", "el": "greek|griego|grec|griechisch\\w*|希腊语|ελληνικά", "he": "hebrew|hebreo|hébreu|希伯来语|עברית",
    "fa": "persian|farsi|波斯语|فارسی", "sv": "swedish|瑞典语|svenska", "la": "latin|拉丁语", "sw": "swahili|斯瓦希里语|kiswahili",
}  # fmt: skip
_ASK = re.compile(
    r"translat|traduc|tradu[iz]|übersetz|перевед|перевод|翻译|翻譯|译成|译为|訳し|翻訳|번역|ترجم|अनुवाद|dịch|çevir|terjemah|przetłumacz|vertaal|แปล"
    r"|respond in|reply in|answer in|write in|responde en|réponds en|antworte auf|ответь на|用\w{2,4}(?:回答|写)|(?:で|로) ?(?:答え|대답)",
    re.IGNORECASE,
)
_INTO = re.compile(
    "|".join(f"(?P<{code}>{names})" for code, names in _NAMES.items()),
    re.IGNORECASE,
)
_SOURCE_BEFORE = re.compile(r"(?:\bfrom|\bdel?|\bdu|\baus dem|\bvom|\bс|\bdal|从|把(?:这)?|từ|\bdari)\s*(?:the\s|l')?$", re.IGNORECASE)
_SOURCE_AFTER = re.compile(r"\s?(?:から|에서|text|sentence|paragraph|句子|文本|段落)", re.IGNORECASE)


def language_of(text: str, by_class: NDArray[np.intp] | None = None) -> str:
    """ISO 639-1 code of `text`; `und` when there is nothing to tell it from, `mul` when it is mixed.

    `by_class` may hold the text's character counts by class, when the caller has them already.
    """
    if by_class is None:
        by_class = np.bincount(chars.classes_of(chars.points_of(text)), minlength=chars.CLASS_COUNT)
    letters = int(by_class[chars.LATIN_LOWER : chars.FIRST_MARK].sum())
    if letters < 2 and not by_class[_HAN:chars.LETTER_OTHER].any():
        return UNKNOWN
    scripts = by_class[chars.FIRST_SCRIPT : chars.LETTER_OTHER]
    biggest = chars.FIRST_SCRIPT + int(scripts.argmax())
    kana = int(by_class[_HIRAGANA : _HIRAGANA + 2].sum())
    if kana and kana * 8 >= int(by_class[_HAN]):
        biggest = _HIRAGANA
    han = int(by_class[_HAN])
    own = int(by_class[biggest]) + (han if biggest in (_HIRAGANA, _HAN) else 0)  # a Han character says as much as two letters
    share = own / (letters + han)
    owner = "zh" if biggest == _HAN else _OWNER.get(biggest)
    if share > 0.7 and owner is not None:
        return owner
    if share <= 0.3:
        biggest, owner = 0, None
    return _detected(text, letters, owner, owner or _LIKELY.get(biggest, UNKNOWN))


def _detected(text: str, letters: int, owner: str | None, likely: str) -> str:
    """Ask CLD2; `owner` is the language of a script that makes up a part of the text, `likely` what to say if CLD2 knows nothing."""
    import pycld2

    payload = text[:READ_CHARS].translate(_NOT_FOR_CLD2).encode("utf-8", "ignore")
    try:
        _, _, found = pycld2.detect(payload, bestEffort=True, returnVectors=False)
    except pycld2.error:
        return likely
    codes = [(_ALIASES.get(code.lower(), code.split("-")[0]), percent) for _, code, percent, _ in found if code != "un"]
    if not codes:
        return "en" if likely == UNKNOWN and letters >= 12 and text.isascii() else likely
    if letters >= MIXED_LETTERS and (owner not in (None, codes[0][0]) or (len(codes) > 1 and codes[1][1] >= MIXED_SHARE_PERCENT)):
        return MIXED
    return codes[0][0]


_NOT_FOR_CLD2 = {i: " " for i in (*range(9), *range(11, 32), 127, 0xFEFF, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0xD800, 0xE000))}
"""CLD2 refuses control characters and surrogates; zero-width and direction marks split its words."""


def output_languages(text: str, language: str) -> tuple[str, ...]:
    """The languages that the answer is asked in: those that a translation ask names as its targets, else the text's own."""
    edges = text if len(text) <= 600 else text[:300] + "\n" + text[-300:]
    ask = _ASK.search(edges)
    if ask is None:
        return (language,)
    start, end = max(0, ask.start() - 60), ask.end() + 80
    targets: list[str] = []
    for name in _INTO.finditer(edges, start, min(end, len(edges))):
        code = name.lastgroup
        before, after = edges[max(0, name.start() - 12) : name.start()], edges[name.end() : name.end() + 10]
        named_inside_a_word = before[-1:].isascii() and before[-1:].isalpha()
        if code is None or code in targets or named_inside_a_word or _SOURCE_BEFORE.search(before) or _SOURCE_AFTER.match(after):
            continue
        targets.append(code)
    return tuple(targets) or (language,)
