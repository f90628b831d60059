"""What a sync file decides: whom, which groups, which attributes, what becomes of leavers, where the guard stops."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal, Self

import polars as pl
from pydantic import Field, model_validator

from reconcile.filters import Filters
from reconcile.pattern import Pattern, Regex, captures, matches_any
from reconcile.rules import AttributeValue
from reconcile.section import Section

__all__ = [
    "Attributes",
    "GroupRename",
    "Groups",
    "Guard",
    "Inactive",
    "Leavers",
    "Limit",
    "People",
    "Policy",
    "Section",
    "SourceSanity",
    "Stage",
    "share",
]


class People(Section):
    """Which people of the source are synced, and which accounts they may take over."""

    required_groups: tuple[str, ...] = ()
    """Only members of at least one of these source groups (by name, nested members included); empty for everybody."""
    include: Filters | None = None
    """Only people who meet one of these filters: an SQL condition over the person's columns, a section, or a list."""
    exclude: Filters | None = None
    """People who meet one of these filters are left out, whatever `include` says."""
    create: bool = True
    """Whether people without an account get one. If not, only accounts that exist are adopted and kept right."""
    adopt: tuple[Literal["username", "email"], ...] = ("username", "email")
    """How a person without a link may be matched with an account that exists; empty never takes one over."""
    protect: tuple[Pattern, ...] = ()
    """Target usernames that are never touched, whatever the source says."""


