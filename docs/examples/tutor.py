"""A mathematics tutor whose answers are worked out again by sympy before a pupil sees them."""

from langchain.agents import create_agent

from qwen_router.agent.verification import VerificationMiddleware
from qwen_router.agent.verify import verify
from qwen_router.langchain import ChatQwenRouter, RouterMiddleware
from qwen_router.tooling import load_tools

QUESTIONS = ("What is 23 * 4?", "Solve x^2 - 5x + 6 = 0.", "What is the derivative of x^3 * sin(x)?")
RULE = "You are a mathematics tutor. Explain in short steps and end with: The answer is ..."


def tutor(router=None, tools=("calculator",), tell=None):
    """An agent that gets a wrong answer back once, with the evidence; after a second one a stronger model is asked."""
    loaded = load_tools()
    return create_agent(
        ChatQwenRouter(router=router),
        tools=[loaded[name] for name in tools],
        system_prompt=RULE,
        middleware=[VerificationMiddleware(tell=tell), RouterMiddleware()],
    )


def main(questions=QUESTIONS, router=None):
    """(question, answer, verdict) each; only what is "right" was confirmed, and "not checked" says nothing."""
    agent, said = tutor(router, tell=lambda event: print(f"  {event.text}")), []
    for question in questions:
        print(question)
        answer = agent.invoke({"messages": [("human", question)]})["messages"][-1].text
        found = [finding.ok for finding in verify(question, answer)]
        verdict = "wrong" if False in found else "right" if True in found else "not checked"
        print(f"  {verdict}: {answer}")
        said.append((question, answer, verdict))
    return said


if __name__ == "__main__":
    main()
