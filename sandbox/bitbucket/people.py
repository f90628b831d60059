"""`/users`: what any authenticated account may read of others and change of itself, and avatars."""

from __future__ import annotations

import struct
from email.parser import BytesParser
from email.policy import HTTP

from sandbox.bitbucket import refusals
from sandbox.bitbucket.bodies import encode, plain_user
from sandbox.bitbucket.exchange import Call, Reply, Route
from sandbox.bitbucket.listing import users_of
from sandbox.bitbucket.model import RANK, User, outranks
from sandbox.bitbucket.paging import page
from sandbox.bitbucket.state import State
from sandbox.bitbucket.users import REST_USER, changed_details, set_password

MOST_FILTERS = 50
LARGEST_AVATAR = 1024 * 1024
WIDEST_AVATAR = 1024
PNG = b"\x89PNG\r\n\x1a\n"
IMAGES = (PNG, b"\xff\xd8\xff", b"GIF8")
"""How images begin that Java reads by itself. What Bitbucket says of others is not documented."""


def list_people(call: Call) -> Reply:
    """All filters must hold; a permission filter keeps those who have it or a higher one, by whatever path."""
    state = call.installation.read()
    permissions, group = _permission_filters(call), call.param("group")
    if not permissions and group is None:
        keys = users_of(call, state, "people", state.user_order)
    else:
        lowest = max((RANK[permission] for permission in permissions), default=0)
        what = ("people", lowest, group)
        keys = users_of(call, state, what, lambda: _selected(state, lowest, group))
    return page(call, keys, lambda key: plain_user(state.users[key], call.switches.base_url))


def _permission_filters(call: Call) -> list[str]:
    """Numbered filters count from 1 without a gap; what comes after a gap, or after the fiftieth, is dropped."""
    found = call.params("permission")
    for number in range(1, MOST_FILTERS + 1):
        value = call.param(f"permission.{number}")
        if value is None:
            break
        found.append(value)
    for value in found:
        if value not in RANK:
            raise refusals.invalid_argument(f"{value} is not a global permission.")
    return found


def _selected(state: State, lowest: int, group: str | None) -> list[str]:
    members = None
    if group is not None:
        known = state.groups.get(group.casefold())
        members = set() if known is None else state.members_below(known.key)
    return [
        key
        for key in state.user_order
        if (members is None or key in members)
        and (not lowest or (key in state.seats and RANK[state.permission_of(key)] >= lowest))
    ]


def get_person(call: Call) -> Reply:
    """By slug, which need not be the name."""
    state = call.installation.read()
    key = state.slugs.get(call.slug)
    user = None if key is None else state.users[key]
    if user is None or not (user.active or call.switches.inactive_users_listed):
        raise refusals.no_such_user(call.slug)
    return Reply(200, plain_user(user, call.switches.base_url))


def update_self(call: Call) -> Reply:
    java_class = f"{REST_USER}.UserUpdateWithCredentials"
    update = call.document(java_class, name=str, displayName=str, email=str, password=str)
    user = call.caller.user
    changed_details(call, user, update["displayName"], update["email"])
    return Reply(200, plain_user(user, call.switches.base_url))


def set_own_credentials(call: Call) -> Reply:
    java_class = f"{REST_USER}.UserPasswordUpdate"
    update = call.document(java_class, oldPassword=str, password=str, passwordConfirm=str)
    user = call.caller.user
    if update["oldPassword"] != user.password:
        raise refusals.invalid("oldPassword", "The current password is not correct.")
    set_password(call, user, update["password"], update["passwordConfirm"])
    return Reply(204)


def upload_avatar(call: Call) -> Reply:
    """201 without a body; one image of 1 MB and 1024 x 1024 pixels at most, in the form field `avatar`."""
    user = _person_to_dress(call)
    image = _uploaded(call)
    if len(image) > LARGEST_AVATAR:
        raise refusals.invalid_argument("The uploaded avatar is larger than 1 MB.")
    if not image.startswith(IMAGES):
        raise refusals.invalid_argument("The uploaded avatar is no image of a supported type.")
    if image.startswith(PNG) and max(struct.unpack(">II", image[16:24])) > WIDEST_AVATAR:
        raise refusals.invalid_argument("The uploaded avatar is larger than 1024 by 1024 pixels.")
    number = user.id
    call.installation.commit(("upload_avatar", user.name), lambda _: call.installation.avatars.update({number: image}))
    return Reply(201, content_type="", headers={"Location": _avatar_url(call, user)})


def delete_avatar(call: Call) -> Reply:
    user = _person_to_dress(call)
    number = user.id
    if number in call.installation.avatars:
        call.installation.commit(("delete_avatar", user.name), lambda _: _take_off(call, number))
    return Reply(200, encode({"href": _avatar_url(call, user)}))


def _take_off(call: Call, number: int) -> None:
    call.installation.avatars.pop(number, None)


def _avatar_url(call: Call, user: User) -> str:
    return f"{call.switches.base_url}/users/{user.slug}/avatar.png"


def _person_to_dress(call: Call) -> User:
    """Everybody may change their own avatar, an administrator that of anyone who does not outrank them."""
    truth, actor = call.truth, call.caller
    key = truth.slugs.get(call.slug)
    if key is None:
        raise refusals.no_such_user(call.slug)
    is_other = key != actor.key
    if is_other and (RANK[actor.permission] < RANK["ADMIN"] or outranks(truth.permission_of(key), actor.permission)):
        raise refusals.permission_missing()
    return truth.users[key]


def _uploaded(call: Call) -> bytes:
    content_type = call.headers.get("content-type", "")
    if not content_type.startswith("multipart/form-data"):
        raise refusals.Refusal(415, raw=(b"", ""))
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1")
    message = BytesParser(policy=HTTP).parsebytes(head + call.body)
    for part in message.iter_parts():
        if part.get_param("name", header="content-disposition") == "avatar":
            payload = part.get_payload(decode=True)
            if isinstance(payload, bytes) and payload:
                return payload
    raise refusals.invalid("avatar", "An image is required in the form field avatar.")


ROUTES = [
    Route("GET", "/users", "authenticated", list_people),
    Route("PUT", "/users", "authenticated", update_self),
    Route("PUT", "/users/credentials", "authenticated", set_own_credentials),
    Route("GET", "/users/{slug}", "authenticated", get_person),
    Route("POST", "/users/{slug}/avatar.png", "authenticated", upload_avatar),
    Route("DELETE", "/users/{slug}/avatar.png", "authenticated", delete_avatar),
]