class GroupRename(Section):
    """What source groups are called in the target. One of `exact`, `search` and `match` says which groups."""

    exact: Annotated[str, Field(min_length=1)] | None = None
    """The group of this name, whatever its case."""
    search: Annotated[str, Field(min_length=1)] | None = None
    """Groups with this text in their name, whatever its case; each occurrence is replaced."""
    match: Regex | None = None
    """Groups whose name this regular expression matches; each match is replaced. `$1` is the first captured part."""
    to: str
    """The name, or what stands in place of the text that was found. A group that would be called nothing is dropped."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if sum(way is not None for way in (self.exact, self.search, self.match)) != 1:
            raise ValueError("a rule has one of exact, search and match")
        if self.match is not None:
            captures(self.match, self.to)
        return self


class Groups(Section):
    """Which source groups become target groups, and where memberships may be taken away."""

    assign: tuple[Pattern, ...] = ("*",)
    """Source groups, by the source's name, whose memberships are given in the target."""
    ignore: tuple[Pattern, ...] = ()
    """Source groups that are not assigned although `assign` matches."""
    rename: tuple[GroupRename, ...] = ()
    """What groups are called in the target; the first rule that fits a group decides."""
    drop_unmatched: bool = False
    """Whether groups that no rule of `rename` fits are left out. Otherwise they keep their names."""
    local: tuple[Pattern, ...] = ()
    """Target groups, by the target's name, that are managed by hand: nobody is put in, and nobody who stays is taken
    out."""
    remove_from: tuple[Pattern, ...] | None = None
    """Target groups that memberships may be removed from. Not given: the groups that this sync assigns or has assigned.
    An empty list: from none."""
    always: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Target groups that every synced, active person is in."""
    create: bool = True
    """Whether a target group that is missing is created."""
    vanished: Literal["empty", "keep"] = "empty"
    """What becomes of the memberships in a group that this sync assigned and the source has no more."""
    orphaned: Literal["keep", "remove"] = "keep"
    """The same where the source still has the group, and the sync file does not assign it any more."""

    @model_validator(mode="after")
    def _something_to_match(self) -> Self:
        if self.drop_unmatched and not self.rename:
            raise ValueError("drop_unmatched leaves out every group where rename has no rule")
        return self

    @model_validator(mode="after")
    def _not_by_hand_and_always(self) -> Self:
        if not (self.always and self.local):
            # No default may start Polars' threads at import: a forked process would wait for them in vain.
            return self
        always = pl.DataFrame({"name": self.always}, schema={"name": pl.String})
        both = always.filter(matches_any("name", self.local))["name"].to_list()
        if both:
            raise ValueError(f"always gives {', '.join(both)}, which local leaves to be managed by hand")
        return self


class Attributes(Section):
    """Each an SQL expression such as `lower(split_part(email, '@', 1))`, or a section with rules."""

    username: AttributeValue = "username"
    email: AttributeValue = "email"
    display_name: AttributeValue = "display_name"
    extra: dict[Annotated[str, Field(min_length=1)], AttributeValue] = Field(default={})
    """Further attributes by name. They are carried into plans and results; the target has no field for them."""


class Stage(Section):
    """One thing that is done to leavers, and when."""

    after_days: Annotated[int, Field(ge=0)]
    """Days, by the calendar in UTC, since a run first acted on the leaver."""
    do: Literal["remove_access", "strip_groups", "anonymise", "delete", "erase"]
    """`anonymise` takes the access away as well, and `erase` deletes the account if it is still there."""


class Leavers(Section):
    """What becomes of a managed account whose person is gone, inactive or no longer selected."""

    method: Literal["remove_access", "keep", "anonymise", "delete", "erase"] = "remove_access"
    """What is done as soon as a leaver is seen; `stages` takes its place."""
    strip_groups: bool = False
    """Whether a leaver leaves every other group as well, local ones included."""
    keep_groups: tuple[Pattern, ...] = ()
    """Target groups that are not stripped. Those that give access are taken by `remove_access` all the same."""
    stages: tuple[Stage, ...] = ()
    """What is done when; each stage adds to those before it."""

    @property
    def strips(self) -> bool:
        """Whether groups are ever stripped, so that the members of all of them matter."""
        return self.strip_groups or any(stage.do == "strip_groups" for stage in self.stages)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.stages and (self.strip_groups or "method" in self.model_fields_set):
            raise ValueError("stages take the place of method and strip_groups; write those as stages")
        if self.keep_groups and not self.strips:
            raise ValueError("keep_groups spares groups from strip_groups, which is not asked for")
        deeds = [stage.do for stage in self.stages]
        if len(set(deeds)) < len(deeds):
            raise ValueError("each stage does something else; one stands twice")
        days = [stage.after_days for stage in self.stages]
        if days != sorted(days):
            raise ValueError("stages stand in the order of their after_days")
        ends = [deed for deed in deeds if deed in {"delete", "erase"}]
        if ends != deeds[len(deeds) - len(ends) :] or ends == ["erase", "delete"]:
            raise ValueError("after delete only erase can follow, and after erase nothing")
        return self


class Inactive(Section):
    """What becomes of the accounts of people who are wanted and do not log in. Administrators are never looked at."""

    after_days: Annotated[int, Field(ge=1)] | None = None
    """Days without a login. Not given: nobody is inactive."""
    never_logged_in: bool = False
    """Whether who never logged in is inactive after as many days from when they got access."""
    groups: tuple[Pattern, ...] | None = None
    """Only members of at least one of these target groups."""
    except_groups: tuple[Pattern, ...] = ()
    """Never members of one of these target groups."""
    except_people: tuple[Pattern, ...] = ()
    """Never accounts of these usernames."""
    method: Literal["remove_access", "anonymise"] = "remove_access"
    """What is done. Nobody whom the source wants is deleted: the sync would have to create the account again."""

    @property
    def looks_at_groups(self) -> bool:
        return self.after_days is not None and (self.groups is not None or bool(self.except_groups))


class Limit(Section):
    """How much of one kind a plan may hold. Over either figure it is held; a `percent` above 0 allows at least one."""

    count: Annotated[int, Field(ge=0)] | None = None
    percent: Annotated[float, Field(ge=0, le=100)] | None = None

    def allowed(self, population: int) -> int | None:
        """The largest number that passes, None for any."""
        by_share = None if self.percent is None else share(self.percent, population)
        known = [figure for figure in (self.count, by_share) if figure is not None]
        return min(known, default=None)


def share(percent: float, population: int) -> int:
    """So many percent of a population, rounded down, but at least one unless the share is nought."""
    if percent == 0:
        return 0
    # The shortest decimal that means this float is what stands in the sync file: 1.15 % of 100,000 are 1,150.
    return max(1, int(Decimal(str(percent)) * population / 100))


class SourceSanity(Section):
    """What makes a source implausible, measured against the last good run."""

    people_lost_percent: Annotated[float, Field(ge=0, le=100)] | None = 10
    groups_lost_percent: Annotated[float, Field(ge=0, le=100)] | None = 20
    memberships_lost_percent: Annotated[float, Field(ge=0, le=100)] | None = 20
    attribute_nulls_percent: Annotated[float, Field(ge=0, le=100)] | None = 10
    """By how many percentage points the share of people without a username, e-mail or display name may grow."""


class Guard(Section):
    """Over a limit a plan is held: nothing of it is applied unless somebody approves it by its id."""

    on_hold: Literal["hold-all", "hold-kinds"] = "hold-all"
    """`hold-kinds`: only the kinds of operation that the guard stopped at wait, as a plan of their own; the rest goes
    on, and the run ends held all the same."""
    deactivations: Limit = Limit(percent=5)
    deletions: Limit = Limit(count=10, percent=1)
    erasures: Limit = Limit(count=0)
    """Deleted accounts whose traces are erased, which nobody can undo; their deletion counts as one, too."""
    anonymisations: Limit = Limit(percent=5)
    renames: Limit = Limit(percent=5)
    adoptions: Limit = Limit()
    clearings: Limit = Limit(count=10, percent=1)
    """Accounts whose display name gives way to the username, because the person has none any more."""
    memberships_removed: Limit = Limit(percent=10)
    """Percent of the memberships that managed accounts have in managed groups."""
    memberships_removed_per_group: Limit = Limit(percent=50)
    """Percent of the group's members; groups smaller than `small_group` are not looked at."""
    groups_emptied: Limit = Limit(count=0)
    """Groups of at least `small_group` members that would have none. Percent of the managed groups in the target."""
    small_group: Annotated[int, Field(ge=1)] = 10
    administrators_touched: Limit = Limit(count=0)
    """Accounts with ADMIN or SYS_ADMIN that would be adopted, renamed, deleted or lose anything."""
    administrators_made: Limit = Limit(count=0)
    """People who would become ADMIN or SYS_ADMIN, through a group or by a grant that is given back."""
    pictures_reset: Limit = Limit(percent=20)
    """Percent of the accounts that have a picture from this sync."""
    seats: bool = True
    """Hold a plan that needs more seats than the licence has."""
    source: SourceSanity = SourceSanity()


class Policy(Section):
    """The decisions of one sync file."""

    people: People = People()
    groups: Groups = Groups()
    attributes: Attributes = Attributes()
    leavers: Leavers = Leavers()
    inactive: Inactive = Inactive()
    guard: Guard = Guard()

    @property
    def undivided(self) -> Policy:
        """The same, for whoever asks what a whole plan would do, also one of which a part would wait."""
        return self.model_copy(update={"guard": self.guard.model_copy(update={"on_hold": "hold-all"})})
