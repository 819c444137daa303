"""`hocket models add`: a published checkpoint becomes usable, and nothing else does."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from hocket import Config, Diarizer, models
from hocket.cli import main as cli
from hocket.cli.outcome import UNUSABLE, USAGE
from hocket.config import GraphConfig, Runtime
from hocket.errors import ModelError, OutputError
from tests.helpers.checkpoints import checkpoint, malicious, recipe_weights
from tests.helpers.paths import CLIPS, CONVERSATION

NAME = "wespeaker-resnet34"
FILE = f"{NAME}.weights"
CHOSEN = GraphConfig(embedding=NAME)
REMEDY = f"run 'hocket models add FILE --as {NAME}'"

Tensors = dict[str, NDArray[Any]]


def hocket(*arguments: str | Path) -> int:
    return cli.main([str(argument) for argument in arguments])


def files(folder: Path) -> dict[str, bytes]:
    if not folder.exists():
        return {}
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def row(listed: str, name: str) -> str:
    (found,) = (line for line in listed.splitlines() if line.split()[0] == name)
    return found


# --- valid checkpoints


def test_shipped_and_added_files_are_listed_and_verified(
    resnet34_checkpoint: Path, user_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    catalogue = models.read_catalogue()
    assert hocket("models", "list", "--hashes") == 0
    listed = capsys.readouterr().out
    for weights in catalogue.weights.values():
        shown = row(listed, weights.file_name)
        assert weights.model in shown
        assert weights.licence in shown
        assert (weights.file.sha256 if weights.file else f"add FILE --as {NAME}") in shown
    for artefact in catalogue.artefacts.values():
        assert artefact.file.sha256 in row(listed, artefact.file.path.name)
    for file in catalogue.channels.values():
        assert file.sha256 in row(listed, file.path.name)
    assert hocket("models", "verify") == 0
    shown = capsys.readouterr().out
    assert (shown.count(": ok\n"), shown.count(f": {NAME} not placed\n")) == (14, 2)

    assert hocket("models", "add", resnet34_checkpoint, "--as", NAME) == 0
    place, threshold = capsys.readouterr().out.splitlines()
    path, sha256 = place.split(": sha256 ")
    assert path == str(user_folder / f"{NAME}-{sha256[:16]}.weights")
    assert threshold == f"threshold {catalogue.reasons[NAME]}"
    assert hocket("models", "list", "--hashes") == 0
    assert sha256 in row(capsys.readouterr().out, FILE)
    assert hocket("models", "verify") == 0
    assert capsys.readouterr().out.count(": ok\n") == 16


def test_the_library_diarizes_with_added_weights(resnet34: Path) -> None:
    chosen, usual = Diarizer(Config(graphs=CHOSEN)), Diarizer()
    for clip in sorted(CLIPS.glob("*.flac")):
        samples, rate = soundfile.read(clip, dtype="float32", frames=6 * 16_000)
        found = chosen(samples, sample_rate=rate, num_speakers=2)
        expected = usual(samples, sample_rate=rate, num_speakers=2)
        assert found.embeddings.shape == (len(expected.speakers), 256)
        assert np.isfinite(found.embeddings).all()
        assert found.turns
        # speakers depend on random weights, speech does not
        speech, usual_speech = (sum(t.duration for t in r.turns) for r in (found, expected))
        assert speech == pytest.approx(usual_speech, rel=0.2)


def test_the_command_diarizes_with_added_weights(
    resnet34: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = tmp_path / "clip.wav"
    samples, rate = soundfile.read(CONVERSATION, dtype="float32", frames=10 * 16_000)
    soundfile.write(clip, samples, rate)
    assert hocket("diarize", clip, "--embedding", NAME) == 0
    out, err = capsys.readouterr()
    assert out.startswith("SPEAKER clip 1 ")
    assert err == ""
    resnet34.unlink()
    assert hocket("diarize", clip, "--embedding", NAME) == UNUSABLE
    assert hocket("diarize", clip) == 0


def wrapped(tensors: Tensors) -> bytes:
    """As pyannote.audio publishes them: a prefix, counters, and layers of other networks."""
    inner: Tensors = {f"resnet.{name}": values for name, values in tensors.items()}
    for name in tensors:
        if name.endswith("running_mean"):
            counter = name.replace("running_mean", "num_batches_tracked")
            inner[f"resnet.{counter}"] = np.array(7, np.int64)
    inner["projection.weight"] = np.ones((3, 256), np.float32)
    inner["resnet.seg_2.weight"] = np.full((2, 2), np.nan, np.float32)
    return checkpoint(inner, wrapper="state_dict")


def in_double(tensors: Tensors) -> bytes:
    return checkpoint({name: values.astype(np.float64) for name, values in tensors.items()})


def shuffled(tensors: Tensors) -> bytes:
    return checkpoint(dict(sorted(tensors.items(), key=lambda item: item[0][::-1])))


def beside_averages(tensors: Tensors) -> bytes:
    """A running average of every tensor comes first; the tensors themselves count."""
    averages = {f"average.{name}": values / 2 for name, values in tensors.items()}
    return checkpoint(averages | tensors)


@pytest.mark.parametrize("write", [wrapped, in_double, shuffled, beside_averages])
def test_the_same_tensors_in_another_container_give_the_same_file(
    tmp_path: Path, resnet34: Path, write: Callable[[Tensors], bytes]
) -> None:
    expected, other = resnet34.read_bytes(), tmp_path / "other.ckpt"
    before = recipe_weights()
    other.write_bytes(write(before))
    resnet34.unlink()
    placed = models.add(other, NAME)
    assert placed.path == resnet34
    assert placed.path.read_bytes() == expected
    assert models.find_weights(models.read_catalogue().weights[NAME]) == placed


def test_every_tensor_lies_where_the_layout_states(resnet34: Path) -> None:
    content, tensors = resnet34.read_bytes(), recipe_weights()
    layout = json.loads((models.FOLDER / f"{NAME}.layout.json").read_bytes())
    assert sorted(place["name"] for place in layout) == sorted(tensors)
    for place in layout:
        raw = tensors[place["name"]].tobytes()
        assert content[place["offset"] : place["offset"] + len(raw)] == raw, place["name"]
    assert len(content) == models.read_catalogue().weights[NAME].size


# --- refused checkpoints


def changed(
    name: str, change: Callable[[NDArray[Any]], NDArray[Any]]
) -> Callable[[Tensors], bytes]:
    return lambda tensors: checkpoint(tensors | {name: change(tensors[name])})


def with_a(number: float) -> Callable[[NDArray[Any]], NDArray[Any]]:
    def put(values: NDArray[Any]) -> NDArray[Any]:
        odd = values.copy()
        odd.flat[odd.size // 2] = number
        return odd

    return put


def without(name: str) -> Callable[[Tensors], bytes]:
    return lambda tensors: checkpoint({k: v for k, v in tensors.items() if k != name})


def dead(tensors: Tensors) -> bytes:
    """Nothing passes the first layer, so only the bias of the last one remains."""
    return checkpoint(tensors | {"seg_1.weight": np.zeros_like(tensors["seg_1.weight"])})


REFUSED: dict[str, tuple[Callable[[Tensors], bytes], str]] = {
    "wrong shape": (
        changed("conv1.weight", lambda v: v[:, :, :2].copy()),
        "conv1.weight: found float32 (32, 1, 2, 3), expected floating point (32, 1, 3, 3)",
    ),
    "transposed": (
        changed("seg_1.weight", lambda v: v.T.copy()),
        "seg_1.weight: found float32 (5120, 256), expected floating point (256, 5120)",
    ),
    "whole numbers": (
        changed("layer2.0.bn1.bias", lambda v: v.astype(np.int64)),
        "layer2.0.bn1.bias: found int64 (64,), expected floating point (64,)",
    ),
    "NaN": (changed("seg_1.weight", with_a(np.nan)), "seg_1.weight: found NaN or infinite"),
    "inf": (changed("bn1.running_var", with_a(np.inf)), "bn1.running_var: found NaN or infinite"),
    "too large for float32": (
        changed("seg_1.bias", lambda v: with_a(1e300)(v.astype(np.float64))),
        "seg_1.bias: found NaN or infinite",
    ),
    "first missing": (without("bn1.bias"), "1 of the 182 expected are missing (bn1.bias, ...)"),
    "last missing": (without("seg_1.weight"), "1 of the 182 expected are missing (seg_1.weight"),
    "another network": (
        lambda tensors: checkpoint({"sincnet.low": np.ones(3, np.float32)}),
        "found 1 tensors, 182 of the 182 expected are missing",
    ),
    "zeros": (
        lambda tensors: checkpoint({name: v * 0 for name, v in tensors.items()}),
        "its embeddings are zero, NaN or infinite",
    ),
    "dead": (dead, "different sounds get one embedding"),
    "text": (lambda _: b"version https://git-lfs.github.com/spec/v1\n", "is not a checkpoint"),
    "empty": (lambda _: b"", "is empty"),
    "truncated": (lambda tensors: checkpoint(tensors)[:100_000], "truncated or damaged"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_another_checkpoint_is_refused_and_nothing_is_written(
    case: str, tmp_path: Path, user_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write, problem = REFUSED[case]
    path = tmp_path / "given.bin"
    path.write_bytes(write(recipe_weights()))
    assert hocket("models", "add", path, "--as", NAME) == UNUSABLE
    out, err = capsys.readouterr()
    assert err.startswith(f"hocket: {path}: ")
    assert problem in err
    assert "; " in err  # what is wrong; what to do
    assert err.count("\n") == 1
    assert out == ""
    assert not user_folder.exists()


def test_a_program_in_a_checkpoint_is_refused_and_not_run(
    tmp_path: Path, user_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace, path = tmp_path / "trace", tmp_path / "evil.pt"
    path.write_bytes(checkpoint(recipe_weights(), more=malicious(f"touch {trace}")))
    assert hocket("models", "add", path, "--as", NAME) == UNUSABLE
    assert "refused: the pickle asks for os.system" in capsys.readouterr().err
    assert not trace.exists()
    assert not user_folder.exists()


@pytest.mark.parametrize("name", ["", "campplus", "segmentation", "resnet34", "../evil"])
def test_only_models_without_shipped_weights_accept_a_checkpoint(
    resnet34_checkpoint: Path, user_folder: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert hocket("models", "add", resnet34_checkpoint, "--as", name) == USAGE
    err = capsys.readouterr().err
    assert err == f"hocket: '{name}' takes no checkpoint; give one of {NAME}\n"
    assert not user_folder.exists()


def test_a_missing_checkpoint_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (tmp_path / "gone.pt", tmp_path):
        assert hocket("models", "add", path, "--as", NAME) == UNUSABLE
        assert capsys.readouterr().err.startswith(f"hocket: {path}: ")


def test_a_refused_checkpoint_leaves_the_added_one_alone(
    resnet34: Path, user_folder: Path, tmp_path: Path
) -> None:
    before, path = files(user_folder), tmp_path / "given.bin"
    path.write_bytes(without("bn1.bias")(recipe_weights()))
    assert hocket("models", "add", path, "--as", NAME) == UNUSABLE
    assert files(user_folder) == before
    assert models.load("embedding", CHOSEN, Runtime()).metadata["dimension"] == "256"


# --- altered weights


def test_weights_that_were_not_added_are_named_with_the_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    expected = f"{NAME}: the weights of wespeaker-voxceleb-resnet34-LM are yours to place; {REMEDY}"
    for graph in ("embedding", "fused"):
        with pytest.raises(ModelError) as caught:
            models.load(graph, CHOSEN, Runtime())
        assert str(caught.value) == expected
    assert hocket("diarize", CONVERSATION, "--embedding", NAME) == UNUSABLE
    assert capsys.readouterr() == ("", f"hocket: {expected}\n")


def test_weights_altered_after_they_were_added_are_refused_with_both_hashes(
    resnet34: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = models.find_weights(models.read_catalogue().weights[NAME]).sha256
    content = bytearray(resnet34.read_bytes())
    content[1_000_000] ^= 1
    resnet34.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        models.load("embedding", CHOSEN, Runtime())
    assert str(caught.value).startswith(f"{resnet34}: found sha256 ")
    assert str(caught.value).endswith(f", expected {expected}; {REMEDY}")
    assert hocket("models", "verify") == UNUSABLE
    out, err = capsys.readouterr()
    assert (out.count(": ok\n"), err.count("expected")) == (14, 2)


def test_added_weights_that_are_missing_are_named_with_the_command(resnet34: Path) -> None:
    resnet34.unlink()
    with pytest.raises(ModelError, match=rf"^{resnet34}: No such file.* sha256 \w+; {REMEDY}$"):
        models.load("embedding", CHOSEN, Runtime())


@pytest.mark.parametrize("content", [b"", b"sha256 = ", b"\xff\xfe", b"other = 'x'"])
def test_a_damaged_note_is_one_error(
    resnet34: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    resnet34.with_name(f"{NAME}.toml").write_bytes(content)
    assert hocket("models", "list", "--hashes") == UNUSABLE
    err = capsys.readouterr().err
    assert err.startswith(f"hocket: {resnet34.with_name(NAME)}.toml: cannot be read (")
    assert err.endswith(f"; {REMEDY}\n")


def test_a_folder_that_cannot_be_written_is_named_and_nothing_is_left(
    resnet34_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("HOCKET_MODELS", str(tmp_path / "file" / "models"))
    with pytest.raises(OutputError, match=r"cannot write: .*; name another folder in HOCKET_MOD"):
        models.add(resnet34_checkpoint, NAME)
    assert hocket("models", "add", resnet34_checkpoint, "--as", NAME) == UNUSABLE


def test_a_full_disk_leaves_the_old_weights(
    resnet34: Path, user_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, path = files(user_folder), tmp_path / "other.pt"
    path.write_bytes(changed("bn1.bias", lambda v: v * 2)(recipe_weights()))

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OutputError, match="No space left"):
        models.add(path, NAME)
    assert files(user_folder) == before


def test_a_disk_that_fills_up_between_two_files_leaves_the_old_weights_in_use(
    resnet34: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, weights = tmp_path / "other.pt", models.read_catalogue().weights[NAME]
    path.write_bytes(changed("bn1.bias", lambda v: v * 2)(recipe_weights()))
    move = os.replace

    def fail(source: str, target: Path) -> None:
        if target.suffix == ".toml":
            raise OSError(28, "No space left on device")
        move(source, target)

    with monkeypatch.context() as full:
        full.setattr(os, "replace", fail)
        with pytest.raises(OutputError, match="No space left"):
            models.add(path, NAME)
    assert models.find_weights(weights).path == resnet34
    assert models.find_weights(weights).read()
    placed = models.add(path, NAME)
    assert list(resnet34.parent.glob("*.weights")) == [placed.path]
