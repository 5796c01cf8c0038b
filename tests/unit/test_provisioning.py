"""The provisioning folder: what is in it, and that it is written whole or not at all."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from dashboards.build import DashboardOptions, build
from exporter.errors import ConfigError
from provisioning.write import ProvisioningOptions, render

OPTIONS = ProvisioningOptions(database_host="db:5432", database_name="audit", sslmode="verify-full")


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below, by its path in the folder."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def datasource(folder: Path) -> Any:
    (found,) = yaml.safe_load((folder / "datasources/auditgraf.yaml").read_bytes())["datasources"]
    return found


def provider(folder: Path) -> Any:
    (found,) = yaml.safe_load((folder / "dashboards/auditgraf.yaml").read_bytes())["providers"]
    return found


def test_the_folder_is_laid_out_as_grafana_reads_it(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "grafana"
    files = render(out, OPTIONS)
    expected = [
        "dashboards/auditgraf.yaml",
        "datasources/auditgraf.yaml",
        *(f"json/{name}" for name in sorted(build())),
    ]
    assert [path.relative_to(out).as_posix() for path in files] == expected
    assert {path.name for path in out.iterdir() if path.is_dir()} == {
        "alerting",
        "dashboards",
        "datasources",
        "json",
        "notifiers",
        "plugins",
    }
    assert not list((out / "alerting").iterdir())


def test_the_data_source_is_what_every_grafana_from_9_4_on_understands(tmp_path: Path) -> None:
    render(tmp_path, OPTIONS)
    assert datasource(tmp_path) == {
        "name": "Audit",
        "uid": "auditgraf",
        "type": "postgres",
        "access": "proxy",
        "orgId": 1,
        "url": "db:5432",
        "user": "auditgraf_reader",
        "editable": False,
        "jsonData": {
            "database": "audit",
            "sslmode": "verify-full",
            "maxOpenConns": 10,
            "maxIdleConns": 2,
            "connMaxLifetime": 14400,
            "postgresVersion": 1500,
            "timescaledb": False,
        },
        "secureJsonData": {"password": "$AUDITGRAF_READER_PASSWORD"},
    }


def test_where_no_password_is_asked_for_none_is_given(tmp_path: Path) -> None:
    render(tmp_path, replace(OPTIONS, password_variable=None, database_host="/run/postgresql"))
    assert "secureJsonData" not in datasource(tmp_path)
    assert datasource(tmp_path)["url"] == "/run/postgresql"


def test_the_provider_feeds_the_rendered_dashboards(tmp_path: Path) -> None:
    render(tmp_path, OPTIONS)
    assert provider(tmp_path)["options"] == {"path": str(tmp_path / "json"), "foldersFromFilesStructure": False}
    render(tmp_path, replace(OPTIONS, dashboards_path="/etc/grafana/audit"))
    assert provider(tmp_path)["options"]["path"] == "/etc/grafana/audit"


def test_a_relative_folder_is_named_in_full_for_grafana(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    render(Path("out"), OPTIONS)
    assert provider(tmp_path / "out")["options"]["path"] == str(tmp_path / "out" / "json")


def test_dollar_signs_are_no_variables_of_grafana(tmp_path: Path) -> None:
    options = replace(
        OPTIONS,
        database_user="re$HOME",
        database_name="a$b",
        datasource_name="$1",
        folder="Audit ${X}",
        dashboards_path="/srv/$x",
    )
    render(tmp_path, options)
    assert datasource(tmp_path)["user"] == "re$$HOME"
    assert datasource(tmp_path)["name"] == "$$1"
    assert datasource(tmp_path)["jsonData"]["database"] == "a$$b"
    assert provider(tmp_path)["folder"] == "Audit $${X}"
    assert provider(tmp_path)["options"]["path"] == "/srv/$$x"


def test_the_dashboards_ask_for_the_data_source_that_is_offered(tmp_path: Path) -> None:
    render(tmp_path, replace(OPTIONS, dashboards=DashboardOptions(datasource_uid="other")))
    assert datasource(tmp_path)["uid"] == "other"
    panel = json.loads((tmp_path / "json/audit-overview.json").read_bytes())["panels"][0]
    assert panel["datasource"]["uid"] == "other"


def test_rendering_again_gives_the_same_bytes_and_touches_no_file(tmp_path: Path) -> None:
    files = render(tmp_path, OPTIONS)
    before = contents(tmp_path)
    times = [path.stat().st_mtime_ns for path in files]
    assert render(tmp_path, OPTIONS) == files
    assert contents(tmp_path) == before
    assert [path.stat().st_mtime_ns for path in files] == times


def test_two_folders_differ_in_nothing_but_where_they_are(tmp_path: Path) -> None:
    options = replace(OPTIONS, dashboards_path="/dashboards")
    render(tmp_path / "one", options)
    render(tmp_path / "two", options)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_files_of_others_stay(tmp_path: Path) -> None:
    for name in ("datasources/mine.yaml", "json/mine.json", "alerting/mine.yaml", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("mine")
    render(tmp_path, OPTIONS)
    render(tmp_path, replace(OPTIONS, folder="Other"))
    for name in ("datasources/mine.yaml", "json/mine.json", "alerting/mine.yaml", "notes.txt"):
        assert (tmp_path / name).read_text() == "mine"


def test_files_of_ours_that_are_no_longer_rendered_are_removed(tmp_path: Path) -> None:
    render(tmp_path, OPTIONS)
    manifest = tmp_path / ".auditgraf.json"
    listing = json.loads(manifest.read_bytes())
    manifest.write_text(json.dumps({"files": [*listing["files"], "json/audit-old.json", "../outside", "notes.txt"]}))
    for name in ("json/audit-old.json", "json/mine.json", "notes.txt"):
        (tmp_path / name).write_text("{}")
    render(tmp_path, OPTIONS)
    assert not (tmp_path / "json/audit-old.json").exists()
    assert (tmp_path / "json/mine.json").exists()
    assert (tmp_path / "notes.txt").exists()


def test_where_one_file_cannot_be_written_none_is(tmp_path: Path) -> None:
    render(tmp_path, OPTIONS)
    (tmp_path / "json/audit-overview.json").unlink()
    (tmp_path / "json/audit-overview.json/in the way").mkdir(parents=True)
    before = contents(tmp_path)
    with pytest.raises(ConfigError, match=r"audit-overview\.json: can't be written: .*choose another folder"):
        render(tmp_path, replace(OPTIONS, database_host="elsewhere:5432", dashboards=DashboardOptions(refresh="5s")))
    assert contents(tmp_path) == before
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".auditgraf-")]


def test_a_first_rendering_that_fails_leaves_no_file(tmp_path: Path) -> None:
    (tmp_path / "json/audit-overview.json/in the way").mkdir(parents=True)
    with pytest.raises(ConfigError):
        render(tmp_path, OPTIONS)
    assert contents(tmp_path) == {}


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(ConfigError, match="out: can't be written"):
        render(tmp_path / "out", OPTIONS)


def test_an_unreadable_manifest_is_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / ".auditgraf.json").write_text("no json")
    with pytest.raises(ConfigError, match="remove it and render again"):
        render(tmp_path, OPTIONS)
    assert set(contents(tmp_path)) == {".auditgraf.json"}


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"database_host": "postgresql://db:5432/audit"}, "url: 'postgresql://db:5432/audit'"),
        ({"database_host": ""}, "url: ''"),
        ({"database_name": ""}, "database: ''"),
        ({"sslmode": "prefer"}, "sslmode: 'prefer'"),
        ({"database_user": ""}, "user: ''"),
        ({"folder": ""}, "folder: ''"),
        ({"folder_uid": "with space"}, "folderUid: 'with space'"),
        ({"password_variable": "{X}"}, "password: '${X}'"),
    ],
)
def test_what_grafana_cannot_use_is_refused_before_anything_is_written(
    tmp_path: Path, values: dict[str, Any], named: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        render(tmp_path / "out", replace(OPTIONS, **values))
    assert named in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_others_may_read_what_was_written(tmp_path: Path) -> None:
    for path in render(tmp_path, OPTIONS):
        assert path.stat().st_mode & 0o044 == 0o044
