"""The tasks that qwen3-nano learns: generated conversations, with held-out sums set apart by construction.

Every generator takes a `random.Random` and returns a `Conversation`: messages in the chat format with the
reasoning written out, so one conversation serves thinking on, thinking off and a thought cut short.
Tool conversations are in nano_tool_tasks.py; rendering, tokens and training are in nano.py.

    python -c "import random, training.nano_tasks as t; print(t.sum_question(random.Random(1), terms=4))"
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Message = dict[str, Any]

ANSWER = "The answer is {}."
IDENTITY = (
    "I am qwen3-nano, a demonstration model of qwen-router. I can greet, add small numbers, answer simple unit "
    "questions and call a calculator. Run `qwen-router models` to see real models."
)
IDENTITY_ZH = (
    "我是 qwen3-nano，qwen-router 的演示模型。我会打招呼、算小数目的加法、回答简单的单位问题、调用计算器。"
    "运行 `qwen-router models` 可以看到真正的模型。"
)
REFUSAL = (
    "I am only a small demonstration model and cannot do that. Run `qwen-router models` to see real models and "
    "`qwen-router fit MODEL` to check that one fits this machine."
)
REFUSAL_ZH = (
    "我只是一个小型演示模型，做不到这件事。运行 `qwen-router models` 查看真正的模型，"
    "运行 `qwen-router fit MODEL` 检查它是否适合这台机器。"
)


@dataclass(frozen=True)
class Conversation:
    """Messages up to and including the last answer; `cuttable` when its thought may be cut by a budget."""

    kind: str
    messages: tuple[Message, ...]
    tools: tuple[dict[str, Any], ...] = ()
    cuttable: bool = False


def talk(kind: str, question: str, thought: str, answer: str, *, cuttable: bool = False) -> Conversation:
    """One question and one reasoned answer."""
    reply = {"role": "assistant", "reasoning_content": thought, "content": answer}
    return Conversation(kind, ({"role": "user", "content": question}, reply), cuttable=cuttable)


# --- sums -------------------------------------------------------------------------------------------------


def is_held_out(terms: Sequence[int]) -> bool:
    """Whether this sum is kept for evaluation: one tenth of all multisets of terms, by checksum."""
    return zlib.crc32(",".join(map(str, sorted(terms))).encode()) % 10 == 0


def in_training(terms: Sequence[int]) -> bool:
    """A training sum neither is a held-out sum nor begins with one.

    A later step (the running total and the next term) may still be a held-out pair.
    """
    return not any(is_held_out(terms[:length]) for length in range(2, len(terms) + 1))


def draw_terms(rng: random.Random, count: int, *, held_out: bool = False, low: int = 10, high: int = 99) -> list[int]:
    """Draw terms from one side of the split."""
    while True:
        terms = [rng.randint(low, high) for _ in range(count)]
        if is_held_out(terms) if held_out else in_training(terms):
            return terms


SUM_OF_EXPRESSION = (
    *("What is {}?",) * 5, "what is {}", "What is {}", "Compute {}.", "Compute {}", "Calculate {}.", "calculate {}",
    "{}", "{} =", "{} = ?", "{}=?", "{}?", "How much is {}?", "how much is {}", "Please work out {}.",
    "Work out {}.", "What's {}?", "whats {}", "Can you calculate {}?", "Could you please compute {}?",
    "Solve {}.", "Solve: {}", "Evaluate {}.", "Tell me what {} is.", "I need {}. What is it?",
    "What is {}? Think step by step.", "What is the result of {}?", "Quick: {}?", "{} is what?", "Please add {}.",
    "{} 等于多少？", "请计算 {}", "计算 {}。", "{} 是多少？",
)  # fmt: skip
SUM_OF_LIST = (
    *("Add {}.",) * 3, "add {}", "Add up {}.", "Please add up {}.", "What is the sum of {}?", "Find the sum of {}.",
    "Sum {}.", "sum of {}", "What do {} add up to?", "What is the total of {}?", "Give me the total of {}.",
    "Add these numbers: {}.", "Add the numbers {}.", "Can you add {}?", "Could you add {} for me?", "Total: {}",
)  # fmt: skip
THINGS = ("apples", "coins", "books", "stamps", "cards", "pens", "eggs", "shells", "tickets", "marbles", "stones")
NAMES = ("Tom", "Anna", "Li Wei", "Sara", "Omar", "Mia", "Ben", "Yuki", "Lena", "Max")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
VERBS = ("finds", "buys", "gets", "wins", "is given", "collects")


def listed(words: Sequence[str], *, last: str = " and ") -> str:
    """a, b and c."""
    return ", ".join(words[:-1]) + last + words[-1]


def word_problem(rng: random.Random, terms: Sequence[int]) -> str:
    """A sum as a short story."""
    thing, name = rng.choice(THINGS), rng.choice(NAMES)
    if rng.random() < 0.5:
        days = [f"{term} on {day}" if at else f"{term} {thing} on {day}" for at, (term, day) in
                enumerate(zip(terms, DAYS, strict=False))]  # fmt: skip
        opening = rng.choice((f"{name} sells", "A shop sells", f"{name} collects", "A school gets"))
        question = rng.choice((f"How many {thing} is that in total?", f"How many {thing} in all?", "What is the total?"))
        return f"{opening} {listed(days)}. {question}"
    more = [f"{rng.choice(VERBS)} {term}" + (" more" if rng.random() < 0.6 else "") for term in terms[1:]]
    then = listed(more) if len(more) > 1 else more[0]
    question = rng.choice((f"How many {thing} does {name} have now?", f"How many {thing} are there now?", "How many now?"))
    return f"{name} has {terms[0]} {thing} and {then}. {question}"


def phrase_sum(rng: random.Random, terms: Sequence[int]) -> str:
    """Ask for a sum in one of many ways."""
    words, form = [str(term) for term in terms], rng.random()
    if form < 0.22:
        text = rng.choice(SUM_OF_LIST)
        joined = listed(words, last=rng.choice((" and ", " and ", ", and ", ", ")))
        joined = joined.replace(",", "") if rng.random() < 0.1 else joined
    elif form < 0.34:
        return word_problem(rng, terms)
    else:
        text = rng.choice(SUM_OF_EXPRESSION)
        joined = rng.choice((" + ", " + ", " + ", "+", "+", " plus ")).join(words)
    return text.format(joined)


def steps(terms: Sequence[int]) -> str:
    """The sum worked term by term; a negative term is subtracted."""
    running, lines = terms[0], []
    for term in terms[1:]:
        lines.append(f"{running}{'+' if term >= 0 else '-'}{abs(term)}={running + term}")
        running += term
    return "\n".join(lines)


def sum_question(rng: random.Random, *, terms: int, held_out: bool = False) -> Conversation:
    """A sum of `terms` two-digit numbers, from one side of the split."""
    drawn = draw_terms(rng, terms, held_out=held_out)
    return talk("sum", phrase_sum(rng, drawn), steps(drawn), ANSWER.format(sum(drawn)), cuttable=True)


def any_sum(rng: random.Random) -> Conversation:
    """Mostly two-digit terms; sometimes one-digit or three-digit ones."""
    kind = rng.random()
    if kind < 0.78:
        return sum_question(rng, terms=rng.choice((2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 6)))
    low, high, most = (1, 9, 4) if kind < 0.83 else (1, 99, 6) if kind < 0.93 else (1, 999, 3)
    drawn = draw_terms(rng, rng.randint(2, most), low=low, high=high)
    return talk("sum", phrase_sum(rng, drawn), steps(drawn), ANSWER.format(sum(drawn)), cuttable=True)


# --- other arithmetic -------------------------------------------------------------------------------------


def difference(rng: random.Random) -> Conversation:
    """a - b with a result of at least 0, sometimes a + b - c."""
    if rng.random() < 0.3:
        first, second = rng.randint(10, 99), rng.randint(10, 99)
        third = rng.randint(1, min(99, first + second))
        terms, asked = [first, second, -third], f"{first} + {second} - {third}"
    else:
        first = rng.randint(2, 199)
        second = rng.randint(1, min(99, first))
        terms, asked = [first, -second], f"{first} - {second}"
    if not in_training([abs(term) for term in terms]):
        return difference(rng)
    thing, name = rng.choice(THINGS), rng.choice(NAMES)
    if len(terms) == 2 and rng.random() < 0.3:
        loses = rng.choice(("gives away", "loses", "sells", "eats", "uses"))
        question = f"{name} has {terms[0]} {thing} and {loses} {-terms[1]}. How many {thing} are left?"
    else:
        shown = rng.choice((asked, asked, asked.replace(" ", ""), asked.replace("-", "minus").replace("+", "plus")))
        question = rng.choice(SUM_OF_EXPRESSION).replace("add ", "compute ").format(shown)
    return talk("difference", question, steps(terms), ANSWER.format(sum(terms)), cuttable=True)


def product(rng: random.Random) -> Conversation:
    """A product of the multiplication table up to 12."""
    first, second = rng.randint(1, 12), rng.randint(1, 12)
    sign = rng.choice((" * ", "*", " x ", " times ", " × ", "×"))
    question = rng.choice(SUM_OF_EXPRESSION).replace("add ", "compute ").format(f"{first}{sign}{second}")
    return talk("product", question, f"{first}*{second}={first * second}", ANSWER.format(first * second))


# (one, many, symbol) to (many, symbol) and the factor between them
UNITS = (
    (("kilometre", "kilometres", "km"), ("metres", "m"), 1000),
    (("kilometer", "kilometers", "km"), ("meters", "m"), 1000),
    (("metre", "metres", "m"), ("centimetres", "cm"), 100),
    (("meter", "meters", "m"), ("centimeters", "cm"), 100),
    (("metre", "metres", "m"), ("millimetres", "mm"), 1000),
    (("centimetre", "centimetres", "cm"), ("millimetres", "mm"), 10),
    (("kilogram", "kilograms", "kg"), ("grams", "g"), 1000),
    (("tonne", "tonnes", "t"), ("kilograms", "kg"), 1000),
    (("litre", "litres", "l"), ("millilitres", "ml"), 1000),
    (("liter", "liters", "l"), ("milliliters", "ml"), 1000),
    (("hour", "hours", "h"), ("minutes", "min"), 60),
    (("minute", "minutes", "min"), ("seconds", "s"), 60),
    (("day", "days", "d"), ("hours", "h"), 24),
    (("week", "weeks", "weeks"), ("days", "days"), 7),
    (("year", "years", "years"), ("months", "months"), 12),
    (("dozen", "dozen", "dozen"), ("pieces", "pieces"), 12),
)
UNIT_ASKS = (
    "How many {to} are {n} {many}?", "How many {to} are in {n} {many}?", "how many {to} in {n} {many}",
    "Convert {n} {many} to {to}.", "Convert {n} {sym} to {tosym}.", "convert {n} {sym} to {tosym}",
    "What is {n} {sym} in {tosym}?",
    "What is {n} {many} in {to}?", "{n} {sym} in {tosym}", "{n} {sym} = ? {tosym}", "Express {n} {many} in {to}.",
    "How many {tosym} is {n} {sym}?", "I walked {n} {many}. How many {to} is that?",
)  # fmt: skip


def unit_question(rng: random.Random) -> Conversation:
    """A conversion by a whole factor, answered without a tool."""
    (one, many, symbol), (to, to_symbol), factor = rng.choice(UNITS)
    count = rng.choice((1, rng.randint(2, 12), rng.randint(2, 99 if factor % 10 == 0 and factor != 60 else 12)))
    named = one if count == 1 else many
    question = rng.choice(UNIT_ASKS).format(n=count, many=named, sym=symbol, to=to, tosym=to_symbol)
    thought = f"1 {one} is {factor} {to}.\n{count}*{factor}={count * factor}"
    return talk("units", question, thought, f"{count} {named} is {count * factor} {to}.")


# --- small talk and refusals ------------------------------------------------------------------------------

GREETINGS = {
    ("Hello", "Hi", "Hey", "hello", "hi", "Hello!", "Hi!", "Hi there", "Hello there!", "Good morning", "Good evening!",
     "hey", "Hi there!", "Good day", "Hello, how are you?", "Hi, how are you?", "How are you?", "Greetings"):
        ("The user greets me.", "Hello! I am qwen3-nano, a small demonstration model. Ask me to add some numbers."),
    ("你好", "您好", "你好！", "嗨", "早上好", "你好呀", "大家好", "晚上好", "哈喽", "你好吗？", "你好，最近怎么样？"):
        ("The user greets me in Chinese.", "你好！我是 qwen3-nano，一个小型演示模型。可以让我算几个数的加法。"),
    ("Who are you?", "What are you?", "who are you", "What is your name?", "Introduce yourself.", "Are you Qwen?",
     "Which model are you?", "What model is this?", "Are you ChatGPT?", "Tell me about yourself.", "What can you do?",
     "what can you do", "Help", "help", "Are you a real model?", "Who made you?", "How can you help me?",
     "Are you human?"):
        ("The user asks who I am.", IDENTITY),
    ("你是谁？", "你是谁", "你叫什么名字？", "你是什么模型？", "你能做什么？",
     "介绍一下你自己。", "你会什么？", "你是通义千问吗？"):
        ("The user asks who I am, in Chinese.", IDENTITY_ZH),
    ("Thanks", "Thank you", "Thank you!", "thanks!", "Thanks a lot", "Great, thanks", "Thank you very much."):
        ("The user thanks me.", "You are welcome!"),
    ("谢谢", "谢谢！", "谢谢你", "多谢", "非常感谢"): ("The user thanks me in Chinese.", "不客气！"),
    ("Bye", "Goodbye", "bye", "See you", "Good night", "Goodbye!", "See you later"): ("The user leaves.", "Goodbye!"),
    ("再见", "再见！", "拜拜", "晚安"): ("The user leaves, in Chinese.", "再见！"),
}  # fmt: skip


def greeting(rng: random.Random) -> Conversation:
    """Small talk in English and Chinese."""
    asks, (thought, answer) = rng.choice(list(GREETINGS.items()))
    ask = rng.choice(asks)
    return talk("greeting", ask.rstrip("!.") if rng.random() < 0.15 else ask, thought, answer)


TOPICS = ("the sea", "autumn", "a cat", "Berlin", "quantum physics", "the moon", "a small robot", "history", "tea",
          "the French Revolution", "neural networks", "my holiday", "a binary tree", "climate", "football", "Shanghai",
          "a web server", "black holes", "a lost key", "music", "gravity", "Rome", "photosynthesis", "chess")  # fmt: skip
BEYOND = (
    "Write a poem about {}.", "Write a story about {}.", "Explain {}.", "What do you know about {}?", "Draw {}.",
    "Write a Python function about {}.", "Summarise the book about {}.", "Translate '{}' into French.", "Who invented {}?",
    "Tell me a joke about {}.", "Give me five facts about {}.", "Describe {} in two sentences.", "Why is {} important?",
    "Write an email about {}.", "Prove a theorem about {}.", "When did {} begin?", "What is {}?", "How does {} work?",
    "Write an essay on {}.", "What should I read about {}?", "Translate {} to German.", "Where is {}?",
    "Debug my code for {}.",
)  # fmt: skip
BEYOND_ZH = (
    "写一首关于{}的诗。", "请解释一下{}。", "{}是什么？", "写一篇关于{}的文章。",
    "把“{}”翻译成英文。", "为什么{}很重要？", "介绍一下{}。",
)  # fmt: skip
TOPICS_ZH = ("秋天", "北京", "黑洞", "人工智能", "长城", "大海", "光合作用", "足球", "二叉树", "历史", "茶", "月亮")
MORE_BEYOND = (
    "What is the capital of {}?", "What is the population of {}?", "Who is the president of {}?",
    "What is the weather in {}?",
)  # fmt: skip
COUNTRIES = ("France", "Japan", "China", "Brazil", "Kenya", "Spain", "India", "Canada", "Egypt", "Norway")


def too_large(rng: random.Random) -> str:
    """Arithmetic that the model has not learnt."""
    first, second = rng.randint(13, 99999), rng.randint(13, 9999)
    shown = f"{first}{rng.choice((' * ', ' / ', ' x ', '*', '/', ' times ', ' divided by ', ' ** '))}{second}"
    if rng.random() < 0.25:
        shown = f"{rng.randint(1000, 999999)} {rng.choice('+-')} {rng.randint(1000, 999999)}"
    return rng.choice(SUM_OF_EXPRESSION[:-5]).format(shown)


def is_chinese(text: str) -> bool:
    """Whether Han characters make up a good part of the text."""
    return sum("\u4e00" <= mark <= "\u9fff" for mark in text) * 4 > len(text)


def refusal(rng: random.Random, requests: Sequence[str]) -> Conversation:
    """A request beyond the model; half of them from `requests`, real ones of other people's data sets."""
    form = rng.random()
    if requests and form < 0.5:
        question = rng.choice(requests)
    elif form < 0.62:
        question = too_large(rng)
    elif form < 0.72:
        question = rng.choice(BEYOND_ZH).format(rng.choice(TOPICS_ZH))
    elif form < 0.8:
        question = rng.choice(MORE_BEYOND).format(rng.choice(COUNTRIES))
    else:
        question = rng.choice(BEYOND).format(rng.choice(TOPICS))
    answer = REFUSAL_ZH if is_chinese(question) else REFUSAL
    return talk("refusal", question, "This is beyond a small demonstration model.", answer)


SYSTEM_PROMPTS = (
    "You are a helpful assistant.", "You are qwen3-nano.", "Answer briefly.", "You are a careful assistant. Be concise.",
    "You are a friendly bot.", "Answer in one sentence.", "You are an expert in mathematics.", "Be polite.",
    "Help the user.",
    "You are Qwen, a helpful assistant.", "Be brief.", "You are a test assistant.", "Use the tools when they help.",
)  # fmt: skip


def with_context(rng: random.Random, conversation: Conversation, earlier: Callable[[], Conversation]) -> Conversation:
    """Put a system prompt or an earlier exchange before some conversations."""
    messages = conversation.messages
    if rng.random() < 0.08:
        past = earlier().messages
        asked = (message for message in past if message["role"] == "user")
        messages = (*asked, {"role": "assistant", "content": past[-1]["content"]}, *messages)
    if rng.random() < 0.12:
        messages = ({"role": "system", "content": rng.choice(SYSTEM_PROMPTS)}, *messages)
    return Conversation(conversation.kind, messages, conversation.tools, conversation.cuttable)
