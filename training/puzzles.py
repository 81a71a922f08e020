"""Generated logic and deduction requests of graded size, in fourteen languages, from a seed: for training, never for tests.

A kind of puzzle takes the number of steps and makes a `Draft`; puzzle_layout.py gives it one of many looks. English
kinds are in puzzle_orders.py and puzzle_logic.py, their words in puzzle_words.py, other languages in puzzle_languages.py.

    python -c "import random; from training.puzzles import puzzle; print(*puzzle(random.Random(3)), sep='\\n')"
"""

from __future__ import annotations

import random

from training import puzzle_logic as logic
from training import puzzle_orders as orders
from training.puzzle_languages import LANGUAGE_KINDS, LANGUAGES
from training.puzzle_layout import Kind, render

KINDS: dict[str, tuple[Kind, int, int]] = {
    "row": (orders.row, 1, 8),
    "round_table": (orders.round_table, 2, 7),
    "ranking": (orders.ranking, 2, 8),
    "race": (orders.race, 1, 8),
    "swaps": (orders.swaps, 1, 8),
    "dancers": (orders.dancers, 1, 8),
    "walk": (orders.walk, 1, 8),
    "town": (orders.town, 1, 8),
    "free_hour": (orders.free_hour, 1, 8),
    "weekdays": (orders.weekdays, 1, 7),
    "calendar": (orders.calendar, 1, 5),
    "grid": (orders.grid, 2, 8),
    "objects_removed": (orders.objects_removed, 1, 8),
    "table": (orders.table, 1, 6),
    "theory_of_mind": (orders.theory_of_mind, 2, 8),
    "nesting": (orders.nesting, 1, 7),
    "script_order": (orders.script_order, 3, 8),
    "switches": (orders.switches, 1, 8),
    "schedule": (orders.schedule, 2, 7),
    "weekly_game": (orders.weekly_game, 4, 8),
    "liar_chain": (logic.liar_chain, 2, 8),
    "island": (logic.island, 2, 6),
    "boxes": (logic.boxes, 1, 8),
    "syllogism": (logic.syllogism, 1, 6),
    "chain": (logic.chain, 1, 8),
    "entailment": (logic.entailment, 2, 7),
    "membership": (logic.membership, 1, 7),
    "family": (logic.family, 1, 6),
    "boolean": (logic.boolean, 1, 8),
    "brackets": (logic.brackets, 1, 8),
    "sorting": (logic.sorting, 2, 8),
    "letters": (logic.letters, 1, 6),
    "adjectives": (logic.adjectives, 1, 6),
    "causal_story": (logic.causal_story, 3, 5),
    "cause_effect": (logic.cause_effect, 1, 3),
    "analogy": (logic.analogy, 1, 2),
    "crossing": (logic.crossing, 3, 8),
    "detective": (logic.detective, 2, 8),
    "evidence": (logic.evidence, 1, 8),
    "policy": (logic.policy, 1, 8),
    "odd_statement": (logic.odd_statement, 2, 7),
}
"""Kinds in English, each with the fewest and the most steps it can need."""
ENGLISH_SHARE = 0.55


def puzzle(rng: random.Random, steps: int | None = None) -> tuple[str, str, int]:
    """One request, its language and the number of deduction steps it needs (1 to 8; uniform when not given)."""
    steps = steps or rng.randint(1, 8)
    if not 1 <= steps <= 8:
        raise ValueError(f"steps must be from 1 to 8, not {steps}")
    language = "en" if rng.random() < ENGLISH_SHARE else rng.choice(LANGUAGES)
    if language == "en":
        able = [kind for kind, low, high in KINDS.values() if low <= steps <= high]
        return render(rng, rng.choice(able)(rng, steps)), language, steps
    able_there = [kind for kind, low, high in LANGUAGE_KINDS.values() if low <= steps <= high]
    return render(rng, rng.choice(able_there)(rng, steps, language), language), language, steps
