"""What people have as a schedule, read, and the schedules of a prefect.yaml looked through."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from directory.errors import ConfigurationError
from flows.schedules import problems_of, read_schedule

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("text", "entry", "first"),
    [
        ("0 0 2 ? * MON-FRI", 'cron: "0 2 * * MON-FRI"', "11-25T02:00+01:00"),
        ("15 * * * *", 'cron: "15 * * * *"', "11-24T13:15+01:00"),
        ("0 2 * * 7", 'cron: "0 2 * * 7"', "11-29T02:00+01:00"),
        ("@daily", 'cron: "@daily"', "11-25T00:00+01:00"),
        ("FREQ=DAILY;BYHOUR=4;BYMINUTE=0", 'rrule: "FREQ=DAILY;BYHOUR=4;BYMINUTE=0"', "11-25T04:00+01:00"),
        (
            "0 0 2 LW * ?",
            'rrule: "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;BYHOUR=2;BYMINUTE=0;BYSECOND=0"',
            "11-30T02:00+01:00",
        ),
    ],
)
def test_an_entry_is_made_of_it(text: str, entry: str, first: str) -> None:
    read = read_schedule(text, "Europe/Berlin", now=NOW)
    assert read.text() == f"- {{{entry}, timezone: Europe/Berlin, active: false}}"
    assert read.next_times(1, NOW)[0].isoformat(timespec="minutes") == f"2026-{first}"


@pytest.mark.parametrize(("text", "seconds"), [("PT15M", 900), ("P1D", 86_400), ("P1WT1H30M", 610_200), ("pt45s", 45)])
def test_an_interval_is_given_in_seconds(text: str, seconds: int) -> None:
    assert read_schedule(text, "UTC", now=NOW).value == seconds


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0 0 31 2 *", "never fires"),
        ("0 0 30 2 *", "never fires"),
        ("0 0 2 31 2 ?", "never fires"),
        ("FREQ=DAILY;COUNT=1", "never fires"),
        ("FREQ=FOO", "no rrule that Prefect takes"),
        ("0 2 LW * *", "'0 0 2 LW \\* \\?'"),
        ("0 2 * * FOO", "no cron that Prefect takes"),
        ("61 2 * * *", "no cron that Prefect takes"),
        ("0 2 1,31 * *", "leaves out the 1st of March"),
        ("P1M", "months and years"),
        ("PT", "weeks, days, hours"),
        ("nightly", "no cron that Prefect takes"),
        ("0 2 *", "six or seven fields"),
    ],
)
def test_what_would_not_fire_as_it_reads_is_refused(text: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        read_schedule(text, "UTC", now=NOW)


@pytest.mark.parametrize("timezone", ["Mars/Olympus", "", "../etc"])
def test_a_time_zone_that_there_is_not_is_refused(timezone: str) -> None:
    with pytest.raises(ConfigurationError, match="no time zone"):
        read_schedule("0 2 * * *", timezone, now=NOW)


def test_what_is_wrong_in_a_file_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "prefect.yaml"
    path.write_text(
        """\
nightly: &nightly {cron: "0 2 * * *", timezone: Europe/Berlin}
deployments:
  - name: okta
    schedules:
      - *nightly
      - cron: "0 0 2 ? * MON-FRI"
        slug: from-the-app
      - {cron: "0 2 30 2 *"}
  - name: entra
    schedule: {rrule: "FREQ=DAILY;COUNT=1"}
  - name: google
    schedules:
      - {cron: "0 2 * * *", timezone: Mars/Olympus}
      - {interval: 3600}
      - {cron: "0 2 1,31 * *"}
""",
        encoding="utf-8",
    )
    told = problems_of(path, now=NOW)
    assert [line.partition(" line ")[2].partition(": ")[0] for line in told] == ["6", "8", "10", "13", "15"]
    assert "usersync schedule '0 0 2 ? * MON-FRI'" in told[0]
    assert "never fires" in told[1]
    assert "never fires" in told[2]
    assert "no time zone Mars/Olympus" in told[3]
    assert "rrule: FREQ=MONTHLY;BYMONTHDAY=1,31" in told[4]


def test_the_schedules_of_the_project_are_in_order() -> None:
    assert problems_of(ROOT / "prefect.yaml", now=NOW) == []


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        problems_of(tmp_path / "prefect.yaml", now=NOW)
