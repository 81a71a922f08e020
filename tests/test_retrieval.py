"""Passages that are found: words of many scripts, vectors of real (tiny, random) Qwen3-Embedding and Qwen3-Reranker
checkpoints, an index that follows the files, a retriever in chains."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qwen_router import Router
from qwen_router.embedding import Embedded, Reranked
from qwen_router.engines.fake import FakeEngine
from qwen_router.engines.transformers import TransformersEngine
from qwen_router.errors import EngineRefused, InvalidRequest, MissingExtra
from qwen_router.hardware.machine import ServedBuild
from qwen_router.retrieval import FolderRetriever, index, index_file, search
from qwen_router.retrieval.words import WordRanking, words
from tests import search_checkpoints
from tests.document_files import docx, pdf

EMBEDDING = ServedBuild("fake", "fake", "embedder", model_id="Qwen/Qwen3-Embedding-0.6B", quant="q8_0", resident=True)
OTHER_EMBEDDING = ServedBuild("fake", "fake", "other", model_id="Qwen/Qwen3-Embedding-4B", quant="q8_0", resident=True)
CHAT = ServedBuild("fake", "fake", "qwen3:8b", model_id="Qwen/Qwen3-8B", quant="q4_K_M", resident=True)
RERANKER = ServedBuild("fake", "fake", "reranker", model_id="Qwen/Qwen3-Reranker-0.6B", quant="q8_0", resident=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small library of text files, which are read in this process."""
    root = tmp_path / "library"
    (root / "contracts").mkdir(parents=True)
    (root / "contracts" / "lease.txt").write_text("Lease of a flat. The notice period is three months.")
    (root / "contracts" / "job.txt").write_text("Work contract. The salary is paid monthly.")
    (root / "cats.md").write_text("# Cats\n\nA cat sleeps for sixteen hours a day.\n", encoding="utf-8")
    (root / "东京.txt").write_text("东京塔高三百三十三米。\n\n猫喜欢睡觉。\n", encoding="utf-8")
    return root


@pytest.fixture
def library(folder: Path) -> Path:
    """The same with a PDF and a Word file, which are read in another process."""
    (folder / "contracts" / "lease.txt").unlink()
    (folder / "contracts" / "job.txt").unlink()
    (folder / "contracts" / "lease.pdf").write_bytes(pdf("Lease of a flat", "The notice period is three months."))
    (folder / "contracts" / "job.docx").write_bytes(docx("Work contract", "The salary is paid monthly."))
    return folder


class Counting(FakeEngine):
    """The fake engine, counting what it embeds."""

    def __init__(self, *models: ServedBuild) -> None:
        super().__init__(models=models)
        self.embedded: list[str] = []

    def embed(self, model: str, texts: Sequence[str], *, timeout_s: float) -> Any:
        self.embedded += texts
        return super().embed(model, texts, timeout_s=timeout_s)


def router_of(engine: Any) -> Router:
    return Router(engines=(engine,))


# ── words ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Größe Café, naïve ABC_def", ["grosse", "cafe", "naive", "abc", "def"], id="case-and-accents"),
        pytest.param("自然語言", ["自", "然", "語", "言", "自然", "然語", "語言"], id="chinese"),
        pytest.param("ﾃｽﾄ", ["テ", "ス", "ト", "テス", "スト"], id="half-width-kana"),
        pytest.param("Qwen3模型", ["qwen3", "模", "型", "模型"], id="mixed"),
        pytest.param("हिन्दी भाषा", ["हिन्दी", "भाषा"], id="hindi-keeps-its-vowel-signs"),
        pytest.param("тест ЁЖ", ["тест", "ёж"], id="cyrillic-keeps-its-letters"),
        pytest.param("שלום 12½", ["שלום", "121", "2"], id="hebrew-and-a-fraction"),
        pytest.param("... !?", [], id="no-words"),
    ],
)
def test_words_of_many_scripts(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("question", "place"),
    [
        pytest.param("东京塔", 0, id="chinese"),
        pytest.param("渋谷駅", 1, id="japanese"),
        pytest.param("แมว", 2, id="thai"),
        pytest.param("고양이", 3, id="korean-with-a-particle"),
        pytest.param("CAFE", 4, id="latin"),
        pytest.param("猫", 5, id="a-single-sign"),
        pytest.param("भाषा", 6, id="hindi"),
    ],
)
def test_words_find_passages_in_any_script(question: str, place: int) -> None:
    ranking = WordRanking(
        [
            "我们去东京塔看夜景",
            "次は渋谷駅に止まります",
            "ฉันเห็นแมวบนหลังคา",
            "고양이가 지붕 위에 있다",
            "The café is closed.",
            "一只猫在树上",
            "यह एक भाषा है",
        ]
    )
    assert ranking.ranked(question, most=1)[0][0] == place


