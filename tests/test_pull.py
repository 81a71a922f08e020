"""Pulling from hubs: the right files, resumed and checked, against servers of our own that answer in the hubs' shapes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qwen_router.catalog import Catalog
from qwen_router.catalog.getting import Offer, how_to_get, offers
from qwen_router.demo import demo_checkpoint, demo_gguf
from qwen_router.engines.checkpoint_folder import Checkpoint
from qwen_router.engines.gguf_file import gguf_info
from qwen_router.engines.models_folder import pulled_checkpoints, pulled_ggufs
from qwen_router.errors import (
    EngineError,
    EngineNonsense,
    EngineRefused,
    EngineUnreachable,
    InvalidRequest,
    NotEnoughDisk,
    RouterError,
    UnknownName,
)
from qwen_router.pull.download import Download, download, part_path
from qwen_router.pull.files import HubFile, checkpoint_files, gguf_files, gguf_quants, is_safe, matching_files, size_text
from qwen_router.pull.hubs import Hub, HuggingFace, ModelScope
from qwen_router.pull.plan import check_room, choose, fetch, plan
from qwen_router.settings import HubSettings, Settings
from tests.servers.hub_server import COMMIT, HubServer, git_sha1, sha256
from tests.servers.loopback import RESET, Answer, LoopbackServer

WEIGHTS = bytes(range(256)) * 4096  # 1 MiB
REPOSITORY = "Qwen/Qwen3-8B-GGUF"
GGUF = "Qwen3-8B-Q4_K_M.gguf"
QUANTS = {GGUF: WEIGHTS, "Qwen3-8B-Q8_0.gguf": b"eight", "README.md": b"# Qwen3"}


def hub_files(*names: str) -> tuple[HubFile, ...]:
    return tuple(HubFile(name, 1) for name in names)


def hugging_face(url: str, **settings: Any) -> HuggingFace:
    return HuggingFace(HubSettings(hf_endpoint=url, **settings))


@pytest.fixture
def served() -> Iterator[tuple[HubServer, str]]:
    hub = HubServer({REPOSITORY: dict(QUANTS)})
    with hub.serve() as server:
        yield hub, server.url


# ── which files ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("files", "quant_name", "projector", "expected"),
    [
        pytest.param((GGUF, "Qwen3-8B-Q8_0.gguf"), "q8_0", False, ("Qwen3-8B-Q8_0.gguf",), id="by-quantisation"),
        pytest.param((GGUF, "Qwen3-8B-Q8_0.gguf"), None, False, (GGUF,), id="q4_K_M-when-nothing-is-said"),
        pytest.param(("m-Q8_0.gguf",), None, False, ("m-Q8_0.gguf",), id="the-only-one"),
        pytest.param(("m-Q8_0.gguf", "m-Q6_K.gguf"), None, False, (), id="no-guess-between-two-others"),
        pytest.param(
            ("q8/m-q8_0-00002-of-00002.gguf", "q8/m-q8_0-00001-of-00002.gguf"), "q8_0", False,
            ("q8/m-q8_0-00001-of-00002.gguf", "q8/m-q8_0-00002-of-00002.gguf"), id="every-part-in-order",
        ),
        pytest.param(("m-Q8_0-00001-of-00002.gguf",), "q8_0", False, (), id="not-with-a-part-missing"),
        pytest.param(("m-UD-Q4_K_M.gguf", "m-Q4_K_M.gguf"), None, False, ("m-Q4_K_M.gguf",), id="plain-before-mixed"),
        pytest.param(
            ("m-Q4_K_M.gguf", "mmproj-m-F32.gguf", "mmproj-m-F16.gguf"), None, True, ("m-Q4_K_M.gguf", "mmproj-m-F16.gguf"),
            id="with-its-projector",
        ),
    ],
)  # fmt: skip
def test_the_gguf_files_of_a_quantisation_are_chosen(
    files: tuple[str, ...], quant_name: str | None, projector: bool, expected: tuple[str, ...]
) -> None:
    assert tuple(f.path for f in gguf_files(hub_files(*files), quant_name, projector=projector)) == expected


def test_a_checkpoint_comes_without_pickles_and_code_and_its_config_last() -> None:
    files = hub_files(
        "config.json", "model.safetensors", "pytorch_model.bin", "modeling_x.py", "tokenizer.json", "onnx/model.onnx"
    )
    assert [f.path for f in checkpoint_files(files)] == ["tokenizer.json", "model.safetensors", "config.json"]
    assert checkpoint_files(hub_files("config.json", "pytorch_model.bin")) == ()
    search = hub_files("config.json", "model.safetensors", "modules.json", "1_Pooling/config.json", "onnx/config.json")
    names = [f.path for f in checkpoint_files(search)]
    assert names == ["1_Pooling/config.json", "modules.json", "model.safetensors", "config.json"]
    assert [f.path for f in matching_files(files, "*model*")] == ["model.safetensors"]


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", "C:\\x", "a\0b", "a:b", "", "a\nb"])
def test_a_name_that_leads_elsewhere_is_not_safe(path: str) -> None:
    assert not is_safe(path)
    assert is_safe("q8/model-00001-of-00002.gguf")


def test_sizes_are_told_in_the_unit_that_fits() -> None:
    assert [size_text(n) for n in (500, 300 * 1024, 5 * 1024**3)] == ["0.5 KiB", "0.29 MiB", "5.00 GiB"]


# ── which source ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "quant_name", "source", "ollama", "expected"),
    [
        pytest.param("Qwen3-8B", None, None, True, ("ollama", "tag", "qwen3:8b"), id="ollama-when-it-runs"),
        pytest.param("qwen3:8b", None, None, False, ("huggingface", "gguf", REPOSITORY), id="else-gguf"),
        pytest.param("Qwen3-8B", "Q8_0", None, True, ("huggingface", "gguf", REPOSITORY), id="no-tag-known-at-q8_0"),
        pytest.param("qwen3:8b-q8_0", None, "ollama", True, ("ollama", "tag", "qwen3:8b-q8_0"), id="the-tag-as-spelt"),
        pytest.param("Qwen/Qwen3-8B", "bf16", None, True, ("huggingface", "checkpoint", "Qwen/Qwen3-8B"), id="checkpoint"),
        pytest.param("Qwen3-8B", "awq", "modelscope", True, ("modelscope", "checkpoint", "Qwen/Qwen3-8B-AWQ"), id="awq"),
        pytest.param("me/mine", None, "modelscope", False, ("modelscope", "any", "me/mine"), id="a-repository-of-its-own"),
        pytest.param("mine:7b", None, "ollama", True, ("ollama", "tag", "mine:7b"), id="a-tag-of-its-own"),
    ],
)
def test_a_name_leads_to_the_right_source(
    name: str, quant_name: str | None, source: Any, ollama: bool, expected: tuple[str, str, str]
) -> None:
    offer, _ = choose(
        name, quant_name=quant_name, source=source, catalog=Catalog.load(), ollama_answers=lambda: ollama, has_llamacpp=True
    )
    assert (offer.source, offer.form, offer.names[0]) == expected


@pytest.mark.parametrize(
    ("name", "quant_name", "source", "error", "said"),
    [
        pytest.param("Qwen3-9B", None, None, UnknownName, "'Qwen3-8B'", id="misspelt"),
        pytest.param("me/mine", None, None, UnknownName, "needs --from huggingface", id="unknown-repository-without-source"),
        pytest.param("Qwen3-8B", "q9_9", None, UnknownName, "q8_0", id="unknown-quantisation"),
        pytest.param("Qwen3-8B", "awq", "ollama", UnknownName, "--from huggingface", id="not-there"),
        pytest.param("qwen-plus", None, None, InvalidRequest, "pull an open model", id="hosted"),
        pytest.param("qwen3-nano", None, None, InvalidRequest, "ask --model qwen3-nano", id="came-along"),
    ],
)
def test_what_cannot_be_pulled_is_said_with_a_way_out(
    name: str, quant_name: str | None, source: Any, error: type[RouterError], said: str
) -> None:
    with pytest.raises(error) as caught:
        choose(
            name,
            quant_name=quant_name,
            source=source,
            catalog=Catalog.load(),
            ollama_answers=lambda: True,
            has_llamacpp=True,
        )
    assert said in caught.value.fix


def test_every_open_model_of_the_catalog_has_a_way_and_a_command() -> None:
    for model in Catalog.load().models:
        if not model.hosted and not model.demo:
            assert offers(model), model.id
            assert how_to_get(model, "bf16").startswith(("ollama pull ", "qwen-router pull ")), model.id


# ── what the hubs say ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.loopback
def test_hugging_face_lists_every_page_with_the_right_checksums() -> None:
    hub = HubServer({REPOSITORY: dict(QUANTS)}, page_files=2)
    with hub.serve() as server, hugging_face(server.url) as client:
        listing = client.listing(REPOSITORY)
    assert listing.revision == COMMIT
    assert {f.path: (f.size_bytes, f.sha256, f.git_sha1) for f in listing.files} == {
        GGUF: (len(WEIGHTS), sha256(WEIGHTS), None),
        "Qwen3-8B-Q8_0.gguf": (5, sha256(b"eight"), None),
        "README.md": (7, None, git_sha1(b"# Qwen3")),
    }


@pytest.mark.loopback
def test_modelscope_lists_files_with_their_checksums(served: tuple[HubServer, str]) -> None:
    with ModelScope(HubSettings(modelscope_endpoint=served[1])) as client:
        listing = client.listing(REPOSITORY)
        assert {f.path: f.sha256 for f in listing.files} == {path: sha256(content) for path, content in QUANTS.items()}
        with pytest.raises(UnknownName, match=r"ModelScope has no repository 'no/such'.*record not found"):
            client.listing("no/such")


@pytest.mark.loopback
@pytest.mark.parametrize(
    "body",
    [b"<html>", b"{}", b'{"sha": "../.."}', b'[{"type": "file"}]', b'[{"type": "file", "path": "../x", "size": 1}]'],
)
def test_an_answer_that_is_none_is_named(body: bytes) -> None:
    def answer(asked: Any) -> Answer:
        listed = "/tree/" in asked.path or b"type" not in body
        return Answer(body=(body if listed else json.dumps({"sha": COMMIT}).encode(),))

    with LoopbackServer(answer) as server, hugging_face(server.url) as client, pytest.raises(EngineNonsense):
        client.listing(REPOSITORY)


def test_nothing_is_asked_when_hugging_face_is_switched_off() -> None:
    settings = HubSettings.from_environment({"HF_HUB_OFFLINE": "1"})
    with HuggingFace(settings) as client, pytest.raises(EngineUnreachable, match="HF_HUB_OFFLINE is set"):
        client.listing(REPOSITORY)


def test_the_settings_of_the_hubs_come_from_their_own_variables(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hf_kept\n")
    settings = HubSettings.from_environment(
        {"HF_ENDPOINT": "mirror.example/", "HF_HOME": str(tmp_path), "MODELSCOPE_ENDPOINT": "http://ms.example",
         "MODELSCOPE_API_TOKEN": "ms_key"}
    )  # fmt: skip
    assert (settings.hf_endpoint, settings.modelscope_endpoint) == ("https://mirror.example", "http://ms.example")
    assert (settings.hf_token, settings.modelscope_token) == ("hf_kept", "ms_key")
    assert "hf_kept" not in repr(settings) and "ms_key" not in repr(settings)
    with pytest.raises(InvalidRequest, match="HF_ENDPOINT"):
        HubSettings.from_environment({"HF_ENDPOINT": "ftp://x"})


@pytest.mark.loopback
def test_a_gated_repository_says_where_to_accept_and_the_key_stays_with_its_hub(tmp_path: Path) -> None:
    elsewhere = HubServer({REPOSITORY: QUANTS})
    with elsewhere.serve() as file_server:
        hub = HubServer({REPOSITORY: QUANTS}, gated=True, file_server=file_server.url.replace("127.0.0.1", "localhost"))
        with hub.serve() as server:
            with hugging_face(server.url) as client, pytest.raises(EngineRefused, match="gated") as caught:
                pull(client, tmp_path)
            assert f"{server.url}/{REPOSITORY}/tree/main" in caught.value.fix and "HF_TOKEN" in caught.value.fix
            with hugging_face(server.url, hf_token="hf_wrong") as client, pytest.raises(EngineRefused) as caught:
                pull(client, tmp_path)
            assert "check the rights of the key in HF_TOKEN" in caught.value.fix and "hf_wrong" not in str(caught.value)
            with hugging_face(server.url, hf_token="hf_right") as client:
                pull(client, tmp_path)
    assert (tmp_path / REPOSITORY / GGUF).read_bytes() == WEIGHTS
    assert elsewhere.file_requests and all("authorization" not in asked.headers for asked in elsewhere.file_requests)


# ── one file ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def pull(hub: Hub, folder: Path, *, offer: Offer | None = None) -> list[str]:
    """The phases of a pull of the q4_K_M file."""
    wanted = plan(offer or Offer(hub.source, "gguf", (REPOSITORY,), "q4_K_M"), hub, models_folder=folder)
    check_room(wanted)
    return [step.phase for step in fetch(wanted, hub)]


def get(url: str, target: Path, *, waits: list[float] | None = None, **options: Any) -> list[str]:
    """Download the weights from Hugging Face's side of the server; `waits` collects how long it would have waited."""
    file = HubFile(GGUF, len(WEIGHTS), sha256(WEIGHTS))
    with hugging_face(url) as hub:
        job = Download(hub, REPOSITORY, hub.url(REPOSITORY, COMMIT, GGUF), file, target, **options)
        return [step.phase for step in download(job, sleep=(waits if waits is not None else []).append)]


