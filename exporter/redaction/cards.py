"""Payment card numbers, told from other long numbers by issuer, length and check digit (ISO/IEC 7812)."""

from __future__ import annotations

import re

_GROUPS = re.compile("[0-9]+")
_SHORTEST, _LONGEST = 12, 19
# Issuer prefixes and the lengths that each of them gives out.
_ISSUERS = re.compile(
    r"""
      4 (?: \d{12} | \d{15} | \d{18} )                                                            # Visa
    | (?: 5[1-5]\d\d | 222[1-9] | 22[3-9]\d | 2[3-6]\d\d | 27[01]\d | 2720 ) \d{12}               # Mastercard
    | 3[47] \d{13}                                                                                # American Express
    | 3 (?: 0[0-5] | [689]\d ) \d{11} (?: \d{2} )?                                                # Diners Club
    | 6 (?: 011 | 4[4-9]\d | 5\d\d ) \d{12} (?: \d{3} )?                                          # Discover
    | 35 (?: 2[89] | [3-8]\d ) \d{12} (?: \d{3} )?                                                # JCB
    | 62 \d{14} (?: \d{3} )?                                                                      # UnionPay
    | (?: 50[0-9]\d | 5[6-9]\d\d | 6304 | 6759 | 676[1-3] ) \d{8,15}                               # Maestro
    """,
    re.VERBOSE,
)


def is_card(digits: str) -> bool:
    """Whether digits are a card's number."""
    return len(digits) >= _SHORTEST and bool(_ISSUERS.fullmatch(digits)) and _luhn(digits)


def card_spans(text: str) -> list[tuple[int, int]]:
    """Where in digits, grouped by single spaces or dashes, there is a card's number: (start, end) in order.

    A number may have a date or a check code beside it that reads like one more group.
    """
    groups = [found.span() for found in _GROUPS.finditer(text)]
    spans: list[tuple[int, int]] = []
    first = 0
    while first < len(groups):
        start = groups[first][0]
        digits, found = "", None
        for place in range(first, len(groups)):
            digits += text[slice(*groups[place])]
            if len(digits) > _LONGEST:
                break
            if is_card(digits):
                found = place
        if found is not None:
            spans.append((start, groups[found][1]))
            first = found
        first += 1
    return spans


def _luhn(digits: str) -> bool:
    values = [int(digit) for digit in reversed(digits)]
    doubled = [value * 2 - 9 if value > 4 else value * 2 for value in values[1::2]]
    return (sum(values[::2]) + sum(doubled)) % 10 == 0
