"""What Grafana makes of the templates that provisioning.alerts.message writes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote_plus

# A text in quotes may have braces in it.
_ACTION = re.compile(r'\{\{ ("[^"]*"|[^"]*?|printf "%\.(?P<digits>\d)f" \$values\.A\.Value) \}\}')
_FIELD = re.compile(
    r"(?:(?P<block>if|with|slice) )?(?:\$labels\.(?P<label>\w+)|\.)(?: 0 (?P<length>\d+))?(?P<quoted> \| urlquery)?"
)


def expanded(template: str, labels: Mapping[str, str], value: float) -> str:
    """The text of an alert with these labels and this value; a label that it has not is an empty text.

    Raises ValueError for an action that our templates don't have.
    """
    parts: list[str] = []
    # For each block that is open, whether it is shown, and what the dot is in it.
    blocks: list[tuple[bool, str]] = [(True, "")]
    end = 0
    for action in _ACTION.finditer(template):
        is_shown, dot = blocks[-1]
        if is_shown:
            parts.append(template[end : action.start()])
        end = action.end()
        field = _FIELD.fullmatch(action[1])
        if action[1] == "end":
            blocks.pop()
        elif action[1] == "else":
            blocks[-1] = (blocks[-2][0] and not is_shown, dot)
        elif field and field["block"] in {"if", "with"}:
            given = labels.get(field["label"], "")
            blocks.append((is_shown and bool(given), given if field["block"] == "with" else dot))
        elif is_shown:
            parts.append(_text(action, field, dot, labels, value))
    return "".join([*parts, template[end:]])


def _text(action: re.Match[str], field: re.Match[str] | None, dot: str, labels: Mapping[str, str], value: float) -> str:
    if action["digits"] is not None:
        return f"{value:.{action['digits']}f}"
    if action[1].startswith('"'):
        return action[1][1:-1]
    if field is None:
        raise ValueError(f"{action[0]}: no action of ours")
    text = labels.get(field["label"], "") if field["label"] else dot
    text = text[: int(field["length"])] if field["length"] else text
    return quote_plus(text) if field["quoted"] else text
