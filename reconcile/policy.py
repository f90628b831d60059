"""What a sync file decides: whom, which groups, which attributes, what becomes of leavers, where the guard stops."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from reconcile.filters import Filters
from reconcile.pattern import Pattern
from reconcile.rules import AttributeValue
from reconcile.section import Section

__all__ = ["Attributes", "Groups", "Guard", "Leavers", "Limit", "People", "Policy", "Section", "SourceSanity", "share"]


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


class Groups(Section):
    """Which source groups become target groups, and where memberships may be taken away."""

    assign: tuple[Pattern, ...] = ("*",)
    """Source groups, by name, whose memberships are given in the target."""
    ignore: tuple[Pattern, ...] = ()
    """Source groups that are not assigned although `assign` matches."""
    remove_from: tuple[Pattern, ...] | None = None
    """Target groups that memberships may be removed from. Not given: the groups that this sync assigns or has assigned.
    An empty list: from none."""
    always: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Target groups that every synced, active person is in."""
    create: bool = True
    """Whether a target group that is missing is created."""


class Attributes(Section):
    """Each an SQL expression such as `lower(split_part(email, '@', 1))`, or a section with rules."""

    username: AttributeValue = "username"
    email: AttributeValue = "email"
    display_name: AttributeValue = "display_name"
    extra: dict[Annotated[str, Field(min_length=1)], AttributeValue] = Field(default={})
    """Further attributes by name. They are carried into plans and results; the target has no field for them."""


class Leavers(Section):
    """What becomes of a managed account whose person is gone, inactive or no longer selected."""

    method: Literal["remove_access", "keep", "delete"] = "remove_access"


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
    """Over a limit nothing of the plan is applied, and the run ends held."""

    deactivations: Limit = Limit(percent=5)
    deletions: Limit = Limit(count=10, percent=1)
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
    seats: bool = True
    """Hold a plan that needs more seats than the licence has."""
    source: SourceSanity = SourceSanity()


class Policy(Section):
    """The decisions of one sync file."""

    people: People = People()
    groups: Groups = Groups()
    attributes: Attributes = Attributes()
    leavers: Leavers = Leavers()
    guard: Guard = Guard()
