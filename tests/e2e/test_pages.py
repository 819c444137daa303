"""What the pages tell readers to run, runs."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.places import CONVERSATION, ROOT

PAGE = ROOT / "docs" / "streaming.md"
PROGRAMS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)


@pytest.mark.parametrize("program", PROGRAMS, ids=range(len(PROGRAMS)))
def test_a_program_of_the_page_runs_as_it_stands(program: str, tmp_path: Path) -> None:
    shutil.copy(CONVERSATION, tmp_path / "meeting.flac")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert done.stderr == ""


def test_the_page_has_its_programs() -> None:
    assert len(PROGRAMS) == 5
