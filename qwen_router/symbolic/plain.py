"""Mathematics as it is typed or typeset, in the ASCII that the grammar reads: printed signs, superscripts, Greek, LaTeX.

python -c "from qwen_router.symbolic.plain import plain; print(plain('$\\\\frac{3}{4}×2²$'))"
"""

from __future__ import annotations

import re
import unicodedata

from qwen_router.errors import InvalidRequest

MAX_CHARS = 2000
MAX_LAYERS = 40
GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma_", "δ": "delta", "ε": "epsilon", "ζ": "zeta", "η": "eta", "θ": "theta",
    "κ": "kappa",
    "λ": "lamda", "μ": "mu", "ν": "nu", "ξ": "xi", "ρ": "rho", "σ": "sigma", "φ": "phi", "χ": "chi", "ψ": "psi",
    "ω": "omega",
    "Δ": "Delta", "Ω": "Omega", "Σ": "Sigma", "Φ": "Phi",
}  # fmt: skip
_SIGNS = str.maketrans(
    {
        **dict.fromkeys("×✕✖∙·⋅∗", "*"), **dict.fromkeys("÷⁄∕", "/"), **dict.fromkeys("−–—", "-"),
        "≤": "<=", "≥": ">=", "≠": "!=", "π": " pi ", "τ": " tau ", "∞": " oo ", "√": " sqrt ", "∛": " cbrt ",
        "½": "(1/2)", "⅓": "(1/3)", "⅔": "(2/3)", "¼": "(1/4)", "¾": "(3/4)", "°": " deg ", "±": "±",
    }
)  # fmt: skip
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
_LATEX = (
    (r"\\left|\\right|\\big|\\Big|\\displaystyle|\\limits|\\[,;:! ]|\\quad", " "),
    (r"\\(?:cdot|times|ast)(?![a-z])", "*"), (r"\\div(?![a-z])", "/"), (r"\\pm(?![a-z])", "±"),
    (r"\\(?:le|leq|leqslant)(?![a-z])", "<="), (r"\\(?:ge|geq|geqslant)(?![a-z])", ">="), (r"\\(?:ne|neq)(?![a-z])", "!="),
    (r"\\lt(?![a-z])", "<"), (r"\\gt(?![a-z])", ">"), (r"\\infty(?![a-z])", " oo "), (r"\\%", "%"), (r"\\\{", "{"),
    (r"\\\}", "}"),
    (r"\\(?:dfrac|tfrac|cfrac)(?![a-z])", r"\\frac"), (r"\\frac\s*(\d)\s*(\d)", r"\\frac{\1}{\2}"),
    (r"\\(?:operatorname|mathrm|text|mathit)\s*\{\s*(and|or|[a-zA-Z]{1,9})\s*\}", r" \1 "),
    (r"\\lambda(?![a-z])", " lamda "),
    (r"\^\s*\\circ|\^\s*\{\s*\\circ\s*\}", " deg "),
)  # fmt: skip


class NotMathematics(InvalidRequest):
    """The text is not mathematics that is read here; `problem` names the place."""


def plain(text: str) -> str:
    """One line of ASCII without LaTeX."""
    if len(text) > MAX_CHARS:
        raise NotMathematics(f"the expression has {len(text):,} characters", fix=f"at most {MAX_CHARS:,}: split it")
    if re.search(r"(?<!\d)\d{4}-\d{2}-\d{2}(?!\d)", text):
        raise NotMathematics(f"{start(text)} looks like a date", fix="put spaces around a minus sign")
    text = re.sub(r"[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda m: f"^({m[0].translate(_SUPERSCRIPTS)})", text.translate(_SIGNS))
    text = unicodedata.normalize("NFKC", "".join(f" {GREEK[char]} " if char in GREEK else char for char in text))
    text = text.strip().removesuffix(".").removesuffix("。").strip()
    text = re.sub(r"^\\?\$\s*(?=[\d.])(?=[^$]*$)", "", _unwrapped(text))  # $5 is a price
    if re.search(r"\\|[\^_]\{|log_", text):
        text = _from_latex(text)
    return (
        _THOUSANDS.sub(lambda m: m[0].replace(",", ""), text) if not re.search(r"[A-Za-z({\[]\s*[({\[]?\d", text) else text
    )


def _unwrapped(text: str) -> str:
    """Without the marks that put mathematics into prose: $...$, \\(...\\), \\boxed{...}."""
    for before, after in (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"), ("\\boxed{", "}"), ("\\fbox{", "}")):
        while text.startswith(before) and text.endswith(after) and len(text) >= len(before) + len(after):
            text = text[len(before) : len(text) - len(after)].strip()
    return text


def _from_latex(text: str) -> str:
    for pattern, replacement in _LATEX:
        text = re.sub(pattern, replacement, text)
    for _ in range(MAX_LAYERS):  # from the inside to the outside; each turn takes one layer
        before = text
        text = re.sub(r"\\frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}", r"((\1)/(\2))", text)
        text = re.sub(r"\\binom\s*\{([^{}]*)\}\s*\{([^{}]*)\}", r" binomial(\1,\2)", text)
        text = re.sub(r"\\sqrt\s*\[([^\[\]{}]*)\]\s*\{([^{}]*)\}", r" root(\2,\1)", text)
        text = re.sub(r"\\sqrt\s*\{([^{}]*)\}", r" sqrt(\1)", text)
        text = re.sub(r"\^\s*\{([^{}]*)\}", r"^(\1)", text)
        text = re.sub(r"_\s*\{([A-Za-z0-9]+)\}", r"_\1", text)
        if text == before:
            break
    text = re.sub(r"\\?log_(\d+|[a-z])\s*(?:\(([^()]*)\)|([\d.]+|[a-z]))", r" log(\2\3,\1)", text)
    text = re.sub(r"\\([A-Za-z]+)", r" \1 ", text)  # \sin, \pi, \theta; an unknown one is named as a name
    if "\\" in text:
        raise NotMathematics(f"{start(text)} holds LaTeX that is not read here", fix="write it as plain text: sqrt(2)/2")
    return text


def start(text: str) -> str:
    text = text.strip()
    return repr(text if len(text) <= 40 else text[:37] + "...")
