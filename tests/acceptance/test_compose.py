"""What the image and the compose file promise, read from the files: it needs no Docker."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from collector.secrets_check import EXAMPLES, refuse_examples
from exporter.errors import ConfigError

ROOT = Path(__file__).parents[2]
COMPOSE = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE)["services"]
VOLUMES: dict[str, Any] = yaml.safe_load(COMPOSE)["volumes"]
NETWORKS: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE)["networks"]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
DOCS = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")

LONG_RUNNING = ("postgres", "collector", "retention", "grafana")
ONE_SHOT = ("passwords", "migrate", "render")
OWN = ("passwords", "migrate", "collector", "retention", "render", "demo")


def env_file() -> dict[str, str]:
    """The settings of .env.example that are not commented out."""
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    settings = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value.strip("'") for name, _, value in settings}


def waits_for(service: str) -> dict[str, str]:
    return {name: wait["condition"] for name, wait in SERVICES[service].get("depends_on", {}).items()}


def test_every_password_comes_from_the_environment() -> None:
    given = [
        (service, name, value)
        for service, settings in SERVICES.items()
        for name, value in settings.get("environment", {}).items()
        if "PASSWORD" in name
    ]
    assert len(given) >= 9
    for service, name, value in given:
        assert re.fullmatch(r"\$\{[A-Z_]+_PASSWORD:\?[^}]+\}", value), f"{service}: {name}"


def test_no_connection_url_carries_a_password() -> None:
    urls = re.findall(r"postgresql://([^@\s]*)@", COMPOSE)
    assert len(urls) == 4
    assert [url for url in urls if ":" in url] == []


def test_env_example_has_every_variable_that_must_be_set() -> None:
    required = set(re.findall(r"\$\{(\w+):\?", COMPOSE))
    assert required == set(EXAMPLES)
    assert required <= set(env_file())


def test_every_variable_that_may_be_set_is_in_env_example() -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    optional = set(re.findall(r"\$\{(\w+):-", COMPOSE)) - {"COMPOSE_PROFILES"}
    assert [name for name in sorted(optional) if not re.search(rf"^#?{name}=", text, re.MULTILINE)] == []


def test_the_values_of_env_example_are_the_ones_refused() -> None:
    assert {name: env_file()[name] for name in EXAMPLES} == dict(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_one_example_password_is_enough_to_be_refused(name: str) -> None:
    own = dict.fromkeys(EXAMPLES, "of my own")
    refuse_examples(own)
    with pytest.raises(ConfigError, match=name):
        refuse_examples(own | {name: EXAMPLES[name]})


def test_an_example_password_in_another_place_is_refused_too() -> None:
    with pytest.raises(ConfigError, match="GRAFANA_ADMIN_PASSWORD"):
        refuse_examples({"GRAFANA_ADMIN_PASSWORD": EXAMPLES["AUDITGRAF_OWNER_PASSWORD"]})


@pytest.mark.parametrize(
    ("profiles", "refused"),
    [("", True), ("demonstration", True), ("demo", False), ("x, demo", False), ("*", False)],
)
def test_example_passwords_are_for_the_demo_profile(profiles: str, refused: bool) -> None:
    environ = dict(EXAMPLES) | {"COMPOSE_PROFILES": profiles}
    if refused:
        with pytest.raises(ConfigError, match=r"\.env"):
            refuse_examples(environ)
    else:
        refuse_examples(environ)


def test_nothing_starts_before_the_passwords_were_looked_at() -> None:
    assert SERVICES["passwords"]["entrypoint"] == ["python", "-m", "collector.secrets_check"]
    assert set(SERVICES["passwords"]["environment"]) == {*EXAMPLES, "COMPOSE_PROFILES"}
    for service in SERVICES:
        before = {service}
        while new := {name for known in before for name in waits_for(known)} - before:
            before |= new
        assert "passwords" in before, service


def test_services_start_in_order() -> None:
    assert waits_for("postgres") == {"passwords": "service_completed_successfully"}
    assert waits_for("migrate") == {"postgres": "service_healthy"}
    assert waits_for("collector") == {"migrate": "service_completed_successfully"}
    assert waits_for("retention") == {"migrate": "service_completed_successfully"}
    assert waits_for("grafana") == {
        "render": "service_completed_successfully",
        "collector": "service_healthy",
    }
    assert waits_for("demo") == {"collector": "service_healthy"}


def test_only_otlp_and_grafana_are_published_and_on_loopback_by_default() -> None:
    published = {name: settings["ports"] for name, settings in SERVICES.items() if "ports" in settings}
    plain = {name: [re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", port) for port in ports] for name, ports in published.items()}
    assert plain == {
        "collector": ["127.0.0.1:4317:4317", "127.0.0.1:4318:4318"],
        "grafana": ["127.0.0.1:3000:3000"],
    }
    assert not [name for name, settings in SERVICES.items() if settings.get("network_mode") == "host"]


def test_postgresql_is_reached_only_by_who_needs_it() -> None:
    on_it = {name for name, settings in SERVICES.items() if "database" in settings.get("networks", [])}
    assert on_it == {"postgres", "migrate", "collector", "retention", "grafana"}
    assert SERVICES["postgres"]["networks"] == ["database"]
    assert NETWORKS["database"]["internal"] is True


def test_each_service_knows_only_the_passwords_it_needs() -> None:
    known = {
        name: set(re.findall(r"\$\{(\w+_PASSWORD):\?", str(settings.get("environment", {}))))
        for name, settings in SERVICES.items()
        if name != "passwords"
    }
    assert known == {
        "postgres": {"AUDITGRAF_OWNER_PASSWORD"},
        "migrate": {"AUDITGRAF_OWNER_PASSWORD", "AUDITGRAF_WRITER_PASSWORD", "AUDITGRAF_READER_PASSWORD"},
        "collector": {"AUDITGRAF_WRITER_PASSWORD"},
        "retention": {"AUDITGRAF_OWNER_PASSWORD"},
        "render": set(),
        "grafana": {"GRAFANA_ADMIN_PASSWORD", "AUDITGRAF_READER_PASSWORD"},
        "demo": set(),
    }


@pytest.mark.parametrize("service", LONG_RUNNING)
def test_long_running_services_come_back(service: str) -> None:
    assert SERVICES[service]["restart"] == "unless-stopped"


@pytest.mark.parametrize("service", sorted(set(SERVICES) - set(ONE_SHOT)))
def test_whatever_goes_on_has_a_health_check_of_its_own_without_which_up_wait_fails(service: str) -> None:
    assert SERVICES[service]["healthcheck"]["test"][0] == "CMD"


def test_every_command_has_the_same_settings() -> None:
    shared = {"AUDITGRAF_CONFIG", "AUDITGRAF_ALERT_DEFAULTS"}
    commands = [name for name in OWN if SERVICES[name].get("environment") and name != "passwords"]
    assert set(commands) == {"migrate", "collector", "retention", "render"}
    assert [name for name in commands if not shared <= set(SERVICES[name]["environment"])] == []


def test_administrators_commands_find_every_other_service() -> None:
    """`docker compose exec retention auditgraf doctor` looks at the collector and at Grafana, too."""
    environment = SERVICES["retention"]["environment"]
    places = [environment[name] for name in ("AUDITGRAF_GRPC_LISTEN", "AUDITGRAF_HTTP_LISTEN", "AUDITGRAF_GRAFANA_URL")]
    assert places == ["collector:4317", "collector:4318", "http://grafana:3000"]
    assert all("database" in SERVICES[service]["networks"] for service in ("collector", "retention", "grafana"))


def test_the_documented_override_mounts_the_configuration_wherever_it_is_read() -> None:
    readers = {name for name in OWN if "AUDITGRAF_CONFIG" in SERVICES[name].get("environment", {})}
    documented = [
        yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```$", DOCS, re.MULTILINE | re.DOTALL)
    ]
    overrides = [block["services"] for block in documented if "x-config" in block]
    assert [set(services) for services in overrides] == [readers]


def test_the_collector_is_healthy_when_it_is_ready() -> None:
    assert "/readyz" in SERVICES["collector"]["healthcheck"]["test"][-1]


@pytest.mark.parametrize("service", ONE_SHOT)
def test_one_shot_services_are_not_started_again(service: str) -> None:
    assert SERVICES[service]["restart"] == "no"
    assert SERVICES[service]["healthcheck"] == {"disable": True}


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_is_confined(service: str) -> None:
    settings = SERVICES[service]
    assert settings["read_only"] is True
    assert settings["cap_drop"] == ["ALL"]
    assert settings["security_opt"] == ["no-new-privileges:true"]
    assert settings["mem_limit"]
    assert settings["pids_limit"]
    assert settings["logging"]["options"]["max-size"]
    assert not settings.get("privileged")
    assert settings.get("user") not in {"root", "0"}


def test_data_lives_in_named_volumes() -> None:
    mounts = {
        (name, volume["source"], volume["target"]) if isinstance(volume, dict) else (name, *volume.split(":"))
        for name, settings in SERVICES.items()
        for volume in settings.get("volumes", [])
    }
    assert mounts == {
        ("postgres", "postgres", "/var/lib/postgresql"),
        ("collector", "spool", "/var/lib/auditgraf/spool"),
        ("retention", "spool", "/var/lib/auditgraf/spool", "ro"),
        ("render", "provisioning", "/etc/grafana/provisioning"),
        ("grafana", "provisioning", "/etc/grafana/provisioning"),
        ("grafana", "grafana", "/var/lib/grafana"),
    }
    assert {mount[1] for mount in mounts} == set(VOLUMES)


def test_images_of_others_have_a_version() -> None:
    images = {name: settings["image"] for name, settings in SERVICES.items() if name not in OWN}
    assert set(images) == {"postgres", "grafana"}
    for name, image in images.items():
        assert re.search(r":\d+(\.\d+)*$", image), name


def test_only_the_demo_needs_a_profile() -> None:
    profiles = {name: settings["profiles"] for name, settings in SERVICES.items() if "profiles" in settings}
    assert profiles == {"demo": ["demo"]}


def test_the_base_image_is_the_same_everywhere() -> None:
    default = re.search(r"^ARG BASE=(\S+)$", DOCKERFILE, re.MULTILINE)
    assert default is not None
    assert re.search(r":\d+\.\d+-", default[1])
    assert set(re.findall(r"\$\{AUDITGRAF_BASE_IMAGE:-([^}]*)\}", COMPOSE)) == {default[1]}


def test_the_image_installs_nothing_without_a_hash() -> None:
    installs = re.findall(r"pip(?: --python \S+)? (?:install|download) ([^\n]*)", DOCKERFILE)
    assert len(installs) == 4
    from_an_index = [arguments for arguments in installs if "--no-deps" not in arguments]
    assert len(from_an_index) == 3
    assert [arguments for arguments in from_an_index if "--require-hashes" not in arguments] == []


@pytest.mark.parametrize("name", ["build", "run", "demo"])
def test_every_locked_package_has_a_hash(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    packages = re.findall(r"^[a-z0-9][^\n]*==[^\n]*(?:\n +--hash=sha256:[0-9a-f]{64}[^\n]*)*", text, re.MULTILINE)
    assert packages
    assert [package for package in packages if "--hash" not in package] == []


def test_the_demo_adds_packages_and_changes_none() -> None:
    """The demo's image is the collector's with more on top."""
    run, demo = (
        set(re.findall(r"^([a-z0-9][^\s;]*==[^\s;\\]+)", (ROOT / "requirements" / name).read_text(), re.MULTILINE))
        for name in ("run.txt", "demo.txt")
    )
    assert run < demo


def test_the_image_runs_as_a_numbered_user_and_says_how_it_is() -> None:
    stage = DOCKERFILE[DOCKERFILE.index(" AS collector") : DOCKERFILE.index("FROM collector AS demo")]
    user = re.search(r"^USER (\d+):\d+$", stage, re.MULTILINE)
    assert user is not None
    assert int(user[1]) > 0
    assert "/healthz" in stage[stage.index("HEALTHCHECK") :]
    assert re.search(r'^ENTRYPOINT \["auditgraf"\]$', stage, re.MULTILINE)
    assert re.search(r"^EXPOSE 4317 4318$", stage, re.MULTILINE)
    assert DOCKERFILE.splitlines()[-1] == "FROM collector"


def test_only_what_is_listed_gets_into_the_image() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert {rule for rule in rules if rule.startswith("!")} == {
        "!LICENSE",
        "!README.md",
        "!pyproject.toml",
        "!requirements/*.txt",
        "!collector",
        "!exporter",
        "!provisioning",
        "!dashboards",
    }
