"""Contact points, mute times, message templates and policies in a real Grafana, and the messages that they send."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from email.message import EmailMessage
from html import unescape

import pytest
from pydantic import TypeAdapter

from provisioning.alerts.contacts import ContactPoints, Integration, contact_points, needed_variables
from provisioning.alerts.models import AlertingFile
from provisioning.alerts.mute_times import MuteTimes, mute_times
from provisioning.alerts.policies import Policies, Route, policies
from provisioning.alerts.templates import templates
from provisioning.version import ANY
from provisioning.yaml_file import to_yaml
from tests.collector_process import wait_until
from tests.contact_samples import FULL
from tests.grafana_alerting import MailSink, Received, WebhookSink, alerting_grafana
from tests.grafana_server import Grafana, Json

pytestmark = [
    pytest.mark.grafana,
    pytest.mark.skipif(not os.environ.get("GRAFANA_HOME"), reason="no Grafana: set GRAFANA_HOME to its folder"),
]

PASSWORD = "pass$word"
HOSTILE = "evil\n<!channel> @everyone <@1> [x](http://evil) <a href='http://evil'>y</a> *b* & \u202eend"
LABELS = {
    "alertname": "Failed sign-ins",
    "severity": "critical",
    "source": "auditgraf",
    "rule_id": "failed-sign-ins",
    "actor": HOSTILE,
    "action": "user.login",
    "target": "app portal",
    "place": "Vienna, AT",
    "address": "192.0.2.1",
    "service": "portal",
    "at": "2026-11-22 10:00:00 UTC",
}
ANNOTATIONS = {
    "summary": "Failed sign-ins of alice: 12",
    "count": "12",
    "event_url": "https://grafana.example.com/d/audit-event?var-event_id=1&x=(2)",
    "dashboard_url": "https://grafana.example.com/d/audit-actor?a=1&b=2",
    "runbook_url": "https://example.com/runbook",
}
TITLE = "Failed sign-ins of alice: 12"
LINES = [
    TITLE,
    "Severity: critical",
    "Action: user.login",
    "Object: app portal",
    "Place: Vienna, AT",
    "Address: 192.0.2.1",
    "Service: portal",
    "Time: 2026-11-22 10:00:00 UTC",
    "Count: 12",
]
QUIET = {
    "nights": [{"days": ["monday-friday"], "from": "22:00", "until": "06:00", "zone": "Europe/Vienna"}],
    "rest": [{"months": ["dec"], "years": [2026], "dates": ["24-26", -1]}],
}
# A key of the page's form that nothing reads; what is read has another name.
UNREAD = {("telegram", "disable_notification")}


@dataclass(frozen=True, slots=True)
class World:
    """A Grafana, what its variables are, and those who listen."""

    grafana: Grafana
    variables: dict[str, str]
    web: WebhookSink
    mail: MailSink

    def receivers(self, name: str) -> list[Json]:
        """A contact point's integrations, as Grafana shows them."""
        found = self.grafana.call("/api/v1/provisioning/contact-points")
        return [receiver for receiver in found if receiver["name"] == name]

    def send(self, receivers: list[Json]) -> None:
        """A test notification through each of them; raises AssertionError for one that Grafana can't send."""
        # Newer versions give the secrets of a contact point only to a test in its name.
        (name,) = {one["name"] for one in receivers}
        tested = [{"name": name, "grafana_managed_receiver_configs": [_as_stored(one) for one in receivers]}]
        body = {"receivers": tested, "alert": {"labels": LABELS, "annotations": ANNOTATIONS}}
        answer = self.grafana.call("/api/alertmanager/grafana/config/api/v1/receivers/test", body)
        for one in answer["receivers"][0]["grafana_managed_receiver_configs"]:
            assert one["status"] == "ok", one


def _as_stored(receiver: Json) -> Json:
    """Without the secrets: Grafana takes those that it has for the uid."""
    settings = {key: value for key, value in receiver["settings"].items() if value != "[REDACTED]"}
    return {key: value for key, value in receiver.items() if key != "provenance"} | {"settings": settings}