def test_a_word_in_every_passage_of_a_small_folder_still_ranks() -> None:
    ranking = WordRanking(["cat cat cat", "cat and dog and mouse and more"])
    assert [place for place, _ in ranking.ranked("cat", most=5)] == [0, 1]
    assert WordRanking(["a word"]).ranked("word", most=5) == [(0, 1.0)]
    assert ranking.ranked("zebra", most=5) == [] == ranking.ranked("?", most=5) == WordRanking([]).ranked("a", most=5)


def test_the_score_by_words_is_the_share_of_the_question_and_rare_words_count_more() -> None:
    ranking = WordRanking(["the cat", "the dog", "the cow"])
    ((place, share),) = [hit for hit in ranking.ranked("the cat", most=5) if hit[0] == 0]
    assert (place, share) == (0, 1.0)
    others = [share for place, share in ranking.ranked("the cat", most=5) if place != 0]
    assert len(others) == 2 and all(0 < share < 0.5 for share in others)
    assert ranking.ranked("cat zebra", most=1)[0][1] <= 0.5


# ── search ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_without_any_model_passages_are_found_by_their_words(library: Path) -> None:
    asked = {
        "notice period": "contracts/lease.pdf, page 2",
        "salary": "contracts/job.docx, line 1",
        "how long does a cat sleep": "cats.md, line 1",
        "猫": "东京.txt, line 1",
    }
    for question, place in asked.items():
        found = search(library, question)
        assert found.hits[0].passage.place == place
        assert found.how.startswith("words;") and found.files == 4 and found.notes == ()


def test_a_passage_says_on_which_line_it_begins(folder: Path) -> None:
    (folder / "long.txt").write_text(
        "\n".join(f"Line {n} says nothing of note here." for n in range(1, 400)) + "\nplatypus\n"
    )
    hit = search(folder, "platypus", "long.txt").hits[0]
    assert hit.passage.line is not None and 300 < hit.passage.line <= 400
    first = hit.passage.text.split("\n")[0]
    assert (folder / "long.txt").read_text().split("\n")[hit.passage.line - 1] == first


def test_with_an_embedding_model_meaning_counts_too_and_each_passage_is_embedded_once(folder: Path) -> None:
    engine = Counting(EMBEDDING)
    found = search(folder, "notice period", router=router_of(engine))
    assert found.hits[0].passage.place == "contracts/lease.txt, line 1"
    assert found.how.startswith("words and meaning (Qwen/Qwen3-Embedding-0.6B)")
    assert found.notes == (), "that there is no reranker is no trouble"
    passages = found.passages
    assert len(engine.embedded) == 1 + passages  # the question, and every passage
    search(folder, "another question", router=router_of(engine))
    assert len(engine.embedded) == 2 + passages


def test_only_a_file_that_changed_is_read_and_embedded_again(folder: Path) -> None:
    engine = Counting(EMBEDDING)
    router = router_of(engine)
    search(folder, "q", router=router)
    engine.embedded.clear()
    (folder / "cats.md").write_text("# Dogs\n\nA dog barks at the postman.\n", encoding="utf-8")
    os.utime(folder / "contracts" / "job.txt", (1, 1))  # another date, the same content
    found = search(folder, "postman", router=router)
    assert found.hits[0].passage.path == "cats.md"
    assert [text for text in engine.embedded if "postman" not in text] == []
    (folder / "cats.md").unlink()
    found = search(folder, "postman", router=router)
    assert found.files == 3 and all(hit.passage.path != "cats.md" for hit in found.hits)


