"""Every preset against records of its system: tests/mapping has a folder for each."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from exporter.mapping.compile import Mapper
from exporter.mapping.fixtures import explained, run
from exporter.mapping.rules import load_all, preset_names
from exporter.redaction import Redaction
from exporter.redaction.redactor import Redactor
from exporter.transform import Transform, Window

FOLDER = Path(__file__).parents[1] / "mapping"
CLASSES = {"default": timedelta(days=365), "log": timedelta(days=7)}
ANY_TIME = Window(past=timedelta(days=36500), future=timedelta(days=36500))


def made(presets: tuple[str, ...] | None, rules: tuple[Path, ...] | None) -> Transform:
    mapper = Mapper(load_all(rules or (), tuple(CLASSES), presets or ()))
    return Transform(mapper, CLASSES, redactor=Redactor(Redaction(), None), window=ANY_TIME)


@pytest.mark.parametrize("name", preset_names())
def test_a_presets_records_become_the_events_that_are_expected(name: str) -> None:
    ran = run(FOLDER / name, made)
    assert not ran.failures, "\n".join(map(str, ran.failures))
    assert ran.cases >= 10


def test_every_folder_of_fixtures_belongs_to_a_preset() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == preset_names()


def test_whoever_is_acted_for_is_in_no_column_of_the_one_who_acts() -> None:
    acted_for = 0
    for place, case, became in explained(FOLDER, made):
        event = became.event
        if (whom := event.get("on_behalf_of")) is not None:
            acted_for += 1
            actor = {event.get(column) for column in ("actor_id", "actor_name", "actor_email")}
            assert whom not in actor, f"{place}: {case.name}: {actor}"
    assert acted_for >= 10
