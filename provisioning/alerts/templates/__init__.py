"""The message templates that contact points use where none of the administrator's own are given."""

from __future__ import annotations

from importlib.resources import files

from provisioning.alerts.models import Template

NAME = "auditgraf"
# What a message looks like: plain, Slack's own, Markdown, a little HTML. Each has a file with its value, line and link.
FORMS = ("text", "slack", "markdown", "html")


def templates() -> list[Template]:
    """One template of Grafana's, which defines auditgraf.title, auditgraf.severity and auditgraf.<form> for each form.

    Labels and annotations hold text that strangers wrote: each form makes harmless what it would take for more.
    Functions are those of Grafana 9.4: Go's own and DefaultFuncs of prometheus/alertmanager.
    """
    message = _read("message")
    parts = [_read("title"), *(_read(form) + message.replace("FORM", form) for form in FORMS)]
    return [Template(name=NAME, template="".join(parts))]


def _read(name: str) -> str:
    return files(__name__).joinpath(f"{name}.tmpl").read_text(encoding="utf-8")