def _listening(web: str) -> list[Json]:
    """Integrations whose messages come to us."""
    return [
        {"webhook": {"url": f"{web}/webhook", "username": "grafana", "password": "$SINK_PASSWORD"}},
        {"slack": {"url": "$SINK_SLACK", "mentionChannel": "here"}},
        {"discord": {"url": "$SINK_DISCORD"}},
        {"teams": {"url": "$SINK_TEAMS"}},
        {"googlechat": {"url": "$SINK_GOOGLECHAT"}},
        {"opsgenie": {"apiKey": "$OPSGENIE_KEY", "apiUrl": f"{web}/opsgenie"}},
        {"sensugo": {"url": web, "apikey": "$SENSU_KEY"}},
        {"webex": {"bot_token": "$WEBEX_TOKEN", "room_id": "room", "api_url": f"{web}/webex"}},
        {"victorops": {"url": "$SINK_VICTOROPS"}},
        {"email": {"addresses": ["one@example.com", "two@example.com"], "singleEmail": True}},
    ]


def _file(web: str) -> tuple[AlertingFile, frozenset[str]]:
    """The alerting file, and the variables that it needs."""
    every = [{kind: settings} for kind, settings in FULL.items()]
    points: ContactPoints = TypeAdapter(ContactPoints).validate_python(
        {"every $ kind": every, "listening": _listening(web), "quiet": [{"email": FULL["email"], "resolved": False}]}
    )
    made = contact_points(points, without_resolved={"listening"}, version=ANY)
    times = mute_times(TypeAdapter(MuteTimes).validate_python(QUIET))
    settings = Policies.model_validate(
        {
            "replace": True,
            "default": "quiet",
            "routes": [{"receiver": "listening", "object_matchers": [["team", "=~", "^(a|b)$"]]}],
        }
    )
    routes = [Route("failed-sign-ins", "every $ kind", ("alertname", "actor"), ("nights", "rest"), "0s", "1m", "12h")]
    names = list(points)
    tree = policies(routes, settings, receivers=names, mute_times=list(QUIET))
    file = AlertingFile(contactPoints=made, muteTimes=times, templates=templates(), policies=[tree])
    return file, needed_variables(points)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("contacts")
    with ExitStack() as stack:
        web = stack.enter_context(WebhookSink().listening())
        mail = stack.enter_context(MailSink().listening())
        file, needed = _file(web.url)
        (folder / "provisioning" / "alerting").mkdir(parents=True)
        (folder / "provisioning" / "alerting" / "auditgraf.yaml").write_bytes(to_yaml(file))
        variables = {name: f"https://example.com/{name}?a$b" for name in needed}
        variables |= {name: f"{web.url}/{name.lower()[5:]}" for name in needed if name.startswith("SINK_")}
        variables["SINK_PASSWORD"] = PASSWORD
        environ = variables | {
            "GF_SMTP_ENABLED": "true",
            "GF_SMTP_HOST": f"127.0.0.1:{mail.port}",
            "GF_SMTP_STARTTLS_POLICY": "NoStartTLS",
        }
        grafana = stack.enter_context(alerting_grafana(folder, environ))
        yield World(grafana, variables, web, mail)


@pytest.fixture(scope="module")
def complaints(world: World) -> list[str]:
    """What the log complains of, before a test says anything."""
    assert world.grafana.log is not None
    lines = world.grafana.log.read_text(encoding="utf-8").splitlines()
    concerned = [line for line in lines if re.search(r"logger=(provisioning|ngalert|alerting)", line)]
    assert concerned
    return [line for line in concerned if re.search(r"level=(warn|error|crit)|lvl=(warn|eror|crit)", line)]


@pytest.fixture(scope="module")
def sent(world: World, complaints: list[str]) -> World:
    """After a notification through everything that listens, with our templates."""
    receivers = world.receivers("listening")
    (webhook,) = [one for one in receivers if one["type"] == "webhook"]

    def templates_are_at_work() -> bool:
        world.web.received.clear()
        world.send([webhook])
        return bool(world.web.request("/webhook").json["title"])

    wait_until(templates_are_at_work, "the templates are at work")
    world.web.received.clear()
    world.send(receivers)
    return world


def lines(text: str) -> list[str]:
    """The lines of a message but those of the actor and the links, which differ from form to form."""
    plain = [line.removeprefix("- ") for line in text.splitlines()]
    return [line for line in plain if not line.startswith("Actor: ") and "http" not in line]


def actor(text: str) -> str:
    (found,) = [line for line in text.splitlines() if "Actor: " in line]
    return found.removeprefix("- ").removeprefix("Actor: ")


