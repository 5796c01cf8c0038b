"""The part of Grafana's HTTP API that knows contact points, of 9.4 and of 13.

Up to 12 a test is `POST /api/alertmanager/grafana/config/api/v1/receivers/test` (pkg/services/ngalert/api); newer ones
answer that with 410 and have a test for each integration of a receiver (grafana#111338, grafana#121692).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from collector.config import Grafana
from exporter.errors import AuditgrafError, ConfigError

# Grafana gives its test 15 seconds.
_TIMEOUT_S = 30
_GONE = frozenset({404, 405, 406, 410})
_LOGIN = (
    "set AUDITGRAF_GRAFANA_TOKEN to a service account's token, or AUDITGRAF_GRAFANA_USER and AUDITGRAF_GRAFANA_PASSWORD"
)


class MissingApiError(AuditgrafError):
    """This Grafana has no such part of the API."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What Grafana said: the status, and the JSON of the body, None where it is none."""

    status: int
    document: Any


class _NoRedirect(HTTPRedirectHandler):
    """A login is for the address that was configured, and for no other."""

    def redirect_request(self, *args: object, **kwargs: object) -> None:
        return None


class GrafanaApi:
    """Calls to one Grafana, by one login."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        """Raises ConfigError for what is no URL."""
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
            raise ConfigError("grafana.url: write e.g. https://grafana.example.com, without user and password")
        self.url = url.rstrip("/")
        self._headers = {"Content-Type": "application/json", "Accept": "application/json", **headers}
        self._opener = build_opener(_NoRedirect)

    @classmethod
    def of(cls, grafana: Grafana) -> Self:
        """The Grafana of the configuration. Raises ConfigError where the login can't be used."""
        if grafana.token is not None:
            token = grafana.token.get_secret_value().strip()
            if not re.fullmatch(r"[!-~]+", token):
                raise ConfigError("AUDITGRAF_GRAFANA_TOKEN has characters that no token has; copy it again")
            return cls(grafana.url, {"Authorization": f"Bearer {token}"})
        if grafana.user is not None and grafana.password is not None:
            login = f"{grafana.user.get_secret_value()}:{grafana.password.get_secret_value()}"
            return cls(grafana.url, {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"})
        if grafana.user is not None or grafana.password is not None:
            raise ConfigError(f"half of a login for Grafana; {_LOGIN}")
        return cls(grafana.url, {})

    def call(self, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        """GET, or POST of a body. Raises AuditgrafError where nothing answers, or the login is refused."""
        data = None if body is None else json.dumps(body).encode()
        request = Request(self.url + path, data, self._headers)  # noqa: S310 http, from the configuration
        try:
            with self._opener.open(request, timeout=_TIMEOUT_S) as reply:
                answer = Answer(reply.status, _json(reply.read()))
        except HTTPError as failure:
            answer = Answer(failure.code, _json(failure.read()))
        except (URLError, OSError, ValueError) as failure:
            reason = getattr(failure, "reason", None) or type(failure).__name__
            raise AuditgrafError(f"Grafana can't be reached at {self.url}: {reason}; set grafana.url") from failure
        match answer.status:
            case 401:
                raise AuditgrafError(f"Grafana does not know the login; {_LOGIN}")
            case 403:
                raise AuditgrafError(
                    "Grafana does not let this login test contact points; give it the role Editor, or one with "
                    f"the permission to test receivers; {_LOGIN}"
                )
        return answer

    def read(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The JSON of an answer. Raises MissingApiError for an API that is not there, AuditgrafError for a failure."""
        answer = self.call(path, body)
        if answer.status in _GONE:
            raise MissingApiError(f"{self.url}{path}: {answer.status}")
        if answer.document is None or 300 <= answer.status < 400:
            raise AuditgrafError(
                f"{self.url}{path}: status {answer.status}, no JSON: no Grafana answers there; set grafana.url"
            )
        # A test that failed has a status of its own, and says so for each receiver.
        is_result = isinstance(answer.document, dict) and "receivers" in answer.document
        if answer.status != 200 and not is_result:
            raise AuditgrafError(f"Grafana: status {answer.status}: {_message(answer.document)}")
        return answer.document

    def namespace(self) -> str:
        """Where newer ones have what belongs to the login's organisation."""
        number = self.read("/api/org").get("id", 1)
        return "default" if number == 1 else f"org-{number}"


def receivers_path(namespace: str, name: str = "") -> str:
    """The newer API's receivers, or the test of one."""
    path = f"/apis/notifications.alerting.grafana.app/v1beta1/namespaces/{namespace}/receivers"
    return f"{path}/{quote(name, safe='')}/test" if name else path


def without_secrets(reason: str) -> str:
    """A reason of Grafana's, each address in it cut after the host: behind that, webhooks have their secret."""
    reason = re.sub(r"(https?://)[^\s\"'/]*@", r"\1", reason)
    return re.sub(r"(https?://[^\s\"'/?#]+)[/?#][^\s\"']*", r"\1/...", reason)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _message(document: Any) -> str:
    text = document.get("message") or document.get("error") if isinstance(document, dict) else None
    return without_secrets(" ".join(str(text or "no reason given").split()))
