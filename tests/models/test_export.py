"""`hocket models export`: a folder for other programs, with a correct description."""

import ast
import hashlib
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest

from hocket import models
from hocket.backends import ReferenceGraph
from hocket.cli import main as cli
from hocket.cli.outcome import UNUSABLE, USAGE
from hocket.config import GraphConfig, Runtime
from hocket.errors import BackendError, ConfigError, ModelError
from hocket.graph import SPECS
from hocket.models import Artefact, examples
from hocket.models import export as exporting
from hocket.models.coreml_packages import HASHES, coreml_folder, package_path
from hocket.models.export import VALUES, export
from tests.helpers.coreml_double import FakeMLModel, fake_package

PLACED = "wespeaker-resnet34"


@dataclass(frozen=True)
class Section:
    """The description of one graph.

    ports: direction, name and axes of each.
    numbers: shape, mean, and the first numbers of the middle row, by output.
    """

    name: str
    ports: list[tuple[str, str, str]]
    example: str
    numbers: dict[str, tuple[tuple[int, ...], float, list[float]]]
    text: str


def sections(page: str) -> dict[str, Section]:
    found = {}
    for text in page.split("\n## ")[1:]:
        name = text.splitlines()[0]
        rows = [
            [cell.strip() for cell in line.strip("| ").split("|")] for line in text.splitlines()
        ]
        ports = [(row[0], row[1], row[2]) for row in rows if row[0] in {"in", "out"}]
        if not ports:
            continue
        (example,) = re.findall(r"^With `(\w+)\(\)`:$", text, re.MULTILINE)
        outputs = {port for direction, port, _ in ports if direction == "out"}
        numbers = {
            row[0]: (
                ast.literal_eval(row[1]),
                float(row[2]),
                [float(number) for number in row[3].split(",")],
            )
            for row in rows
            if row[0] in outputs
        }
        found[name] = Section(name, ports, example, numbers, text)
    return found


def run_code(page: str) -> dict[str, Any]:
    """Variables that the program in the description leaves."""
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, Any] = {}
    exec(program, names)
    return names


def check_hashes(folder: Path) -> None:
    listed = tomllib.loads((folder / HASHES).read_text())
    assert set(listed) == {path.name for path in folder.iterdir()} - {HASHES}
    for name, sha256 in listed.items():
        if (folder / name).is_file():
            assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == sha256


@pytest.fixture(scope="module", autouse=True)
def _sections_made_once() -> Iterator[None]:
    """The section of a graph runs it; for one target it is the same in every export."""
    usual, made = exporting._section, dict[tuple[str, str], str]()

    def section(artefact: Artefact, target: str) -> str:
        key = artefact.name, target
        if key not in made:
            made[key] = usual(artefact, target)
        return made[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporting, "_section", section)
        patch.setattr(examples, "voice", cache(examples.voice))
        yield


