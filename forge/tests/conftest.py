"""Shared fixtures: a recording, the networks, and every graph exported once."""

import gc
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import soundfile
import torch
from hocket_forge import graphs
from hocket_forge.campplus import CamPlusPlus
from hocket_forge.export import export
from hocket_forge.pyannet import PyanNet
from hocket_forge.wespeaker import ResNet34
from hocket_forge.workspace import CONVERSATION
from hypothesis import settings
from numpy.typing import NDArray
from onnx import ModelProto

# the same examples in every session, without deadlines
settings.register_profile("forge", deadline=None, derandomize=True, database=None)
settings.load_profile("forge")
# on a busy machine, two threads that waited for each other took 38 s, one thread 0.06 s
torch.set_num_threads(1)


@pytest.fixture(scope="module", autouse=True)
def _frozen() -> None:
    """Spare the garbage collector all objects that exist: coremltools calls it in each conversion.

    It visits the imported packages every time, which takes 0.3 s of a small conversion's 0.35 s.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def speech() -> NDArray[np.float32]:
    samples, rate = soundfile.read(CONVERSATION, dtype="float32")
    assert rate == 16_000
    recording: NDArray[np.float32] = samples
    recording.flags.writeable = False
    return recording


@pytest.fixture(scope="session")
def segmentation() -> PyanNet:
    return graphs.segmentation_network()


@pytest.fixture(scope="session")
def campplus() -> CamPlusPlus:
    return graphs.campplus_network()


@pytest.fixture(scope="session")
def campplus_local() -> CamPlusPlus:
    return graphs.campplus_local_network()


@pytest.fixture(scope="session")
def resnet34() -> ResNet34:
    return graphs.resnet34_network()


@pytest.fixture(scope="session")
def exported() -> Callable[[str], ModelProto]:
    """A function that copies an exported graph; each is exported once, which takes seconds."""

    @cache
    def content(name: str) -> bytes:
        serialized: bytes = export(name, graphs.RECIPES[name]).SerializeToString()
        return serialized

    def copy(name: str) -> ModelProto:
        model = ModelProto()
        model.ParseFromString(content(name))
        return model

    return copy
