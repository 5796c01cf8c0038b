"""When alerts would have fired, from evaluations on a grid of time. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

# An alert's labels by name; those without a value are left out, as Grafana does.
Labels = tuple[tuple[str, str], ...]
Active = Mapping[Labels, float]


@dataclass(frozen=True, slots=True)
class Span:
    """An alert that was there at all evaluations from `first` to `last`, by their numbers; `value`: its greatest."""

    labels: Labels
    first: int
    last: int
    value: float


def walk(evaluate: Callable[[int], Active], first: int, last: int, stride: int) -> Iterator[tuple[int, Active]]:
    """Evaluations in order of time: every `stride`, and where two of these differ, those that show since when.

    An alert that is there for at least `stride` is seen, and its begin and end are exact, but for one that comes again
    sooner than that.
    """
    left, before = first, evaluate(first)
    yield left, before
    while left < last:
        right = min(left + stride, last)
        after = evaluate(right)
        yield from _between(evaluate, (left, before), (right, after))
        yield right, after
        left, before = right, after


def _between(
    evaluate: Callable[[int], Active], start: tuple[int, Active], end: tuple[int, Active]
) -> Iterator[tuple[int, Active]]:
    (left, before), (right, after) = start, end
    if right - left < 2 or before.keys() == after.keys():
        return
    middle = (left + right) // 2
    at = middle, evaluate(middle)
    yield from _between(evaluate, start, at)
    yield at
    yield from _between(evaluate, at, end)


@dataclass(slots=True)
class Spans:
    """The spans of the evaluations that were added, which must come in order of time."""

    _over: list[Span] = field(default_factory=list)
    _open: dict[Labels, Span] = field(default_factory=dict)

    def add(self, index: int, active: Active) -> None:
        """What was there at an evaluation."""
        for labels in self._open.keys() - active.keys():
            self._over.append(self._open.pop(labels))
        for labels, value in active.items():
            since = self._open.get(labels)
            if since is None:
                self._open[labels] = Span(labels, index, index, value)
            else:
                self._open[labels] = replace(since, last=index, value=max(since.value, value))

    def fired(self, pending: int) -> list[Span]:
        """Those that were there for more than `pending` evaluations, from when they fired on, the first ones first."""
        return sorted(_fired([*self._over, *self._open.values()], pending), key=lambda span: (span.first, span.labels))


def _fired(spans: Iterable[Span], pending: int) -> Iterator[Span]:
    for span in spans:
        if span.last - span.first >= pending:
            yield replace(span, first=span.first + pending)
