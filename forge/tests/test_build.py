"""The forge's commands: what they write, report, and keep unchanged after a failure."""

import hashlib
import shutil
import tomllib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tomli_w
from hocket_forge import __main__ as shell
from hocket_forge import coreml_parity, manifest, parity, quantize, workspace
from hocket_forge.graphs import RECIPES
from hocket_forge.parity import Check
from hocket_forge.sources import WEIGHTS, ForgeError
from onnx import ModelProto

# the forge writes no file of weights that the user places, only their layout
FILES_OF_WEIGHTS = {"segmentation.weights", "campplus.weights", "wespeaker-resnet34.layout.json"}


@pytest.fixture(autouse=True)
def one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checks of this process in place of those that other processes import."""
    monkeypatch.setattr(shell, "ProcessPoolExecutor", lambda *_: ThreadPoolExecutor(1))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in place of the forge's folder of models."""
    monkeypatch.setattr(manifest, "MODELS", tmp_path)
    monkeypatch.setattr(manifest, "MANIFEST", tmp_path / "manifest.toml")
    return tmp_path


@pytest.fixture
def stubs(monkeypatch: pytest.MonkeyPatch) -> dict[str, ModelProto]:
    """Small models in place of exported graphs."""
    made = {name: ModelProto(doc_string=f"in place of {name}") for name in RECIPES}
    monkeypatch.setattr(shell, "export", lambda name, _recipe: made[name])
    return made


