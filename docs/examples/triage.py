"""Sorts letters in many languages for a support team: the queue, a line in English, a draft in the writer's language."""

from operator import itemgetter
from typing import Literal

from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableBranch, RunnableLambda, RunnablePassthrough
from pydantic import BaseModel, Field

from qwen_router.agent.tool_result import as_data
from qwen_router.langchain import ChatQwenRouter, RouterRunnable

LETTERS = (
    "你们上个月收了我两次钱，我已经写了三封邮件，没有人回答。我要求马上退款！",
    "The app crashes when I open the settings. Version 2.1 on Linux.",
    "Guten Tag, können Sie mir sagen, wie ich meine Adresse ändere?",
)


class Ticket(BaseModel, extra="forbid"):
    """What the team needs to know of a letter."""

    queue: Literal["billing", "technical", "general"]
    urgent: bool = Field(description="The writer loses money, has written before, or cannot work.")
    summary: str = Field(description="One sentence in English.", max_length=120)


SORT = ChatPromptTemplate.from_template("Sort this letter to a support team.\n{data}")
DRAFT = ChatPromptTemplate.from_template("Write a short, kind reply in the language '{language}' to this letter.\n{data}")


def for_a_person(state):
    ticket, language = state["ticket"], state["language"]
    return ticket is None or ticket.urgent or language in ("und", "mul")  # undetermined, several


def triage(router=None):
    """`{"letter": ...}` in; the same with `decision`, `language`, `ticket`, `draft` out, the last two or None."""
    chat = ChatQwenRouter(router=router, max_tokens=300)
    draft = RunnableBranch((for_a_person, RunnableLambda(lambda state: None)), DRAFT | chat | StrOutputParser())
    return (
        RunnablePassthrough.assign(data=lambda state: as_data(state["letter"], source="a letter"))
        .assign(decision=itemgetter("letter") | RouterRunnable(router=router, answering=True))
        .assign(language=lambda state: state["decision"].profile.language)
        .assign(ticket=SORT | chat.with_structured_output(Ticket, include_raw=True) | itemgetter("parsed"))
        .assign(draft=draft)
    )


def main(letters=LETTERS, router=None):
    chain, done = triage(router), []
    for letter in letters:
        one = chain.invoke({"letter": letter})
        print(f"{one['language']} ({one['decision'].chosen.build.model.short_name}): {one['ticket']!r}")
        print(f"  draft: {one['draft'] or 'none, a person answers'}")
        done.append(one)
    return done


if __name__ == "__main__":
    main()