@pytest.fixture(scope="module")
def exported(resnet34_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything, with the user's weights."""
    folder = tmp_path_factory.mktemp("exported") / "new" / "graphs"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOCKET_MODELS", str(resnet34_folder))
        assert cli.main(["models", "export", "--to", "onnx", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def page(exported: Path) -> str:
    return (exported / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def example(exported: Path, page: str) -> dict[str, Any]:
    """Variables of the program in the description, run in the exported folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(exported)
        names = run_code(page)
    names["voice"] = cache(names["voice"])  # the inputs of all graphs are made of it
    return names


def test_every_graph_and_all_weights_are_exported_unaltered(exported: Path) -> None:
    catalogue = models.read_catalogue()
    graphs = {artefact.file.path.name for artefact in catalogue.artefacts.values()}
    weights = {weights.file_name for weights in catalogue.weights.values()}
    expected = graphs | weights | {"README.md", HASHES}
    assert {path.name for path in exported.iterdir()} == expected
    for artefact in catalogue.artefacts.values():
        name = artefact.file.path.name
        assert (exported / name).read_bytes() == artefact.file.read()
    check_hashes(exported)


def test_the_description_has_a_section_for_every_graph_and_a_row_for_every_port(
    exported: Path, page: str
) -> None:
    found, catalogue = sections(page), models.read_catalogue()
    assert set(found) == {path.name for path in exported.glob("*.onnx")}
    for artefact in catalogue.artefacts.values():
        spec, section = SPECS[artefact.graph], found[artefact.file.path.name]
        ports = [*(("in", port) for port in spec.inputs), *(("out", port) for port in spec.outputs)]
        assert section.ports == [
            (direction, port.name, f"({', '.join(port.axes)})") for direction, port in ports
        ]
        assert all(VALUES[port.name] in section.text for _, port in ports)
        for key, value in artefact.geometry.items():
            assert f"{key} {value}" in section.text
        assert list(section.numbers) == [port.name for port in spec.outputs]
    for weights in catalogue.weights.values():
        assert f"| {weights.model} | {weights.licence} | {weights.attribution} |" in page


@pytest.mark.parametrize("name", list(models.read_catalogue().artefacts))
def test_the_description_has_the_numbers_that_onnx_runtime_computes(
    exported: Path, page: str, example: dict[str, Any], name: str
) -> None:
    section = sections(page)[f"{name}.onnx"]
    # one thread, as in the description: int8 rounds differently if two share a sum, by 0.05 at most
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(exported / f"{name}.onnx"), options)
    names = [port.name for port in session.get_outputs()]
    found = dict(zip(names, session.run(None, example[section.example]()), strict=True))
    assert list(section.numbers) == names
    for output, (shape, mean, row) in section.numbers.items():
        array = found[output]
        assert array.shape == shape
        assert len(np.unique(array)) > 1  # a wrong graph would show
        assert array[np.isfinite(array)].mean() == pytest.approx(mean, rel=0.01, abs=1e-6)
        rows = array.reshape(-1, shape[-1])
        assert rows[len(rows) // 2, : len(row)].tolist() == pytest.approx(row, rel=0.01, abs=1e-6)
        assert len(row) == min(4, shape[-1])


def test_the_program_in_the_description_finds_speech(example: dict[str, Any]) -> None:
    assert np.asarray(example["masks"]).shape == (1, 589, 3)
    assert np.asarray(example["masks"]).any()


def test_weights_that_were_not_added_are_left_out_and_old_files_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("segmentation.onnx", "README.md", HASHES, "mine.txt"):
        (tmp_path / name).write_text("old")
    assert cli.main(["models", "export", "--to", "onnx", str(tmp_path)]) == 0
    assert (tmp_path / "mine.txt").read_text() == "old"
    (tmp_path / "mine.txt").unlink()
    names = {path.name for path in tmp_path.iterdir()}
    printed = capsys.readouterr().out.splitlines()
    assert {f"wrote {tmp_path / name}" for name in names} == set(printed)
    assert len(sections((tmp_path / "README.md").read_text())) == 13
    assert not any(PLACED in name for name in names)
    assert "CC-BY" not in (tmp_path / "README.md").read_text()
    shipped = models.read_catalogue().artefacts["segmentation"].file.read()
    assert (tmp_path / "segmentation.onnx").read_bytes() == shipped
    check_hashes(tmp_path)


def test_an_altered_file_is_not_exported(copied: Path, tmp_path: Path) -> None:
    (copied / "campplus.weights").write_bytes(b"altered")
    with pytest.raises(ModelError, match=r"campplus\.weights: found sha256"):
        export("onnx", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert cli.main(["models", "export", "--to", "onnx", str(tmp_path / "file")]) == UNUSABLE
    out, err = capsys.readouterr()
    assert err.startswith(f"hocket: {tmp_path / 'file'}")
    assert "cannot write: " in err
    assert (out, err.count("\n")) == ("", 1)


def test_an_unknown_target_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot export to 'tflite'; give one of onnx, coreml"):
        export("tflite", tmp_path)
    assert cli.main(["models", "export", "--to", "tflite", str(tmp_path)]) == USAGE
    assert list(tmp_path.iterdir()) == []


# --- Core ML, written by another package


def test_without_the_forge_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(exporting, "entry_points", lambda **_: [])
    with pytest.raises(BackendError, match=r"run 'pip install hocket-forge'"):
        export("coreml", tmp_path / "out")
    assert cli.main(["models", "export", "--to", "coreml", str(tmp_path / "out")]) == UNUSABLE
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.fixture
def forge(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A package that writes folders, and what it received."""
    given: list[str] = []

    def write(
        artefacts: list[Artefact], weights: Mapping[str, Mapping[str, bytes]], folder: Path
    ) -> list[str]:
        for artefact in artefacts:
            sizes = [f"{name} {len(content)}" for name, content in weights[artefact.name].items()]
            given.append(f"{artefact.name}: {', '.join(sizes)}")
            content = folder / f"{artefact.name}.mlpackage" / "Data" / "model.mlmodel"
            content.parent.mkdir(parents=True)
            content.write_text(artefact.name)
        return [f"{artefact.name}.mlpackage" for artefact in artefacts]

    def find(group: str, name: str) -> list[SimpleNamespace]:
        assert (group, name) == ("hocket.exporters", "coreml")
        return [SimpleNamespace(load=lambda: write)]

    monkeypatch.setattr(exporting, "entry_points", find)
    return given


def test_an_exporter_receives_the_verified_weights_and_its_packages_are_found(
    forge: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = coreml_folder()
    assert cli.main(["models", "export", "--to", "coreml", str(folder)]) == 0
    catalogue = models.read_catalogue()
    sizes = {name: weights.size for name, weights in catalogue.weights.items()}
    expected = [
        artefact
        for artefact in catalogue.artefacts.values()
        if PLACED not in artefact.name and artefact.precision != "int8"
    ]
    assert forge == [
        f"{a.name}: {', '.join(f'{name}.weights {sizes[name]}' for name in a.weights)}"
        for a in expected
    ]
    printed = capsys.readouterr().out
    for artefact in expected:
        path = folder / f"{artefact.name}.mlpackage"
        assert f"wrote {path}\n" in printed
        assert package_path(artefact) == path
    check_hashes(folder)


def test_the_core_ml_description_names_packages_and_its_program_runs(
    forge: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export("coreml", tmp_path)
    page = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert set(sections(page)) == {path.name for path in tmp_path.glob("*.mlpackage")}

    def load(path: str) -> FakeMLModel:
        inner = models.load(Path(path).stem, GraphConfig("campplus", "float32"), Runtime())
        assert not isinstance(inner, ReferenceGraph)
        return fake_package(Path(path).stem, inner)

    fake = ModuleType("coremltools")
    fake.models = SimpleNamespace(MLModel=load)
    monkeypatch.setitem(sys.modules, "coremltools", fake)
    monkeypatch.chdir(tmp_path)
    assert run_code(page)["masks"].any()