@pytest.mark.loopback
@pytest.mark.parametrize("kind", [HuggingFace, ModelScope])
def test_a_file_is_pulled_checked_and_found_there_the_next_time(
    kind: Any, served: tuple[HubServer, str], tmp_path: Path
) -> None:
    hub, url = served
    with kind(HubSettings(hf_endpoint=url, modelscope_endpoint=url)) as client:
        assert set(pull(client, tmp_path)) == {"downloading", "done"}
        assert (tmp_path / REPOSITORY / GGUF).read_bytes() == WEIGHTS
        assert set(pull(client, tmp_path)) == {"checking", "done"}
    assert len(hub.file_requests) == 1
    assert os.listdir(tmp_path / REPOSITORY) == [GGUF]


@pytest.mark.loopback
def test_cut_connections_are_continued_where_they_broke(served: tuple[HubServer, str], tmp_path: Path) -> None:
    hub, url = served
    hub.faults = [300_000, RESET, 100_000, Answer(status=503), Answer(status=429, headers={"retry-after": "7"})]
    waits: list[float] = []
    assert "retrying" in get(url, tmp_path / GGUF, waits=waits)
    assert (tmp_path / GGUF).read_bytes() == WEIGHTS
    assert hub.ranges_asked[:2] == [None, f"bytes=300000-{len(WEIGHTS) - 1}"]
    assert len(hub.ranges_asked) == 6 and waits[-1] == 7.0


