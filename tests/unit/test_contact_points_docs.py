"""The page about contact points says what the models say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from exporter.document import loads
from provisioning.alerts.contacts import ContactPoints, Integration, contact_points
from provisioning.alerts.mute_times import MuteTimes, mute_times
from provisioning.alerts.policies import Policies, policies
from provisioning.version import ANY

PAGE = (Path(__file__).parents[2] / "docs" / "contact-points.md").read_text(encoding="utf-8")
# One of them is a file of Grafana's own.
EXAMPLES = [text for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if "apiVersion" not in text]
SCHEMA = Integration.model_json_schema()
KINDS = sorted(SCHEMA["properties"].keys() - {"resolved"})


class RulesFile(BaseModel):
    """A file with the sections of this page."""

    contact_points: ContactPoints
    mute_times: MuteTimes
    policies: Policies


def test_the_examples_make_one_file_that_works() -> None:
    parsed = loads("".join(EXAMPLES), "contact-points.md").parse(RulesFile)
    points = contact_points(parsed.contact_points, without_resolved=(), version=ANY)
    names = [point.name for point in points]
    times = mute_times(parsed.mute_times)
    tree = policies([], parsed.policies, receivers=names, mute_times=[time.name for time in times])
    assert names == ["on-call", "siem"]
    assert tree.routes is not None
    assert set(yaml.safe_load("".join(EXAMPLES))) == set(RulesFile.model_fields)


@pytest.mark.parametrize("kind", KINDS)
def test_every_setting_of_a_kind_is_in_its_row(kind: str) -> None:
    (row,) = re.findall(rf"^\| `{kind}` \|.*$", PAGE, re.MULTILINE)
    reference = SCHEMA["properties"][kind]["anyOf"][0]["$ref"].rpartition("/")[2]
    model: dict[str, Any] = SCHEMA["$defs"][reference]
    if "those of `webhook`" in row:
        return
    told = set(re.findall(r"[A-Za-z]\w+", row))
    assert model["properties"].keys() <= told
    required = set(re.findall(r"\*\*\*?(\w+)\*\*\*?", row))
    assert set(model.get("required", ())) <= required


def test_every_row_is_a_kind() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \|", PAGE.partition("## Kinds")[2].partition("## Messages")[0], re.MULTILINE)
    assert sorted(rows) == KINDS


def test_every_key_of_the_policies_is_told() -> None:
    told = set(re.findall(r"`(\w+)`", PAGE.partition("## Notification policies")[2]))
    assert Policies.model_fields.keys() <= told
