"""The page on the models: every row once, verdicts, and errors for unmeasured files."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hocket_forge import __main__ as shell
from hocket_forge import candidates, measure, report
from hocket_forge.candidates import Candidate
from hocket_forge.rows import Row
from hocket_forge.sources import ForgeError
from hocket_forge.workspace import PACKAGES

ONNX, CORE_ML, NUMPY = candidates.ONNX, candidates.CORE_ML, candidates.NUMPY
BASELINE = "segmentation | ONNX Runtime | float32"
CHEAP = {"operations": {"Zero": 3}, "macs": 4_440_000_000}


def row(name: str, runtime: str, precision: str, status: str, **figures: Any) -> Row:
    cheap = {"bytes": 1_230_000, "operations": {"Conv": 5, "Relu": 2}, "macs": 20_000_000}
    return Row(name, runtime, precision, status, **{**cheap, **figures})


def rates(percent: float) -> dict[str, Any]:
    """The bench's result for a DER."""
    parts = {"miss_percent": 1.0, "false_alarm_percent": 2.0, "confusion_percent": percent - 3}
    counted = {"files": 40, "files_right_count": 31}
    return {"all": {"der_percent": percent, **parts, **counted}, "kinds": {}, "audio_minutes": 87}


MEASURED = [
    row(
        "segmentation",
        ONNX,
        "float32",
        "ships",
        max_difference=0.0,
        mean_difference=0.0,
        differing=0.0,
        der=rates(10.0),
    ),
    row("segmentation", ONNX, "int8", "measured", differing=0.0123, der=rates(10.52)),
    row("segmentation", ONNX, "int8 weights", "measured", der=rates(10.1)),
    row("segmentation", "OpenVINO", "bfloat16", "measured", der=rates(10.31)),
    row("segmentation", "OpenVINO", "float32", "measured", der=rates(9.8)),
    row("segmentation", CORE_ML, "float16", "built by make coreml", der=rates(10.0)),
    row(
        "embedding-campplus",
        ONNX,
        "float16 weights",
        "ships",
        max_difference=0.0123,
        cosine_mean=0.999994,
        cosine_worst=0.98765,
        der=rates(10.0),
    ),
    row(
        "embedding-campplus",
        CORE_ML,
        "float16",
        "built by make coreml",
        operations={"slice_by_index": 2, "slice_by_size": 1, "expand_dims": 6, "conv": 40},
        der=rates(10.7),
    ),
    row("powerset_decode", NUMPY, "float64", "ships; instead", bytes=0, operations={}, macs=0),
    row("powerset_decode", ONNX, "float32", "ships", macs=0),
]
AT_HAND = {"ships", "ships; instead", "built by make coreml"}


@pytest.fixture
def results() -> dict[str, Any]:
    """Results as in the JSON; all cheap figures are out of date."""
    return {
        "rows": {r.key: r.as_json() | CHEAP for r in MEASURED},
        "pooling": {
            "campplus": {"cosine_mean": 0.998765, "cosine_worst": 0.91},
            "another": {"cosine_mean": 1.0, "cosine_worst": 0.5},
        },
        "protocol": "collar 0",
        "environment": {
            "commit": "0123456789abcdef",
            "cores": 2,
            "cpu": "a processor",
            "python": "3.11.7",
            "packages": {"numpy": "2.4.6", "absent": None},
        },
    }


@pytest.fixture
def page(
    results: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, list[Row]]:
    """Available files by source; tests may change these and the results."""
    stored = tmp_path / "models.json"
    monkeypatch.setattr(measure, "RESULTS", stored)
    monkeypatch.setattr(report, "PAGE", tmp_path / "models.md")
    published = {"graphs": {"segmentation-int8 weights": {}}}
    monkeypatch.setattr(report, "read_manifest", lambda: published)
    at_hand = [r for r in MEASURED if r.status in AT_HAND]
    hand = {
        "shipped": [r for r in at_hand if r.runtime != CORE_ML],
        "packages": [r for r in at_hand if r.runtime == CORE_ML],
    }

    def read() -> dict[str, Any]:
        stored.write_text(json.dumps(results))
        return measure.read_results()

    def opened() -> None:
        raise AssertionError("the page opens no graph")

    def packages(folder: Path) -> list[Candidate]:
        assert folder == PACKAGES
        return [Candidate(r, opened) for r in hand["packages"]]

    monkeypatch.setattr(report, "read_results", read)
    monkeypatch.setattr(
        candidates, "shipped", lambda: iter([Candidate(r, opened) for r in hand["shipped"]])
    )
    monkeypatch.setattr(candidates, "packages", packages)
    return hand


