"""Payment card numbers, told from other long numbers by issuer, length and check digit (ISO/IEC 7812)."""

from __future__ import annotations

import re

_GROUPS = re.compile("[0-9]+")
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
    return bool(_ISSUERS.fullmatch(digits)) and len(set(digits)) > 1 and _luhn(digits)


def card_spans(text: str) -> list[tuple[int, int]]:
    """Where in digits, grouped by single spaces or dashes, there is a card's number: (start, end) in order.

    A number may have a date or a check code beside it that reads like one more group.
    """
    groups = list(_GROUPS.finditer(text))
    spans: list[tuple[int, int]] = []
    first = 0
    while first < len(groups):
        last = next(
            (
                last
                for last in range(len(groups), first, -1)
                if is_card("".join(group[0] for group in groups[first:last]))
            ),
            None,
        )
        if last is None:
            first += 1
            continue
        spans.append((groups[first].start(), groups[last - 1].end()))
        first = last
    return spans


def _luhn(digits: str) -> bool:
    values = [int(digit) for digit in reversed(digits)]
    doubled = [value * 2 - 9 if value > 4 else value * 2 for value in values[1::2]]
    return (sum(values[::2]) + sum(doubled)) % 10 == 0
