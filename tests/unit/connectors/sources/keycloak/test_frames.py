import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from connectors.sources.keycloak.frames import changed_people, groups_frame, memberships_frame, people_frame
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


def test_an_attribute_without_a_value_is_one_that_nobody_has():
    frame = people_frame([person(1, {"none": [None], "nothing": [], "some": [None, "a"]})], None)
    assert frame.columns[-1] == "some"
    assert "none" not in frame.columns
    assert frame["some"].to_list() == ["a"]


VALUES = st.lists(st.sampled_from([None, "", "a", "b"]), max_size=3)
REALMS = st.dictionaries(
    st.integers(1, 5), st.dictionaries(st.sampled_from(["one", "two", "email"]), VALUES, max_size=3), max_size=5
)


@given(before=REALMS, after=REALMS, attributes=st.sampled_from([None, (), ("two", "one", "three")]))
def test_people_who_changed_came_or_went_give_the_frame_of_a_full_read(
    before: dict[int, dict[str, list[str | None]]],
    after: dict[int, dict[str, list[str | None]]],
    attributes: tuple[str, ...] | None,
):
    was, now = ({number: person(number, given) for number, given in each.items()} for each in (before, after))
    changed = [found for number, found in now.items() if found != was.get(number)]
    gone = [was[number].id for number in was.keys() - now.keys()]
    incremental = changed_people(people_frame(list(was.values()), attributes), changed, gone, attributes)
    whole = people_frame(list(now.values()), attributes)
    assert incremental.schema == whole.schema
    assert incremental.equals(whole)
