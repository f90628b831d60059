"""The two sides of the demo before usersync comes: an Okta with 500 people, and a Bitbucket somebody began to fill."""

from __future__ import annotations

from sandbox.bitbucket import BitbucketSimulator, Switches
from sandbox.company import Company, Person, Standing
from sandbox.population import company

__all__ = ["BITBUCKET_LOGIN", "BITBUCKET_PASSWORD", "LOCAL_ACCOUNTS", "found_company", "stand_up_bitbucket"]

PEOPLE, GROUPS, SEED = 500, 40, 7
SEATS = 600
BITBUCKET_LOGIN = "svc-usersync"
BITBUCKET_PASSWORD = "demo-only-opens-nothing-else"  # noqa: S105 invented, opens nothing but the simulator
LOCAL_ACCOUNTS = ("build-bot", "release-bot")
ADOPTED_BY_NAME = 11


def found_company() -> Company:
    return company(PEOPLE, GROUPS, SEED)


def stand_up_bitbucket(folk: Company) -> BitbucketSimulator:
    """With an administrator, two bots, and a dozen colleagues who have had accounts for years.

    One of them has the old short username; only the address tells who it is.
    """
    simulator = BitbucketSimulator(Switches(licence_maximum=SEATS), ("admin", "demo-admin"))
    installation = simulator.state
    installation.add_user(BITBUCKET_LOGIN, display_name="usersync", password=BITBUCKET_PASSWORD)
    installation.grant_user(BITBUCKET_LOGIN, "ADMIN")
    installation.add_group("ci-systems")
    for bot in LOCAL_ACCOUNTS:
        installation.add_user(bot, display_name=bot.replace("-", " ").title())
        installation.join("stash-users", bot)
        installation.join("ci-systems", bot)
    installation.add_group("bb-platform")
    installation.join("bb-platform", LOCAL_ACCOUNTS[0])
    first, *others = colleagues(folk)
    for person in others:
        installation.add_user(person.username, display_name=person.display_name, email=person.email)
        installation.join("stash-users", person.username)
    short = f"{first.username[0]}{first.username.rpartition('.')[2]}"
    installation.add_user(short, display_name=first.display_name, email=first.email)
    installation.join("stash-users", short)
    return simulator


def colleagues(folk: Company) -> list[Person]:
    """Those who have a Bitbucket account already."""
    active = [person for person in folk.people.values() if person.standing is Standing.ACTIVE]
    return active[: ADOPTED_BY_NAME + 1]