def test_grafana_starts_without_a_complaint(complaints: list[str]) -> None:
    assert complaints == []


@pytest.mark.parametrize("kind", FULL)
def test_every_kind_is_there_with_all_of_its_settings(world: World, kind: str) -> None:
    (found,) = [one for one in world.receivers("every $ kind") if one["type"] == kind]
    assert found["provenance"] == "file"
    for key, given in FULL[kind].items():
        value = (
            (";" if kind == "email" else ",").join(given)
            if key in {"addresses", "url"} and isinstance(given, list)
            else given
        )
        if isinstance(value, list) and key.startswith("mention"):
            value = ",".join(value)
        if isinstance(value, str) and value[1:] in world.variables:
            assert found["settings"][key] in {"[REDACTED]", world.variables[value[1:]]}
        else:
            assert found["settings"][key] == value


def test_settings_are_those_that_this_grafana_offers(world: World) -> None:
    fields = {field.alias or name: field.annotation for name, field in Integration.model_fields.items()}
    schema = Integration.model_json_schema()
    for notifier in world.grafana.call("/api/alert-notifiers"):
        kind = notifier["type"]
        assert kind in fields
        reference = schema["properties"][kind]["anyOf"][0]["$ref"].rpartition("/")[2]
        known = schema["$defs"][reference]["properties"]
        for option in notifier["options"]:
            name = option["propertyName"]
            if (kind, name) in UNREAD:
                continue
            assert name in known, kind
            patterns = [choice.get("pattern", "") for choice in known[name].get("anyOf", [known[name]])]
            assert not option["secure"] or any(pattern.startswith(r"^\$") for pattern in patterns), (kind, name)


def test_resolved_messages_are_off_where_asked_for(world: World) -> None:
    silent = {name: {one["disableResolveMessage"] for one in world.receivers(name)} for name in ("listening", "quiet")}
    assert silent == {"listening": {False}, "quiet": {True}}
    events = world.receivers("listening (events)")
    assert {one["disableResolveMessage"] for one in events} == {True}
    assert len(events) == len(world.receivers("listening"))


def test_mute_times_are_there(world: World) -> None:
    found = {one["name"]: one["time_intervals"] for one in world.grafana.call("/api/v1/provisioning/mute-timings")}
    assert found["nights"] == [
        {
            "times": [{"start_time": "22:00", "end_time": "24:00"}],
            "weekdays": ["monday:friday"],
            "location": "Europe/Vienna",
        },
        {
            "times": [{"start_time": "00:00", "end_time": "06:00"}],
            "weekdays": ["tuesday:saturday"],
            "location": "Europe/Vienna",
        },
    ]
    assert found["rest"] == [{"days_of_month": ["24:26", "-1"], "months": ["12"], "years": ["2026"]}]


def test_the_policy_tree_is_ours(world: World) -> None:
    found = world.grafana.call("/api/v1/provisioning/policies")
    assert found["provenance"] == "file"
    assert (found["receiver"], found["repeat_interval"]) == ("quiet", "4h")
    own, ours = found["routes"]
    assert own == {"receiver": "listening", "object_matchers": [["team", "=~", "^(a|b)$"]]}
    assert sorted(ours.pop("object_matchers")) == [["rule_id", "=", "failed-sign-ins"], ["source", "=", "auditgraf"]]
    assert ours == {
        "receiver": "every $ kind",
        "group_by": ["alertname", "actor"],
        "mute_time_intervals": ["nights", "rest"],
        "group_wait": "0s",
        "group_interval": "1m",
        "repeat_interval": "12h",
    }


def test_the_template_is_there_as_it_was_written(world: World) -> None:
    (written,) = templates()
    (found,) = world.grafana.call("/api/v1/provisioning/templates")
    assert found["name"] == written.name
    assert found["template"] == written.template.strip()


def test_a_webhook_gets_title_message_and_its_password(sent: World) -> None:
    found = sent.web.request("/webhook")
    assert found.json["title"] == TITLE
    assert lines(found.json["message"]) == LINES
    assert actor(found.json["message"]).startswith(
        "evil \u2039!channel\u203a @\u2060everyone \u2039@\u20601\u203a [x] (http://evil) \u2039a href="
    )
    login = base64.b64encode(f"grafana:{PASSWORD}".encode()).decode()
    assert found.headers["authorization"] == f"Basic {login}"


