"""The spool's folder: what is in it, what fits, what happens to what can't be read."""

from __future__ import annotations

import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from collector.spool import Spool, waiting_in
from collector.spool.file import DamagedError
from exporter.errors import ConfigError, StoreUnavailableError
from tests.sending import record, request
from tests.spooling import batch, files

ROOM = 1 << 20


@contextmanager
def spool(path: Path, max_bytes: int = ROOM) -> Iterator[Spool]:
    opened = Spool(path, max_bytes)
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """The system writes no file beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def no_file_more() -> Iterator[None]:
    """The process may open nothing."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def bodies(of: Spool) -> list[str]:
    return [of.read(entry).events.frame["message"][0] for entry in of.entries()]


def test_batches_come_out_in_the_order_in_which_they_went_in_after_a_restart_too(tmp_path: Path) -> None:
    with spool(tmp_path / "spool") as first:
        for number in range(12):
            first.add(batch(request(record(f"{number}"))))
        first.remove(first.entries()[0])
    with spool(tmp_path / "spool") as second:
        second.add(batch(request(record("12"))))
        assert bodies(second) == [str(number) for number in range(1, 13)]


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    with spool(tmp_path / "spool") as made:
        made.add(batch(request(record("a"))))
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "spool", *(tmp_path / "spool").iterdir())]
    assert modes == [0o700, 0o600]


def test_what_waits_is_told_whenever_it_changes(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    made = Spool(tmp_path, ROOM, lambda size, events: told.append((size, events)))
    made.add(batch(request(record("a"), record("b"))))
    made.remove(made.entries()[0])
    made.close()
    assert [events for _, events in told] == [2, 0]
    assert told[0][0] > 0
    assert told[-1][0] == 0


def test_what_waits_from_before_is_told_at_the_start(tmp_path: Path) -> None:
    with spool(tmp_path) as made:
        made.add(batch(request(record("a"))))
    told: list[tuple[int, int]] = []
    Spool(tmp_path, ROOM, lambda size, events: told.append((size, events))).close()
    assert [events for _, events in told] == [1]


def test_a_folder_is_one_collectors(tmp_path: Path) -> None:
    with spool(tmp_path), pytest.raises(ConfigError, match=r"another collector's.*AUDITGRAF_SPOOL_PATH"):
        Spool(tmp_path, ROOM)
    with spool(tmp_path):
        assert files(tmp_path) == []


def test_a_place_that_is_no_folder_is_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"spool\.path: .*file can't be used: .*AUDITGRAF_SPOOL_PATH"):
        Spool(tmp_path / "file", ROOM)


def test_when_it_is_full_that_is_said_and_what_is_in_it_stays(tmp_path: Path) -> None:
    large = batch(request(record(os.urandom(400_000).hex())))
    with spool(tmp_path) as made:
        made.add(large)
        made.add(large)
        with pytest.raises(StoreUnavailableError, match=r"is full: 0 of 1 MiB, see spool\.max_bytes"):
            made.add(large)
        assert len(made.entries()) == len(files(tmp_path)) == 2
        made.remove(made.entries()[0])
        made.add(large)


def test_where_the_disk_refuses_nothing_is_left_behind(tmp_path: Path) -> None:
    with spool(tmp_path) as made:
        with largest_file(1000), pytest.raises(StoreUnavailableError, match="can't be written: File too large"):
            made.add(batch(request(record(os.urandom(5000).hex()))))
        assert files(tmp_path) == []
        made.add(batch(request(record("small"))))
        assert bodies(made) == ["small"]


def test_a_file_that_was_not_finished_is_removed_because_nobody_was_told_that_it_is_kept(tmp_path: Path) -> None:
    (tmp_path / "000000000007.part").write_bytes(b"half of")
    with spool(tmp_path) as made:
        assert made.entries() == []
    assert files(tmp_path) == []


def test_a_file_without_its_first_line_is_set_aside_at_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "000000000003.events").write_bytes(b"")
    with spool(tmp_path) as made:
        made.add(batch(request(record("a"))))
        assert bodies(made) == ["a"]
    assert files(tmp_path) == ["000000000003.damaged", "000000000004.events"]
    assert "000000000003.events can't be stored" in caplog.text


def test_a_damaged_file_is_kept_for_somebody_to_look_at(tmp_path: Path) -> None:
    with spool(tmp_path) as made:
        made.add(batch(request(record("a"))))
        [entry] = made.entries()
        path = tmp_path / files(tmp_path)[0]
        path.write_bytes(path.read_bytes()[:-1])
        with pytest.raises(DamagedError) as failure:
            made.read(entry)
        made.set_aside(entry, str(failure.value))
        assert made.entries() == []
    waiting = waiting_in(tmp_path)
    assert (waiting.events, waiting.damaged) == (0, (path.with_suffix(".damaged"),))


def test_a_file_that_may_be_read_another_time_is_not_damaged(tmp_path: Path) -> None:
    with spool(tmp_path) as made:
        made.add(batch(request(record("a"))))
        with no_file_more(), pytest.raises(OSError, match="Too many open files"):
            made.read(made.entries()[0])
        assert bodies(made) == ["a"]


def test_what_is_no_file_is_set_aside_at_the_start_and_the_others_are_there(tmp_path: Path) -> None:
    with spool(tmp_path) as made:
        made.add(batch(request(record("a"))))
    (tmp_path / "000000000003.events").mkdir()
    with spool(tmp_path) as made:
        assert bodies(made) == ["a"]
    assert files(tmp_path) == ["000000000001.events", "000000000003.damaged"]


def test_a_file_that_is_gone_is_told_and_forgotten(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with spool(tmp_path) as made:
        made.add(batch(request(record("a"))))
        [entry] = made.entries()
        (tmp_path / files(tmp_path)[0]).unlink()
        with pytest.raises(DamagedError, match="No such file") as failure:
            made.read(entry)
        made.set_aside(entry, str(failure.value))
        assert made.entries() == []
    assert "nor set aside: No such file" in caplog.text


def test_others_can_look_while_it_is_used(tmp_path: Path) -> None:
    with spool(tmp_path) as made:
        made.add(batch(request(record("a"), record("b"))))
        made.add(batch(request(record("c"))))
        waiting = waiting_in(tmp_path)
    assert (waiting.events, len(waiting.entries), waiting.damaged) == (3, 2, ())
    assert waiting.bytes == sum(path.stat().st_size for path in tmp_path.iterdir())
