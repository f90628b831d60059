"""What flows ask for, as types: Prefect's forms show the examples, and refuse what does not fit the pattern.

Measured with Prefect 3.8.8: a constraint counts only within `Annotated`; the title is always the parameter's name, and
the description always the docstring's, whatever `Field` says.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

__all__ = ["Age", "Approver", "Mode", "PersonName", "PlanId", "SyncName"]

SyncName = Annotated[str, Field(pattern=r"^\S(.*\S)?$", max_length=1000, examples=["okta", "syncs/okta.yaml"])]
PlanId = Annotated[str, Field(pattern=r"^[0-9a-f]{6,64}$", examples=["3f9a2c1b"])]
Approver = Annotated[str, Field(pattern=r"^\S(.*\S)?$", max_length=200, examples=["Ada Lovelace"])]
PersonName = Annotated[str, Field(pattern=r"^\S(.*\S)?$", max_length=500, examples=["jane", "jane@example.com"])]
Age = Annotated[str, Field(pattern=r"^\d{1,5}[dw]$", examples=["90d", "12w"])]
Mode = Literal["apply", "plan"]
