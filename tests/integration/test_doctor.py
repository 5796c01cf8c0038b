"""`auditgraf doctor` on configurations, files and a real database."""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from collector.config import as_role
from collector.doctor import Finding
from collector.spool import Spool
from exporter.store.migrate import migrate
from tests.conftest import CLASSES
from tests.integration.examined import RETENTION, look, one, printed, sound_environ
from tests.sending import record, request
from tests.spooling import batch


@pytest.fixture
def environ(database: str, tmp_path: Path) -> dict[str, str]:
    return sound_environ(database, tmp_path)


def execute(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL(statement))


def test_a_sound_setup_has_no_problems_and_every_warning_has_a_remedy(environ: dict[str, str]) -> None:
    findings = look(environ)
    assert [finding for finding in findings if finding.state == "problem"] == []
    assert {finding.check for finding in findings if finding.state == "warning"} == {
        "OTLP over gRPC",
        "OTLP over HTTP",
        "Grafana",
    }
    assert all(finding.remedy for finding in findings if finding.state != "ok")
    assert {finding.check for finding in findings if finding.state == "ok"} >= {
        *("configuration", "rules", "geoip.city", "geoip.asn", "schema", "clock", "retention", "partitions"),
        *("PostgreSQL as owner", "PostgreSQL as writer", "PostgreSQL as reader", "PostgreSQL's version"),
        *("owner's rights", "writer's rights", "reader's rights", "quarantine"),
    }


def test_a_misspelt_variable_is_named_with_the_one_that_was_meant(environ: dict[str, str]) -> None:
    warnings = [finding for finding in look(environ, AUDITGRAF_GEOIP_CITTY="x") if finding.check == "configuration"]
    assert warnings[-1].state == "warning"
    assert "AUDITGRAF_GEOIP_CITTY" in warnings[-1].text
    assert warnings[-1].remedy == "is AUDITGRAF_GEOIP_CITY meant?"


def test_an_empty_spool_is_sound_and_one_in_which_events_wait_is_told(environ: dict[str, str], tmp_path: Path) -> None:
    assert "senders are asked to send again" in one(look(environ), "spool").text
    path = tmp_path / "spool"
    assert one(look(environ, AUDITGRAF_SPOOL_PATH=str(path)), "spool").state == "warning"
    spool = Spool(path, 1 << 20)
    assert one(look(environ, AUDITGRAF_SPOOL_PATH=str(path)), "spool").state == "ok"
    spool.add(batch(request(record("a"), record("b"))))
    spool.close()
    found = one(look(environ, AUDITGRAF_SPOOL_PATH=str(path)), "spool")
    assert (found.state, "2 events wait, 0 of 1024 MiB" in found.text) == ("warning", True)


def test_a_file_of_the_spool_that_cant_be_read_is_a_problem(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "000000000001.damaged").write_bytes(b"")
    environ["AUDITGRAF_SPOOL_PATH"] = str(tmp_path)
    [problem] = [finding for finding in look(environ) if finding.check == "spool" and finding.state == "problem"]
    assert "000000000001.damaged" in problem.text
    assert problem.remedy


