"""The instance itself: version, licence, cluster, directories, mail server, rate limits, blocking of Basic."""

from __future__ import annotations

from typing import Any

from sandbox.bitbucket import refusals
from sandbox.bitbucket.bodies import encode, plain_user
from sandbox.bitbucket.exchange import Call, Reply, Route
from sandbox.bitbucket.paging import page
from sandbox.bitbucket.switches import Bucket

DAY_MS = 86_400_000
SERVER_ID = "B4ND-0X00-0000-0000"


def application_properties(call: Call) -> Reply:
    version = call.switches.version
    major, minor, *patch = version.split(".")
    build = f"{int(major)}{int(minor):03}{int(patch[0]) if patch else 0:03}"
    body = {"version": version, "buildNumber": build, "buildDate": "1578626301641", "displayName": "Bitbucket"}
    return Reply(200, encode(body))


def licence(call: Call) -> Reply:
    if not call.switches.licence_installed:
        raise refusals.Refusal(404, "No license has been installed.", refusals.NO_SUCH_ENTITY)
    maximum, now = call.switches.licence_maximum, call.installation.clock.now_ms()
    body: dict[str, Any] = {
        "creationDate": now - 30 * DAY_MS,
        "purchaseDate": now - 30 * DAY_MS,
        "expiryDate": now + 335 * DAY_MS,
        "numberOfDaysBeforeExpiry": 335,
        "maintenanceExpiryDate": now + 335 * DAY_MS,
        "gracePeriodEndDate": now + 350 * DAY_MS,
        "maximumNumberOfUsers": -1 if maximum is None else maximum,
        "unlimitedNumberOfUsers": maximum is None,
        "serverId": SERVER_ID,
        "supportEntitlementNumber": "SEN-0000000",
        "license": "simulated",
        "status": {"serverId": SERVER_ID, "currentNumberOfUsers": len(call.installation.read().seats)},
    }
    return Reply(200, encode(body))


def cluster(call: Call) -> Reply:
    node = {
        "id": "0f9d3c3c-1a52-4cde-9b5e-0d8b0a2f7e11",
        "name": "node-1",
        "address": {"address": "127.0.0.1", "port": 5701},
        "buildVersion": call.switches.version,
        "local": True,
    }
    return Reply(200, encode({"localNode": node, "nodes": [node], "running": True}))


def user_directories(call: Call) -> Reply:
    inactive_too = call.param("includeInactive") == "true"
    listed = [
        encode({"name": each.name, "type": each.type, "description": each.description, "active": each.active})
        for each in call.truth.directories
        if each.active or inactive_too
    ]
    if call.switches.user_directories_shape == "array":
        return Reply(200, b"[%b]" % b",".join(listed))
    return page(call, [str(number) for number in range(len(listed))], lambda number: listed[int(number)])


def mail_server(call: Call) -> Reply:
    if not call.switches.mail_server:
        raise refusals.Refusal(404, "The mail server has not been configured.", refusals.NO_SUCH_ENTITY)
    body = {
        "hostname": "mail.example.test",
        "port": 465,
        "protocol": "SMTPS",
        "useStartTls": True,
        "requireStartTls": True,
        "senderAddress": "bitbucket@example.test",
        "username": "bitbucket",
    }
    return Reply(200, encode(body))


def get_rate_limit(call: Call) -> Reply:
    limiter = call.limiter
    body = {"enabled": limiter.settings is not None, "defaultSettings": _described(limiter.default)}
    return Reply(200, encode(body))


def put_rate_limit(call: Call) -> Reply:
    wanted = call.document("com.atlassian.stash.internal.rest.ratelimit", enabled=bool, defaultSettings=dict)
    bucket = call.limiter.default if wanted["defaultSettings"] is None else _bucket(wanted["defaultSettings"])
    enabled = call.limiter.settings is not None if wanted["enabled"] is None else wanted["enabled"]
    call.limiter.configure(bucket, enabled=enabled)
    return get_rate_limit(call)


def list_own_limits(call: Call) -> Reply:
    state = call.truth
    keys = [key for key in state.user_order if key in call.limiter.own and call.filter() in state.users[key].searched]
    return page(call, keys, lambda key: _own_limit(call, key))


