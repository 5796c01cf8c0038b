"""Mute times of the rules file, and the time intervals that Grafana gets."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter

from exporter.document import loads
from exporter.errors import ConfigError
from provisioning.alerts.mute_times import MuteTimes, mute_times

NAMED: TypeAdapter[MuteTimes] = TypeAdapter(MuteTimes)


class RulesFile(BaseModel):
    """A file that has nothing but mute times."""

    mute_times: MuteTimes


def intervals(*quiet: dict[str, Any]) -> Any:
    (found,) = mute_times(NAMED.validate_python({"nights": list(quiet)}))
    assert (found.orgId, found.name) == (1, "nights")
    return [interval.model_dump(exclude_none=True) for interval in found.time_intervals]


def problems(named: Any) -> str:
    with pytest.raises(ConfigError) as failure:
        loads(json.dumps({"mute_times": named}), "rules.yaml").parse(RulesFile)
    return str(failure.value)


def test_a_time_of_the_day_is_one_interval() -> None:
    expected = [{"times": [{"start_time": "09:00", "end_time": "17:30"}], "weekdays": ["monday:friday"]}]
    assert intervals({"days": ["monday-friday"], "from": "9:00", "until": "17:30"}) == expected
    assert intervals({"days": "mon-fri", "from": "09:00", "until": "17:30"}) == expected


def test_a_night_goes_on_into_the_next_day() -> None:
    assert intervals({"days": ["monday-friday"], "from": "22:00", "until": "06:00"}) == [
        {"times": [{"start_time": "22:00", "end_time": "24:00"}], "weekdays": ["monday:friday"]},
        {"times": [{"start_time": "00:00", "end_time": "06:00"}], "weekdays": ["tuesday:saturday"]},
    ]


def test_the_night_after_saturday_ends_on_sunday() -> None:
    _, after = intervals({"days": ["friday-saturday"], "from": "22:00", "until": "06:00"})
    assert after["weekdays"] == ["saturday", "sunday"]


def test_every_night_needs_no_days() -> None:
    assert intervals({"from": "22:00", "until": "06:00"}) == [
        {"times": [{"start_time": "22:00", "end_time": "24:00"}]},
        {"times": [{"start_time": "00:00", "end_time": "06:00"}]},
    ]


@pytest.mark.parametrize("until", ["24:00", "00:00", "0:00"])
def test_until_midnight_is_one_interval(until: str) -> None:
    assert intervals({"from": "22:00", "until": until}) == [{"times": [{"start_time": "22:00", "end_time": "24:00"}]}]


def test_a_weekend_that_crosses_grafanas_week_is_split() -> None:
    assert intervals({"days": ["friday-monday", "wednesday"]}) == [
        {"weekdays": ["friday:saturday", "sunday:monday", "wednesday"]}
    ]


def test_months_years_dates_and_the_zone_are_written_as_grafana_reads_them() -> None:
    quiet = {
        "months": ["december", "jan-mar"],
        "years": [2026, "2028-2030"],
        "dates": [1, "24-26", "-1", "-3--1"],
        "zone": "Europe/Vienna",
    }
    assert intervals(quiet) == [
        {
            "days_of_month": ["1", "24:26", "-1", "-3:-1"],
            "months": ["december", "january:march"],
            "years": ["2026", "2028:2030"],
            "location": "Europe/Vienna",
        }
    ]


def test_one_stretch_needs_no_list() -> None:
    named = NAMED.validate_python({"weekend": {"days": ["saturday", "sunday"]}})
    assert mute_times(named)[0].time_intervals[0].weekdays == ["saturday", "sunday"]


@pytest.mark.parametrize(
    ("quiet", "says"),
    [
        ({}, "says no time"),
        ({"zone": "UTC"}, "says no time"),
        ({"from": "22:00"}, "until: is needed with from"),
        ({"until": "22:00"}, "from: is needed with until"),
        ({"from": "22:00", "until": "22:00"}, "until: must be another time than from"),
        ({"from": 1320, "until": "06:00"}, "from: must be a time in quotes"),
        ({"from": "25:00", "until": "06:00"}, "from: must be a time in quotes"),
        ({"from": "22:00", "until": "06:00", "dates": [1]}, "until: goes over midnight, beside dates"),
        ({"days": ["mittwoch"]}, "days: 'mittwoch' is not known; "),
        ({"days": []}, "days: an empty list"),
        ({"days": [3]}, "days: '3' is not known"),
        ({"months": ["march-january"]}, "months: the first must not be after the last"),
        ({"years": ["26"]}, "years: '26' is no year"),
        ({"dates": [0]}, "dates: 0 is no day of a month"),
        ({"dates": ["32"]}, "dates: 32 is no day of a month"),
        ({"dates": ["7-1"]}, "dates: '7-1': the first day must not be after the last"),
        ({"dates": ["-3-5"]}, "dates: '-3-5': the first day must not be after the last"),
        ({"dates": [True]}, "dates: True is no day of a month"),
        ({"days": ["monday"], "zone": "Vienna"}, "zone: 'Vienna' is no time zone"),
        ({"days": ["monday"], "zone": "../../etc/passwd"}, "is no time zone"),
        ({"day": ["monday"]}, "day: unknown key; did you mean days?"),
    ],
)
def test_a_time_that_can_not_be_is_refused_at_its_place(quiet: dict[str, Any], says: str) -> None:
    found = problems({"nights": [quiet]})
    assert "rules.yaml:1: mute_times.nights.0" in found
    assert says in found


@pytest.mark.parametrize("value", [[], "nights", None])
def test_a_mute_time_is_a_list_of_times(value: object) -> None:
    assert "mute_times.nights" in problems({"nights": value})


@pytest.mark.parametrize("name", ["", "a ", "a\tb"])
def test_a_mute_time_has_a_name(name: str) -> None:
    assert "is no name for a mute time" in problems({name: [{"days": ["monday"]}]})
