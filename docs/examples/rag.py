"""Answers a question from the documents of a folder, and says where each passage stands."""

from pathlib import Path

from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableParallel, RunnablePassthrough

from qwen_router.agent.tool_result import as_data
from qwen_router.langchain import ChatQwenRouter
from qwen_router.retrieval import FolderRetriever

RULE = "Answer from the passages alone; where they do not say it, say so."
PROMPT = ChatPromptTemplate.from_messages([("system", RULE), ("human", "{passages}\n\nQuestion: {question}")])


def passages(found):
    texts = [f"{document.metadata['source']}:\n{document.page_content}" for document in found["documents"]]
    return as_data("\n\n".join(texts), source="a search")


def rag_chain(folder, router=None):
    """A question in; a dict out: `question`, the `documents` that were found, and `answer`, a message."""
    found = RunnableParallel(question=RunnablePassthrough(), documents=FolderRetriever(root=folder, k=3, router=router))
    return found.assign(answer=RunnablePassthrough.assign(passages=passages) | PROMPT | ChatQwenRouter(router=router))


def handbook(folder="handbook"):
    """Three documents to try it on."""
    Path(folder).mkdir(exist_ok=True)
    Path(folder, "leave.md").write_text("# Leave\n\nIn the first year an employee gets 24 days of leave.\n")
    Path(folder, "travel.md").write_text("# Travel\n\nSecond class by rail. Receipts within 30 days.\n")
    Path(folder, "工作时间.md").write_text("# 工作时间\n\n周一到周五，九点到六点。\n", encoding="utf-8")
    return folder


def main(folder=None, question="How many days of leave does a new employee get?", router=None):
    result = rag_chain(folder or handbook(), router).invoke(question)
    print(f"{result['answer'].response_metadata['model_name']}: {result['answer'].text}")
    for document in result["documents"]:
        print(f"  {document.metadata['source']}, score {document.metadata['score']:.2f}")
    return result


if __name__ == "__main__":
    main()
