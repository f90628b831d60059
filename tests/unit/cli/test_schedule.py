"""`usersync schedule`, as it is typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.conftest import Office


def test_the_entry_is_printed_with_the_next_five_times(office: Office) -> None:
    told = office.usersync("schedule", "0 0 2 ? * MON-FRI", "--timezone", "Europe/Berlin")
    entry, blank, *times = told.out.splitlines()
    assert (told.code, blank) == (0, "")
    assert entry == '- {cron: "0 2 * * MON-FRI", timezone: Europe/Berlin, active: false}'
    assert len(times) == 5
    assert all(" 02:00 CE" in time for time in times)
    told = office.usersync("schedule", "0 0 2 ? * MON-FRI", "--timezone", "Europe/Berlin", "--json")
    assert (told.json["kind"], told.json["value"], len(told.json["next_times"])) == ("cron", "0 2 * * MON-FRI", 5)


def test_what_cannot_be_had_is_refused_with_what_is_nearest(office: Office) -> None:
    told = office.usersync("schedule", "30 0 2 ? * MON 2027")
    assert (told.code, told.out) == (2, "")
    assert "`usersync schedule '0 0 2 ? * MON'`" in told.err


@pytest.mark.parametrize(
    ("cron", "code", "said"),
    [("0 0 2 ? * MON-FRI", 1, "prefect.yaml line 3: "), ("0 2 * * MON-FRI", 0, "as Prefect takes them")],
)
def test_a_file_is_looked_through(office: Office, tmp_path: Path, cron: str, code: int, said: str) -> None:
    path = tmp_path / "prefect.yaml"
    path.write_text(f'deployments:\n- name: okta\n  schedules: [{{cron: "{cron}"}}]\n', encoding="utf-8")
    told = office.usersync("schedule", "--check", str(path))
    assert told.code == code
    assert said in told.out
    assert bool(office.usersync("schedule", "--check", str(path), "--json").json["problems"]) == bool(code)


@pytest.mark.parametrize("arguments", [(), ("0 2 * * *", "--check", "prefect.yaml")])
def test_a_schedule_or_a_file_must_be_given_and_not_both(office: Office, arguments: tuple[str, ...]) -> None:
    told = office.usersync("schedule", *arguments)
    assert told.code == 2
    assert "give a schedule, or a file with --check" in told.err
