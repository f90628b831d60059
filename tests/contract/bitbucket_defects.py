"""Where the description of Bitbucket Data Center 9.4 is known to be wrong, and what servers do instead.

Each entry says how it is known. An entry that a newer description no longer needs makes loading fail.
"""

from __future__ import annotations

from typing import Any

from tests.contract.api_description import REMOVED, ApiDescription, Defect, description_file

FILE = "bitbucket-dc-9.4-openapi.json"
SCHEMAS = "/components/schemas"
PATHS = "/paths/~1api~1latest"
ANSWER = "get/responses/200/content/application~1json;charset=UTF-8/schema"

LINKS = "recorded bodies of every version hold the links of a user; they are not for writing only"
NULL = "recorded error bodies hold null where there is no context or no exception"
PAGED = "the resource is a page like any other, and takes start and limit as Atlassian's own instructions use them"


def _page_of(schema: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "size": {"type": "integer"},
            "limit": {"type": "integer"},
            "isLastPage": {"type": "boolean"},
            "start": {"type": "integer"},
            "nextPageStart": {"type": "integer", "nullable": True},
            "values": {"type": "array", "items": {"$ref": f"#{SCHEMAS}/{schema}"}},
        },
        "required": ["size", "limit", "isLastPage", "start", "values"],
    }


def _query_parameter(name: str, kind: str) -> dict[str, Any]:
    return {"in": "query", "name": name, "schema": {"type": kind}}


DEFECTS: list[Defect] = [
    *(
        Defect(f"{SCHEMAS}/{owner}/properties/links/writeOnly", REMOVED, LINKS)
        for owner in (
            "RestDetailedUser",
            "RestApplicationUser",
            "RestPermittedUser/properties/user",
            "RestUserRateLimitSettings/properties/user",
        )
    ),
    *(
        Defect(f"{SCHEMAS}/RestErrorMessage/properties/{field}/nullable", value=True, because=NULL)
        for field in ("context", "exceptionName")
    ),
    Defect(
        f"{PATHS}~1admin~1permissions~1users/{ANSWER}/properties/values/items/$ref",
        f"#{SCHEMAS}/RestPermittedUser",
        "recorded: the grants of users name a user, not a group",
    ),
    Defect(
        f"{PATHS}~1admin~1users~1more-members/{ANSWER}",
        _page_of("RestDetailedGroup"),
        "the resource lists the groups of a user, as its path, its sibling more-non-members and working clients say",
    ),
    Defect(f"{PATHS}~1users/{ANSWER}", _page_of("RestApplicationUser"), PAGED),
    *(
        Defect(f"{PATHS}~1users/get/parameters/-", _query_parameter(name, "integer"), PAGED)
        for name in ("start", "limit")
    ),
    *(
        Defect(
            f"{PATHS}~1users/get/parameters/-",
            _query_parameter(f"permission.{number}", "string"),
            "permission.N is written for a family of parameters, numbered from 1 to 50",
        )
        for number in range(1, 51)
    ),
    Defect(
        f"{PATHS}~1admin~1user-directories/{ANSWER}",
        {"type": "array", "items": {"$ref": f"#{SCHEMAS}/RestUserDirectory"}},
        "one directory is described where the text speaks of a list",
    ),
]


def bitbucket_description() -> ApiDescription:
    """The description, its defects mended, with `1.0` as another name of `latest`; skips where it is absent."""
    return ApiDescription.load(
        description_file(FILE), defects=DEFECTS, aliases={"/api/1.0/": "/api/latest/"}, closed=True
    )
