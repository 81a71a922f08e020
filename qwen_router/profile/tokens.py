"""How many tokens Qwen's tokenizer will make of a text or a request, without the tokenizer.

Counts what Qwen's pre-tokeniser would split (letter runs, single digits, runs of punctuation, white space), looks each
word's hash up in a bit table of the vocabulary, and weighs the rest by script. The weights are fitted by
`training/tokens.py` against Qwen3's tokenizer (the same vocabulary as Qwen2.5's; Qwen3.5 and later pack more characters
into a token, so their counts come out lower than estimated). It estimates: engines report the true count afterwards.

    python -c "from qwen_router.profile.tokens import estimate_tokens; print(estimate_tokens('What is 2 + 2?'))"
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qwen_router.media import Attachment
from qwen_router.profile import chars
from qwen_router.profile.chars import DATA, Classes, Points
from qwen_router.request import Request, ToolSpec

VOCABULARY_BITS = 21
WHOLE_CHARS = 16 * 1024
"""Texts up to here are counted whole; of longer ones `SAMPLES` windows are, and the rest is taken to be alike."""
SAMPLES = 8

_GROUPS = ("letter", "mark", "digit", "space", "newline", "punct", "wide", "other")
_PLAIN = ("known_spaced", "known_bare", "known_pairs")
_OOV = tuple(range(chars.LATIN_LOWER, chars.FIRST_MARK))
FEATURES: tuple[str, ...] = (
    *_PLAIN,
    *(f"{left}_{right}" for left in _GROUPS for right in _GROUPS),
    *(f"class_{i}" for i in range(chars.CLASS_COUNT)),
    *(f"oov_words_{i}" for i in _OOV),
    *(f"oov_letters_{i}" for i in _OOV),
)
"""What the estimate is linear in: words in the vocabulary, pairs of neighbours, characters and unknown words by class."""


def _group_table() -> NDArray[np.intp]:
    table = np.full(256, 7, dtype=np.intp)
    table[chars.IS_LETTER] = 0
    table[chars.IS_MARK] = 1
    for place, kind in enumerate((chars.DIGIT, chars.SPACE, chars.NEWLINE, chars.PUNCT, chars.PUNCT_WIDE), start=2):
        table[kind] = place
    return table


_GROUP = _group_table()
_UNSPACED = frozenset(
    chars.SCRIPT_CLASS[name] for name in ("han", "hiragana", "katakana", "thai", "lao", "khmer", "myanmar", "tibetan")
)
_IS_UNSPACED = np.array([i in _UNSPACED for i in range(256)])
_FIRST_UNSPACED = min(_UNSPACED)


class TokenModel(NamedTuple):
    weights: NDArray[np.float64]
    vocabulary: NDArray[np.bool_]


@cache
def token_model() -> TokenModel:
    """The fitted weights and the bit table of Qwen's vocabulary, read once (about 0.3 MB)."""
    with np.load(DATA / "tokens.npz") as shipped:
        return TokenModel(shipped["weights"], np.unpackbits(shipped["vocabulary"]).view(np.bool_))


def vocabulary_slot(hashes: NDArray[np.uint32], spaced: NDArray[np.bool_] | bool) -> NDArray[np.uint32]:
    """Where a word stands in the bit table: with and without the space before it, it is two tokens."""
    salted = (hashes ^ (np.uint32(0x5BD1E995) * np.asarray(spaced, dtype=np.uint32))) * np.uint32(0x9E3779B1)
    slots: NDArray[np.uint32] = salted >> np.uint32(32 - VOCABULARY_BITS)
    return slots


