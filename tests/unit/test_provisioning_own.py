"""An administrator's own dashboards beside ours: what is taken, what is refused, what becomes of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from collector.config import load_config
from collector.rendering import options
from dashboards.build import DashboardOptions, build, importable
from exporter.errors import ConfigError
from provisioning.write import ProvisioningOptions, render

OPTIONS = ProvisioningOptions(database_host="db:5432", database_name="audit")
MINE: dict[str, Any] = {"uid": "mine", "title": "Mine", "panels": [], "tags": ["audit"]}


@pytest.fixture
def own(tmp_path: Path) -> Path:
    folder = tmp_path / "own"
    folder.mkdir()
    return folder


def put(folder: Path, name: str, **changes: Any) -> Path:
    """A dashboard of one's own in a file."""
    path = folder / name
    path.write_text(json.dumps(MINE | changes), encoding="utf-8")
    return path


def rendered(own: Path, **chosen: Any) -> dict[str, Any]:
    """The dashboards that were rendered, by file name."""
    out = own.parent / "out"
    render(out, replace(OPTIONS, own_dashboards=own, **chosen))
    return {path.name: json.loads(path.read_bytes()) for path in (out / "json").iterdir()}


def test_own_dashboards_are_rendered_beside_ours(own: Path) -> None:
    put(own, "any name.json", id=17, version=4, schemaVersion=39)
    found = rendered(own)
    assert found.pop("mine.json") == MINE | {"version": 4, "schemaVersion": 39}
    assert set(found) == set(build())


def test_the_same_folder_gives_the_same_bytes_in_whatever_order_it_was_written(own: Path) -> None:
    put(own, "b.json", uid="b", title="B")
    put(own, "a.json", uid="a", title="A")
    rendered(own)
    files = {path: path.read_bytes() for path in (own.parent / "out/json").iterdir()}
    (own / "b.json").write_text(json.dumps(dict(reversed(list((MINE | {"uid": "b", "title": "B"}).items()))), indent=7))
    rendered(own)
    assert {path: path.read_bytes() for path in files} == files


def test_one_that_is_gone_is_removed(own: Path) -> None:
    path = put(own, "mine.json")
    rendered(own)
    path.unlink()
    assert "mine.json" not in rendered(own)


def test_other_files_and_folders_are_left_alone(own: Path) -> None:
    (own / "README.md").write_text("no dashboard")
    (own / "deep.json").mkdir()
    assert set(rendered(own)) == set(build())


def test_one_that_asks_for_a_data_source_gets_ours(own: Path) -> None:
    asked = [{"name": "DS_PG", "type": "datasource", "pluginId": "postgres", "label": "x"}]
    panel = {"datasource": {"type": "postgres", "uid": "${DS_PG}"}}
    put(own, "mine.json", __inputs=asked, __requires=[], panels=[panel])
    found = rendered(own, dashboards=DashboardOptions(datasource_uid="there"))
    assert found["mine.json"] == MINE | {"panels": [{"datasource": {"type": "postgres", "uid": "there"}}]}


def test_what_is_made_to_be_imported_by_hand_can_be_rendered_as_well(own: Path) -> None:
    dashboard = json.loads(importable()["audit-map.json"]) | {"uid": "my-map", "title": "My map"}
    (own / "map.json").write_text(json.dumps(dashboard))
    ours = json.loads(build()["audit-map.json"]) | {"uid": "my-map", "title": "My map"}
    assert rendered(own)["my-map.json"] == ours


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("{", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("[]", "is no dashboard but a list"),
        (json.dumps({**MINE, "uid": "a b"}), "uid: "),
        (json.dumps({**MINE, "uid": "x" * 41}), "uid: "),
        (json.dumps({"title": "Mine", "panels": []}), "uid: Field required"),
        (json.dumps({**MINE, "title": ""}), "title: "),
        (json.dumps({**MINE, "panels": {}}), "panels: "),
        (json.dumps({**MINE, "__inputs": [{"name": "X", "type": "constant"}]}), "__inputs.0.type: "),
        (
            json.dumps({**MINE, "__inputs": [{"name": "X", "type": "datasource", "pluginId": "loki"}]}),
            "__inputs.0.plugin",
        ),
        (json.dumps({**MINE, "uid": "audit-overview"}), "uid: 'audit-overview' is that of audit-overview.json"),
        (json.dumps({**MINE, "title": "Audit map"}), "title: 'Audit map' is that of audit-map.json"),
    ],
)
def test_what_grafana_could_not_use_is_refused_by_file_before_anything_is_written(
    own: Path, content: str, named: str
) -> None:
    (own / "mine.json").write_text(content)
    with pytest.raises(ConfigError) as refused:
        rendered(own)
    assert str(refused.value).startswith(f"{own / 'mine.json'}: ")
    assert named in str(refused.value)
    assert not (own.parent / "out").exists()


def test_two_with_one_uid_are_refused(own: Path) -> None:
    put(own, "a.json", title="A")
    put(own, "b.json", title="B")
    with pytest.raises(ConfigError, match=r"b\.json: uid: 'mine' is that of a\.json; give it another uid"):
        rendered(own)


def test_a_folder_that_is_not_there_is_refused(own: Path) -> None:
    with pytest.raises(ConfigError, match=r"grafana\.dashboards: .*nowhere: can't be read"):
        render(own.parent / "out", replace(OPTIONS, own_dashboards=own / "nowhere"))


def test_the_configuration_says_all_of_it(tmp_path: Path) -> None:
    file = tmp_path / "auditgraf.yaml"
    file.write_text(
        "grafana: {refresh: 1m, dashboards: mine, links: {trace: 'https://tempo.example/{trace_id}'}, folder: Trail}\n"
    )
    config = load_config({"AUDITGRAF_DATABASE_URL": "postgresql://u@db/audit"}, file)
    chosen = options(config)
    assert chosen.own_dashboards == tmp_path / "mine"
    assert chosen.folder == "Trail"
    assert chosen.dashboards.refresh == "1m"
    assert chosen.dashboards.trace_url == "https://tempo.example/{trace_id}"


@pytest.mark.parametrize(
    ("text", "named"),
    [("grafana: {refresh: often}", "refresh: 'often'"), ("grafana: {links: {trace: 'x'}}", "links.trace: 'x'")],
)
def test_a_setting_that_grafana_could_not_use_is_refused(tmp_path: Path, text: str, named: str) -> None:
    file = tmp_path / "auditgraf.yaml"
    file.write_text(text)
    config = load_config({"AUDITGRAF_DATABASE_URL": "postgresql://u@db/audit"}, file)
    with pytest.raises(ConfigError, match=named):
        options(config)
