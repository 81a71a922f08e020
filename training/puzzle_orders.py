"""English puzzles about order, place, time and change: rows, rankings, swaps, walks, dates, tables. Used by puzzles.py."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from itertools import pairwise, permutations

from training import puzzle_words as words
from training.puzzle_layout import Draft, article, listing

_COMPASS = {(0, 1): "north", (0, -1): "south", (1, 0): "east", (-1, 0): "west"}


def _people(rng: random.Random, count: int) -> list[str]:
    return rng.sample(words.NAMES, count)


def _maybe_shuffle(rng: random.Random, facts: list[str], share: float = 0.75) -> list[str]:
    return rng.sample(facts, len(facts)) if rng.random() < share else facts


def _the(kind: str, item: str) -> str:
    return "the " + item if kind == "things" else item


def row(rng: random.Random, steps: int) -> Draft:
    """Things or people in a line; every clue places one more of them."""
    kind, intro, first, last, after, before, gap, ask = rng.choice(words.LINES)
    pool = {"people": words.NAMES, "things": words.THINGS, "colours": words.COLOURS}[kind]
    count = steps + rng.randint(0, 1) if steps > 1 else 2
    line = [_the(kind, item) for item in rng.sample(pool, count)]
    facts = _row_clues(rng, line, steps, (first, last, after, before, gap))
    place = rng.randrange(count)
    draft = Draft(
        intro.format(n=words.NUMBERS[count], list=listing(rng.sample(line, count))),
        _maybe_shuffle(rng, facts),
        ask.format(o="last" if place == count - 1 and rng.random() < 0.5 else words.ORDINALS[place + 1]),
        rng.sample(line, min(count, rng.randint(3, 6))) if count > 2 else [],
    )
    if draft.options and line[place] not in draft.options:
        draft.options[0] = line[place]
    if rng.random() < 0.2:
        draft.question, draft.options = "Give the whole order.", []
    return draft


def _row_clues(rng: random.Random, line: Sequence[str], steps: int, forms: Sequence[str]) -> list[str]:
    first, last, after, before, gap = forms
    count = len(line)
    facts = [first.format(a=line[0])]
    index = 0
    while len(facts) < min(steps, count):
        if index + 2 < count and len(facts) + 2 <= min(steps, count) and rng.random() < 0.3:
            facts.append(gap.format(a=line[index], b=line[index + 2]))
            facts.append(rng.choice([after, before]).format(a=line[index], b=line[index + 1]))
            index += 2
        elif index + 1 < count:
            facts.append(rng.choice([after, before]).format(a=line[index], b=line[index + 1]))
            index += 1
        else:
            break
    if steps == 1 and rng.random() < 0.5:
        facts = [last.format(a=line[-1])]
    return facts


def round_table(rng: random.Random, steps: int) -> Draft:
    """People around a table, by neighbours on the left and on the right."""
    count = max(3, steps + 1)
    ring = _people(rng, count)
    forms = [
        "{b} sits directly to the left of {a}",
        "{a} is {b}'s neighbour on the right",
        "Going clockwise, the seat after {a} is {b}'s",
        "On {a}'s left is {b}",
    ]
    facts = [rng.choice(forms).format(a=ring[i], b=ring[i + 1]) for i in range(min(steps, count - 1))]
    subject = ring[min(steps, count - 1)]
    asks = [
        f"Who is {words.NUMBERS[min(steps, count - 1)]} seats clockwise from {ring[0]}?" if steps > 1 else "",
        f"Starting at {ring[0]} and going clockwise, in which order do they sit?",
        f"Where is {subject} in relation to {ring[0]}?",
        f"Who sits on {subject}'s left?" if steps == count - 1 else "",
    ]
    table = rng.choice(["a round table", "a round picnic table", "a campfire in a circle", "the circular meeting table"])
    intro = f"{listing(rng.sample(ring, count))} sit {'around' if 'fire' in table else 'at'} {table}, all facing the middle."
    return Draft(intro, _maybe_shuffle(rng, facts), rng.choice([ask for ask in asks if ask]), rng.sample(ring, count))


def ranking(rng: random.Random, steps: int) -> Draft:
    """A chain of comparisons."""
    more, less, top, bottom, order = rng.choice(words.COMPARISONS)
    chain = _people(rng, steps + 1)
    facts = [rng.choice([more, less]).format(a=a, b=b) for a, b in pairwise(chain)]
    facts = _maybe_shuffle(rng, facts, 0.9)
    intro = rng.choice(["", "", "", f"We compare {listing(rng.sample(chain, len(chain)))}.", "No ties are possible."])
    if rng.random() < 0.25:
        pair = (chain[0], chain[-1]) if rng.random() < 0.6 else (chain[-1], chain[0])
        claim = rng.choice([more, less]).format(a=pair[0], b=pair[1])
        return Draft(intro, facts, rng.choice([f"Does it follow that {claim}?", f"Is this true: {claim}?"]), yes_no=True)
    asks = [top, bottom, f"Order them, {order}.", f"What is the ranking ({order})?"]
    if steps > 2:
        asks.append(f"Listed {order}, who comes {words.ORDINALS[rng.randint(2, steps)]}?")
    question = rng.choice(asks)
    options = [] if "rank" in question or "Order" in question else rng.sample(chain, min(5, len(chain)))
    if steps > 4:
        options = []
    return Draft(intro, facts, question, options)


def race(rng: random.Random, steps: int) -> Draft:
    """A line of runners with overtaking."""
    names = _people(rng, rng.randint(3, 6))
    start = list(names)
    facts = []
    for _ in range(steps):
        at = rng.randrange(1, len(names))
        a, b = names[at], names[at - 1]
        names[at - 1], names[at] = a, b
        forms = [f"{a} overtakes {b}", f"{b} is passed by {a}", f"{a} moves up one place", f"{b} slips back one place"]
        facts.append(rng.choice(forms))
    things = rng.choice(["runners", "cyclists", "skiers", "go-karts", "rowing boats", "sled teams"])
    verb = rng.choice(["are on the course", "set out", "pass the first marker"])
    intro = f"{words.NUMBERS[len(start)]} {things} {verb} in this order, leader first: {', '.join(start)}."
    place = words.ORDINALS[rng.randint(1, len(names))]
    asks = [f"Who is in {place} place after that?", "What is the order at the finish?", f"Who finishes {place}?"]
    question = rng.choice(asks)
    return Draft(intro, facts, question, [] if "order" in question else start)


def swap_pairs(rng: random.Random, names: Sequence[str], count: int) -> list[tuple[str, str]]:
    """Pairs that swap, never the same pair twice running."""
    pairs: list[tuple[str, str]] = []
    while len(pairs) < count:
        a, b = rng.sample(names, 2)
        if not pairs or {a, b} != set(pairs[-1]):
            pairs.append((a, b))
    return pairs


def swaps(rng: random.Random, steps: int) -> Draft:
    """Things held by people who exchange them."""
    intro, holds, swap, ask = rng.choice(words.SWAPS)
    names = _people(rng, rng.randint(3, 5))
    items = rng.sample(words.THINGS, len(names))
    start = listing([holds.format(p=p, v=v) for p, v in zip(names, items, strict=True)])
    order = ["First, ", "Then ", "After that, ", "Next, ", "Later, ", "Now ", "Then ", "Finally, "]
    plain = rng.random() < 0.4
    facts = []
    held = dict(zip(names, items, strict=True))
    for i, (a, b) in enumerate(swap_pairs(rng, names, steps)):
        held[a], held[b] = held[b], held[a]
        word = "" if plain or steps == 1 else order[-1] if i == steps - 1 else order[min(i, 6)]
        facts.append(word + swap.format(a=a, b=b))
    options = names if "{v}" in ask else ["the " + item for item in items]
    return Draft(
        intro.format(facts=start),
        facts,
        ask.format(p=a, v=held[a]),
        rng.sample(options, len(names)),
    )


def dancers(rng: random.Random, steps: int) -> Draft:
    """Dance or game partners that change."""
    people = _people(rng, 2 * rng.randint(3, 4))
    half = len(people) // 2
    left, right = people[:half], people[half:]
    setting = rng.choice(
        [
            "At the village dance the pairs begin like this: {pairs}.",
            "In the doubles tournament the first pairings are {pairs}.",
            "Every trainee starts with a mentor: {pairs}.",
            "For the first scene the actors are paired up: {pairs}.",
        ]
    )
    intro = setting.format(pairs=listing([f"{a} with {b}" for a, b in zip(left, right, strict=True)]))
    form = rng.choice(words.DANCES)
    pairs = swap_pairs(rng, left, steps)
    facts = [form.format(a=a, b=b) for a, b in pairs]
    if rng.random() < 0.5:
        facts = [f"Round {i}: {fact}" for i, fact in enumerate(facts, 1)]
    asks = ["With whom is {p} paired at the end?", "Who is {p}'s partner now?", "Who is {p} with after all these changes?"]
    return Draft(intro, facts, rng.choice(asks).format(p=rng.choice(pairs[-1])), rng.sample(right, len(right)))


def walk(rng: random.Random, steps: int) -> Draft:
    """Turns and steps: where does one end or look?"""
    who = rng.choice(["You", "The robot", "A drone", rng.choice(words.NAMES), "The tortoise", "A delivery cart"])
    unit = rng.choice(["steps", "paces", "metres", "squares", "blocks", "tiles"])
    facts = []
    for i in range(steps):
        turn = rng.choice(["turn left", "turn right", "turn around"])
        go = f"go {rng.choice(['forward', 'ahead', 'straight on'])} {rng.randint(2, 12)} {unit}"
        back = f"walk {rng.randint(2, 9)} {unit} backwards without turning"
        facts.append(rng.choice([turn, go, go, f"{turn} and {go}", back]) if i else rng.choice([turn, go]))
    face = rng.choice(list(_COMPASS.values()))
    intro = rng.choice(
        [
            f"{who} {'look' if who == 'You' else 'looks'} {face} on a large grid. These are the orders.",
            f"Start at the flagpole, facing {face}.",
            f"Directions from a treasure map, beginning at the oak with your nose pointing {face}:",
        ]
    )
    asks = [
        ("Is that the place where it all began?", True, []),
        ("Do these moves lead back to the start?", True, []),
        ("Which way does one face in the end?", False, ["north", "east", "south", "west"]),
        ("In which direction does the starting point lie now?", False, []),
        ("Where does this end, seen from the start?", False, []),
    ]
    question, yes_no, options = rng.choice(asks)
    return Draft(intro, facts, question, options, yes_no)


_EIGHT = ("north", "south", "east", "west", "north-east", "north-west", "south-east", "south-west")


def town(rng: random.Random, steps: int) -> Draft:
    """Places on a map, each given by its neighbour."""
    places = ["the " + place for place in rng.sample(words.PLACES, steps + 1)]
    facts = []
    for a, b in pairwise(places):
        way = rng.choice(_EIGHT)
        far = rng.choice(["", "", "just ", "a short walk ", "a block "])
        facts.append(rng.choice([f"{b} is {far}{way} of {a}", f"{b} lies {far}{way} of {a}", f"{way} of {a} you find {b}"]))
    asks = [
        f"In which direction from {places[0]} is {places[-1]}?",
        f"Standing at {places[-1]}, which way do you look to see {places[0]}?",
        f"Roughly where is {places[-1]}, seen from {places[0]}?",
        f"Is {places[-1]} further north than {places[0]}?",
    ]
    question = rng.choice(asks)
    options = [] if question.startswith("Is") else list(_EIGHT)
    return Draft(
        rng.choice(["", "On the map of a small town:", "All blocks are equally long."]),
        _maybe_shuffle(rng, facts),
        question,
        options,
        question.startswith("Is"),
    )


def free_hour(rng: random.Random, steps: int) -> Draft:
    """A day of sightings with one gap: when can it have happened?"""
    name, place = rng.choice(words.NAMES), rng.choice(words.OUTINGS)
    hours = _ascending(rng, steps + 2)
    gap = rng.randrange(steps + 1)
    seen = []
    for i, (a, b) in enumerate(pairwise(hours)):
        if i != gap:
            seen.append(
                rng.choice(_SIGHTINGS).format(
                    w=rng.choice(words.WITNESSES), p=name, d=rng.choice(words.ACTIVITIES), a=_clock(a), b=_clock(b)
                )
            )
    intro = rng.choice(
        [
            f"At some point on Wednesday {name} went to the {place}.",
            f"{name} says there was a visit to the {place} today, between {_clock(hours[0])} and {_clock(hours[-1])}.",
            f"{name} got up at {_clock(hours[0])}. The {place} closes at {_clock(hours[-1])}.",
        ]
    )
    spans = [f"{_clock(a)} to {_clock(b)}" for a, b in pairwise(hours)]
    asks = [
        f"When can {name} have been at the {place}?",
        "In which stretch of time was the visit possible?",
        f"Between what times could {name} have gone there?",
    ]
    return Draft(
        intro, _maybe_shuffle(rng, seen, 0.4), rng.choice(asks), rng.sample(spans, len(spans)) if len(spans) <= 6 else []
    )


_SIGHTINGS = (
    "From {a} to {b} {w} saw {p} {d}",
    "{p} was {d} between {a} and {b}, as {w} confirms",
    "{w} noticed {p} {d} from {a} until {b}",
    "Between {a} and {b} {p} was {d}",
)


def _ascending(rng: random.Random, count: int) -> list[int]:
    hours = [rng.randint(6, 9) * 2]
    while len(hours) < count:
        hours.append(hours[-1] + rng.randint(1, 4 if count < 7 else 3))
    return hours


def _clock(half_hours: int) -> str:
    hour, half = divmod(half_hours, 2)
    if (hour, half) == (12, 0):
        return "noon"
    return f"{(hour - 1) % 12 + 1}{':30' if half else ''} {'am' if hour % 24 < 12 else 'pm'}"


_SHIFTS = (
    ("{b} is the day after {a}", 1),
    ("{b} is the day before {a}", -1),
    ("{b} comes two days after {a}", 2),
    ("{b} takes place three days before {a}", -3),
    ("{b} is five days later than {a}", 5),
    ("{a} is exactly a week and a day before {b}", 8),
    ("{a} is four days later than {b}", -4),
    ("{b} falls on the eve of {a}", -1),
)
_ANCHORS = (
    "Yesterday was {d}",
    "Tomorrow is {d}",
    "The day after tomorrow will be {d}",
    "Two days ago it was {d}",
    "Today is {d}",
    "The day before yesterday was {d}",
    "In three days it will be {d}",
)


def weekdays(rng: random.Random, steps: int) -> Draft:
    """Days of the week, from one event to the next."""
    day = rng.choice(words.DAYS)
    targets = [
        "tomorrow",
        "yesterday",
        "the day after tomorrow",
        "the day before yesterday",
        "a week from tomorrow",
        "nine days from now",
    ]
    if steps == 1 or (steps == 2 and rng.random() < 0.7):
        anchor = rng.choice(_ANCHORS).format(d=day)
        target = rng.choice(targets)
        if steps == 1:
            return Draft("", [f"Today is {day}"], f"What day of the week is {target}?", bare=False)
        return Draft("", [anchor], f"Which weekday is {target}?", list(words.DAYS) if rng.random() < 0.4 else [])
    events = ["the " + event for event in rng.sample(words.EVENTS, steps)]
    facts = [f"{events[0]} is on {article(day)}"]
    for a, b in pairwise(events):
        facts.append(rng.choice(_SHIFTS)[0].format(a=a, b=b))
    asks = [
        "On which day of the week is {e}?",
        "What weekday does {e} fall on?",
        "Is {e} at the weekend?",
        "Name the day of {e}.",
    ]
    question = rng.choice(asks).format(e=events[-1])
    return Draft("", _maybe_shuffle(rng, facts), question, yes_no=question.startswith("Is"))


def calendar(rng: random.Random, steps: int) -> Draft:
    """A calendar date, moved several times."""
    event = rng.choice(words.EVENTS)
    date = f"{rng.randint(1, 28)} {rng.choice(words.MONTHS)} {rng.randint(1995, 2027)}"
    forms = [
        "Because of a strike it was put off by {n} days",
        "It was then brought forward by {n} days",
        "The caretaker had it moved a week later",
        "Somebody pushed it back another {n} days",
        "In the end it took place one day earlier than that",
        "A clash of bookings moved it {n} days ahead",
        "It was delayed by a fortnight",
        "Snow held it up for {n} days more",
    ]
    starts = [
        f"The {event} was meant for {date}",
        f"Today, {date}, is the {event}",
        f"An invitation gives {date} as the date of the {event}",
    ]
    facts = [rng.choice(starts)] + [form.format(n=rng.randint(2, 9)) for form in rng.sample(forms, steps - 1)]
    if steps == 1:
        ask = rng.choice(
            [
                "What was the date ten days before?",
                "What date is it one month later?",
                "Which date is exactly two weeks after that?",
            ]
        )
    else:
        ask = rng.choice(
            ["What was the final date?", "On which date did it really happen?", "What date was the day after the event?"]
        )
    return Draft("", facts, ask + rng.choice(["", "", " Write it like 7 May 2020.", " (day/month/year)"]))


def grid(rng: random.Random, steps: int) -> Draft:
    """People with attributes of several kinds, linked by clues."""
    categories, size = {1: (1, 3), 2: (1, 3), 3: (1, 4), 4: (2, 3), 5: (2, 3), 6: (3, 3), 7: (2, 4), 8: (2, 5)}[steps]
    people = _people(rng, size)
    chosen = rng.sample(words.ATTRIBUTES, categories)
    columns = [rng.sample(values, size) for values, *_ in chosen]
    facts: list[str] = []
    for c, (_, is_so, _, _, is_not) in enumerate(chosen):
        for i in range(size - 1):
            subject = people[i]
            if c and rng.random() < 0.6:
                subject = chosen[c - 1][2].format(v=columns[c - 1][i])
            other = columns[c][size - 1]
            negative = size == 3 and len(facts) < steps - 1 and rng.random() < 0.3 and subject == people[i]
            facts.append((is_not if negative else is_so).format(p=subject, v=other if negative else columns[c][i]))
    while len(facts) < steps:
        c = rng.randrange(categories)
        a, b = rng.sample(range(size), 2)
        extra = chosen[c][4].format(p=people[a], v=columns[c][b])
        facts.append(extra)
    kinds = listing([f"{listing(rng.sample(column, size), 'or')}" for column in columns], "and also")
    intro = rng.choice(
        [
            f"{listing(people)} differ in everything: each has exactly one of {kinds}.",
            f"{words.NUMBERS[size]} neighbours ({', '.join(people)}) each go with one of {kinds}; nothing is shared.",
            f"Match {listing(people)} with {kinds}.",
        ]
    )
    c = rng.randrange(categories)
    asked = chosen[-1][3].format(v=columns[-1][size - 1])
    if steps > 3 and rng.random() < 0.5:
        asked = rng.choice(["Work out who goes with what.", chosen[c][3].format(v=columns[c][size - 1])])
    question = asked
    options = [] if question.startswith("Work") else rng.sample(people, size)
    return Draft(intro, rng.sample(facts, len(facts)), question, options)


def objects_removed(rng: random.Random, steps: int) -> Draft:
    """Coloured things in a row, some of them taken away or added."""
    count = rng.randint(4, 6)
    colours, things = rng.sample(words.COLOURS, count + steps), rng.sample(words.THINGS, count + steps)
    here = [f"{c} {t}" for c, t in zip(colours, things, strict=True)]
    spare, here = here[count:], here[:count]
    place = rng.choice(["desk", "window sill", "kitchen counter", "workbench", "rug", "shelf in the hall", "picnic blanket"])
    look = rng.choice(["Lined up", "From left to right", "In a row"])
    intro = f"{look} on the {place}: {listing([article(x) for x in here])}."
    facts = []
    for i in range(steps - 1):
        draw = rng.random()
        if draw < 0.45 and len(here) > 3:
            facts.append(f"I take away the {here.pop(rng.randrange(len(here)))}")
        elif draw < 0.7:
            a, b = rng.sample(range(len(here)), 2)
            facts.append(f"The {here[a]} and the {here[b]} trade places")
            here[a], here[b] = here[b], here[a]
        else:
            here.append(spare[i])
            facts.append(f"I put {article(spare[i])} at the right-hand end")
    at = rng.randrange(1, len(here))
    thing = here[at].split(" ", 1)[1]
    asks = [
        f"What colour is the thing left of the {thing}?",
        f"What is directly to the left of the {here[at]}?",
        "Which colour is second from the right?",
        f"What lies furthest from the {thing}?",
        f"Counting from the left, which place does the {thing} have?",
    ]
    return Draft(intro, facts, rng.choice(asks))


Row = Callable[[random.Random], tuple[object, ...]]


def _edit(rng: random.Random, names: list[str], column: str, make: Row) -> str:
    """One change of a table; keeps `names` up to date."""
    new, old = rng.choice([n for n in words.NAMES if n not in names]), rng.choice(names)
    draw = rng.random()
    if draw < 0.35:
        names.append(new)
        return f"now add {new}: {listing([str(v) for v in make(rng)])}"
    if draw < 0.55 and len(names) > 3:
        names.remove(old)
        return f"strike out the line of {old}"
    if draw < 0.7:
        names[names.index(old)] = new
        return f"{old} is renamed {new}"
    return f"the {column} of {old} turns out to be {make(rng)[0]}"


def table(rng: random.Random, steps: int) -> Draft:
    """A small table that is edited and then asked about."""
    what, columns, make = rng.choice(_TABLES)
    rows = [(name, *make(rng)) for name in _people(rng, rng.randint(3, 6))]
    sep = rng.choice([", ", " | ", ";", "\t"])
    lines = [sep.join(("name", *columns)), *(sep.join(map(str, r)) for r in rows)]
    names = [str(r[0]) for r in rows]
    facts = [_edit(rng, names, columns[0], make) for _ in range(steps - 1)]
    first, *_, final = columns
    asks = [
        f"Who now has the highest {first}?",
        f"Which of them has the lowest {first}?",
        f"Sorted by {first}, who is in second place?",
        f"How many of them share the same {final}?",
        f"Does anybody have a higher {first} than {names[0]}?",
    ]
    intro = f"{rng.choice(['Here is a list of', 'The table shows', 'Data about'])} {what}:\n" + "\n".join(lines)
    return Draft(intro + "\n", facts, rng.choice(asks))


_TABLES: tuple[tuple[str, tuple[str, ...], Row], ...] = (
    (
        "alpacas on a farm",
        ("age", "weight in kg", "coat"),
        lambda r: (r.randint(1, 15), r.randint(48, 90), r.choice(["white", "brown", "grey"])),
    ),
    ("rowing boats", ("length", "seats", "colour"), lambda r: (r.randint(3, 12), r.randint(1, 8), r.choice(words.COLOURS))),
    ("trainees", ("age", "points", "town"), lambda r: (r.randint(17, 40), r.randint(20, 99), r.choice(words.CITIES))),
    (
        "robots in a contest",
        ("speed", "battery life", "maker"),
        lambda r: (r.randint(5, 60), r.randint(2, 30), r.choice(words.CITIES)),
    ),
    (
        "climbers",
        ("height in cm", "grade", "club"),
        lambda r: (r.randint(150, 200), r.randint(4, 9), r.choice(["Granite", "Chalk", "Summit"])),
    ),
)


def theory_of_mind(rng: random.Random, steps: int) -> Draft:
    """Somebody moves a thing while others are away."""
    seeker, mover, other = _people(rng, 3)
    thing, room = rng.choice(words.SMALL), rng.choice(words.ROOMS)
    spots = ["the " + spot for spot in rng.sample(words.CONTAINERS, 4)]
    facts = [f"{seeker} puts {article(thing)} into {spots[0]} in the {room}"]
    more = [
        f"{seeker} leaves the {room}",
        f"{mover} moves the {thing} to {spots[1]}",
        f"{other} watches this through the window",
        f"{mover} goes out to the garden",
        f"{other} comes in and hides the {thing} in {spots[2]}",
        f"{mover} does not notice any of that",
        f"{seeker} comes back for it",
    ]
    facts += more[: max(0, steps - 1)]
    asks = [
        f"Where will {seeker} look for the {thing} first?",
        f"Where does {seeker} believe the {thing} to be?",
        f"Where is the {thing} really?",
    ]
    if steps > 3:
        asks += [
            f"Where does {mover} think {seeker} will look?",
            f"If you asked {other} where {seeker} expects the {thing}, what would the answer be?",
        ]
    return Draft(
        rng.choice(["", f"{listing([seeker, mover, other])} are at home."]),
        facts,
        rng.choice(asks),
        rng.sample(spots[:3], 3),
    )


def nesting(rng: random.Random, steps: int) -> Draft:
    """A small thing in a container in a container."""
    thing = "the " + rng.choice(words.SMALL)
    chain = [thing, *("the " + c for c in rng.sample(words.CONTAINERS, steps - 1)), "the " + rng.choice(words.ROOMS)]
    facts = [
        rng.choice([f"{a} is in {b}", f"somebody put {a} into {b}", f"{a} can be found inside {b}"])
        for a, b in pairwise(chain)
    ]
    owner = rng.choice(words.NAMES)
    asks = [
        f"In which room is {thing}?",
        f"Which room must {owner} enter to fetch {thing}?",
        f"{owner} carries {chain[-2]} to the balcony. Where is {thing} now?",
    ]
    return Draft(
        "",
        _maybe_shuffle(rng, facts),
        rng.choice(asks),
        ["the " + r for r in rng.sample(words.ROOMS, 3)] + [chain[-1]] if rng.random() < 0.3 else [],
    )


def script_order(rng: random.Random, steps: int) -> Draft:
    """Sentences of a small story to be put in order."""
    lines = rng.choice(words.SCRIPTS).split("|")
    count = max(3, steps)
    start = rng.randint(0, len(lines) - count)
    part = lines[start : start + count]
    shuffled = rng.sample(part, count)
    asks = [
        "Put these sentences in the order in which they must have happened.",
        "Which order makes sense?",
        "Arrange the events from earliest to latest.",
        "What happened last?",
        "The lines got mixed up. Sort them.",
        "Which of these comes directly after number 1?",
    ]
    return Draft("", shuffled, rng.choice(asks))


def switches(rng: random.Random, steps: int) -> Draft:
    """Buttons that change the state of something."""
    thing, on, off, full = rng.choice(words.STATES)
    names = rng.sample(["red", "square", "upper", "brass", "loud", "hidden", "left", "rusty", "tiny"], 2)
    intro = rng.choice(
        [
            f"The {names[0]} button flips {full} between {on} and {off}; the {names[1]} button always makes it {on}.",
            f"Pressing {names[0]} reverses the state of the {thing}. Pressing {names[1]} sets it to {off}, whatever it was.",
            f"Every pull of the {names[0]} cord toggles {full} ({on}/{off}). "
            f"The {names[1]} cord does nothing if the {thing} is {off}, otherwise it makes it {off}.",
        ]
    )
    intro += f" At the start the {thing} is {rng.choice([on, off])}."
    facts = [
        f"{rng.choice(words.NAMES)} uses the {rng.choice(names)} one" + rng.choice(["", "", " once", " twice"])
        for _ in range(steps)
    ]
    return Draft(
        intro,
        facts,
        rng.choice([f"Is the {thing} {on} now?", f"What is the state of the {thing}?", f"{on} or {off} at the end?"]),
        yes_no=False,
    )


def schedule(rng: random.Random, steps: int) -> Draft:
    """Jobs with rules about their order; which order is allowed?"""
    count = max(3, min(6, steps + 1))
    jobs = rng.sample(words.EVENTS, count)
    rules, tests = _rules(rng, jobs, steps)
    good = [list(p) for p in permutations(jobs) if all(test(p) for test in tests)]
    bad = [list(p) for p in permutations(jobs) if not all(test(p) for test in tests)]
    orders = [rng.choice(good), *rng.sample(bad, min(rng.choice([3, 4]), len(bad)))]
    intro = rng.choice(
        [
            f"These have to be fitted in one after another: {listing(rng.sample(jobs, count))}.",
            f"{words.NUMBERS[count]} bookings for one hall, one per day: {listing(rng.sample(jobs, count))}.",
            f"Please plan {listing(rng.sample(jobs, count))}, one at a time.",
        ]
    )
    options = [", ".join(order) for order in rng.sample(orders, len(orders))]
    if rng.random() < 0.3:
        return Draft(
            intro, rules, rng.choice(["Find an order that respects every rule.", "Is there a plan that works? Which?"])
        )
    asks = ["Which order is acceptable?", "Which of these plans breaks no rule?", "Which sequence is possible?"]
    return Draft(intro, rules, rng.choice(asks), options, need_options=True)


Test = Callable[[Sequence[str]], bool]


def _rules(rng: random.Random, items: Sequence[str], count: int, the: str = "the ") -> tuple[list[str], list[Test]]:
    """Rules about an order, all true of the given order, and their tests."""
    rules: list[str] = []
    tests: list[Test] = []
    for _ in range(200):
        if len(rules) >= count:
            break
        text, test = _rule(rng, items, the)
        if text not in rules:
            rules.append(text)
            tests.append(test)
    return rules, tests


def _rule(rng: random.Random, items: Sequence[str], the: str) -> tuple[str, Test]:
    i, j = sorted(rng.sample(range(len(items)), 2))
    a, b = items[i], items[j]
    draw = rng.random()
    if draw < 0.5:
        forms = [
            f"{the}{a} comes before {the}{b}",
            f"{the}{b} cannot be earlier than {the}{a}",
            f"{the}{b} is some time after {the}{a}",
        ]
        return rng.choice(forms), lambda p: p.index(a) < p.index(b)
    if draw < 0.75 and j - i > 1:
        return f"{the}{a} and {the}{b} must not be next to each other", lambda p: abs(p.index(a) - p.index(b)) > 1
    if draw < 0.75:
        return f"{the}{a} and {the}{b} follow each other, in whichever order", lambda p: abs(p.index(a) - p.index(b)) == 1
    if i > 0:
        return f"{the}{a} is not the first one", lambda p: p[0] != a
    return f"{the}{b} is not in {words.ORDINALS[i + 1]} place", lambda p: p[i] != b


def weekly_game(rng: random.Random, steps: int) -> Draft:
    """Five or six people on consecutive days under rules, with a question about what is possible."""
    size = 5 if steps < 6 else 6
    people, days = _people(rng, size), words.DAYS[:size]
    rules, tests = _rules(rng, people, steps, the="")
    worlds = [p for p in permutations(people) if all(test(p) for test in tests)]
    job = rng.choice(
        [
            "is on call",
            "gives a talk",
            "cooks for the group",
            "opens the shop",
            "drives the library bus",
            "inspects a mill",
            "guides the tour",
        ]
    )
    intro = rng.choice(
        [
            f"From Monday to {days[-1]} exactly one of {listing(rng.sample(people, size))} {job} each day, nobody twice.",
            f"{listing(rng.sample(people, size))}: one of them {job} each day, Monday through {days[-1]}, nobody twice.",
        ]
    )
    claims = [(p, d) for p in range(size) for d in range(size)]
    possible = [c for c in claims if any(w[c[1]] == people[c[0]] for w in worlds)]
    impossible = [c for c in claims if c not in possible]
    forced = [c for c in claims if all(w[c[1]] == people[c[0]] for w in worlds)]
    question, pick, rest = _game_question(rng, possible, impossible, forced)
    chosen = [rng.choice(pick), *rng.sample(rest, min(4, len(rest)))]
    options = [f"{people[p]} has {days[d]}" for p, d in rng.sample(chosen, len(chosen))]
    if len(options) < 3:
        return Draft(intro, rules, "Give one full plan for the week that satisfies the rules.")
    return Draft(intro, rules, question, options, need_options=True)


Claim = tuple[int, int]


def _game_question(
    rng: random.Random, possible: list[Claim], impossible: list[Claim], forced: list[Claim]
) -> tuple[str, list[Claim], list[Claim]]:
    """The question, the claims that answer it and the claims that do not."""
    if forced and rng.random() < 0.5:
        return (
            rng.choice(["Which has to be true?", "What follows for certain?"]),
            forced,
            [c for c in possible + impossible if c not in forced],
        )
    if len(impossible) >= 4 and rng.random() < 0.5:
        return rng.choice(["Which of these could be true?", "Only one of these can happen. Which?"]), possible, impossible
    if impossible:
        return rng.choice(["Which of these cannot be true?", "Which statement is ruled out?"]), impossible, possible
    return "Name one possible case.", possible, []
