"""LangChain's doors to search and to the decision: standard tests on real engines, retrievers, chains."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.load import dumps, loads
from langchain_core.messages import HumanMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import ConfigurableField, RunnableBranch
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_tests.integration_tests import EmbeddingsIntegrationTests
from langchain_tests.unit_tests import EmbeddingsUnitTests

from qwen_router import Decision, Request, Router
from qwen_router.engines.fake import FakeEngine
from qwen_router.engines.llamacpp import LlamaCppEngine
from qwen_router.engines.transformers import TransformersEngine
from qwen_router.errors import InvalidRequest, NoModelFits, UnknownName
from qwen_router.langchain import QwenRouterEmbeddings, QwenRouterReranker, RouterRunnable
from qwen_router.policy import Policy
from qwen_router.settings import Settings
from tests.search_checkpoints import HIDDEN, gguf_of, made
from tests.worlds import machine

TEXTS = ["the red fish swims", "a blue bird sings", "the fish is red", "stones do nothing"]


@cache
def searching(engine: str) -> Router:
    """One loaded model of each kind for the whole file."""
    engines: dict[str, Any] = {
        "transformers": lambda: TransformersEngine((made("embedding"), made("reranker"))),
        "llamacpp": lambda: LlamaCppEngine((gguf_of("embedding"), gguf_of("reranker"))),
        "fake": lambda: FakeEngine(embedding_models=["e"], reranker_models=["r"]),
    }
    return Router(engines=[engines[engine]()], machine=machine(), settings=Settings())


class TestEmbeddingsUnit(EmbeddingsUnitTests):
    @property
    def embeddings_class(self) -> type[QwenRouterEmbeddings]:
        return QwenRouterEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"model": "qwen3-embedding:0.6b", "dimensions": 256}


class TestEmbeddingsInTransformers(EmbeddingsIntegrationTests):
    @property
    def embeddings_class(self) -> type[QwenRouterEmbeddings]:
        return QwenRouterEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"router": searching("transformers")}


@pytest.mark.loopback
class TestEmbeddingsInLlamaCpp(EmbeddingsIntegrationTests):
    @property
    def embeddings_class(self) -> type[QwenRouterEmbeddings]:
        return QwenRouterEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"router": searching("llamacpp"), "dimensions": 16}


def test_a_vector_store_finds_the_text_that_a_query_is_about() -> None:
    store = InMemoryVectorStore.from_texts(TEXTS, QwenRouterEmbeddings(router=searching("fake")))
    assert store.similarity_search("red fish", k=2)[0].page_content in (TEXTS[0], TEXTS[2])


def test_a_query_and_a_document_of_the_same_words_have_different_vectors() -> None:
    embeddings = QwenRouterEmbeddings(router=searching("transformers"))
    assert embeddings.embed_query("a") != embeddings.embed_documents(["a"])[0]
    told = QwenRouterEmbeddings(router=searching("transformers"), task="Find songs")
    assert told.embed_query("a") != embeddings.embed_query("a")
    assert len(told.embed_query("a")) == HIDDEN


def test_an_instance_stays_with_the_model_that_made_its_first_vector() -> None:
    router = Router(engines=[FakeEngine(embedding_models=["b"])], machine=machine(), settings=Settings())
    embeddings = QwenRouterEmbeddings(router=router)
    assert embeddings.model_used is None and embeddings.embed_documents([]) == []
    embeddings.embed_documents(["text"])
    assert embeddings.model_used == "b"
    router._engines = (FakeEngine(embedding_models=["a"]),)
    router._served_at = float("-inf")
    router.kept.clear()
    with pytest.raises(UnknownName, match="'b'"):  # and not the vectors of another space
        embeddings.embed_query("text")


def test_errors_of_search_are_our_own() -> None:
    nobody = Router(engines=[FakeEngine()], machine=machine(), settings=Settings())
    with pytest.raises(NoModelFits, match="pull"):
        QwenRouterEmbeddings(router=nobody).embed_query("a")
    with pytest.raises(NoModelFits, match="pull"):
        QwenRouterReranker(router=nobody).compress_documents([Document("a")], "b")
    with pytest.raises(InvalidRequest, match="text 2 of 2 is empty"):
        QwenRouterEmbeddings(router=searching("fake")).embed_documents(["a", ""])


@pytest.mark.parametrize("engine", ["transformers", "llamacpp"])
async def test_a_reranker_orders_documents_and_keeps_what_they_carry(engine: str) -> None:
    documents = [Document(text, metadata={"source": str(n)}, id=str(n)) for n, text in enumerate(TEXTS)]
    reranker = QwenRouterReranker(router=searching(engine), top_n=3)
    found = reranker.compress_documents(documents, "red fish")
    scores = [document.metadata["relevance_score"] for document in found]
    assert len(found) == 3 and scores == sorted(scores, reverse=True) and all(0 <= score <= 1 for score in scores)
    assert all(document.metadata["source"] == document.id for document in found)
    assert all("relevance_score" not in document.metadata for document in documents)
    assert await reranker.acompress_documents(documents, "red fish") == found
    assert reranker.compress_documents([], "red fish") == []


def test_a_reranker_drops_what_is_below_its_least_score() -> None:
    reranker = QwenRouterReranker(router=searching("fake"), min_score=0.5)
    found = reranker.compress_documents([Document(text) for text in TEXTS], "red fish")
    assert [document.page_content for document in found] == [TEXTS[0], TEXTS[2]]


def test_retrieving_and_reranking_is_one_retriever() -> None:
    from langchain_classic.retrievers import ContextualCompressionRetriever

    router = searching("fake")
    store = InMemoryVectorStore.from_texts(TEXTS, QwenRouterEmbeddings(router=router))
    retriever = ContextualCompressionRetriever(
        base_compressor=QwenRouterReranker(router=router, top_n=1), base_retriever=store.as_retriever()
    )
    (best,) = retriever.invoke("a blue bird")
    assert best.page_content == TEXTS[1] and best.metadata["relevance_score"] == 1.0


# --- the decision as a step -------------------------------------------------------------------------------------------


@cache
def advising() -> Router:
    return Router(machine="rtx-4090", settings=Settings())


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param("What is 12 + 30?", id="text"),
        pytest.param([HumanMessage("What is 12 + 30?")], id="langchain-messages"),
        pytest.param([{"role": "user", "content": "What is 12 + 30?"}], id="messages"),
        pytest.param({"messages": [{"role": "user", "content": "What is 12 + 30?"}], "temperature": 0}, id="body"),
        pytest.param(ChatPromptTemplate.from_messages([("user", "{q}")]).invoke({"q": "What is 12 + 30?"}), id="prompt"),
        pytest.param(Request.of("What is 12 + 30?"), id="request"),
    ],
)
async def test_any_shape_of_a_request_becomes_the_routers_own_decision(request_: Any) -> None:
    runnable = RouterRunnable(router=advising())
    wanted = advising().route("What is 12 + 30?")
    for decision in (runnable.invoke(request_), await runnable.ainvoke(request_), runnable.batch([request_, "hi"])[0]):
        assert isinstance(decision, Decision)
        assert decision.profile.domain == wanted.profile.domain == "math"
        assert decision.chosen is not None and decision.chosen.build == wanted.chosen.build  # type: ignore[union-attr]


def test_a_chain_branches_on_the_decision() -> None:
    chain = (
        ChatPromptTemplate.from_messages([("user", "{question}")])
        | RouterRunnable(router=advising())
        | RunnableBranch((lambda d: d.profile.domain == "math", lambda d: "calculate"), lambda d: d.profile.domain)
    )
    asked = [{"question": "What is 12 + 30?"}, {"question": "Write a poem about the sea."}]
    assert chain.batch(asked) == ["calculate", "writing"]
    names = RouterRunnable(router=advising()) | (lambda decision: decision.chosen.build.model.id)
    assert names.invoke("What is 12 + 30?") == advising().route("What is 12 + 30?").chosen.build.model.id  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("options", "policy", "model"),
    [
        pytest.param({}, "balanced", None, id="nothing"),
        pytest.param({"policy": "fast"}, "fast", None, id="policy"),
        pytest.param({"policy": Policy.load("cheap")}, "cheap", None, id="a-policy"),
        pytest.param({"model": "auto:fast"}, "fast", None, id="auto-with-a-policy"),
        pytest.param({"model": "Qwen3-0.6B"}, "balanced", "Qwen/Qwen3-0.6B", id="pin"),
        pytest.param({"objective": "quality"}, "balanced", None, id="objective"),
    ],
)
def test_policy_objective_and_pin_are_fields_and_configurable(
    options: dict[str, Any], policy: str, model: str | None
) -> None:
    fields = {name: ConfigurableField(id=name) for name in ("model", "policy", "objective")}
    later = RouterRunnable(router=advising()).configurable_fields(**fields)
    for decision in (
        RouterRunnable(router=advising(), **options).invoke("What is 12 + 30?"),
        later.invoke("What is 12 + 30?", config={"configurable": options}),
    ):
        assert decision.table.policy.name == policy
        assert model is None or decision.chosen.build.model.id == model
        if "objective" in options:
            assert decision.table.policy.objective == Policy.load("quality").objective


def test_a_pin_in_the_request_is_kept() -> None:
    body = {"model": "Qwen3-1.7B", "messages": [{"role": "user", "content": "hi"}]}
    decision = RouterRunnable(router=advising(), model="Qwen3-0.6B").invoke(body)
    assert decision.chosen is not None and decision.chosen.build.model.id == "Qwen/Qwen3-1.7B"


def test_bad_input_is_an_error_of_ours() -> None:
    runnable = RouterRunnable(router=advising())
    with pytest.raises(InvalidRequest, match="cannot read a request from int"):
        runnable.invoke(3)
    with pytest.raises(UnknownName, match="policy"):
        RouterRunnable(router=advising(), policy="nice").invoke("hi")
    errors = runnable.batch(["hi", 3], return_exceptions=True)
    assert isinstance(errors[0], Decision) and isinstance(errors[1], InvalidRequest)


def test_the_runnable_is_stored_without_its_router_and_comes_back() -> None:
    stored = dumps(RouterRunnable(router=advising(), policy="fast", model="Qwen3-0.6B"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # LangChain calls `loads` beta
        back = loads(stored, allowed_objects=[RouterRunnable], valid_namespaces=["qwen_router"])
    assert (back.policy, back.model, back.router) == ("fast", "Qwen3-0.6B", None)
