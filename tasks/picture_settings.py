"""The section `pictures` of a sync file."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from reconcile.section import Section

__all__ = ["PicturesSection"]


class PicturesSection(Section):
    """Profile pictures: without this section none is read, set or reset, and those that are set stay."""

    column: Annotated[str, Field(min_length=1)] | None = None
    """The person's column that holds the picture: as base64, as a `data:` address, or as an https address of one of
    `hosts`. Not given: the pictures that the source itself keeps (Entra and Google)."""
    hosts: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Hosts that pictures may be fetched from, each with its port where that is not 443. Nothing else is fetched."""
    size: int = Field(default=96, ge=16, le=1024)
    """Pixels, the picture's width and height at most."""
    every_hours: float = Field(default=24, ge=0)
    """A picture that costs a request is asked for again after so long; one that stands in a column is compared in every
    run."""
