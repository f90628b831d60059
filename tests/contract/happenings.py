"""What happens to the invented company while a source reads it."""

from __future__ import annotations

from sandbox.company import Company

__all__ = ["happen"]


def happen(company: Company, deed: str) -> None:
    """To the first of the people in the list, or to a group that has members and none below it."""
    person = min(company.people.values(), key=lambda person: (person.username, person.id)).id
    if deed == "hire":
        company.hire(1)
    elif deed == "close_group":
        company.close_group(next(key for key in company.groups if company.direct[key] and not company.below[key]))
    else:
        getattr(company, deed)(person)