def token_features(texts: Sequence[str], vocabulary: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The counts, in the order of `FEATURES`, that the estimate is linear in: (texts, features).

    All texts are read as one array; a row more than there are texts takes what belongs to none, and is dropped.
    """
    points = chars.points_of("\n".join(texts))
    classes = chars.classes_of(points)
    rows = len(texts) + 1
    owner = chars.owners([len(text) for text in texts])
    counts = chars.counted(owner, classes, chars.CLASS_COUNT, rows)
    groups = _GROUP[classes]
    pair_owner = None if owner is None else np.where(owner[:-1] == owner[1:], owner[:-1], rows - 1)
    pairs = chars.counted(pair_owner, groups[:-1] * 8 + groups[1:], 64, rows)
    hashes, starts, lengths = chars.word_hashes(points, groups == 0)
    spaced = (points[starts - 1] == 32) & (starts > 0)
    known = vocabulary[vocabulary_slot(hashes, spaced)]
    plain = np.zeros((rows, len(_PLAIN)))
    plain[:, 0] = chars.owned(owner, starts[known & spaced], rows)
    plain[:, 1] = chars.owned(owner, starts[known], rows) - plain[:, 0]
    if counts[:, _FIRST_UNSPACED : chars.LETTER_OTHER].any():
        plain[:, 2] = _known_pairs(points, classes, pair_owner, vocabulary, rows)
    unknown = ~known
    strange = starts[unknown]
    script, whose = classes[strange] - np.intp(_OOV[0]), None if owner is None else owner[strange]
    oov_words = chars.counted(whose, script, len(_OOV), rows)
    oov_letters = chars.counted(whose, script, len(_OOV), rows, weights=lengths[unknown])
    return np.concatenate((plain, pairs, counts, oov_words, oov_letters), axis=1)[:-1]


def _known_pairs(
    points: Points, classes: Classes, owner: chars.Owners, vocabulary: NDArray[np.bool_], rows: int
) -> NDArray[np.intp]:
    """Neighbours in unspaced scripts that are one token, by row: a stand-in for segmenting the run."""
    inside = _IS_UNSPACED[classes]
    at = np.flatnonzero(inside[1:] & inside[:-1])
    flat = np.zeros(at.size * 3, dtype=np.uint32)
    flat[::3], flat[1::3] = points[at], points[at + 1]
    known = vocabulary[vocabulary_slot(chars.word_hashes(flat, flat > 0)[0], False)]
    return chars.owned(owner, at[known], rows)


def estimate_tokens(text: str) -> int:
    """Tokens of plain text, within a few percent for ordinary text; 0 for none."""
    return estimate_many([text])[0]


def estimate_many(texts: Sequence[str]) -> list[int]:
    """`estimate_tokens` of each text."""
    places = [i for i, text in enumerate(texts) if text]
    read = [_sampled(texts[i]) for i in places]
    estimates = [0] * len(texts)
    if not places:
        return estimates
    model = token_model()
    counts = (token_features(read, model.vocabulary) @ model.weights).tolist()
    for place, sample, count in zip(places, read, counts, strict=True):
        whole = max(1, round(count))
        share = len(texts[place]) / len(sample)
        estimates[place] = whole if share == 1 else math.ceil(whole * share)
    return estimates


def _sampled(text: str) -> str:
    """The text, or windows spread over a long one."""
    if len(text) <= WHOLE_CHARS:
        return text
    size = WHOLE_CHARS // SAMPLES
    step = (len(text) - size) // (SAMPLES - 1)
    return "".join(text[i * step : i * step + size] for i in range(SAMPLES))


# Qwen's chat template writes <|im_start|>role\n ... <|im_end|>\n around a message (four tokens and the role), and
# <|im_start|>assistant\n before the answer.
MESSAGE_TOKENS = 5
REPLY_TOKENS = 3
TOOLS_TOKENS = 82
TOKENS_PER_TOOL = 24
"""What Qwen3's template writes to explain tool calls, and around each tool, counted with its tokenizer."""
IMAGE_SIDE_PX = 32
"""One token per 32 x 32 pixels: patches of 16, merged 2 x 2 (Qwen3-VL's preprocessor_config.json; Qwen2.5-VL: 28)."""
IMAGE_TOKENS_MIN, IMAGE_TOKENS_MAX = 64, 16384
"""Qwen3-VL rescales an image to between 65,536 and 16,777,216 pixels."""
UNKNOWN_IMAGE_TOKENS = 1024
"""A picture of unknown size is taken to be 1024 x 1024."""
AUDIO_TOKENS_PER_S = 25
"""Qwen2-Audio and Qwen2.5-Omni: one token for 40 ms of sound (Qwen2.5-Omni report, arXiv 2503.20215)."""
UNKNOWN_AUDIO_S = 30
VIDEO_TOKENS_PER_S = 2 * 768 // 2
"""Two frames a second, merged in pairs in time, each frame at most 768 tokens: the defaults of Qwen's qwen-vl-utils."""
UNKNOWN_VIDEO_S = 30
VIDEO_TOKENS_MAX = 24576
UNKNOWN_FILE_TOKENS = 1000
FILE_BYTES_PER_TOKEN = 4
"""A file is taken for text in a western language; one whose size is unknown for a page or two."""


def image_tokens(width_px: int | None, height_px: int | None) -> int:
    """Tokens of a picture: each side rounded to whole tokens, the whole scaled into the bounds."""
    if not width_px or not height_px:
        return UNKNOWN_IMAGE_TOKENS + 2
    across = max(1, round(width_px / IMAGE_SIDE_PX))
    down = max(1, round(height_px / IMAGE_SIDE_PX))
    return min(IMAGE_TOKENS_MAX, max(IMAGE_TOKENS_MIN, across * down)) + 2


def attachment_tokens(attachment: Attachment) -> int:
    """What an attachment adds to the prompt, by its measures; stated defaults where they are unknown."""
    if attachment.kind == "image":
        return image_tokens(attachment.width_px, attachment.height_px)
    if attachment.kind == "audio":
        return math.ceil((attachment.duration_s or UNKNOWN_AUDIO_S) * AUDIO_TOKENS_PER_S) + 2
    if attachment.kind == "video":
        return min(VIDEO_TOKENS_MAX, math.ceil((attachment.duration_s or UNKNOWN_VIDEO_S) * VIDEO_TOKENS_PER_S)) + 2
    if attachment.size_bytes is None:
        return UNKNOWN_FILE_TOKENS
    return math.ceil(attachment.size_bytes / FILE_BYTES_PER_TOKEN)


def request_tokens(request: Request) -> int:
    """Tokens of the whole prompt: messages with their frame, tool calls, tool declarations, attachments."""
    return many_request_tokens([request])[0]


def many_request_tokens(requests: Sequence[Request]) -> list[int]:
    """`request_tokens` of each request; their texts are counted together."""
    texts: list[str] = []
    parts: list[tuple[int, int]] = []
    for request in requests:
        own, frame = _texts_and_frame(request)
        texts += own
        parts.append((len(own), frame))
    counts = iter(estimate_many(texts))
    return [frame + sum(islice(counts, size)) for size, frame in parts]


def _texts_and_frame(request: Request) -> tuple[list[str], int]:
    """The texts of a request that are to be counted, and the tokens of what stands around them."""
    texts = [message.text for message in request.messages]
    frame = REPLY_TOKENS + MESSAGE_TOKENS * len(texts)
    for message in request.messages:
        frame += sum(map(attachment_tokens, message.attachments)) + 12 * len(message.tool_calls)
        texts += [call.name + _compact(call.arguments) for call in message.tool_calls]
    if request.tools:
        frame += TOOLS_TOKENS + TOKENS_PER_TOOL * len(request.tools)
        texts += map(_declared, request.tools)
    return texts, frame


def tool_tokens(tools: Sequence[ToolSpec]) -> list[int]:
    """Tokens that each declaration adds to the prompt."""
    return [count + TOKENS_PER_TOOL for count in estimate_many([_declared(tool) for tool in tools])]


def _declared(tool: ToolSpec) -> str:
    return f"{tool.name} {tool.description} {_compact(tool.parameters)}"


def _compact(values: Mapping[str, Any]) -> str:
    return json.dumps(dict(values), ensure_ascii=False, default=str)