def set_own_limits(call: Call) -> Reply:
    java_class = "com.atlassian.stash.internal.rest.ratelimit"
    wanted = call.document(java_class, usernames=list, whitelisted=bool, settings=dict)
    names = wanted["usernames"] or []
    unknown = [name for name in names if str(name).casefold() not in call.truth.users]
    if not names or unknown:
        raise refusals.invalid("usernames", f"These users are unknown: {unknown}" if unknown else "No users given.")
    for name in names:
        call.limiter.set_own(name.casefold(), _own_bucket(wanted))
    return Reply(200, b"[%b]" % b",".join(_own_limit(call, name.casefold()) for name in names))


def get_own_limit(call: Call) -> Reply:
    key = _limited(call)
    if key not in call.limiter.own:
        raise refusals.no_such_user(call.slug)
    return Reply(200, _own_limit(call, key))


def put_own_limit(call: Call) -> Reply:
    key = _limited(call)
    wanted = call.document("com.atlassian.stash.internal.rest.ratelimit", whitelisted=bool, settings=dict)
    call.limiter.set_own(key, _own_bucket(wanted))
    return Reply(200, _own_limit(call, key))


def delete_own_limit(call: Call) -> Reply:
    key = _limited(call)
    if key not in call.limiter.own:
        raise refusals.no_such_user(call.slug)
    del call.limiter.own[key]
    return Reply(204)


def _limited(call: Call) -> str:
    key = call.truth.slugs.get(call.slug)
    if key is None:
        raise refusals.no_such_user(call.slug)
    return key


def _own_limit(call: Call, key: str) -> bytes:
    bucket = call.limiter.own[key]
    user = plain_user(call.truth.users[key], call.switches.base_url)
    if bucket is None:
        return b'{"user":%b,"whitelisted":true}' % user
    return b'{"user":%b,"whitelisted":false,"settings":%b}' % (user, encode(_described(bucket)))


def _own_bucket(wanted: dict[str, Any]) -> Bucket | None:
    if wanted["whitelisted"]:
        return None
    if wanted["settings"] is None:
        raise refusals.invalid("settings", "Either whitelist the user or give settings.")
    return _bucket(wanted["settings"])


def _bucket(settings: dict[str, Any]) -> Bucket:
    capacity, fill_rate = settings.get("capacity"), settings.get("fillRate")
    for number in (capacity, fill_rate):
        if not isinstance(number, int) or number < 1:
            raise refusals.invalid("defaultSettings", "capacity and fillRate must be positive integers.")
    return Bucket.model_validate({"capacity": capacity, "fill_rate": fill_rate})


def _described(bucket: Bucket) -> dict[str, int]:
    return {"capacity": bucket.capacity, "fillRate": bucket.fill_rate}


def basic_auth_config(call: Call) -> Reply:
    body = {
        "block-requests": call.switches.basic_auth_blocked,
        "allowed-paths": [],
        "allowed-users": sorted(call.switches.basic_auth_allowed_users),
        "show-warning-message": False,
    }
    return Reply(200, encode(body))


ROUTES = [
    Route("GET", "/application-properties", "anonymous", application_properties),
    Route("GET", "/admin/license", "ADMIN", licence),
    Route("GET", "/admin/cluster", "SYS_ADMIN", cluster),
    Route("GET", "/admin/user-directories", "ADMIN", user_directories, since=8),
    Route("GET", "/admin/mail-server", "SYS_ADMIN", mail_server),
    Route("GET", "/admin/rate-limit/settings", "authenticated", get_rate_limit),
    Route("PUT", "/admin/rate-limit/settings", "ADMIN", put_rate_limit),
    Route("GET", "/admin/rate-limit/settings/users", "ADMIN", list_own_limits),
    Route("POST", "/admin/rate-limit/settings/users", "ADMIN", set_own_limits),
    Route("GET", "/admin/rate-limit/settings/users/{slug}", "ADMIN", get_own_limit),
    Route("PUT", "/admin/rate-limit/settings/users/{slug}", "ADMIN", put_own_limit),
    Route("DELETE", "/admin/rate-limit/settings/users/{slug}", "ADMIN", delete_own_limit),
    Route("GET", "basicauth:/config", "SYS_ADMIN", basic_auth_config, since=9),
]