def test_vectors_of_two_models_are_not_mixed(folder: Path) -> None:
    first, second = Counting(EMBEDDING), Counting(OTHER_EMBEDDING)
    search(folder, "q", router=router_of(first))
    found = search(folder, "cat", router=router_of(second))
    assert "Qwen/Qwen3-Embedding-4B" in found.how and len(second.embedded) == 1 + found.passages
    with sqlite3.connect(index_file(folder)) as database:
        counted = dict(database.execute("SELECT model, count(*) FROM vectors GROUP BY model").fetchall())
    database.close()
    assert counted == {"Qwen/Qwen3-Embedding-0.6B": found.passages, "Qwen/Qwen3-Embedding-4B": found.passages}
    first.embedded.clear()
    search(folder, "cat", router=router_of(first))
    assert len(first.embedded) == 1, "going back to a model costs nothing"


def test_a_reranker_has_the_last_word(folder: Path) -> None:
    engine = FakeEngine(models=[EMBEDDING, RERANKER])
    found = search(folder, "salary paid monthly", router=router_of(engine))
    assert "then Qwen/Qwen3-Reranker-0.6B; score: that model's" in found.how
    assert found.hits[0].passage.path == "contracts/job.txt" and found.hits[0].score == 1.0
    scores = [hit.score for hit in found.hits]
    assert scores == sorted(scores, reverse=True)


def test_an_engine_that_fails_leaves_the_search_by_words(folder: Path) -> None:
    engine = FakeEngine(models=[EMBEDDING, RERANKER], fail=EngineRefused("it is broken", fix="mend it"))
    found = search(folder, "the notice period", router=router_of(engine))
    assert found.hits[0].passage.place == "contracts/lease.txt, line 1"
    assert found.notes == ("found by words only: it is broken (try: mend it)", "not reranked: it is broken")


def test_real_checkpoints_embed_and_rerank_what_a_folder_holds(folder: Path) -> None:
    engine = TransformersEngine((search_checkpoints.made("embedding"), search_checkpoints.made("reranker")))
    try:
        router = Router(engines=(engine,))
        found = search(folder, "notice period", router=router)
        assert "words and meaning" in found.how and "then" in found.how
        assert len(found.hits) == found.passages and all(0 <= hit.score <= 1 for hit in found.hits)
        with index.opened(folder) as opened:
            ids = [passage.id for passage in opened.passages()]
            model = found.how.partition("(")[2].partition(")")[0]
            texts = [passage.text for passage in opened.passages()]
            own = router.embed(texts).vectors
            stored = opened.vectors(model, ids, width=own.shape[1])
        np.testing.assert_allclose(np.stack([stored[at] for at in ids]), own, atol=1e-5)
    finally:
        engine.close()


class Moody:
    """A searcher whose answers change."""

    def __init__(self, *, models: Sequence[str] = ("m",), width: int = 8) -> None:
        self.models, self.width, self.asked = list(models), width, 0

    def embed(self, texts: Sequence[str], *, model: str | None = None, purpose: str = "document") -> Embedded:
        name = self.models[min(self.asked, len(self.models) - 1)]
        self.asked += 1
        return Embedded(np.ones((len(texts), self.width), dtype=np.float32), name, "fake")

    def rerank(self, query: str, documents: Sequence[str]) -> Reranked:
        return Reranked((0.5,), "short", "fake")


def test_a_model_that_changes_on_the_way_and_a_score_too_few_are_told(folder: Path) -> None:
    found = search(folder, "cat", router=Moody(models=["m", "n"]))  # type: ignore[arg-type]
    assert "the embedding model changed from m to n" in found.notes[0]
    assert "short gave (1,) scores" in search(folder, "notice period cat", router=Moody()).notes[0]  # type: ignore[arg-type]
    found = search(folder, "cat", router=Moody(width=4))  # type: ignore[arg-type]
    assert "words and meaning (m)" in found.how, "vectors of another width are made anew"


def test_a_folder_too_large_for_one_search_is_embedded_bit_by_bit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qwen_router.retrieval.finding.BATCH", 2)
    monkeypatch.setattr("qwen_router.retrieval.finding.EMBED_S", -1.0)
    engine = Counting(EMBEDDING)
    found = search(folder, "cat", router=router_of(engine))
    assert f"{found.passages} of {found.passages} passages have no vector yet: search again to go on" in found.notes
    assert found.hits and found.how.startswith("words;")


def test_a_folder_too_large_for_one_search_is_read_bit_by_bit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "READ_S", -1.0)
    notes = [search(folder, "cat").notes for _ in range(4)]
    assert [note[0].partition(":")[0] for note in notes[:3]] == [f"{n} of 4 documents are not read yet" for n in (3, 2, 1)]
    assert notes[3] == ()