def test_broken_rules_are_a_problem_with_file_and_line(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("version: 1\nrulez: []\n", encoding="utf-8")
    Path(environ["AUDITGRAF_CONFIG"]).write_text(RETENTION + "mapping: {rules: [rules.yaml]}\n", encoding="utf-8")
    found = one(look(environ), "rules")
    assert found.state == "problem"
    assert "rules.yaml:2" in found.text


def test_geo_files_are_opened(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "asn.mmdb").write_bytes(b"no database")
    broken = str(tmp_path / "asn.mmdb")
    findings = look(environ, AUDITGRAF_GEOIP_CITY="bundled", AUDITGRAF_GEOIP_ASN=broken)
    assert one(findings, "geoip.city").state == "warning"
    assert "demonstration" in one(findings, "geoip.city").text
    assert one(findings, "geoip.asn").state == "problem"
    assert broken in one(findings, "geoip.asn").text


def test_a_geo_file_says_its_age(environ: dict[str, str], tmp_path: Path) -> None:
    bundled = Path(__file__).parents[2] / "exporter" / "enrich" / "demo_city.mmdb"
    content = bundled.read_bytes()
    place = content.rindex(b"build_epoch") + len(b"build_epoch")
    # An unsigned 64-bit number in MaxMind's format: a control byte with its length, the kind, its bytes.
    length = content[place] & 0x1F
    fresh = int(time.time()).to_bytes(length)
    for name, epoch, state in (
        ("old.mmdb", (1_600_000_000).to_bytes(length), "warning"),
        ("new.mmdb", fresh, "ok"),
    ):
        (tmp_path / name).write_bytes(content[: place + 2] + epoch + content[place + 2 + length :])
        found = one(look(environ, AUDITGRAF_GEOIP_CITY=str(tmp_path / name)), "geoip.city")
        assert found.state == state, found
        assert "built 20" in found.text


def test_an_unreachable_database_is_one_problem_a_role_and_stops_nothing_else(
    environ: dict[str, str],
) -> None:
    findings = look(environ, AUDITGRAF_DATABASE_URL="postgresql://me:hidden-word@127.0.0.1:1/audit")
    for role in ("owner", "writer", "reader"):
        found = one(findings, f"PostgreSQL as {role}")
        assert found.state == "problem"
        assert "127.0.0.1:1/audit as me" in found.text
    assert one(findings, "Grafana").state == "warning"
    assert "schema" not in {finding.check for finding in findings}


def test_without_a_url_it_says_what_to_set(environ: dict[str, str]) -> None:
    found = one(look(environ, AUDITGRAF_DATABASE_URL=""), "PostgreSQL as owner")
    assert found.state == "problem"
    assert "AUDITGRAF_DATABASE_URL" in found.text


def test_a_collector_without_the_owners_url_is_sound(environ: dict[str, str]) -> None:
    owner = environ["AUDITGRAF_DATABASE_URL"]
    findings = look(
        environ,
        AUDITGRAF_DATABASE_URL="",
        AUDITGRAF_WRITER_DATABASE_URL=as_role(owner, "auditgraf_writer"),
        AUDITGRAF_READER_DATABASE_URL=as_role(owner, "auditgraf_reader"),
    )
    assert one(findings, "PostgreSQL as owner").state == "warning"
    assert {one(findings, check).state for check in ("schema", "retention", "writer's rights")} == {"ok"}
    assert [finding for finding in findings if finding.state == "problem"] == []


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hidden-word@127.0.0.1:1/audit",
        "postgresql://me:hidden@word@127.0.0.1:1/audit",
        "postgresql://me:hidden/word@127.0.0.1:1/audit",
        "postgresql://me:hidden#word@127.0.0.1:1/audit",
        "postgresql://me:hidden?word@127.0.0.1:1/audit",
        "postgresql://me:hidden%word@127.0.0.1:1/audit",
        "postgresql://me:hidden[word@127.0.0.1:1/audit",
        "host=127.0.0.1 port=1 user=me password=hidden-word",
        "host=127.0.0.1 port=1 user=me password=it is hidden word",
    ],
)
def test_no_password_is_ever_shown(environ: dict[str, str], url: str) -> None:
    given = {
        "AUDITGRAF_DATABASE_URL": url,
        "AUDITGRAF_READER_PASSWORD": "hidden reader",
        "AUDITGRAF_WRITER_DATABASE_URL": url,
        "AUDITGRAF_GRAFANA_URL": "http://admin:hidden@127.0.0.1:1",
    }
    findings = look(environ, **given)
    assert one(findings, "PostgreSQL as owner").state == "problem"
    assert "hidden" not in str(findings)
    assert "word@" not in str(findings)


def test_a_wrong_password_is_told_without_it(environ: dict[str, str]) -> None:
    parts = urlsplit(environ["AUDITGRAF_DATABASE_URL"])
    url = f"postgresql://no_such_role:hidden-word@{parts.hostname}:{parts.port}{parts.path}"
    found = one(look(environ, AUDITGRAF_READER_DATABASE_URL=url), "PostgreSQL as reader")
    assert found.state == "problem"
    assert "no_such_role" in found.text
    assert "hidden-word" not in str(found)


def test_an_unmigrated_database_is_a_problem(environ: dict[str, str]) -> None:
    execute(environ["AUDITGRAF_DATABASE_URL"], "DROP SCHEMA audit CASCADE")
    findings = look(environ)
    assert one(findings, "schema") == Finding(
        "schema", "problem", "nothing was migrated into this database yet", "run auditgraf migrate"
    )
    assert "partitions" not in {finding.check for finding in findings}


