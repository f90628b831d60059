"""What is said below a field reaches schemas and forms, though the models do not read it."""

from __future__ import annotations

from pydantic import BaseModel, Field

from directory.field_help import described_schema, field_help


class Inner(BaseModel):
    deep: int
    """As far as it goes,
    and no further."""


class Base(BaseModel):
    name: str
    """Of the base."""
    other: str = ""
    """Kept."""


class Derived(Base):
    name: str
    """Of what extends it."""
    silent: int = 0
    told: int = Field(default=0, description="Told twice.")
    """And not by this."""
    inner: Inner = Inner(deep=1)
    """A section."""


def test_a_subclass_says_it_anew_and_inherits_the_rest() -> None:
    assert field_help(Derived) == {
        "name": "Of what extends it.",
        "other": "Kept.",
        "told": "And not by this.",
        "inner": "A section.",
    }


def test_a_schema_describes_every_property_also_within() -> None:
    schema = described_schema(Derived)
    told = {name: shown.get("description") for name, shown in schema["properties"].items()}
    assert told == {
        "name": "Of what extends it.",
        "other": "Kept.",
        "silent": None,
        "told": "Told twice.",
        "inner": "A section.",
    }
    assert schema["$defs"]["Inner"]["properties"]["deep"]["description"] == "As far as it goes,\nand no further."


def test_a_model_without_a_source_says_nothing() -> None:
    made: type[BaseModel] = type("Made", (BaseModel,), {"__module__": "nowhere", "__annotations__": {"field": int}})
    assert field_help(made) == {}