def test_a_search_in_a_folder_sees_that_folder_only(folder: Path) -> None:
    (folder / "contracts2").mkdir()
    (folder / "contracts2" / "b.txt").write_text("The notice period is a year.")
    for router in (None, router_of(FakeEngine(models=[EMBEDDING]))):
        found = search(folder, "notice period", "contracts", router=router)
        assert {hit.passage.path for hit in found.hits} <= {"contracts/lease.txt", "contracts/job.txt"}
        assert search(folder, "notice", "contracts/lease.txt", router=router).files == 1


def test_links_hidden_folders_and_files_that_are_no_documents_are_left_alone(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.txt").write_text("notice period outside")
    (folder / "link.txt").symlink_to(tmp_path / "outside.txt")
    (folder / "linked").symlink_to(tmp_path)
    (folder / ".git").mkdir()
    (folder / ".git" / "x.txt").write_text("notice period hidden")
    (folder / "photo.png").write_bytes(b"\x89PNG notice period")
    found = search(folder, "notice period", most=20)
    assert found.files == 4 and [hit.passage.place for hit in found.hits] == ["contracts/lease.txt, line 1"]
    with pytest.raises(InvalidRequest, match="a link"):
        search(folder, "x", "link.txt")


def test_a_broken_file_among_others_is_told_and_alone_it_is_an_error(folder: Path) -> None:
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4 no")
    found = search(folder, "notice period")
    assert found.hits[0].passage.path == "contracts/lease.txt" and found.files == 4
    assert len(found.notes) == 1 and found.notes[0].startswith("'broken.pdf' is broken")
    with pytest.raises(InvalidRequest, match=r"'broken.pdf' is broken"):
        search(folder, "x", "broken.pdf")


@pytest.mark.parametrize(
    ("query", "path", "says"),
    [
        pytest.param("  ", ".", "the question has 2 characters", id="no-question"),
        pytest.param("x" * 5000, ".", "5,000 characters", id="a-question-too-long"),
        pytest.param("x", "../..", "outside", id="a-way-out"),
        pytest.param("x", "/etc", "outside", id="another-folder"),
        pytest.param("x", "contract", "no 'contract'", id="a-misspelt-folder"),
        pytest.param("x", "empty", "there are no documents in 'empty'", id="an-empty-folder"),
    ],
)
def test_a_search_that_cannot_be_is_told_why(folder: Path, query: str, path: str, says: str) -> None:
    (folder / "empty").mkdir()
    with pytest.raises(InvalidRequest, match=says):
        search(folder, query, path)


@pytest.mark.parametrize("root", ["nowhere", "cats.md"])
def test_a_root_that_is_no_folder_is_told(folder: Path, root: str) -> None:
    with pytest.raises(InvalidRequest, match=f"there is no folder '.*{root}' to search"):
        FolderRetriever(root=folder / root, words_only=True).invoke("x")


def test_limits_of_files_and_passages_are_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "MOST_PASSAGES", 3)
    with pytest.raises(InvalidRequest, match="more than 3 passages"):
        search(folder, "x")
    monkeypatch.setattr(index, "MOST_FILES", 3)
    with pytest.raises(InvalidRequest, match="4 documents, more than 3"):
        search(folder, "x")


def test_files_too_large_to_read_are_left_out_and_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "tiny.txt").write_text("tiny")
    monkeypatch.setattr(index, "MOST_BYTES", 20)
    found = search(folder, "tiny")
    assert found.files == 1 and found.notes[0].startswith("4 larger than")


def test_the_index_is_for_its_owner_and_a_damaged_one_is_made_anew(folder: Path) -> None:
    search(folder, "cat")
    file = index_file(folder)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    file.write_bytes(b"this is no database at all, and long enough to be looked at" * 100)
    assert search(folder, "cat").hits[0].passage.path == "cats.md"
    with sqlite3.connect(file) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    assert search(folder, "cat").hits[0].passage.path == "cats.md"
    data = file.read_bytes()
    file.write_bytes(data[:4096] + b"\xff" * (len(data) - 4096))
    with pytest.raises(InvalidRequest, match=r"damaged and is removed \(try: search again\)"):
        search(folder, "cat")
    assert search(folder, "cat").hits[0].passage.path == "cats.md"


