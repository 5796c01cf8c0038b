"""In which order, and at what time, the demonstration's events happen. Pure: the SDK is in send.py."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random

from collector.demo.stories import story
from collector.demo.voices import DemoEvent, Story

# How many stories go on at the same time in the endless stream.
_CONCURRENT = 8


def stream(seed: int | None) -> Iterator[DemoEvent]:
    """Endless: several stories at a time, interleaved. The same seed gives the same events."""
    draw = Random(seed)
    going: list[Iterator[DemoEvent]] = []
    while True:
        while len(going) < _CONCURRENT:
            going.append(iter(story(draw).events))
        chosen = draw.randrange(len(going))
        event = next(going[chosen], None)
        if event is None:
            del going[chosen]
        else:
            yield event


def history(seed: int | None, count: int, end: datetime, span: timedelta) -> list[tuple[datetime, DemoEvent]]:
    """`count` events of the `span` before `end`, oldest first, begun at hours that suit their actors.

    The same seed gives the same stories; their times, and so how they interleave, depend on `end`.
    """
    draw = Random(seed)
    dated: list[tuple[datetime, DemoEvent]] = []
    while len(dated) < count:
        told = story(draw)
        lasts = timedelta(seconds=sum(event.pause for event in told.events))
        moment = max(end - span, min(_begin(told, draw.random(), end, span), end - lasts))
        for event in told.events:
            moment = min(end, moment + timedelta(seconds=event.pause))
            dated.append((moment, event))
    return sorted(dated[:count], key=lambda pair: pair[0])


def _begin(told: Story, fraction: float, end: datetime, span: timedelta) -> datetime:
    """The moment at `fraction` of the story's hours within the span; of all of it where it has none of them."""
    start = end - span
    first = datetime(start.year, start.month, start.day, tzinfo=UTC) + timedelta(days=-1, hours=told.from_hour)
    days = (first + timedelta(days=day) for day in range(span.days + 3))
    openings = [(max(day, start), min(day + timedelta(hours=told.hours), end)) for day in days]
    openings = [(opens, closes) for opens, closes in openings if opens < closes] or [(start, end)]
    offset = fraction * sum((closes - opens for opens, closes in openings), timedelta())
    for opens, closes in openings:
        if offset <= closes - opens:
            return opens + offset
        offset -= closes - opens
    return end