def test_links_of_a_plain_message_are_whole(sent: World) -> None:
    message = sent.web.request("/webhook").json["message"]
    found = [line for line in message.splitlines() if re.match(r"\w+: http", line)]
    assert found[:3] == [
        "Event: https://grafana.example.com/d/audit-event?var-event_id=1&x=%282%29",
        f"Dashboard: {ANNOTATIONS['dashboard_url']}",
        f"Runbook: {ANNOTATIONS['runbook_url']}",
    ]
    assert re.fullmatch(r"Silence: http://\S+/alerting/silence/new\?\S+", found[3])


def test_slack_pings_only_whom_the_administrator_named(sent: World) -> None:
    (attachment,) = sent.web.request("/slack").json["attachments"]
    assert attachment["pretext"] == "<!here|here>"
    assert attachment["title"] == TITLE
    assert lines(attachment["text"]) == LINES
    special = re.findall(r"<([^>]*)>", attachment["text"])
    assert [link.rpartition("|")[2] for link in special] == ["Event", "Dashboard", "Runbook", "Silence"]
    assert special[0] == "https://grafana.example.com/d/audit-event?var-event_id=1&amp;x=%282%29|Event"
    assert actor(attachment["text"]).startswith("evil &lt;!channel&gt; @\u2060everyone")


@pytest.mark.parametrize("kind", ["discord", "teams", "webex"])
def test_markdown_has_no_links_and_pings_but_ours(sent: World, kind: str) -> None:
    body = sent.web.request(f"/{kind}").json
    if kind == "teams":
        title, text = [block["text"] for block in body["attachments"][0]["content"]["body"][:2]]
        assert title == TITLE
    else:
        text = body["content"] if kind == "discord" else body["markdown"]
    assert lines(text) == LINES
    links = re.findall(r"(?<!\\)\[([^\]]*)(?<!\\)\]\(([^)]*)\)", text)
    assert [name for name, _ in links] == ["Event", "Dashboard", "Runbook", "Silence"]
    assert links[1][1] == ANNOTATIONS["dashboard_url"]
    assert actor(text).startswith(r"evil \<\!channel\> @" + "\u2060everyone " + r"\<@" + "\u20601" + r"\> \[x\]\(http")
    assert r"\*b\*" in text


def test_google_chat_shows_marks_of_html_as_text(sent: World) -> None:
    (card,) = sent.web.request("/googlechat").json["cards"]
    text = card["sections"][0]["widgets"][0]["textParagraph"]["text"]
    assert lines(text) == LINES
    elements = re.findall(r"<[^>]*>([^<]*)", text)
    assert [element for element in elements if element.strip()] == ["Event", "Dashboard", "Runbook", "Silence"]
    assert "&lt;a href=" in actor(text)


@pytest.mark.parametrize(
    ("path", "title", "text"),
    [("/opsgenie", "message", "description"), ("/victorops", "entity_display_name", "state_message")],
)
def test_services_get_title_and_message(sent: World, path: str, title: str, text: str) -> None:
    body = sent.web.request(path).json
    assert body[title] == TITLE
    assert lines(body[text]) == LINES


def test_sensu_gets_its_key_and_the_message(sent: World) -> None:
    found: Received = next(request for request in sent.web.received if "/api/core/v2/" in request.path)
    assert found.headers["authorization"] == f"Key {sent.variables['SENSU_KEY']}"
    assert lines(found.json["check"]["output"]) == LINES


def mail_lines(message: EmailMessage) -> list[str]:
    """What a person reads in the mail's HTML."""
    part = message.get_body(("html",))
    assert part is not None
    body = part.get_content().partition("<body")[2]
    text = unescape(re.sub(r"<[^>]+>", "\n", body))
    return [line.strip() for line in text.splitlines() if line.strip()]


def test_a_mail_can_be_read(sent: World) -> None:
    wait_until(lambda: sent.mail.received, "the mail")
    (message,) = sent.mail.received
    assert message["Subject"] == TITLE
    assert str(message["To"]) == "one@example.com, two@example.com"
    found = mail_lines(message)
    begin = found.index(LINES[1]) - 1
    shown = found[begin : begin + len(LINES) + 1]
    assert lines("\n".join(shown)) == LINES
    assert f"Runbook: {ANNOTATIONS['runbook_url']}" in found