@pytest.fixture
def verdict(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """The difference that the checks of each graph find; up to 1 passes."""
    found = dict.fromkeys(RECIPES, 0.0)

    def check(name: str, _model: ModelProto) -> list[Check]:
        return [Check("first", 0.0, 1.0), Check("second", found[name], 1.0)]

    monkeypatch.setattr(parity, "checks", check)
    return found


Verdict = dict[str, float]
Stubs = dict[str, ModelProto]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("failing", list(RECIPES))
@pytest.mark.parametrize("found", [1.5, np.nan])
def test_build_writes_nothing_and_returns_1_when_a_check_fails(
    folder: Path,
    stubs: Stubs,
    verdict: Verdict,
    capsys: pytest.CaptureFixture[str],
    failing: str,
    found: float,
) -> None:
    assert set(stubs) == set(verdict)
    verdict[failing] = found
    assert shell.main(["build"]) == 1
    assert contents(folder) == {}
    printed = capsys.readouterr()
    assert f"FAIL {failing}: second" in printed.out
    assert printed.err == (
        f"hocket_forge: 1 checks failed, nothing was written: {failing}: second\n"
    )


@pytest.mark.parametrize("found", [0.5, 1.5])
def test_packages_are_marked_as_made_only_when_all_pass(
    found: float, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stamp = tmp_path / "made"
    stamp.touch()

    def converted(name: str, folder: Path) -> list[Check]:
        assert folder == workspace.PACKAGES
        assert not stamp.exists()
        return [Check("first", found if name == "segmentation" else 0.0, 1.0)]

    monkeypatch.setattr(shell, "MADE", stamp)
    monkeypatch.setattr(coreml_parity, "converted", converted)
    assert shell.main(["coreml"]) == int(found > 1)
    assert stamp.exists() == (found <= 1)


def test_a_failed_build_leaves_what_was_built_before(
    folder: Path, stubs: Stubs, verdict: Verdict
) -> None:
    assert shell.main(["build"]) == 0
    before = contents(folder)
    stubs["embedding-campplus"].doc_string = "another"
    verdict["post_embedding"] = 2
    assert shell.main(["build"]) == 1
    assert contents(folder) == before


def test_build_writes_every_graph_and_a_manifest_with_its_hash(
    folder: Path, stubs: Stubs, verdict: Verdict
) -> None:
    assert not any(verdict.values())
    assert shell.main(["build"]) == 0
    graphs = tomllib.loads((folder / "manifest.toml").read_text())["graphs"]
    assert set(graphs) == set(stubs)
    for name, entry in graphs.items():
        content = (folder / entry["file"]).read_bytes()
        assert content == stubs[name].SerializeToString()
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()
        assert entry["bytes"] == len(content)
        assert entry["graph"] == RECIPES[name].graph
        assert entry["weights"] == list(RECIPES[name].weights)
        assert entry.get("geometry", {}) == RECIPES[name].geometry
    assert set(contents(folder)) == {"manifest.toml", *FILES_OF_WEIGHTS} | {
        f"{name}.onnx" for name in stubs
    }
    assert shell.main(["check"]) == 0


def test_the_manifest_describes_the_weights(folder: Path, stubs: Stubs, verdict: Verdict) -> None:
    assert set(stubs) == set(verdict)
    assert shell.main(["build"]) == 0
    weights = tomllib.loads((folder / "manifest.toml").read_text())["weights"]
    assert list(weights) == ["segmentation", "campplus", "wespeaker-resnet34"]
    for name, entry in weights.items():
        origin = WEIGHTS[name]
        assert entry["placed"] is (origin.member is None)
        file, kind = (entry["layout"], "layout_") if entry["placed"] else (entry["file"], "")
        content = (folder / file).read_bytes()
        assert entry[f"{kind}bytes"] == len(content)
        assert entry[f"{kind}sha256"] == hashlib.sha256(content).hexdigest()
        assert (entry["model"], entry["licence"]) == (origin.model, origin.licence)
        assert entry["attribution"] == origin.attribution
        if not entry["placed"]:
            assert (entry["source"], entry["source_sha256"]) == (origin.reference, origin.sha256)


def test_building_again_keeps_calibration_and_nothing_else(
    folder: Path, stubs: Stubs, verdict: Verdict
) -> None:
    assert not any(verdict.values())
    assert shell.main(["build"]) == 0
    path = folder / "manifest.toml"
    before = tomllib.loads(path.read_text())
    assert before["embeddings"] == {}
    kept = {"campplus": {"threshold": 0.5, "reason": "measured"}}
    files = {"campplus": {"file": "channels-campplus.npz", "sha256": "a", "reason": "measured"}}
    changed = {**before, "channels": files, "embeddings": kept, "graphs": {"old": {}}}
    path.write_text(tomli_w.dumps(changed))
    stubs["embedding-campplus"].doc_string = "another"
    assert shell.main(["build"]) == 0
    after = tomllib.loads(path.read_text())
    assert after["channels"] == files
    assert after["embeddings"] == kept
    assert after["weights"] == before["weights"]
    content = stubs["embedding-campplus"].SerializeToString()
    rebuilt = after["graphs"].pop("embedding-campplus")
    assert rebuilt["sha256"] == hashlib.sha256(content).hexdigest()
    del before["graphs"]["embedding-campplus"]
    assert after["graphs"] == before["graphs"]


@pytest.mark.parametrize("file", ["embedding-campplus.onnx", *sorted(FILES_OF_WEIGHTS)])
def test_check_notices_a_file_with_another_hash(
    folder: Path, stubs: Stubs, verdict: Verdict, capsys: pytest.CaptureFixture[str], file: str
) -> None:
    assert not any(verdict.values())
    assert set(stubs) == set(RECIPES)
    assert shell.main(["build"]) == 0
    path = folder / file
    other = path.read_bytes() + ModelProto(doc_string="more").SerializeToString()
    path.write_bytes(other)
    capsys.readouterr()
    assert shell.main(["check"]) == 1
    printed = capsys.readouterr()
    assert f"{file}: found sha256 {hashlib.sha256(other).hexdigest()}" in printed.err
    assert printed.out == ""  # the file is not even loaded
    path.unlink()
    assert shell.main(["check"]) == 1
    assert f"{file}: cannot be read" in capsys.readouterr().err


def test_check_fails_with_the_parity_of_a_file(
    folder: Path, stubs: Stubs, verdict: Verdict, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shell.main(["build"]) == 0
    before = contents(folder)
    assert set(stubs) == set(verdict)
    verdict["segmentation_masks"] = np.nan
    assert shell.main(["check"]) == 1
    assert "segmentation_masks: second" in capsys.readouterr().err
    assert contents(folder) == before


def test_check_notices_a_graph_missing_from_the_manifest(
    folder: Path, stubs: Stubs, verdict: Verdict, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not any(verdict.values())
    assert shell.main(["check"]) == 1  # before the first build
    assert shell.main(["build"]) == 0
    path = folder / "manifest.toml"
    text = path.read_text()
    path.write_text(text[: text.index("[graphs.post_embedding]")])
    capsys.readouterr()
    assert shell.main(["check"]) == 1
    err = capsys.readouterr().err
    assert all(name in err for name in stubs)


@pytest.mark.parametrize("arguments", [[], ["deploy"], ["build", "check"], ["--help"]])
def test_wrong_usage_returns_2_and_prints_the_usage(
    folder: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert shell.main(arguments) == 2
    assert capsys.readouterr().err.startswith("usage: python -m hocket_forge build|check|coreml")
    assert contents(folder) == {}


def test_writing_the_shipped_graphs_again_changes_no_byte(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(manifest, "MODELS", workspace.MODELS)
        patch.setattr(manifest, "MANIFEST", workspace.MANIFEST)
        shipped = manifest.read_artefacts()
    shutil.copy(workspace.MANIFEST, folder)
    manifest.write_artefacts(shipped)
    written = contents(folder)
    assert set(written) == {"manifest.toml", *FILES_OF_WEIGHTS} | {f"{n}.onnx" for n in RECIPES}
    for name, content in written.items():
        assert content == (workspace.MODELS / name).read_bytes(), name


def test_a_variant_written_again_shares_the_weights_of_another_and_changes_no_byte(
    folder: Path, exported: Callable[[str], ModelProto]
) -> None:
    variants = ("segmentation-int8", "segmentation_from_peaks-int8")
    for file in ("manifest.toml", "segmentation-int8.weights", *(f"{v}.onnx" for v in variants)):
        shutil.copy(workspace.MODELS / file, folder)
    before = contents(folder)
    measured = manifest.read_manifest()["graphs"][variants[1]]["measured"]
    model = quantize.int8_segmentation(exported("segmentation_from_peaks"))
    manifest.write_variant("segmentation_from_peaks", "int8", model, measured)
    assert contents(folder) == before
    (folder / "segmentation-int8.weights").write_bytes(b"others")
    with pytest.raises(ForgeError, match=r"segmentation-int8\.weights: found sha256"):
        manifest.write_variant("segmentation_from_peaks", "int8", model, measured)