def table(text: str, title: str) -> list[dict[str, str]]:
    """Rows of a section's table, by column; asserts that the table is rectangular."""
    section = text.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    header, rule, *rows = [[c.strip() for c in line.strip("|").split("|")] for line in lines]
    assert all(set(cell) == {"-"} for cell in rule)
    return [dict(zip(header, cells, strict=True)) for cells in rows]


def variants(text: str) -> dict[str, dict[str, str]]:
    rows = table(text, "Every graph, runtime and precision")
    found = {f"{r['graph']} | {r['runtime']} | {r['precision']}": r for r in rows}
    assert len(found) == len(rows)
    return found


@pytest.mark.usefixtures("page")
def test_every_row_appears_once_graph_by_graph() -> None:
    found = list(variants(report.report()))
    assert sorted(found) == sorted(r.key for r in MEASURED)
    # graphs in the order of the recipes, the main runtimes first
    assert found == [
        "segmentation | ONNX Runtime | float32",
        "segmentation | ONNX Runtime | int8",
        "segmentation | ONNX Runtime | int8 weights",
        "segmentation | Core ML | float16",
        "segmentation | OpenVINO | bfloat16",
        "segmentation | OpenVINO | float32",
        "powerset_decode | ONNX Runtime | float32",
        "powerset_decode | NumPy | float64",
        "embedding-campplus | ONNX Runtime | float16 weights",
        "embedding-campplus | Core ML | float16",
    ]


@pytest.mark.usefixtures("page")
def test_a_cost_over_the_limit_is_rejected_whatever_ships() -> None:
    assert measure.REJECTED_OVER == 0.3
    found = {key: cells["status"] for key, cells in variants(report.report()).items()}
    assert found["segmentation | ONNX Runtime | int8"] == "measured; rejected: +0.52 DER"
    assert found["segmentation | OpenVINO | bfloat16"] == "measured; rejected: +0.31 DER"
    assert found["segmentation | ONNX Runtime | int8 weights"] == "ships; passes: +0.10 DER"
    assert found["segmentation | OpenVINO | float32"] == "measured; passes: -0.20 DER"
    built = found["embedding-campplus | Core ML | float16"]
    assert built == "built by make coreml; rejected: +0.70 DER"
    kept = found["embedding-campplus | ONNX Runtime | float16 weights"]
    assert kept == "ships; passes: +0.00 DER"
    assert found["powerset_decode | NumPy | float64"] == "ships; instead"


@pytest.mark.usefixtures("page")
def test_figures_are_written_with_the_digits_that_matter() -> None:
    found = variants(report.report())
    whole = found["segmentation | ONNX Runtime | int8"]
    assert whole["DER %"] == "10.52 (1.00 / 2.00 / 7.52)"
    assert whole["right"] == "31 of 40"
    assert whole["frames %"] == "1.230"
    assert whole["largest difference"] == whole["cosine, mean"] == "-"
    embedding = found["embedding-campplus | ONNX Runtime | float16 weights"]
    assert embedding["largest difference"] == "1e-02"
    assert embedding["cosine, mean"] == "0.99999"
    assert embedding["cosine, worst"] == "0.98765"
    assert found[BASELINE]["largest difference"] == "0"
    reference = found["powerset_decode | NumPy | float64"]
    assert {reference[c] for c in ("MB", "MMAC per s of audio", "DER %", "right")} == {"-"}


