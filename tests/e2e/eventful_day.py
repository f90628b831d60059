"""A day on which everything happens at once: whoever changes a Bitbucket in every way can fail in every way."""

from __future__ import annotations

from tests.e2e.stage import Stage

EVERY_KIND_OF_WRITE = (
    ("POST", "/admin/groups"),
    ("POST", "/admin/users"),
    ("PUT", "/admin/users"),
    ("POST", "/admin/users/rename"),
    ("POST", "/admin/groups/add-users"),
    ("POST", "/admin/users/add-groups"),
    ("POST", "/admin/users/remove-group"),
    ("PUT", "/admin/permissions/users"),
    ("DELETE", "/admin/permissions/users"),
)
"""Methods and paths of the day's requests; deletions are not among them."""

RELEASE_MANAGERS = "release-managers"
"""A group of Bitbucket's own that gives a permission."""


def give_local_access(stage: Stage, username: str) -> None:
    """What an administrator gave by hand in Bitbucket: a group with a permission, and a direct grant."""
    stage.bitbucket.state.join(RELEASE_MANAGERS, username)
    stage.bitbucket.state.grant_user(username, "PROJECT_CREATE")


def before_the_day(stage: Stage) -> None:
    """The first load; then one of those with access given by hand leaves."""
    stage.add_local_account("old-hand")
    stage.add_local_group("old-hands", "old-hand")
    stage.bitbucket.state.add_group(RELEASE_MANAGERS)
    stage.bitbucket.state.grant_group(RELEASE_MANAGERS, "PROJECT_CREATE")
    assert stage.sync().ending.exit_code == 0
    returner, leaver = stage.active(2)
    give_local_access(stage, returner.username)
    give_local_access(stage, leaver.username)
    stage.bitbucket.state.join("old-hands", leaver.username)
    stage.company.leave(returner.id)
    assert stage.sync().ending.exit_code == 0


def eventful_day(stage: Stage) -> None:
    """A leaver, a returner, a mover, a renamed person, two joiners, and a group that three people open."""
    staff = stage.company
    returner = next(iter(staff.people.values()))
    leaver, mover, renamed, *pioneers = stage.active(6)
    staff.return_(returner.id)
    staff.leave(leaver.id)
    staff.move(mover.id)
    staff.rename(renamed.id)
    for pioneer in pioneers:
        staff.join(pioneer.id, staff.group("bb-project-retired").id)
    staff.hire(2)
