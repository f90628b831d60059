"""How large a company a simulator of its own process shows."""

from __future__ import annotations

import argparse

import pytest

from sandbox.company import Company
from sandbox.founding import company_of_sizes, company_options, founded, group_sizes
from sandbox.population import company as found_company


def asked(*arguments: str) -> Company:
    parser = argparse.ArgumentParser()
    company_options(parser)
    return founded(parser.parse_args(arguments))


def test_groups_have_exactly_the_sizes_asked_for_and_nobody_is_in_one_that_does_not_know_it():
    firm = asked("--people", "120", "--sizes", "3x50,1x120,1x0")
    assert [len(firm.effective_members(group)) for group in firm.groups] == [50, 50, 50, 120, 0]
    pairs = {(person, group) for person, groups in firm.memberships.items() for group in groups}
    assert pairs == {(person, group) for group, people in firm.direct.items() for person in people}
    assert firm.people == found_company(120, 4).people


def test_without_sizes_it_is_the_company_of_the_population():
    assert asked("--people", "60", "--groups", "12", "--seed", "3").direct == found_company(60, 12, 3).direct


def test_a_company_of_sizes_goes_on_living():
    firm = company_of_sizes(100, [20, 30])
    (newcomer,) = firm.hire()
    moved = firm.move("p0000001", next(iter(firm.groups)))
    assert newcomer.department == moved.department
    assert newcomer.id in firm.people


def test_a_group_larger_than_the_company_is_refused():
    with pytest.raises(ValueError, match="a group of 30 does not fit into a company of 20"):
        company_of_sizes(20, [30])


@pytest.mark.parametrize("text", ["200", "4980*200", "2x", ""])
def test_sizes_that_are_not_groups_by_members_are_refused(text: str):
    with pytest.raises(argparse.ArgumentTypeError, match="is not like 4980x200"):
        group_sizes(text)
