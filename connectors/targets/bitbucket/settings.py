"""What the `target` section of a sync file may say about a Bitbucket."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from connectors.secret import SecretReference

__all__ = ["BitbucketSettings", "Rate"]

PAGE_CAP: Final = 1000
"""The most rows that a Bitbucket gives a page unless its `page.max.users` says less; it shortens in silence."""


def _base_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("give the address of Bitbucket as in a browser, such as https://bitbucket.example.com/context")
    if parts.username or parts.password:
        raise ValueError("the address holds a password; give username and password as settings of their own")
    if parts.query or parts.fragment or "/rest/" in f"{parts.path}/":
        raise ValueError("give the address of Bitbucket itself, without /rest and without a query")
    return url.rstrip("/")


class Rate(BaseModel):
    """A token bucket: `capacity` requests at once, then `refill_per_second` more each second."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    capacity: Annotated[int, Field(ge=1)]
    refill_per_second: Annotated[float, Field(gt=0)]


class BitbucketSettings(BaseModel):
    """A Bitbucket Data Center, 6.7 to 9.4, and the account that usersync logs in with."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["bitbucket"] = "bitbucket"
    url: Annotated[str, AfterValidator(_base_url)]
    """The address as in a browser, context path included."""
    username: Annotated[str, Field(min_length=1)]
    """An account with the global permission ADMIN or SYS_ADMIN. It is never touched: not updated, not renamed, not
    put into or taken out of a group. SYS_ADMIN is needed only to change accounts that are SYS_ADMIN themselves."""
    password: SecretReference
    """Its password. An HTTP access token will not do: such tokens never carry administration rights (BSERV-10482)."""
    api: Literal["latest", "1.0"] = "latest"
    """The version in the path; both lead to the same resources, `1.0` is for proxies that allow nothing else."""
    page_size: Annotated[int, Field(ge=1, le=100_000)] = PAGE_CAP
    """Rows asked for in one page. A server whose `page.max.users` is lower sends shorter pages, which is no error."""
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    """Requests under way at once. With more than four, a password that is changed in the middle of a run locks the
    account: as many requests as are under way then fail, and after five failed logins Bitbucket wants a CAPTCHA."""
    rate: Rate | None = None
    """Bitbucket's rate limit for this account (its default is capacity 60, refill 5); `usersync check` shows it. None
    where rate limiting is off or the account is exempt: then usersync slows down only when Bitbucket says 429."""
    max_members_per_call: Annotated[int, Field(ge=1)] = 10_000
    """A call that adds more members than this to one group is sent in several requests."""
    add_to_default_group: bool = False
    """Whether Bitbucket puts each account it creates into its default group (`stash-users`), which gives access and
    takes a seat. Off, because usersync decides every membership itself: an account in a group that no rule put it
    into would be taken out again by the next run. Bitbucket's own default is on, so the choice is always sent."""
    notify: bool = False
    """Whether Bitbucket mails each new account a link to choose a password; needs a mail server there."""
    password_for_new_accounts: Literal["random"] = "random"  # noqa: S105 - names a policy, holds no password
    """Bitbucket wants a password unless it mails one. Each account gets one of its own, of 256 random bits, that is
    sent once, in the query string as Bitbucket demands, and kept nowhere: people sign in through single sign-on, or
    have their password reset."""
    connect_timeout_seconds: Annotated[float, Field(gt=0)] = 10
    read_timeout_seconds: Annotated[float, Field(gt=0)] = 120
    """Adding ten thousand members in one request takes a Bitbucket its time."""
    read_back_seconds: Annotated[float, Field(ge=0)] = 3
    """After an answer was lost: how long to look for the change before it is sent again. A cluster shows a change with
    a short lag."""
    ca_bundle: Path | None = None
    """Certificates (PEM) to trust besides the usual ones. The server's certificate is always verified."""
