import polars as pl

from connectors.sources.entra import EntraSettings
from connectors.sources.entra.changes import Difference, Watermark
from connectors.sources.entra.frames import groups_frame, memberships_frame, people_frame
from connectors.sources.entra.wire import DirectoryObject, Group, User

SETTINGS = EntraSettings(
    tenant_id="example.onmicrosoft.com",
    client_id="1111",
    client_secret="env:SECRET",
    attributes=("otherMails", "extension_ab_codes", "extensionAttribute1", "isResourceAccount"),
)


def user(user_id: str, **properties: object) -> User:
    return User(user_id, {"id": user_id, **properties})


def test_types_of_columns_do_not_hang_on_who_is_read():
    filled = user("b", otherMails=["x@y.example"], extension_ab_codes=["1", "2"], isResourceAccount=True)
    whole, empty = people_frame([filled, user("a")], SETTINGS), people_frame([], SETTINGS)
    assert whole.schema == empty.schema
    assert whole["external_id"].to_list() == ["a", "b"]
    assert whole["otherMails"].to_list() == [None, ["x@y.example"]]
    assert whole["extension_ab_codes"].to_list() == [None, "1, 2"]
    assert whole["isResourceAccount"].to_list() == [None, "true"]


def test_nobody_is_active_of_whom_graph_does_not_say_so():
    rows = [user("a", accountEnabled=True), user("b", accountEnabled=False), user("c", accountEnabled=None), user("d")]
    assert people_frame(rows, SETTINGS)["active"].to_list() == [True, False, False, False]


def test_memberships_are_unique_and_sorted():
    frame = memberships_frame({"g2": ["u"], "g1": ["w", "v"], "g3": []}, {"g1": ["g2"]})
    assert frame.rows() == [("g1", "g2", True), ("g1", "v", False), ("g1", "w", False), ("g2", "u", False)]
    assert groups_frame({"b": "2", "a": "1"}).rows() == [("a", "1"), ("b", "2")]


def test_the_last_word_on_each_object_counts():
    told = Difference()
    member, left = DirectoryObject("u", "#microsoft.graph.user"), {"reason": "deleted"}
    told.hear_groups([Group("g", "old", [member]), Group("h", None, [], left), Group("h", "back")])
    told.hear_groups([Group("g", "new", [DirectoryObject("u", member.type, left)]), Group("g", "new", [member])])
    told.hear_groups([Group("g", "new", [DirectoryObject("d", "#microsoft.graph.device")])])
    told.hear_users([user("u"), User("u", {}, removed=True)], excludes_guests=False)
    told.hear_users([user("v", userType="Guest"), user("w", userType="Guest")], excludes_guests=True)
    assert told.groups == {"g": "new", "h": "back"}
    assert told.closed == set()
    assert told.members == {("g", "u"): (False, True)}
    assert (told.users, told.gone) == ({}, {"u", "v", "w"})


def test_a_watermark_belongs_to_the_settings_it_was_made_with():
    mark = Watermark("https://a", "https://b", Watermark.first(SETTINGS).settings)
    assert Watermark.read(mark.written(), SETTINGS) == mark
    assert Watermark.read(mark.written(), SETTINGS.model_copy(update={"guests": "exclude"})) is None
    assert Watermark.read(None, SETTINGS) is None
    assert Watermark.read("{broken", SETTINGS) is None
    assert people_frame([], SETTINGS).schema["otherMails"] == pl.List(pl.String())
