"""Mathematics and puzzles of graded size from reasoning-gym (Apache-2.0), with the domain that each generator asks for.

Left out: what is derived from public evaluation sets (its symbolic GSM, ARC and code-output tasks) and what fits no domain
clearly. The level of the package's own curriculum gives the depth within a kind.

    python -c "from training.gym import tasks; print(next(tasks(seed=3, count=1)))"
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

LEVELS = 4
_MATH = """
    advanced_geometry base_conversion basic_arithmetic bitwise_arithmetic chain_sum coin_flip complex_arithmetic
    count_bits count_primes countdown cryptarithm decimal_arithmetic decimal_chain_sum dice fraction_simplification gcd
    intermediate_integration lcm leg_counting number_format number_sequence polynomial_equations
    polynomial_multiplication power_function prime_factorization products puzzle24 simple_equations simple_geometry
    simple_integration time_intervals
"""
_REASONING = """
    aiw caesar_cipher circuit_logic color_cube_rotation course_schedule family_relationships futoshiki game_of_life
    graph_color group_anagrams isomorphic_strings kakurasu knights_knaves letter_counting letter_jumble list_functions
    mahjong_puzzle manipulate_matrix maze mini_sudoku modulo_grid n_queens number_sorting palindrome_generation
    path_star propositional_logic quantum_lock ransom_note rotate_matrix rotten_oranges rubiks_cube rush_hour
    self_reference sentence_reordering shortest_path sokoban spell_backward spiral_matrix string_insertion
    string_manipulation string_splitting string_synthesis sudoku survo syllogism tower_of_hanoi tsumego word_ladder
    word_sequence_reversal word_sorting zebra_puzzles
"""
KINDS: dict[str, str] = {
    **dict.fromkeys(_MATH.split(), "math"),
    **dict.fromkeys(_REASONING.split(), "reasoning"),
    "bf": "code",
    "needle_haystack": "extraction",
}
_FROM_TO = {"math": (0.2, 0.7), "reasoning": (0.35, 0.95), "code": (0.4, 0.8), "extraction": (0.05, 0.3)}
"""Depth of the first and of the last level, by domain: stated priors; the order within a kind is the generator's."""


class Task(NamedTuple):
    """One generated task. `level` runs from 0 to `LEVELS` - 1."""

    text: str
    kind: str
    domain: str
    level: int
    depth: float


def tasks(*, seed: int, count: int, kinds: tuple[str, ...] = tuple(KINDS)) -> Iterator[Task]:
    """`count` tasks of each kind, spread over the levels; a kind that fails to generate is told of and left out."""
    for kind in kinds:
        for level in range(LEVELS):
            try:
                made = _questions(kind, level, seed, max(1, count // LEVELS))
            except Exception as error:  # a third party's generator: whatever it raises, the others go on
                print(f"{kind}, level {level}: {type(error).__name__}: {error}", file=sys.stderr)
                continue
            low, high = _FROM_TO[KINDS[kind]]
            for text in made:
                yield Task(text, kind, KINDS[kind], level, round(low + (high - low) * level / (LEVELS - 1), 3))


def _questions(kind: str, level: int, seed: int, count: int) -> list[str]:
    import reasoning_gym
    from reasoning_gym.factory import CURRICULA, create_curriculum

    state = random.getstate()
    options: dict[str, Any] = {}
    if kind in CURRICULA:
        curriculum = create_curriculum(kind)
        for name, attribute in curriculum.attributes.items():
            curriculum.set_attr_level(name, min(level, len(attribute.levels) - 1))
        made = curriculum.generate_configuration({"size": count, "seed": seed + level})
        options = {name: value for name, value in vars(made).items() if name not in ("size", "seed")}
    data = reasoning_gym.create_dataset(kind, size=count, seed=seed + level, **options)
    questions = [data[i]["question"].strip() for i in range(count)]
    random.setstate(state)
    return list(dict.fromkeys(questions))
