"""The README's tour is run as it is printed."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.catcher import Catcher
from tests.service import running

if TYPE_CHECKING:
    from collections.abc import Iterator

README = Path(__file__).resolve().parent.parent / "README.md"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with Catcher() as catcher, running(tmp_path_factory.mktemp("tour") / "data", catcher.url) as where:
        yield where


def tour() -> str:
    """The commands under the tour's heading, without what indents them."""
    section = README.read_text().split("## A tour by curl")[1].split("\n## ")[0]
    return "\n".join(line[4:] for line in section.splitlines() if line.startswith("    ") or not line)


@pytest.mark.timeout(600)
def test_the_tour_does_what_it_says(address: str, tmp_path: Path) -> None:
    script = tour().replace("http://127.0.0.1:8000", address)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].count("'sequence'") == 6
    assert lines[1:4] == ["active", "confirmed", "arrived"]
    assert [kind for kind in ("booked", "confirmed", "arrived") if f'"{kind}"' in lines[4]] == [
        "booked",
        "confirmed",
        "arrived",
    ]
