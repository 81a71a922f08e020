"""English puzzles about truth, rules, words, causes and evidence. Used by puzzles.py."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from itertools import pairwise, product

from training import puzzle_words as words
from training.puzzle_layout import Draft, article, listing
from training.puzzle_orders import nesting


def _people(rng: random.Random, count: int) -> list[str]:
    return rng.sample(words.NAMES, count)


def creature(rng: random.Random) -> str:
    """An invented noun."""
    return rng.choice(words.ONSETS) + rng.choice(words.RHYMES)


def creatures(rng: random.Random, count: int) -> list[str]:
    """Invented nouns, all different."""
    made: list[str] = []
    while len(made) < count:
        new = creature(rng)
        if new not in made:
            made.append(new)
    return made


def liar_chain(rng: random.Random, steps: int) -> Draft:
    """Everybody says something about the one before."""
    names = _people(rng, steps + 1)
    start = rng.choice(
        [
            "{a} always tells the truth",
            "{a} never tells the truth",
            "{a} claims that two plus two is five",
            "{a} says that ice is frozen water",
            "{a} is known to lie about everything",
            "We know that {a} is honest",
        ]
    )
    lies = [
        "{b} says that {a} is a liar",
        "{b}: '{a} is lying.'",
        "According to {b}, {a} does not speak the truth",
        "{b} calls {a} a liar",
    ]
    truths = [
        "{b} says that {a} is honest",
        "{b}: 'What {a} says is true.'",
        "{b} vouches for {a}'s honesty",
        "According to {b}, {a} tells the truth",
    ]
    facts = [start.format(a=names[0])]
    facts += [rng.choice(lies if rng.random() < 0.6 else truths).format(a=a, b=b) for a, b in pairwise(names)][
        : steps - 1 or 1
    ]
    intro = rng.choice(
        [
            "",
            "Everyone here either always lies or always tells the truth.",
            "Each person is a complete liar or completely truthful.",
        ]
    )
    last = names[max(1, steps - 1)]
    asks = [
        (f"Does {last} tell the truth?", True),
        (f"Is {last} a liar?", True),
        (f"Can {last} be believed?", True),
        ("Who is lying?", False),
        (f"Is {last} honest or not?", False),
    ]
    question, yes_no = rng.choice(asks)
    facts = facts if rng.random() < 0.7 else rng.sample(facts, len(facts))
    return Draft(intro, facts, question, yes_no=yes_no)


Says = tuple[str, Callable[[Sequence[bool]], bool]]


def _claim(rng: random.Random, me: int, names: Sequence[str], good: str, bad: str) -> Says:
    other = rng.choice([i for i in range(len(names)) if i != me])
    third = rng.choice([i for i in range(len(names)) if i != other])
    count = rng.randint(0, len(names) - 1)
    forms: list[Says] = [
        (f"'{names[other]} is {article(bad)}.'", lambda w: not w[other]),
        (f"'{names[other]} is {article(good)}.'", lambda w: w[other]),
        (f"'{names[other]} and I are of the same kind.'", lambda w: w[me] == w[other]),
        (f"'{names[other]} and I are different.'", lambda w: w[me] != w[other]),
        (f"'At least one of us is {article(bad)}.'", lambda w: not all(w)),
        (
            f"'Exactly {words.NUMBERS[count]} of us {'is ' + article(good) if count == 1 else f'are {good}s'}.'",
            lambda w: sum(w) == count,
        ),
        (f"'If {names[other]} is {article(good)}, then so is {names[third]}.'", lambda w: not w[other] or w[third]),
        (f"'Either {names[other]} is {article(bad)} or I am {article(good)}.'", lambda w: not w[other] or w[me]),
    ]
    return rng.choice(forms)


def island(rng: random.Random, steps: int) -> Draft:
    """Two tribes, one truthful and one lying; statements with exactly one solution where one is found."""
    good, bad, intro = rng.choice(_TRIBES)
    names = _people(rng, max(2, min(5, steps)))
    claims: list[Says] = []
    for _ in range(60):
        claims = [_claim(rng, i, names, good, bad) for i in range(len(names))]
        worlds = [w for w in product([True, False], repeat=len(names)) if all(w[i] == c[1](w) for i, c in enumerate(claims))]
        if len(worlds) == 1:
            break
    facts = [
        f"{name} {rng.choice(['says', 'states', 'tells you', 'mutters'])}: {claim[0]}"
        for name, claim in zip(names, claims, strict=True)
    ]
    while len(facts) < steps:
        extra = _people(rng, 1)[0]
        kind, said = rng.choices([article(good), article(bad)], k=2)
        facts.append(f"{extra}, who is {kind}, says: '{rng.choice(names)} is {said}.'")
    asks = [
        f"Who is {article(good)} and who is {article(bad)}?",
        f"What is {rng.choice(names)}?",
        "Which of them are telling the truth?",
        f"How many {bad}s are there?",
    ]
    return Draft(intro, facts, rng.choice(asks))


_TRIBES = (
    ("Sol", "Nox", "On Velmar, every Sol speaks the truth and every Nox lies."),
    (
        "candle",
        "smoke",
        "In a card game each player is secretly a candle (only true statements) or a smoke (only false ones).",
    ),
    (
        "priest",
        "trickster",
        "In the village of Odd there are only priests, who never lie, and tricksters, who never say anything true.",
    ),
    ("Plainer", "Twister", "A space crew meets Plainers, unable to lie, and Twisters, unable to say what is so."),
    ("monk", "spy", "The inn is full of monks and spies. Monks are honest, spies lie without exception."),
    ("robin", "magpie", "Say robin for a person who always tells the truth and magpie for one who always lies."),
)


def boxes(rng: random.Random, steps: int) -> Draft:
    """Boxes with labels, some of them false."""
    count = max(2, min(6, steps))
    colours = rng.sample(words.COLOURS, count)
    prize = "the " + rng.choice(words.SMALL)
    kind = rng.choice(["boxes", "caskets", "lockers", "envelopes", "drawers"])
    intro = f"{words.NUMBERS[count]} {kind} are labelled; one of them holds {prize}."
    rule = rng.choice(
        [
            "Only one label is true.",
            "Every label is false.",
            "Exactly one label is false.",
            "The label on the box with the prize is true, all the others are false.",
        ]
    )
    forms = [
        "It is in here",
        "It is not in here",
        "It is in the {o} one",
        "It is not in the {o} one",
        "The {o} one is empty",
        "The label of the {o} one is false",
    ]
    facts = []
    for colour in colours:
        other = rng.choice([c for c in colours if c != colour])
        facts.append(f"the {colour} one says: '{rng.choice(forms).format(o=other)}'")
    if steps == 1:
        facts = facts[:1]
    facts += [
        f"{rng.choice(words.NAMES)} has already looked into the {c} one and found nothing"
        for c in rng.sample(colours, max(0, min(2, steps - count)))
    ]
    return Draft(
        f"{intro} {rule}",
        facts,
        rng.choice([f"Where is {prize}?", "Which one should be opened?", "Can it be known for certain where it is?"]),
        [f"the {c} one" for c in colours] if rng.random() < 0.4 else [],
    )


def syllogism(rng: random.Random, steps: int) -> Draft:
    """Statements about groups and a conclusion that may follow or not."""
    invented = rng.random() < 0.35
    terms = [name + "s" for name in creatures(rng, steps + 1)] if invented else rng.sample(words.GROUPS, steps + 1)
    facts = []
    for a, b in pairwise(terms):
        forms = [
            "All {a} are {b}",
            "Every one of the {a} belongs to the {b}",
            "No {a} are {b}",
            "Some {a} are {b}",
            "Whoever is among the {a} is among the {b}",
            "Only {b} are {a}",
        ]
        facts.append(rng.choices(forms, weights=[5, 1, 2, 2, 1, 1])[0].format(a=a, b=b))
    quantifier = rng.choice(
        ["all {a} are {b}", "some {a} are {b}", "no {a} are {b}", "some {b} are not {a}", "all {b} are {a}"]
    )
    claim = quantifier.format(a=terms[0], b=terms[-1])
    facts = rng.sample(facts, len(facts)) if rng.random() < 0.4 else facts
    style = rng.random()
    if style < 0.35:
        ask = rng.choice(
            [
                "Is this argument valid?",
                "Is the reasoning watertight?",
                "Valid or not?",
                "Does the conclusion follow from the premises alone?",
            ]
        )
        so = rng.choice(["Therefore", "Therefore,", "Hence", "Hence,", "So", "It follows that"])
        return Draft("", [*facts, f"{so} {claim}"], ask, rng.choice([[], ["valid", "invalid"]]), yes_no=True)
    if style < 0.7:
        ask = rng.choice(
            [f"Does it follow that {claim}?", f"Must it be the case that {claim}?", f"Can we conclude that {claim}?"]
        )
        return Draft(rng.choice(["", "Assume the following.", "Suppose all of this holds."]), facts, ask, yes_no=True)
    a, b = terms[0], terms[-1]
    options = rng.sample([f"All {a} are {b}", f"No {a} are {b}", f"Some {b} are {a}", "None of these follows"], 4)
    return Draft(
        "",
        facts,
        rng.choice(["Which conclusion follows?", "What can be inferred?", "Which of these has to be true?"]),
        options,
        need_options=True,
    )


def chain(rng: random.Random, steps: int) -> Draft:
    """If-then rules about invented creatures, forwards or backwards."""
    kind, pet = creature(rng), rng.choice(words.NAMES)
    traits = rng.sample(words.TRAITS, steps + 1)
    forms = [
        "If {k} {a}, then it {b}",
        "Whenever {k} {a}, it {b}",
        "{K} that {a} always {b}",
        "Any {n} which {a} also {b}",
    ]
    facts = []
    for a, b in pairwise(traits):
        facts.append(rng.choice(forms).format(k=article(kind), K=article(kind).capitalize(), n=kind, a=a, b=b))
    if rng.random() < 0.6:
        start, ask = f"{pet} is {article(kind)} that {traits[0]}", f"Is it true that {pet} {traits[-1]}?"
    else:
        start, ask = f"{pet}, {article(kind)}, is not one that {traits[-1]}", f"Is {pet} {article(kind)} that {traits[0]}?"
    facts = rng.sample(facts, len(facts)) if rng.random() < 0.7 else facts
    facts = [start, *facts] if rng.random() < 0.4 else [*facts, start]
    asks = [ask, ask, f"What else can be said about {pet}?"]
    question = rng.choice(asks)
    return Draft("", facts, question, ["yes", "no", "cannot be known"] if question == ask else [], yes_no=question == ask)


def entailment(rng: random.Random, steps: int) -> Draft:
    """Premises and a hypothesis: entailed, contradicted or neither."""
    name, kind = rng.choice(words.NAMES), creature(rng)
    groups = rng.sample(words.GROUPS, steps + 1)
    facts = [
        f"{name} belongs to the {groups[0]}"
        if rng.random() < 0.6
        else f"{name} keeps {article(kind)} and is one of the {groups[0]}"
    ]
    for a, b in pairwise(groups[:steps]):
        forms = [
            f"All {a} are {b}",
            f"Everyone among the {a} is also among the {b}",
            f"Nobody among the {a} is among the {b}",
        ]
        facts.append(rng.choices(forms, weights=[4, 4, 1])[0])
    claim = (
        f"{name} is {rng.choice(['', '', 'not '])}one of the {groups[steps - 1] if rng.random() < 0.75 else groups[steps]}"
    )
    facts = rng.sample(facts, len(facts)) if rng.random() < 0.5 else facts
    labels = rng.choice(
        [
            ["true", "false", "unknown"],
            ["follows", "contradicts", "neither"],
            ["entailed", "contradicted", "undetermined"],
            ["yes", "no", "not enough information"],
        ]
    )
    style = rng.choice(
        [
            f"Conclusion to test: {claim}. Label it {listing(labels, 'or')}.",
            f"Hypothesis: {claim}.",
            f'Given this, what about the statement "{claim}"?',
            f"Decide: {claim} - {' / '.join(labels)}",
            f"Is it certain that {claim}?",
        ]
    )
    return Draft(
        rng.choice(["", "Premises:", "Take these as given."]),
        facts,
        style,
        labels if style[-1] in '."?' and "or" not in style[-30:] else [],
    )


def membership(rng: random.Random, steps: int) -> Draft:
    """Lists and clubs that contain one another."""
    name = rng.choice(words.NAMES)
    kind = rng.choice(
        [
            ("club", "clubs"),
            ("list", "lists"),
            ("district", "districts"),
            ("choir section", "sections"),
            ("folder", "folders"),
            ("mailing group", "groups"),
        ]
    )[0]
    sets = rng.sample(words.COLOURS, steps + 1)
    facts = [f"{name} is in the {sets[0]} {kind}"]
    for a, b in pairwise(sets[:steps]):
        facts.append(
            rng.choice(
                [
                    f"Everybody in the {a} {kind} is also in the {b} {kind}",
                    f"The {a} {kind} is part of the {b} {kind}",
                    f"The {b} {kind} includes the whole {a} {kind}",
                ]
            )
        )
    target = sets[steps - 1] if rng.random() < 0.7 else sets[steps]
    if steps == 1:
        facts = [f"The {sets[0]} {kind} and the {sets[1]} {kind} have nobody in common. {facts[0]}"]
        target = sets[1]
    return Draft(
        "",
        rng.sample(facts, len(facts)),
        rng.choice([f"Is {name} in the {target} {kind}?", f"Can we be sure that the {target} {kind} contains {name}?"]),
        yes_no=True,
    )


# (woman's role, man's role, another wording, the direction in the family tree)
_KIN = (
    ("{b} is the mother of {a}", "{b} is {a}'s father", "{b} has a child called {a}", "up"),
    ("{b} is the sister of {a}", "{a} has a brother, {b}", "{a} and {b} have the same parents", "level"),
    ("{a}'s daughter is {b}", "{b} is {a}'s son", "{b} is a child of {a}", "down"),
    ("{a} is married to a woman, {b}", "{b} is the husband of {a}", "{a} and {b} are a married couple", "partner"),
)


def family(rng: random.Random, steps: int) -> Draft:
    """A chain of family relations; never down and up again, which would contradict what is known."""
    women, men = rng.sample(words.WOMEN, steps + 1), rng.sample(words.MEN, steps + 1)
    names, facts, came_down, last = [rng.choice(women + men)], [], False, ""
    for i in range(steps):
        kin = rng.choice([k for k in _KIN if (k[3] != last or last == "up") and not (came_down and k[3] == "up")])
        woman = rng.random() < 0.5
        name = women[i] if woman else men[i]
        if name in names:
            name = (women if woman else men)[-1]
        form = kin[2] if rng.random() < 0.25 else kin[0] if woman else kin[1]
        facts.append(form.format(a=names[-1], b=name))
        names.append(name)
        last = kin[3]
        came_down = last == "down" or (came_down and last == "level")
    a, b = names[0], names[-1]
    asks = [
        f"How is {b} related to {a}?",
        f"What is {b} to {a}?",
        f"Which family relation links {a} and {b}?",
        f"What could {a} call {b}?",
    ]
    if steps == 1:
        asks = [f"What is {a} to {b}?", f"From {b}'s point of view, who is {a}?"]
    return Draft(
        rng.choice(["", "", "Here is what I know about the family:"]), rng.sample(facts, len(facts)), rng.choice(asks)
    )


BOOLEAN_STYLES = (
    ("True", "False", "and", "or", "not "),
    ("true", "false", "AND", "OR", "NOT "),
    ("T", "F", "&", "|", "~"),
    ("1", "0", "∧", "∨", "¬"),
)


def boolean(rng: random.Random, steps: int) -> Draft:
    """A Boolean expression with as many operators as steps."""
    style = rng.choice(BOOLEAN_STYLES)
    text = expression(rng, steps, style)
    asks = [
        "Evaluate: {e}",
        "{e} = ?",
        "What truth value does {e} have?",
        "{e}",
        "Is this true or false: {e}",
        "Simplify {e} to a single truth value.",
        "result of {e}?",
    ]
    return Draft("", [], rng.choice(asks).format(e=text), [style[0], style[1]] if rng.random() < 0.2 else [], bare=True)


def expression(rng: random.Random, operators: int, style: Sequence[str]) -> str:
    """A random expression with so many operators."""
    yes, no, both, either, negation = style
    if operators <= 0:
        return rng.choice([yes, no])
    if operators == 1 and rng.random() < 0.5:
        return negation + rng.choice([yes, no])
    if rng.random() < 0.25:
        return f"{negation}({expression(rng, operators - 1, style)})"
    left = rng.randint(0, operators - 1)
    parts = [expression(rng, left, style), expression(rng, operators - 1 - left, style)]
    joined = f" {rng.choice([both, either])} ".join(parts)
    return f"({joined})" if rng.random() < 0.6 else joined


def brackets(rng: random.Random, steps: int) -> Draft:
    """Opened brackets that must be closed in the right order."""
    pairs = rng.choice(["()[]", "()[]{}", "()[]{}<>", "()<>", "{}[]"])
    text = ""
    stack: list[str] = []
    while len(stack) < steps:
        kind = rng.randrange(0, len(pairs), 2)
        if stack and rng.random() < 0.22:
            text += stack.pop()
        else:
            text += pairs[kind]
            stack.append(pairs[kind + 1])
    text = " ".join(text) if rng.random() < 0.6 else text
    asks = [
        f"Close everything that is still open: {text}",
        f"{text}\nWhich closing brackets are missing, in order?",
        f"Is this sequence balanced? If not, add what is missing at the end. {text}",
        f"Finish the bracket string so that every bracket has its partner\n\n{text}",
        f"What has to be appended to {text} to make it well formed?",
    ]
    return Draft("", [], rng.choice(asks), bare=True)


def sorting(rng: random.Random, steps: int) -> Draft:
    """Words to be sorted."""
    some = rng.sample(words.SORT_WORDS, steps + 1)
    glue = rng.choice([", ", " ", "\n", "; ", " - "])
    asks = [
        "Put in alphabetical order: {w}",
        "Sort these words from A to Z: {w}",
        "{w}\n\nList the words above as a dictionary would.",
        "Which of these words would come last in a dictionary? {w}",
        "reverse alphabetical order please: {w}",
        "Arrange by the last letter, then alphabetically: {w}",
        "Which word is in the middle after sorting alphabetically? {w}",
    ]
    return Draft("", [], rng.choice(asks).format(w=glue.join(some)), bare=True)


def letters(rng: random.Random, steps: int) -> Draft:
    """One word changed letter by letter."""
    word = rng.choice(words.SORT_WORDS)
    forms = [
        "swap the first and the last letter",
        "drop the second letter",
        "reverse the whole thing",
        "move the last letter to the front",
        "double the first letter",
        "replace every a by an o",
        "remove all vowels but the first",
        "write the letter that follows the last letter in the alphabet at the end",
    ]
    facts = rng.sample(forms, steps)
    intro = rng.choice(
        [
            f"Start from the word {word.upper()}.",
            f'Take the word "{word}".',
            f"A code turns {word} into something else as follows.",
        ]
    )
    return Draft(
        intro,
        facts,
        rng.choice(
            [
                "What do you get?",
                "Which string is left?",
                "What is the third letter of the result?",
                "What is the coded word?",
            ]
        ),
    )


def adjectives(rng: random.Random, steps: int) -> Draft:
    """Which order of adjectives sounds right?"""
    count = max(2, min(7, steps + 1))
    picked = [rng.choice(words.ADJECTIVES[i]) for i in sorted(rng.sample(range(7), count))]
    noun = rng.choice(words.ADJECTIVE_NOUNS)
    versions = {" ".join(picked): None}
    for _ in range(20):
        if len(versions) >= rng.choice([2, 3, 4]):
            break
        versions[" ".join(rng.sample(picked, count))] = None
    options = [article(f"{v} {noun}") for v in rng.sample(list(versions), len(versions))]
    asks = [
        "Which sounds like natural English?",
        "Which word order would a native speaker use?",
        "Pick the phrase with its adjectives in the usual order.",
        "Only one of these is normal English. Which?",
    ]
    return Draft("", [], rng.choice(asks), options, need_options=True, bare=True)


def causal_story(rng: random.Random, steps: int) -> Draft:
    """A short story and a question about what caused what."""
    story, question = rng.choice([case for case in words.CAUSAL if len(case[0].split("|")) == steps])
    a, b, c = _people(rng, 3)
    facts = [line.format(a=a, b=b, c=c) for line in story.split("|")]
    ask = question.format(a=a, b=b, c=c)
    framing = ["{q}", "How would an ordinary person answer: {q}", "{q} What would most people say?", "Judge the case: {q}"]
    return Draft("", facts, rng.choice(framing).format(q=ask), ["yes", "no"] if rng.random() < 0.3 else [], yes_no=True)


def cause_effect(rng: random.Random, steps: int) -> Draft:
    """A plausible cause or effect among alternatives."""
    pairs = rng.sample(words.CAUSES, 5)
    effect, cause = pairs[0]
    if rng.random() < 0.5:
        given, right, wrong = effect, cause, [p[1] for p in pairs[1:]]
        asks = [
            "What most likely led to this?",
            "Which is the more plausible reason?",
            "Why did that happen?",
            "What was the cause?",
        ]
    else:
        given, right, wrong = cause, effect, [p[0] for p in pairs[1:]]
        asks = [
            "What happened as a result?",
            "Which is the likely consequence?",
            "And then?",
            "What was the effect of this?",
        ]
    options = [right, *wrong[: max(1, min(4, steps + 1))]]
    return Draft("", [given], rng.choice(asks), rng.sample(options, len(options)), need_options=True)


def analogy(rng: random.Random, steps: int) -> Draft:
    """Word analogies."""
    picked = rng.sample(words.ANALOGIES, 4)
    a, b, c, d = picked[0]
    wrong = [p[3] for p in picked[1:]]
    asks = [
        f"{a} is to {b} as {c} is to ...",
        f"{a} : {b} = {c} : ?",
        f"What relates to {c} the way {b} relates to {a}?",
        f"{c} is to ___ what {a} is to {b}.",
    ]
    if steps > 1 and rng.random() < 0.5:
        options = [f"{c} : {d}", *(f"{p[0]} : {picked[(i + 2) % 4][1]}" for i, p in enumerate(picked[1:]))]
        return Draft(
            "",
            [],
            f"Which pair has the same relation as {a} : {b}?",
            rng.sample(options, len(options)),
            need_options=True,
            bare=True,
        )
    return Draft("", [], rng.choice(asks), rng.sample([d, *wrong], 4), bare=True)


def crossing(rng: random.Random, steps: int) -> Draft:
    """A river crossing with passengers that must not be left alone together."""
    who, one, two, three, danger, other = rng.choice(words.CROSSINGS)
    boat = rng.choice(["a rowing boat", "a raft", "a cable car", "a small lift", "a canoe"])
    room = rng.choice(["one of them", "one item", "a single one of the three"])
    cargo = f"{one}, {two} and {three}"
    intro = f"{who.capitalize()} with {cargo} must get across with {boat} that holds the {who.split()[-1]} and {room}."
    facts = [f"If they are left alone, {danger}"]
    facts.append(f"Left alone, {other} as well")
    extra = [
        f"{rng.choice(words.NAMES)} waits on the far side and can only watch",
        "The crossing takes four minutes each way",
        f"On the way back the {boat.split()[-1]} may be empty",
        "Nothing can swim or fly across",
        "Everything has to be over there before dark",
    ]
    facts += rng.sample(extra, max(0, min(5, steps - 3)))
    asks = [
        "What goes over first?",
        "How many trips are needed at least?",
        "Describe a safe sequence of trips.",
        "Is it possible at all?",
        "What must travel back again at some point?",
    ]
    return Draft(intro, facts, rng.choice(asks))


_CLUES = (
    ("The thief is left-handed", "{p} is right-handed"),
    ("Whoever did it wore boots in size 45", "{p} wears size 38"),
    ("The window that was used is very narrow", "{p} is far too broad to get through it"),
    ("It happened at nine in the evening", "At nine {p} was on stage in front of two hundred people"),
    ("The note is written in fluent Danish", "{p} does not know a word of Danish"),
    ("The culprit knew the code of the safe", "Nobody ever told {p} the code"),
    ("Cat hair was left behind by the intruder", "{p} has no cat and is allergic to them"),
    ("The getaway car has a manual gearbox", "{p} cannot drive"),
    ("The voice on the tape is deep", "{p} has had a whispering voice since an operation"),
)


def detective(rng: random.Random, steps: int) -> Draft:
    """Suspects ruled out one by one."""
    suspects = _people(rng, min(6, max(2, steps // 2 + 1)))
    clues = rng.sample(_CLUES, min(len(_CLUES), len(suspects) - 1))
    lost = rng.choice(
        [
            "silver chalice",
            "stamp collection",
            "prize melon",
            "manuscript",
            "company seal",
            "emerald brooch",
            "ship in a bottle",
        ]
    )
    place = rng.choice(["manor", "museum", "night train", "vicarage", "hotel", "research station", "theatre"])
    facts = []
    for suspect, (clue, fact) in zip(suspects[1:], clues, strict=False):
        facts += [clue, fact.format(p=suspect)]
    while len(facts) < steps:
        facts.append(
            rng.choice(
                [
                    f"{rng.choice(suspects)} was seen nearby that day",
                    f"{rng.choice(suspects)} had asked about the value of it",
                    "No outsider was in the house",
                    "Only one person was involved",
                ]
            )
        )
        facts = list(dict.fromkeys(facts))
    intro = f"The {lost} has disappeared from the {place}. The suspects are {listing(rng.sample(suspects, len(suspects)))}."
    return Draft(
        intro,
        rng.sample(facts, len(facts)),
        rng.choice(
            ["Who did it?", "Who remains as a suspect?", "Whom should the inspector arrest?", "Who cannot be ruled out?"]
        ),
        rng.sample(suspects, len(suspects)),
    )


def evidence(rng: random.Random, steps: int) -> Draft:
    """Observations for and against a hypothesis."""
    case, claim, pro, contra = rng.choice(words.CASES)
    observations = rng.sample(pro.split("|") + contra.split("|"), min(8, max(1, steps)))
    if steps == 1:
        ask = rng.choice(
            [f"Does this speak for or against the idea that {claim}?", f"Idea: {claim}. Does the observation support it?"]
        )
        return Draft(case, observations, ask, ["it supports the idea", "it weakens the idea", "it has no bearing"])
    asks = [
        f"Which observations speak against the idea that {claim}?",
        f"Suppose someone says {claim}. Which of these supports that best?",
        f"Weigh it up: is it likely that {claim}?",
        f"Which single observation most weakens the theory that {claim}?",
    ]
    return Draft(case, observations, rng.choice(asks))


def policy(rng: random.Random, steps: int) -> Draft:
    """Rules of a place and one case."""
    place, rules, verb = rng.choice(words.POLICIES)
    count = max(1, min(6, (steps + 1) // 2))
    used = rng.sample(rules, count)
    name = rng.choice(words.NAMES)
    broken = rng.randrange(count) if rng.random() < 0.5 else -1
    facts = [f"{name} {rule[1] if i == broken else rule[2]}" for i, rule in enumerate(used)]
    facts = [
        fact if i == 0 else fact.replace(name, rng.choice([name, "Besides, " + name]), 1) for i, fact in enumerate(facts)
    ]
    intro = f"Rules of {place}: {'; '.join(rule[0] for rule in used)}."
    asks = [
        f"May {name} {verb}?",
        f"According to these rules, is {name} allowed to {verb}?",
        f"Will {name} be turned away, and if so why?",
        "Which rule, if any, is broken?",
    ]
    question = rng.choice(asks)
    return Draft(intro, facts, question, yes_no=question.startswith(("May", "Acc")))


def odd_statement(rng: random.Random, steps: int) -> Draft:
    """A set of statements one of which contradicts the others."""
    draft = nesting(rng, max(2, steps))
    draft.facts.append(
        draft.facts[0]
        .replace(" is in ", " is nowhere near ")
        .replace(" can be found inside ", " is not in ")
        .replace("somebody put", "nobody ever put")
    )
    rng.shuffle(draft.facts)
    return Draft(
        "",
        draft.facts,
        rng.choice(
            [
                "Which two of these statements cannot both be true?",
                "Are these statements consistent?",
                "Find the contradiction.",
                "Can all of this be true at the same time?",
            ]
        ),
    )
