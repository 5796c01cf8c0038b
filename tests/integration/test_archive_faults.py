"""Archives where something fails: damage, a full disk, a place that is away, an interrupted run; and buckets."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer
from pyarrow import fs

from exporter.errors import RetentionError
from exporter.store.archive import ArchiveOptions, Place, manifests, parse_period, restore, verify
from exporter.store.archive.content import ROWS
from exporter.store.archive.place import Format
from tests.collector_process import ROOT
from tests.integration.dying import dying
from tests.integration.retained import command, fill, line, messages, reading, retain, steps, told, variables
from tests.sending import fetch

FORMATS: tuple[Format, ...] = ("parquet", "jsonl.zst")
EVER = parse_period("2000-01-01..2100-01-01")


@pytest.fixture(params=FORMATS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return Place(ArchiveOptions(str(tmp_path / "archive"), request.param))


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """The endpoint of a server that speaks S3, with a bucket called `audit`."""
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    given = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in given.items():
            patch.setenv(name, value)
        files = fs.S3FileSystem(endpoint_override=f"{host}:{port}", scheme="http", allow_bucket_creation=True)
        files.create_dir("audit")
        yield f"http://{host}:{port}"
    server.stop()


def damaged(folder: Path) -> Path:
    """One byte of the events changed."""
    [file] = [path for path in folder.rglob("*-001.*") if path.suffix in {".parquet", ".zst"}]
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)
    return file


def test_a_damaged_archive_is_found_and_nothing_of_it_is_restored(database: str, place: Place, tmp_path: Path) -> None:
    fill(database, "log", 30)
    retain(database, place=place)
    file = damaged(tmp_path / "archive")
    [found] = verify(place)
    assert file.name in str(found.problem)
    with pytest.raises(RetentionError, match="is damaged"):
        list(restore(database, place, EVER, by="me"))
    assert messages(database) == []


@pytest.mark.parametrize("text", ["{", '{"auditgraf_archive": 2}', '{"auditgraf_archive": 1, "files": []}'])
def test_a_manifest_that_is_none_is_told_with_its_name(database: str, place: Place, tmp_path: Path, text: str) -> None:
    fill(database, "log", 30)
    retain(database, place=place)
    [file] = tmp_path.rglob("*.manifest.json")
    file.write_text(text, encoding="utf-8")
    with pytest.raises(RetentionError, match=file.name):
        list(manifests(place))


def test_a_manifest_can_not_name_a_file_elsewhere(database: str, place: Place, tmp_path: Path) -> None:
    fill(database, "log", 30)
    retain(database, place=place)
    [file] = tmp_path.rglob("*.manifest.json")
    values = json.loads(file.read_text(encoding="utf-8"))
    values["files"][0]["name"] = "log/2026/../../../secret.parquet"
    file.write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(RetentionError, match="files"):
        list(manifests(place))


def test_nothing_is_dropped_while_the_place_can_not_be_written_and_the_next_run_goes_on(
    database: str, tmp_path: Path
) -> None:
    expired = fill(database, "log", 30)
    (tmp_path / "archive").write_text("a file where the folder should be", encoding="utf-8")
    place = Place(ArchiveOptions(str(tmp_path / "archive")))
    report = retain(database, place=place)
    assert "nothing is dropped without its archive" in str(steps(report, "failed")[expired].detail)
    assert len(messages(database)) == 20
    [run] = told(database, "retention.run")
    assert run["outcome"] == "failure"
    (tmp_path / "archive").unlink()
    report = retain(database, place=place)
    assert list(steps(report, "dropped")) == [expired]
    assert [manifest.events for _, manifest in manifests(place)] == [20]
    assert list(tmp_path.rglob("*.partial")) == []
    assert fetch(database, "SELECT count(*) FROM audit.archives") == [{"count": 1}]


def little_room() -> None:
    """No file may grow beyond a few bytes, as on a disk that is nearly full."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))


