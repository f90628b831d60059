import polars as pl

from connectors.sources.keycloak.frames import groups_frame, memberships_frame, people_frame
from connectors.sources.keycloak.groups import Members, Tree
from connectors.sources.keycloak.wire import GroupRow, PersonRow
from directory.snapshot import MEMBERSHIPS, PEOPLE, SOURCE_GROUPS


def person(number: int, attributes: dict[str, list[str | None]] | None = None) -> PersonRow:
    return PersonRow(id=f"id{number}", enabled=True, username=f"u{number}", attributes=attributes)


def test_an_attribute_is_text_until_somebody_has_two_values():
    people = [person(1, {"one": ["a"], "two": ["x", "y"]}), person(2, {"one": [], "two": ["z"]}), person(3)]
    frame = people_frame(people, None)
    assert frame["one"].to_list() == ["a", None, None]
    assert frame["two"].to_list() == [["x", "y"], ["z"], None]
    assert frame.schema["two"] == pl.List(pl.String)


def test_attributes_that_bear_a_name_of_ours_are_left_out():
    frame = people_frame([person(1, {"active": ["no"], "lastName": ["Wrong"], "kept": ["yes"]})], None)
    assert frame["active"].to_list() == [True]
    assert frame["lastName"].to_list() == [None]
    assert frame["kept"].to_list() == ["yes"]


def test_a_name_of_one_word_has_no_blank_and_no_name_is_null():
    people = [
        PersonRow(id="1", enabled=True, first_name="Cher"),
        PersonRow(id="2", enabled=True, last_name="Teller"),
        PersonRow(id="3", enabled=False, first_name="", last_name=""),
    ]
    assert people_frame(people, ())["display_name"].to_list() == ["Cher", "Teller", None]


def test_empty_frames_have_their_schemas():
    people = people_frame([], ("department",))
    memberships = memberships_frame(Tree(), Members([], [], []), people, nested=True)
    assert {name: people.schema[name] for name in PEOPLE} == dict(PEOPLE)
    assert people.schema["department"] == pl.String
    assert groups_frame(Tree()).schema == {**SOURCE_GROUPS, "path": pl.String()}
    assert memberships.schema == dict(MEMBERSHIPS)


def test_members_who_are_not_listed_are_left_out_and_subgroups_are_members():
    tree = Tree({"g": GroupRow("g", "top", "/top", 1), "h": GroupRow("h", "sub", "/top/sub", 0)}, [("g", "h")])
    members = Members(["g", "h", "h"], ["id1", "service-account", "id1"], [])
    people = people_frame([person(1)], ())
    rows = memberships_frame(tree, members, people, nested=True).rows()
    assert rows == [("g", "id1", False), ("h", "id1", False), ("g", "h", True)]
    assert memberships_frame(tree, members, people, nested=False).rows() == rows[:2]
