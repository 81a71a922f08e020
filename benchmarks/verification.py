"""How often verification is right: of right answers, how many are called wrong; of wrong ones, how many are found.

The data are public repositories with answers, cloned by whoever runs this (docs/verification.md has the commands and what
the figures were). Wrong answers are a model's own where the data has some (GSM8K, MATH); else a right one with one number
changed (college maths), or a canonical solution with one operator or constant changed that its hidden tests catch.

    python -m benchmarks.verification --data clones
"""

from __future__ import annotations

import argparse
import ast
import gzip
import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from qwen_router.agent.checks.maths import of_equalities, of_question
from qwen_router.agent.verify import verify
from qwen_router.sandbox import run_tests

Row = tuple[bool, bool | None, str]
"""Whether the answer is right, what the check says (None: nothing), and its evidence. That the equalities in a text hold
says nothing of its end, and counts as nothing."""


def lines(path: Path) -> Iterator[dict[str, Any]]:
    opened = gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")
    with opened as file:
        for line in file:
            yield json.loads(line)


def gsm8k(data: Path) -> Iterator[Row]:
    """Equalities in solutions of four models and of people, without the calculator's own marks."""
    for row in lines(data / "grade-school-math/grade_school_math/data/example_model_solutions.jsonl"):
        said = [(bool(value["is_correct"]), value["solution"]) for value in row.values() if isinstance(value, dict)]
        for right, solution in [*said, (True, row["ground_truth"])]:
            finding = of_equalities(re.sub(r"<<[^<>]*>>", "", solution))
            yield right, False if finding and finding.ok is False else None, finding.evidence if finding else ""


def math_answers(data: Path) -> Iterator[Row]:
    """Eight answers of a Qwen to each of a hundred questions of MATH: the question's own check, and equalities."""
    for row in lines(data / "Qwen2.5-Math/evaluation/data/eval_rm_maj_example/math_cot_100.jsonl"):
        for answer, right in zip(row["code"], row["score"], strict=True):
            direct, stated = of_question(row["question"], answer), of_equalities(answer)
            wrong = next((f for f in (direct, stated) if f is not None and f.ok is False), None)
            ok = False if wrong else True if direct is not None and direct.ok else None
            yield bool(right), ok, wrong.evidence if wrong else ""


def college(data: Path) -> Iterator[Row]:
    """Published answers, and the same with one number changed, of questions that are one formula."""
    rng = random.Random(11)
    for row in lines(data / "Qwen2.5-Math/evaluation/data/college_math/test.jsonl"):
        finding = of_question(row["question"], row["answer"])
        if finding is None:
            continue
        yield True, finding.ok, f"{row['question']} | {row['answer']} | {finding.evidence}"
        numbers = list(re.finditer(r"\d+", row["answer"]))
        if not numbers or finding.ok is not True:
            continue
        at = rng.choice(numbers)
        slip = str(int(at[0]) + rng.choice((1, 2, 3, 10)))
        changed = row["answer"][: at.start()] + slip + row["answer"][at.end() :]
        again = of_question(row["question"], changed)
        yield False, again.ok if again else None, f"{row['question']} | {changed}"


def human_eval(data: Path, *, most: int) -> Iterator[Row]:
    """Code against the examples in its task: canonical solutions, and those with one change that hidden tests find."""
    rng = random.Random(5)
    for row in [*lines(data / "human-eval/data/HumanEval.jsonl.gz")][:most]:
        question = f"Complete this function:\n\n```python\n{row['prompt']}```"
        code = row["prompt"] + row["canonical_solution"]
        yield True, code_verdict(question, code), row["task_id"]
        hidden = f"{row['test']}\n\ndef test_hidden():\n    check({row['entry_point']})\n"
        mutant = changed_code(code, row["entry_point"], rng)
        if mutant is not None and not run_tests(mutant, hidden).ok:
            yield False, code_verdict(question, mutant), row["task_id"]


def code_verdict(question: str, code: str) -> bool | None:
    found = verify(question, f"```python\n{without_docstrings(code)}\n```", language="en")
    return found[0].ok if found else None


def without_docstrings(code: str) -> str:
    """A model's answer seldom repeats the examples."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) is not None and len(node.body) > 1:
            node.body = node.body[1:]
    return ast.unparse(tree)


def changed_code(code: str, name: str, rng: random.Random) -> str | None:
    """One comparison turned, one + and - exchanged, or one constant off by one, in the named function."""
    tree = ast.parse(code)
    function = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name)
    turned = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}
    places: list[tuple[Any, str]] = []
    for node in ast.walk(function):
        if isinstance(node, ast.Compare) and type(node.ops[0]) in turned:
            places.append((node, "compare"))
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
            places.append((node, "sign"))
        elif isinstance(node, ast.Constant) and type(node.value) is int:
            places.append((node, "constant"))
    if not places:
        return None
    node, kind = rng.choice(places)
    if kind == "compare":
        node.ops[0] = turned[type(node.ops[0])]()
    elif kind == "sign":
        node.op = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
    else:
        node.value += 1
    return ast.unparse(tree)


def main() -> None:
    """Print one row a data set, and on request what was called wrong among the right ones."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="a folder with clones of the repositories")
    parser.add_argument("--code-tasks", type=int, default=164)
    parser.add_argument("--show", action="store_true", help="list the right answers that are called wrong")
    options = parser.parse_args()
    sets = {
        "GSM8K, equalities in solutions": gsm8k(options.data),
        "MATH, answers of a Qwen": math_answers(options.data),
        "college maths, one formula": college(options.data),
        "HumanEval, examples of the task": human_eval(options.data, most=options.code_tasks),
    }
    print("| data | right answers | called right | called wrong | wrong answers | found | called right |")
    print("|---|---|---|---|---|---|---|")
    for name, rows in sets.items():
        counts: Counter[tuple[bool, bool | None]] = Counter()
        shown: list[str] = []
        for right, ok, evidence in rows:
            counts[right, ok] += 1
            if right and ok is False:
                shown.append(evidence)
        good, bad = (sum(n for (right, _), n in counts.items() if right is side) for side in (True, False))
        figures = (good, counts[True, True], counts[True, False], bad, counts[False, False], counts[False, True])
        print(f"| {name} | " + " | ".join(f"{n:,}" for n in figures) + " |", flush=True)
        for line in shown if options.show else ():
            print(f"    {' '.join(line.split())}")


if __name__ == "__main__":
    main()