def test_a_cache_folder_that_cannot_be_is_a_named_error(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(InvalidRequest, match=r"the index '.*sqlite' cannot be used: .*check the disk"):
        search(folder, "cat")


def test_an_index_that_another_process_holds_is_a_named_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    search(folder, "cat")
    monkeypatch.setattr(index, "BUSY_S", 0.05)
    holder = sqlite3.connect(index_file(folder), isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(InvalidRequest, match="cannot be used: database is locked"):
            search(folder, "cat")
    finally:
        holder.close()


def test_searches_side_by_side_find_the_same_and_embed_once(folder: Path) -> None:
    engine = Counting(EMBEDDING)
    router = router_of(engine)
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(search(folder, "cat", router=router).hits[0].passage.path))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["cats.md"] * 4
    assert len(engine.embedded) == len(set(engine.embedded)) + 3  # the question came four times


# ── in chains ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_retriever_works_in_a_chain(folder: Path) -> None:
    from langchain_core.output_parsers import StrOutputParser
    from langchain_core.prompts import ChatPromptTemplate
    from langchain_core.runnables import RunnablePassthrough

    from qwen_router.langchain import ChatQwenRouter

    engine = FakeEngine(["Three months."], models=[CHAT])
    retriever = FolderRetriever(root=folder, path="contracts", k=1, words_only=True)
    prompt = ChatPromptTemplate.from_template("From {passages}, answer: {question}")
    chain = (
        {"passages": retriever, "question": RunnablePassthrough()}
        | prompt
        | ChatQwenRouter(router=router_of(engine))
        | StrOutputParser()
    )
    assert chain.invoke("What is the notice period?") == "Three months."
    assert "The notice period is three months." in engine.calls[0].messages[-1].text


async def test_the_retriever_gives_documents_that_say_where_they_stand_and_that_they_are_data(library: Path) -> None:
    retriever = FolderRetriever(root=library, router=router_of(FakeEngine(models=[EMBEDDING])))
    documents = await retriever.ainvoke("notice period")
    first = documents[0].metadata
    assert (first["source"], first["page"], first["untrusted"]) == ("contracts/lease.pdf", 2, True)
    assert [d.metadata for d in retriever.invoke("notice period")] == [d.metadata for d in documents]
    assert "line" in next(d.metadata for d in documents if d.metadata["source"] == "cats.md")
    with pytest.raises(ValueError, match="k"):
        FolderRetriever(root=folder, k=0)


def test_the_components_of_langchain_community_load_and_work_under_the_pinned_langchain() -> None:
    """Warnings are errors here, and the notice that langchain-community is no longer developed is the only one let by."""
    program = f"""
import warnings
from qwen_router.retrieval.words import quiet_about_community
quiet_about_community()
from langchain_core.documents.base import Blob
from langchain_community.document_loaders.parsers.pdf import PyPDFParser
from langchain_community.document_loaders.parsers.html.bs4 import BS4HTMLParser
from langchain_community.retrievers import BM25Retriever
pdf = {pdf("portable")!r}
print([d.page_content for d in PyPDFParser().lazy_parse(Blob.from_data(pdf, mime_type='application/pdf'))])
print([d.page_content for d in BS4HTMLParser().lazy_parse(Blob.from_data(b'<p>hyper'))])
print([d.page_content for d in BM25Retriever.from_texts(['a cat', 'a dog', 'a cow'], k=1).invoke('dog')])
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("['portable']\n['hyper']\n['a dog']\n", "")


def test_importing_retrieval_loads_none_of_the_heavy_libraries() -> None:
    program = "import sys, qwen_router.retrieval; print([n for n in sys.modules if n.partition('.')[0] in {}])"
    heavy = {
        "langchain_community",
        "langchain_core",
        "langchain_text_splitters",
        "rank_bm25",
        "pypdf",
        "bs4",
        "docx2txt",
        "torch",
    }
    done = subprocess.run(
        [sys.executable, "-c", program.format(heavy)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize("package", ["langchain_community", "rank_bm25", "langchain_text_splitters"])
def test_a_missing_library_names_its_extra(folder: Path, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=r'pip install "qwen-router\[agent\]"'):
        search(folder, "cat", "cats.md")