@pytest.mark.parametrize(("version", "text"), [(9999, "knows"), (-1, "needs")])
def test_another_schema_version_is_a_problem(environ: dict[str, str], version: int, text: str) -> None:
    execute(
        environ["AUDITGRAF_DATABASE_URL"],
        f"CREATE OR REPLACE FUNCTION audit.schema_version() RETURNS int LANGUAGE sql RETURN {version}",
    )
    found = one(look(environ), "schema")
    assert found.state == "problem"
    assert text in found.text


@pytest.mark.parametrize(
    ("change", "role", "named"),
    [
        (
            "GRANT UPDATE ON audit.events_default TO auditgraf_writer",
            "writer",
            "UPDATE on audit.events_default",
        ),
        ("GRANT SELECT ON audit.events TO auditgraf_writer", "writer", "SELECT on audit.events"),
        (
            "REVOKE INSERT ON audit.events_security FROM auditgraf_writer",
            "writer",
            "INSERT on audit.events_security",
        ),
        ("GRANT SELECT ON audit.events_log TO auditgraf_reader", "reader", "SELECT on audit.events_log"),
        ("GRANT DELETE ON audit.events TO auditgraf_reader", "reader", "DELETE on audit.events"),
        ("REVOKE SELECT ON audit.events FROM auditgraf_reader", "reader", "SELECT on audit.events"),
    ],
)
def test_rights_that_lack_or_go_too_far_are_named(environ: dict[str, str], change: str, role: str, named: str) -> None:
    execute(environ["AUDITGRAF_DATABASE_URL"], change)
    found = one(look(environ), f"{role}'s rights")
    assert found.state == "problem"
    assert named in found.text


def test_a_reader_who_logs_in_as_the_owner_is_a_problem(environ: dict[str, str]) -> None:
    found = one(look(environ, AUDITGRAF_READER_DATABASE_URL=environ["AUDITGRAF_DATABASE_URL"]), "reader's rights")
    assert found.state == "problem"
    assert "more than it should" in found.text


def test_classes_that_the_database_does_not_have_as_configured_are_told(environ: dict[str, str]) -> None:
    Path(environ["AUDITGRAF_CONFIG"]).write_text("retention: {default: 30d, extra: 1y}\n", encoding="utf-8")
    found = [finding for finding in look(environ) if finding.check == "retention"]
    assert [(finding.state, finding.remedy) for finding in found] == [
        ("warning", "run auditgraf migrate"),
        ("problem", "run auditgraf migrate"),
    ]
    assert "30d is configured, 365d is in force" in found[0].text
    assert "class extra" in found[1].text


def test_missing_partitions_are_a_warning(environ: dict[str, str]) -> None:
    with psycopg.connect(environ["AUDITGRAF_DATABASE_URL"], autocommit=True) as connection:
        row = connection.execute("SELECT max(relname) FROM pg_class WHERE relname ~ '^events_log_p\\d+$'").fetchone()
        assert row is not None
        name = str(row[0])
        connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier("audit", name)))
    found = one(look(environ), "partitions")
    assert found.state == "warning"
    assert found.text == f"not made yet: {name}"
    migrate(environ["AUDITGRAF_DATABASE_URL"], CLASSES)
    assert one(look(environ), "partitions").state == "ok"


def test_the_quarantine_shows_how_many_and_the_newest_reason(environ: dict[str, str]) -> None:
    for reason in ("first", "second \x1b[31m"):
        with psycopg.connect(as_role(environ["AUDITGRAF_DATABASE_URL"], "auditgraf_writer")) as connection:
            connection.execute(
                "INSERT INTO audit.quarantine (received_at, reason, record) VALUES (now(), %s, '')", (reason,)
            )
    found = one(look(environ), "quarantine")
    assert found.state == "warning"
    assert found.text.startswith("2 records")
    assert "second" in found.text
    assert "\x1b" not in printed([found])


def test_clocks_that_differ_are_a_warning(environ: dict[str, str]) -> None:
    ahead = "SELECT pg_catalog.clock_timestamp() + interval '5 seconds'"
    url = environ["AUDITGRAF_DATABASE_URL"]
    # PostgreSQL's clock can't be set: a function of the same name that comes first stands in for it.
    execute(url, "CREATE SCHEMA ahead")
    execute(url, f"CREATE FUNCTION ahead.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $${ahead}$$")
    shifted = f"{url}{'&' if '?' in url else '?'}options=-c%20search_path%3Dahead,pg_catalog"
    found = one(look(environ, AUDITGRAF_DATABASE_URL=shifted), "clock")
    assert found.state == "warning"
    assert "differ by 4." in found.text or "differ by 5." in found.text
