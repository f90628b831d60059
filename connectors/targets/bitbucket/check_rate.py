"""What `usersync check` says of Bitbucket's rate limit and of ours."""

from __future__ import annotations

from urllib.parse import quote

from connectors.contract import CheckFinding
from connectors.targets.bitbucket.api import BitbucketApi
from connectors.targets.bitbucket.refusals import Deed
from connectors.targets.bitbucket.settings import BitbucketSettings, Rate
from connectors.targets.bitbucket.wire import RateLimitOfUser, RateLimitRules, RateLimitSettings, SlugRow

__all__ = ["check_rate_limit"]


async def check_rate_limit(api: BitbucketApi, settings: BitbucketSettings) -> list[CheckFinding]:
    deed = Deed("rate limit", "it was not read")
    general = await api.get_or_none("/admin/rate-limit/settings", RateLimitSettings, deed)
    if general is None or not general.enabled:
        if settings.rate is None:
            return [CheckFinding("ok", "rate limiting is off")]
        return [CheckFinding("note", "rate limiting is off in Bitbucket", "leave `rate` out to read at full speed")]
    slug = await _slug(api, settings.username)
    own = None
    if slug is not None:
        # 404 where the account has no settings of its own.
        path = f"/admin/rate-limit/settings/users/{quote(slug, safe='')}"
        own = await api.get_or_none(path, RateLimitOfUser, deed)
    if own is not None and own.whitelisted:
        return [CheckFinding("ok", "the account is exempt from rate limiting")]
    rules = (own.settings if own is not None else None) or general.default_settings
    return [] if rules is None else _compared(settings.rate, rules)


def _compared(configured: Rate | None, rules: RateLimitRules) -> list[CheckFinding]:
    limit = f"Bitbucket lets the account send {rules.capacity} requests at once and {rules.fill_rate} a second after"
    advice = f"set `rate: {{capacity: {rules.capacity}, refill_per_second: {rules.fill_rate}}}`"
    if configured is None:
        return [CheckFinding("note", f"{limit}; without `rate` usersync runs into refusals (429) and waits", advice)]
    if configured.capacity > rules.capacity or configured.refill_per_second > rules.fill_rate:
        return [CheckFinding("problem", f"{limit}, less than `rate` says", advice)]
    if configured.capacity < rules.capacity or configured.refill_per_second < rules.fill_rate:
        return [CheckFinding("note", f"{limit}, more than `rate` uses", advice)]
    return [CheckFinding("ok", f"{limit}, and `rate` says so")]


async def _slug(api: BitbucketApi, username: str) -> str | None:
    """A slug is looked up, never computed: only that `@` becomes `_` is known of the rule."""
    deed = Deed(f"account {username}", "its rate limit was not read")
    slugs: dict[str, str] = {}
    async for rows in api.pages("/admin/users", SlugRow, deed, {"filter": username}):
        slugs |= {row.name.casefold(): row.slug for row in rows}
    return slugs.get(username.casefold())
