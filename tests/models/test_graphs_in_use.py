"""Graphs in use are shared by all that open them in one process."""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from hocket import Stream, models
from hocket.config import GraphConfig, Runtime
from hocket.models import loading

CONFIG = GraphConfig()


@pytest.fixture(autouse=True)
def _nothing_in_use() -> None:
    loading._in_use.clear()


def test_a_graph_in_use_is_opened_once() -> None:
    one = models.load("post_embedding", CONFIG, Runtime())
    assert models.load("post_embedding", CONFIG, Runtime()) is one
    identities = {key[1:4] for key in loading._in_use}
    models.load("post_embedding", GraphConfig(backend="onnxruntime"), Runtime(threads=1))
    assert {key[1:4] for key in loading._in_use} > identities


def test_streams_of_one_process_share_their_networks() -> None:
    with Stream(16_000) as one, Stream(8_000) as other:
        mine, yours = one._channels.one.networks, other._channels.one.networks
        assert mine.segmentation is yours.segmentation
        assert mine.embedder._graph is yours.embedder._graph


def test_a_file_that_changed_is_read_again() -> None:
    one = models.load("post_embedding", CONFIG, Runtime())
    file = models.read_catalogue().artefact("post_embedding", CONFIG.embedding, "float32").file
    before = file.path.stat()
    try:
        os.utime(file.path, ns=(before.st_atime_ns, before.st_mtime_ns + 1_000))
        models.load("post_embedding", CONFIG, Runtime())
        assert len(loading._in_use) == 2
    finally:
        os.utime(file.path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert one in loading._in_use.values()


def _in_use_of() -> list[int]:
    models.load("post_embedding", CONFIG, Runtime())
    return [int(str(key[0])) for key in loading._in_use]


def test_a_fork_opens_its_own() -> None:
    one = models.load("post_embedding", CONFIG, Runtime())
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
        processes = pool.submit(_in_use_of).result(timeout=30)
    assert os.getpid() in processes
    assert len(set(processes)) == 2
    assert one in loading._in_use.values()