@pytest.mark.loopback
def test_a_server_that_falls_silent_is_asked_again(
    served: tuple[HubServer, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, url = served
    monkeypatch.setattr("qwen_router.pull.hubs.TIMEOUT_S", 0.1)
    hub.faults = [Answer(body=(WEIGHTS[:300_000], 0.2))]
    assert "retrying" in get(url, tmp_path / GGUF)
    assert (tmp_path / GGUF).read_bytes() == WEIGHTS
    assert hub.ranges_asked == [None, f"bytes=300000-{len(WEIGHTS) - 1}"]


@pytest.mark.loopback
def test_a_server_that_knows_no_range_is_read_from_the_beginning(served: tuple[HubServer, str], tmp_path: Path) -> None:
    hub, url = served
    hub.ranges, hub.faults = False, [300_000]
    get(url, tmp_path / GGUF)
    assert (tmp_path / GGUF).read_bytes() == WEIGHTS
    assert hub.ranges_asked == [None, f"bytes=300000-{len(WEIGHTS) - 1}"]


@pytest.mark.loopback
def test_a_range_that_the_server_cannot_satisfy_is_asked_for_without(served: tuple[HubServer, str], tmp_path: Path) -> None:
    hub, url = served
    hub.faults = [1000, Answer(status=416)]
    get(url, tmp_path / GGUF)
    assert (tmp_path / GGUF).read_bytes() == WEIGHTS
    assert hub.ranges_asked[2:] == [None]


@pytest.mark.loopback
def test_a_very_large_file_is_asked_for_in_pieces(served: tuple[HubServer, str], tmp_path: Path) -> None:
    hub, url = served
    get(url, tmp_path / GGUF, range_bytes=600_000)
    assert (tmp_path / GGUF).read_bytes() == WEIGHTS
    assert hub.ranges_asked == ["bytes=0-599999", f"bytes=600000-{len(WEIGHTS) - 1}"]


@pytest.mark.loopback
def test_a_hub_that_stays_away_ends_the_pull_and_what_came_is_kept(served: tuple[HubServer, str], tmp_path: Path) -> None:
    hub, url = served
    hub.faults = [524_288, *[Answer(status=502)] * 20]
    waits: list[float] = []
    with pytest.raises(EngineUnreachable, match=r"0\.50 MiB of 1\.00 MiB .* are here and kept") as caught:
        get(url, tmp_path / GGUF, waits=waits)
    assert "it goes on where it stopped" in caught.value.fix and waits == sorted(waits) and len(waits) == 5
    hub.faults = []
    assert "checking" in get(url, tmp_path / GGUF)
    assert hub.ranges_asked[-1] == f"bytes=524288-{len(WEIGHTS) - 1}"


@pytest.mark.loopback
def test_a_wrong_checksum_names_both_and_removes_the_bad_part_alone(served: tuple[HubServer, str], tmp_path: Path) -> None:
    hub, url = served
    hub.repositories[REPOSITORY]["Qwen3-8B-Q4_K_M-00001-of-00002.gguf"] = b"first"
    hub.repositories[REPOSITORY]["Qwen3-8B-Q4_K_M-00002-of-00002.gguf"] = b"second"
    del hub.repositories[REPOSITORY][GGUF]
    hub.damaged = {"Qwen3-8B-Q4_K_M-00002-of-00002.gguf"}
    with hugging_face(url) as client, pytest.raises(EngineError, match="came damaged and was removed") as caught:
        pull(client, tmp_path)
    assert sha256(b"second") in str(caught.value) and sha256(b"seconc"[:5] + bytes((ord("d") ^ 1,))) in str(caught.value)
    assert os.listdir(tmp_path / REPOSITORY) == ["Qwen3-8B-Q4_K_M-00001-of-00002.gguf"]
    hub.damaged = set()
    with hugging_face(url) as client:
        pull(client, tmp_path)
    assert [asked.path[-13:] for asked in hub.file_requests].count("of-00002.gguf") == 3  # the first part came once


@pytest.mark.loopback
@pytest.mark.parametrize("there", [b"\0" * len(WEIGHTS), b"an older version"], ids=["damaged", "another-length"])
def test_a_file_that_is_not_the_listed_one_is_replaced(there: bytes, served: tuple[HubServer, str], tmp_path: Path) -> None:
    (tmp_path / GGUF).write_bytes(there)
    get(served[1], tmp_path / GGUF)
    assert (tmp_path / GGUF).read_bytes() == WEIGHTS


@pytest.mark.loopback
def test_a_file_that_changed_on_the_hub_does_not_continue_the_old_one(served: tuple[HubServer, str], tmp_path: Path) -> None:
    hub, url = served
    hub.faults = [1000]
    with hugging_face(url) as client:
        steps = fetch(plan(Offer("huggingface", "gguf", (REPOSITORY,), "q4_K_M"), client, models_folder=tmp_path), client)
        next(steps)
        steps.close()  # type: ignore[attr-defined]  # what an interrupted command does
        hub.repositories[REPOSITORY][GGUF] = WEIGHTS[::-1]
        pull(client, tmp_path)
    assert hub.ranges_asked == [None, None]
    assert os.listdir(tmp_path / REPOSITORY) == [GGUF]
    assert (tmp_path / REPOSITORY / GGUF).read_bytes() == WEIGHTS[::-1]


@pytest.mark.loopback
def test_a_file_that_is_gone_since_it_was_listed_is_named(served: tuple[HubServer, str], tmp_path: Path) -> None:
    hub, url = served
    del hub.repositories[REPOSITORY][GGUF]
    with pytest.raises(EngineRefused, match=rf"{GGUF} of '{REPOSITORY}': HTTP 404"):
        get(url, tmp_path / GGUF)


@pytest.mark.loopback
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
def test_a_disk_that_fills_up_meanwhile_is_told_with_what_is_free(served: tuple[HubServer, str], tmp_path: Path) -> None:
    part_path(tmp_path / GGUF, HubFile(GGUF, len(WEIGHTS), sha256(WEIGHTS))).symlink_to("/dev/full")
    with pytest.raises(NotEnoughDisk, match=r"is full \([\d.]+ \w+ free\); what has come is kept") as caught:
        get(served[1], tmp_path / GGUF)
    assert "--to" in caught.value.fix and caught.value.exit_code == 3


@pytest.mark.loopback
def test_a_folder_that_cannot_be_written_is_named(served: tuple[HubServer, str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InvalidRequest, match="cannot write to") as caught:
        get(served[1], tmp_path / "file" / GGUF)
    assert "--to" in caught.value.fix


@pytest.mark.loopback
def test_a_second_download_of_the_same_file_is_refused(served: tuple[HubServer, str], tmp_path: Path) -> None:
    with hugging_face(served[1]) as client:
        wanted = plan(Offer("huggingface", "gguf", (REPOSITORY,), "q4_K_M"), client, models_folder=tmp_path)
        steps = fetch(wanted, client)
        next(steps)
        with pytest.raises(InvalidRequest, match="is being downloaded by another process"):
            list(fetch(wanted, client))
        assert [step.phase for step in steps][-1] == "done"


# ── the whole ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.loopback
def test_too_little_room_is_refused_before_anything_comes_with_both_numbers(
    served: tuple[HubServer, str], tmp_path: Path
) -> None:
    hub, url = served
    hub.listed = {GGUF: 10**16}
    with hugging_face(url) as client, pytest.raises(NotEnoughDisk) as caught:
        pull(client, tmp_path)
    assert re.search(r"needs 9313225\.75 GiB more .* has [\d.]+ GiB free", str(caught.value))
    assert not hub.file_requests and not (tmp_path / "Qwen").exists()


@pytest.mark.loopback
def test_the_second_repository_is_tried_and_what_there_is_instead_is_named(
    served: tuple[HubServer, str], tmp_path: Path
) -> None:
    hub, url = served
    hub.repositories["them/Qwen3-8B-GGUF"] = {"Qwen3-8B-Q5_K_M.gguf": b"five"}
    names = (REPOSITORY, "them/Qwen3-8B-GGUF")
    with hugging_face(url) as client:
        assert plan(Offer("huggingface", "gguf", names, "q5_K_M"), client, models_folder=tmp_path).repository == names[1]
        with pytest.raises(UnknownName, match="has no q6_K GGUF file; it has q4_K_M, q8_0") as caught:
            plan(Offer("huggingface", "gguf", names, "q6_K"), client, models_folder=tmp_path)
    assert "--quant q4_K_M" in caught.value.fix


@pytest.mark.loopback
def test_a_quantisation_that_was_asked_for_is_never_swapped_for_a_checkpoint(tmp_path: Path) -> None:
    hub = HubServer({"me/mine": {"config.json": b"{}", "model.safetensors": b"weights"}})
    with hub.serve() as server, hugging_face(server.url) as client:
        assert plan(Offer("huggingface", "any", ("me/mine",)), client, models_folder=tmp_path).form == "checkpoint"
        with pytest.raises(UnknownName, match="has no q8_0 GGUF file; it has model"):
            plan(Offer("huggingface", "any", ("me/mine",), "q8_0"), client, models_folder=tmp_path)


def test_offline_it_says_what_is_missing_how_large_from_where_and_where_to(tmp_path: Path) -> None:
    (tmp_path / REPOSITORY).mkdir(parents=True)
    (tmp_path / REPOSITORY / "config.json").write_text("{}")
    offer = Offer("huggingface", "gguf", (REPOSITORY,), "q4_K_M")
    client = HuggingFace(HubSettings(hf_offline=True))
    with client, pytest.raises(EngineUnreachable) as caught:
        plan(offer, client, models_folder=tmp_path, size_guess_bytes=5 * 1024**3)
    said = caught.value.problem
    assert "missing: *Q4_K_M*.gguf" in said and "about 5.00 GiB" in said
    assert f"from: https://huggingface.co/{REPOSITORY}/tree/main" in said
    assert f"into: {tmp_path / REPOSITORY}" in said and "here already: config.json" in said
    assert "on another computer" in caught.value.fix and caught.value.exit_code == 4


@pytest.mark.loopback
def test_a_connection_lost_in_the_middle_names_every_file_that_is_missing(
    served: tuple[HubServer, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, url = served
    monkeypatch.setattr("qwen_router.pull.download.ATTEMPTS", 1)
    hub.faults = [Answer(status=503)]
    with hugging_face(url) as client, pytest.raises(EngineUnreachable) as caught:
        pull(client, tmp_path)
    said = caught.value.problem
    assert f"missing: {GGUF} (1.00 MiB) from {url}/{REPOSITORY}/resolve/{COMMIT}/{GGUF}" in said
    assert f"into: {tmp_path / REPOSITORY}" in said


@pytest.mark.parametrize(
    ("name", "layers", "expected"),
    [
        ("Qwen3-8B", 36, "Qwen/Qwen3-8B"),
        ("Qwen3-8B-AWQ", 36, "Qwen/Qwen3-8B"),
        ("Qwen3-8B-AWQ", 35, None),
        ("mine", 36, None),
    ],
)
def test_a_pulled_checkpoint_is_known_by_its_repository_and_its_shape(
    name: str, layers: int, expected: str | None, tmp_path: Path
) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "config.json").write_text(json.dumps({"num_hidden_layers": layers, "hidden_size": 4096}))
    checkpoint = Checkpoint.at(tmp_path / name)
    assert checkpoint is not None and checkpoint.model_id(Catalog.load().models) == expected


def test_the_models_folder_gives_whole_models_only(tmp_path: Path) -> None:
    for name in (
        "a/r/m-Q8_0.gguf", "a/r/mmproj-F16.gguf", "a/r/x.gguf.0123456789ab.part", "hand.gguf",
        "a/s/n-00001-of-00002.gguf", "a/s/n-00002-of-00002.gguf", "a/t/o-00001-of-00002.gguf",
        "a/c/config.json", "a/c/model.safetensors", "a/d/config.json", "a/b/c/d/e.gguf",
    ):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [str(path.relative_to(tmp_path)) for path in pulled_ggufs(tmp_path)]
    assert found == ["a/r/m-Q8_0.gguf", "a/s/n-00001-of-00002.gguf", "hand.gguf"]
    assert [path.name for path in pulled_checkpoints(tmp_path)] == ["c"]
    assert pulled_ggufs(None) == pulled_ggufs(tmp_path / "no") == ()
    assert set(gguf_quants(hub_files("x-Q8_0.gguf", "mmproj-F16.gguf"))) == {"q8_0"}


# ── the command ─────────────────────────────────────────────────────────────────────────────────────────────────────────

Command = tuple[str, ...]


def start(args: Command, url: str, models: Path, *, verb: str = "pull") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "qwen_router", verb, *args],
        env={**os.environ, "HF_ENDPOINT": url, "MODELSCOPE_ENDPOINT": url, "QWEN_ROUTER_MODELS": str(models),
             "OLLAMA_HOST": "127.0.0.1:1"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def run(args: Command, url: str, models: Path, *, verb: str = "pull") -> tuple[int, str, str]:
    process = start(args, url, models, verb=verb)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def split_nano(folder: Path) -> dict[str, bytes]:
    """The demonstration model in several parts, as llama.cpp names them."""
    gguf = pytest.importorskip("gguf")
    reader, writer = gguf.GGUFReader(demo_gguf()), gguf.GGUFWriter(None, "qwen3", split_max_tensors=20)
    for key in reader.fields.values():
        if not key.name.startswith("GGUF.") and key.name != "general.architecture":
            sub_type = key.types[-1] if key.types[0] == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(key.name, key.contents(), key.types[0], sub_type=sub_type)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_shape=tensor.data.shape, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file(folder / "twin-q8_0.gguf")
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.loopback
def test_what_was_pulled_is_found_by_the_engines_and_answers(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp")
    pytest.importorskip("transformers")
    from qwen_router.engines.configured import configured_engines

    (tmp_path / "split").mkdir()
    parts = split_nano(tmp_path / "split")
    folder = {path.name: path.read_bytes() for path in demo_checkpoint().iterdir() if path.suffix != ".gguf"}
    hub = HubServer({"me/twin-GGUF": parts, "me/twin": folder})
    models = tmp_path / "models"
    with hub.serve() as server:
        code, out, err = run(("me/twin-GGUF", "--from", "huggingface", "--json"), server.url, models)
        assert code == 0, err
        told = json.loads(out)
        assert (told["form"], told["quant"], told["done"], told["missing_bytes"]) == ("gguf", "q8_0", True, 0)
        assert {file["path"]: file["sha256"] for file in told["files"]} == {n: sha256(p) for n, p in parts.items()}
        assert told["use"] == "qwen-router ask --model twin-q8_0 TEXT"
        code, out, err = run(("me/twin", "--from", "modelscope"), server.url, models)
        assert (code, out) == (0, "done. use it: qwen-router ask --model twin TEXT\n")
        assert "downloading model.safetensors: " in err and "MODEL_CARD" not in err
    settings = Settings.from_environment({"QWEN_ROUTER_MODELS": str(models), "OLLAMA_HOST": "127.0.0.1:1"})
    builds = [
        build
        for engine in configured_engines(settings)
        if engine.name in ("llamacpp", "transformers")
        for build in engine.installed()
    ]
    found = {(build.engine, build.name): build.memory_mib for build in builds}
    assert ("transformers", "twin") in found
    assert found["llamacpp", "twin-q8_0"] == pytest.approx(sum(map(len, parts.values())) / 1024**2)
    code, out, err = run(("--model", "twin-q8_0", "What is 12 + 13?"), "", models, verb="ask")
    assert code == 0 and out.strip(), err


def test_a_part_that_is_cut_or_gone_is_named_before_llama_cpp_sees_the_model(tmp_path: Path) -> None:
    first, second, *_ = (tmp_path / name for name in split_nano(tmp_path))
    second.write_bytes(second.read_bytes()[:-1000])
    with pytest.raises(EngineRefused, match=rf"{second.name}.* bytes"):
        gguf_info(first)
    second.unlink()
    assert pulled_ggufs(tmp_path) == ()
    with pytest.raises(EngineRefused, match=rf"there is no file .*{second.name}"):
        gguf_info(first)


@pytest.mark.loopback
@pytest.mark.skipif(sys.platform == "win32", reason="has other signals")
@pytest.mark.parametrize(
    ("end", "code", "said"),
    [
        pytest.param("SIGKILL", -9, "", id="killed"),
        pytest.param("SIGINT", 130, "interrupted: what has come is kept in", id="interrupted"),
    ],
)
def test_a_pull_that_was_ended_goes_on_where_it_was(end: str, code: int, said: str, tmp_path: Path) -> None:
    released = threading.Event()

    def half() -> Iterator[bytes]:
        yield WEIGHTS[:524_288]
        released.wait(30)

    hub = HubServer({REPOSITORY: dict(QUANTS)}, faults=[Answer(body=half())])
    part = part_path(tmp_path / REPOSITORY / GGUF, HubFile(GGUF, len(WEIGHTS), sha256(WEIGHTS)))
    with hub.serve() as server:
        process = start(("Qwen3-8B",), server.url, tmp_path)
        deadline = time.monotonic() + 60
        while (not part.exists() or part.stat().st_size < 524_288) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.Signals[end])
        _, err = process.communicate(timeout=30)
        released.set()
        assert (process.returncode, part.stat().st_size) == (code, 524_288), err
        assert said in err and "Traceback" not in err
        code, _, err = run(("Qwen3-8B",), server.url, tmp_path)
        assert code == 0, err
        assert "begun" in err and "0.50 MiB of 1.00 MiB to download" in err
    assert hub.ranges_asked == [None, f"bytes=524288-{len(WEIGHTS) - 1}"]
    assert (tmp_path / REPOSITORY / GGUF).read_bytes() == WEIGHTS
    assert os.listdir(tmp_path / REPOSITORY) == [GGUF]


@pytest.mark.loopback
@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo terminal")
def test_on_a_terminal_there_is_a_bar_with_rate_and_time_left(served: tuple[HubServer, str], tmp_path: Path) -> None:
    import pty

    served[0].faults = [Answer(body=(WEIGHTS[:524_288], 0.2, WEIGHTS[524_288:]))]
    primary, secondary = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "qwen_router", "pull", "Qwen3-8B", "--from", "huggingface"],
        env={**os.environ, "HF_ENDPOINT": served[1], "QWEN_ROUTER_MODELS": str(tmp_path), "TERM": "xterm", "COLUMNS": "120"},
        stdout=subprocess.DEVNULL, stderr=secondary,
    ) as process:  # fmt: skip
        os.close(secondary)
        shown = b""
        try:
            while piece := os.read(primary, 65536):
                shown += piece
        except OSError:
            """Linux says so when the other side has closed."""
        finally:
            os.close(primary)
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode())
    assert process.returncode == 0, text
    assert re.search(rf"downloading {GGUF} .*━.* \d+ % of 1\.00 MiB, [\d.]+ MiB/s, 0:0\d left", text)


@pytest.mark.loopback
@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        pytest.param(("Qwen3-8B", "--quantisation", "q6_K"), 2, "it has q4_K_M, q8_0", id="no-such-quantisation"),
        pytest.param(("Qwen3-8B", "--from", "hugingface"), 2, "did you mean 'huggingface'?", id="misspelt-source"),
        pytest.param(("no/such", "--from", "huggingface"), 2, "has no repository 'no/such'", id="no-such-repository"),
        pytest.param(("Qwen3-8B", "--from", "ollama", "--to", "x"), 2, "leave --file and --to out", id="ollama-to-a-folder"),
        pytest.param(("Qwen3-8B", "--from", "ollama"), 4, "`ollama serve`", id="ollama-is-not-there"),
        pytest.param(("Qwen3-8B", "--file", "*.bin"), 2, "no file that matches '*.bin'", id="no-such-file"),
    ],
)
def test_bad_input_gets_one_error_and_a_fix(
    args: Command, code: int, said: str, served: tuple[HubServer, str], tmp_path: Path
) -> None:
    got, out, err = run(args, served[1], tmp_path)
    assert (got, out) == (code, "")
    assert said in err and "try: " in err and "Traceback" not in err


@pytest.mark.loopback
def test_a_file_of_ones_own_choice_goes_into_ones_own_folder(served: tuple[HubServer, str], tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    args = ("Qwen3-8B", "--from", "huggingface", "--file", "*q8_0*", "--to", str(mine))
    code, out, _ = run((*args, "--dry-run"), served[1], tmp_path / "models")
    assert (code, out) == (0, "nothing was downloaded (--dry-run)\n") and not mine.exists()
    code, out, err = run(args, served[1], tmp_path / "models")
    assert code == 0, err
    assert (mine / "Qwen3-8B-Q8_0.gguf").read_bytes() == b"eight"
    assert f"QWEN_ROUTER_GGUF='{mine / 'Qwen3-8B-Q8_0.gguf'}' qwen-router ask" in out