@pytest.mark.usefixtures("page")
def test_sizes_operations_and_multiplications_come_from_the_files() -> None:
    text = report.report()
    found, operations = variants(text), table(text, "Operations")
    by_key = {f"{r['graph']} | {r['runtime']} | {r['precision']}": r for r in operations}
    assert len(by_key) == len(operations)
    for measured in MEASURED:
        fresh = measured.status in AT_HAND
        size, macs = measured.bytes, (measured.macs if fresh else 4_440_000_000)
        cells = found[measured.key]
        assert cells["MB"] == (f"{size / 1e6:.2f}" if size else "-")
        assert cells["MMAC per s of audio"] == (f"{macs / 1e7:.1f}" if macs else "-")
        listed = measured.operations if fresh else {"Zero": 3}
        assert (measured.key in by_key) == bool(listed)
        if listed:
            assert by_key[measured.key]["operations"] == str(sum(listed.values()))
            expected = ", ".join(f"{kind} {number}" for kind, number in listed.items())
            assert by_key[measured.key]["by type"] == expected


@pytest.mark.usefixtures("page")
def test_slices_of_every_kind_are_compared_with_fluidaudio() -> None:
    fluidaudio, *rows = table(report.report(), "Comparison with FluidAudio's embedding model")
    kinds = ("slice", "expand", "squeeze", "transpose")
    assert [fluidaudio[kind] for kind in kinds] == ["1001", "11", "5", "4"]
    found = {(r["graph"], r["runtime"]): [r[kind] for kind in kinds] for r in rows}
    assert found == {
        ("embedding-campplus, float16 weights", ONNX): ["0", "0", "0", "0"],
        ("embedding-campplus, float16", CORE_ML): ["3", "6", "0", "0"],
    }


@pytest.mark.usefixtures("page")
def test_pooling_protocol_and_machine_are_on_the_page() -> None:
    text = report.report()
    assert [r["embedding"] for r in table(text, "Masks in the pooling")] == [
        "another",
        "campplus",
    ]
    assert "| campplus | 0.99877 | 0.91000 |" in text
    assert "(collar 0;\n87 min)" in text
    assert "commit 0123456789ab on 2 cores (a processor), Python 3.11.7, numpy 2.4.6;" in text
    assert "absent" not in text
    assert not re.search(r"\{\w+\}", text)


@pytest.mark.usefixtures("page")
def test_without_a_der_in_float32_there_is_no_page(results: dict[str, Any]) -> None:
    results["rows"][BASELINE]["der"] = None
    with pytest.raises(ForgeError, match=re.escape(f"{BASELINE}: has no DER; run 'python -m")):
        report.report()


@pytest.mark.parametrize("place", ["shipped", "packages"])
def test_a_file_that_was_not_measured_is_named(page: dict[str, list[Row]], place: str) -> None:
    new = row("fused-campplus", CORE_ML if place == "packages" else ONNX, "float16", "ships")
    page[place].append(new)
    with pytest.raises(ForgeError, match=re.escape(f"{new.key}: not measured; run 'python -m")):
        report.report()


def test_the_command_writes_the_page_and_the_check_compares_it(
    page: dict[str, list[Row]], results: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert shell.main(["report"]) == 0
    written = report.PAGE.read_text(encoding="utf-8")
    assert written == report.report()
    assert shell.main(["report-check"]) == 0
    assert capsys.readouterr().err == ""
    report.PAGE.write_text(written.replace("1.23", "1.24", 1), encoding="utf-8")
    assert shell.main(["report-check"]) == 1
    assert "docs/models.md: not current; run 'make models-report'" in capsys.readouterr().err
    report.PAGE.write_text(written, encoding="utf-8")
    results["rows"][BASELINE]["der"] = rates(10.3)
    assert shell.main(["report-check"]) == 1
    results["rows"][BASELINE]["der"] = rates(10.0)
    assert shell.main(["report-check"]) == 0
    smaller = page["shipped"][0].as_json() | {"bytes": 990_000}
    page["shipped"][0] = Row(**smaller)
    assert shell.main(["report-check"]) == 1
