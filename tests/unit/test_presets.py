"""Every preset against records of its system: tests/mapping has a folder for each."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from exporter.mapping.fixtures import Setting, run
from exporter.mapping.rules import preset_names
from exporter.redaction import Redaction, Redactor

FOLDER = Path(__file__).parents[1] / "mapping"
SETTING = Setting((), (), {"default": timedelta(days=365), "log": timedelta(days=7)}, Redactor(Redaction(), None))


@pytest.mark.parametrize("name", preset_names())
def test_a_presets_records_become_the_events_that_are_expected(name: str) -> None:
    ran = run(FOLDER / name, SETTING)
    assert not ran.failures, "\n".join(map(str, ran.failures))
    assert ran.cases >= 10


def test_every_folder_of_fixtures_belongs_to_a_preset() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == preset_names()
