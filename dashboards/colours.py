"""One colour per action, everywhere and for any name.

SQL gives every action a *slot*, a number that follows from its name alone (`sql/parts/slot.sql`): pinned for the
actions below and for those of the options, a hash for all others. Panels map slots, never names, to colours, so a
colour is the same in every panel, on every dashboard, after every reload, for actions nobody has heard of yet.
"""

from __future__ import annotations

import json
from typing import Any

from dashboards.options import DashboardOptions

# Each has a contrast of at least 3:1 to the panel background of the dark and of the light theme (WCAG 2.1,
# 1.4.11). Any two of the first twelve differ by at least 0.07 in OKLab as seen with normal sight, protanopia and
# deuteranopia, any two of all by at least 0.04; test_dashboards.py computes it. The hash spreads over exactly
# these: another length would give every action another colour.
PALETTE = (
    "#3c96ff",  # 0 azure
    "#e16900",  # 1 orange
    "#00a54b",  # 2 green
    "#c33c78",  # 3 raspberry
    "#7869e1",  # 4 violet
    "#2d7887",  # 5 teal
    "#f06978",  # 6 salmon
    "#0069b4",  # 7 blue
    "#b44b0f",  # 8 rust
    "#2da596",  # 9 turquoise
    "#6987b4",  # 10 steel
    "#00784b",  # 11 pine
    "#cf6cd8",  # 12 orchid
    "#a236ab",  # 13 purple
    "#638751",  # 14 moss
    "#6351d8",  # 15 indigo
    "#0099d8",  # 16 sky
    "#3f7500",  # 17 leaf
    "#759975",  # 18 sage
    "#a25a99",  # 19 mauve
    "#5a75c6",  # 20 slate
    "#5a7efc",  # 21 cornflower
    "#879012",  # 22 olive
    "#ab4848",  # 23 brick
)
NEUTRAL = "#8a8f98"
NEUTRAL_SLOT = -1  # no action, and the bucket of all rare ones

# The usual actions, so that those seen side by side never share a slot; the most frequent ones have the slots that
# are told apart best.
PINNED: dict[str, int] = {
    "user.login": 0,
    "user.login_failed": 1,
    "order.created": 2,
    "order.refunded": 3,
    "model.updated": 4,
    "document.exported": 5,
    "secret.viewed": 6,
    "user.password_changed": 7,
    "impersonation.started": 8,
    "document.shared": 9,
    "user.logout": 10,
    "invoice.paid": 11,
    "role.granted": 12,
    "role.revoked": 13,
    "policy.denied": 14,
    "user.mfa_added": 15,
    "api_token.created": 16,
    "model.created": 17,
    "user.created": 18,
    "model.deleted": 19,
    "user.updated": 20,
    "user.deleted": 21,
    "config.changed": 22,
    "impersonation.ended": 23,
    "(none)": NEUTRAL_SLOT,
}

OUTCOMES = {"success": "#2da596", "failure": "#e0452f", "unknown": NEUTRAL}
OUTCOME_MARKS = {"success": "✓ success", "failure": "✗ failure", "unknown": "? unknown"}
CHANGES = {"added": "#00a54b", "removed": "#e0452f", "changed": "#3c96ff", "secret": "#7869e1"}
LIMITED = "#c98500"  # a list that could not show everything
# OpenTelemetry's ranges of severity numbers; the unremarkable ones have no colour of their own.
LEVELS = {
    "warn": "#c98500",
    "error": "#e0452f",
    "fatal": "#c33c78",
    "debug": NEUTRAL,
    "trace": NEUTRAL,
    "unspecified": NEUTRAL,
}


def palette(options: DashboardOptions) -> dict[int, str]:
    """Slot to colour: the neutral one, the palette, then one slot for each colour of the options."""
    chosen = dict.fromkeys(colour.lower() for _, colour in options.colours)
    return {NEUTRAL_SLOT: NEUTRAL} | dict(enumerate((*PALETTE, *chosen)))


def pinned(options: DashboardOptions) -> str:
    """Action to slot as a JSON object, in characters that mean nothing to SQL strings or Grafana's variables."""
    slot_of = {colour: slot for slot, colour in palette(options).items() if slot >= len(PALETTE)}
    slots = PINNED | {action: slot_of[colour.lower()] for action, colour in options.colours}
    text = json.dumps(slots, sort_keys=True)
    for character in "'$[{":
        # The object's own brace is put back; inside the strings the escape means the same.
        text = text.replace(character, f"\\u{ord(character):04x}")
    return "{" + text.removeprefix("\\u007b")


def slot_mappings(options: DashboardOptions) -> list[dict[str, Any]]:
    """Value mappings of a numeric slot column: a dot in the slot's colour."""
    return value_mappings({str(slot): ("⬤", colour) for slot, colour in palette(options).items()})


def outcome_mappings() -> list[dict[str, Any]]:
    """Value mappings of an outcome column: never by colour alone."""
    return value_mappings({outcome: (OUTCOME_MARKS[outcome], colour) for outcome, colour in OUTCOMES.items()})


def change_mappings() -> list[dict[str, Any]]:
    """Value mappings of the kind of a change."""
    return value_mappings({kind: (kind, colour) for kind, colour in CHANGES.items()})


def level_mappings() -> list[dict[str, Any]]:
    """Value mappings of a level column."""
    texts = {level: ("" if level == "unspecified" else level, colour) for level, colour in LEVELS.items()}
    return value_mappings(texts)


def value_mappings(texts: dict[str, tuple[str, str]]) -> list[dict[str, Any]]:
    """Value to (text, colour), as Grafana's value mappings."""
    options = {
        value: {"color": colour, "index": index, "text": text}
        for index, (value, (text, colour)) in enumerate(texts.items())
    }
    return [{"type": "value", "options": options}]
