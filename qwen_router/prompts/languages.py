"""The English names of languages by their ISO 639-1 codes, because "answer in de" reads as no language.

Only the codes that `Profile.language` gives and people write; another text is taken for a name and stays as it is.

    python -c "from qwen_router.prompts.languages import language_name; print(language_name('de'))"
"""

from __future__ import annotations

_NAMES = dict(
    pair.split("=")
    for pair in (
        "af=Afrikaans am=Amharic ar=Arabic az=Azerbaijani be=Belarusian bg=Bulgarian bn=Bengali bo=Tibetan bs=Bosnian "
        "ca=Catalan cs=Czech cy=Welsh da=Danish de=German el=Greek en=English eo=Esperanto es=Spanish et=Estonian eu=Basque "
        "fa=Persian fi=Finnish fr=French ga=Irish gl=Galician gu=Gujarati he=Hebrew hi=Hindi hr=Croatian hu=Hungarian "
        "hy=Armenian id=Indonesian is=Icelandic it=Italian ja=Japanese jv=Javanese ka=Georgian kk=Kazakh km=Khmer "
        "kn=Kannada ko=Korean la=Latin lo=Lao lt=Lithuanian lv=Latvian mk=Macedonian ml=Malayalam mn=Mongolian mr=Marathi "
        "ms=Malay mt=Maltese my=Burmese ne=Nepali nl=Dutch no=Norwegian pa=Punjabi pl=Polish ps=Pashto pt=Portuguese "
        "ro=Romanian ru=Russian si=Sinhala sk=Slovak sl=Slovenian sq=Albanian sr=Serbian su=Sundanese sv=Swedish sw=Swahili "
        "ta=Tamil te=Telugu tg=Tajik th=Thai tl=Tagalog tr=Turkish uk=Ukrainian ur=Urdu uz=Uzbek vi=Vietnamese yi=Yiddish "
        "zh=Chinese zu=Zulu"
    ).split()
)


def language_name(code_or_name: str) -> str:
    """The English name for a code that is known here; every other text as it is."""
    return _NAMES.get(code_or_name.strip().lower(), code_or_name)