# The larger one is not read to its end when the disk is full.
@pytest.mark.parametrize("events", [500, ROWS + 1])
def test_nothing_is_dropped_when_the_disk_is_full(database: str, tmp_path: Path, events: int) -> None:
    expired = fill(database, "log", 30, events)
    ended = subprocess.run(
        line(["retention", "run"], None),
        cwd=ROOT,
        env=variables(database, {"AUDITGRAF_ARCHIVE_TO": str(tmp_path / "archive")}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=little_room,
    )
    assert ended.returncode == 1, ended
    assert f"failed    {expired}" in ended.stdout
    assert "make room" in ended.stdout
    assert [path for path in (tmp_path / "archive").rglob("*") if path.is_file()] == []
    assert len(messages(database)) == events
    place = Place(ArchiveOptions(str(tmp_path / "archive")))
    assert list(manifests(place)) == []
    assert list(steps(retain(database, place=place), "dropped")) == [expired]
    assert len(list((tmp_path / "archive").rglob("*.*"))) == 3


@pytest.mark.usefixtures("impatient")
def test_an_archive_that_an_interrupted_run_finished_is_not_written_again(database: str, place: Place) -> None:
    expired = fill(database, "log", 30)
    with reading(database, expired):
        report = retain(database, place=place)
        assert list(steps(report, "archived")) == list(steps(report, "failed")) == [expired]
    report = retain(database, place=place)
    assert (list(steps(report, "archived")), list(steps(report, "dropped"))) == ([], [expired])
    assert len(list(manifests(place))) == 1


@pytest.mark.usefixtures("impatient")
def test_events_that_came_after_the_archive_are_archived_before_the_drop(database: str, place: Place) -> None:
    expired = fill(database, "log", 30)
    with reading(database, expired):
        retain(database, place=place)
    fill(database, "log", 30, 3)
    report = retain(database, place=place)
    assert list(steps(report, "dropped")) == [expired]
    assert [manifest.events for _, manifest in manifests(place)] == [20, 23]


@pytest.mark.usefixtures("impatient")
def test_an_archive_that_was_damaged_before_its_partition_went_is_made_anew(
    database: str, place: Place, tmp_path: Path
) -> None:
    expired = fill(database, "log", 30)
    with reading(database, expired):
        retain(database, place=place)
    damaged(tmp_path / "archive").unlink()
    report = retain(database, place=place)
    assert (list(steps(report, "archived")), list(steps(report, "dropped"))) == ([expired], [expired])
    assert [each.problem is None for each in verify(place)] == [False, True]


def test_a_folder_of_the_disk_that_is_closed_to_others_is_not_looked_into(tmp_path: Path) -> None:
    """The root of a disk has lost+found, which only root may list; and root may list all, so another user is asked."""
    place = tmp_path / "archive"
    (place / "lost+found").mkdir(parents=True)
    (place / "lost+found" / "x.manifest.json").touch()
    assert Place(ArchiveOptions(str(place))).names("") == []


@pytest.mark.parametrize("requests", [0, 4, 8, 13, 18, 22])
def test_a_bucket_that_goes_away_in_the_middle_costs_no_event_and_the_next_run_goes_on(
    database: str, bucket: str, requests: int
) -> None:
    expired = fill(database, "log", 30)
    to = f"s3://audit/middle-{requests}"
    with dying(bucket, requests) as endpoint:
        away = Place(ArchiveOptions(to, endpoint=endpoint, region="eu-central-1"), patience_s=2)
        assert list(steps(retain(database, place=away), "failed")) == [expired]
    assert len(messages(database)) == 20
    back = Place(ArchiveOptions(to, endpoint=bucket, region="eu-central-1"))
    assert list(steps(retain(database, place=back), "dropped")) == [expired]
    assert [each.problem for each in verify(back)] == [None]
    assert len(back.names("")) == 3


@pytest.mark.parametrize("form", FORMATS)
def test_a_bucket_is_as_good_as_a_folder(database: str, bucket: str, form: Format) -> None:
    expired = fill(database, "log", 30)
    place = Place(ArchiveOptions(f"s3://audit/{form}", form, endpoint=bucket, region="eu-central-1"))
    report = retain(database, place=place)
    assert list(steps(report, "dropped")) == [expired]
    assert [each.problem for each in verify(place)] == [None]
    assert [loaded.events for loaded in restore(database, place, EVER, by="me")] == [20]
    assert len(messages(database)) == 20
    assert place.names(".partial") == []


@pytest.mark.parametrize("unreachable", ["no bucket", "no server"])
def test_nothing_is_dropped_while_the_bucket_is_away(database: str, bucket: str, unreachable: str) -> None:
    expired = fill(database, "log", 30)
    endpoint = bucket if unreachable == "no bucket" else "http://127.0.0.1:1"
    place = Place(ArchiveOptions("s3://elsewhere/audit", endpoint=endpoint, region="eu-central-1"))
    report = retain(database, place=place)
    assert "s3://elsewhere/audit" in str(steps(report, "failed")[expired].detail)
    assert len(messages(database)) == 20
    back = Place(ArchiveOptions("s3://audit/back", endpoint=bucket, region="eu-central-1"))
    assert list(steps(retain(database, place=back), "dropped")) == [expired]


def test_archives_on_the_command_line(database: str, tmp_path: Path) -> None:
    expired = fill(database, "log", 30)
    config = tmp_path / "auditgraf.yaml"
    config.write_text(f"archive: {{to: {tmp_path}/archive, format: jsonl.zst}}\n", encoding="utf-8")
    done = command(database, "retention", "run", config=config)
    assert f"archived  {expired}  20 events" in done.stdout
    [listed] = json.loads(command(database, "archive", "list", "--json", config=config).stdout)
    assert listed["events"] == 20
    day = datetime.fromisoformat(listed["range_start"]).astimezone(UTC)
    days = f"{day:%Y-%m-%d}..{day:%Y-%m-%d}"
    assert command(database, "archive", "verify", days, config=config).stdout.startswith("ok ")
    assert command(database, "archive", "restore", days, config=config).stdout.endswith("20 events restored\n")
    assert len(messages(database)) == 20
    assert command(database, "archive", "unload", "--all", config=config).stdout == "20 restored events removed\n"
    damaged(tmp_path / "archive")
    broken = command(database, "archive", "verify", config=config)
    assert (broken.returncode, broken.stdout.split()[0]) == (1, "damaged")
    nowhere = command(database, "archive", "list")
    assert nowhere.returncode == 1
    assert "archive.to" in nowhere.stderr
