"""The part of OData's `$filter` that is simulated, with Graph's rules on what needs an advanced query.

`eq`, `ne`, `ge`, `le`, `in`, `startswith`, `endswith`, `not`, `and`, `or`, parentheses, and `any` with `eq` over lists
of text. Graph, "Use the $filter query parameter" and "Advanced query capabilities on Microsoft Entra ID objects".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping

from sandbox.graph.refusals import bad, needs_advanced, unsupported

Row = Mapping[str, object]
Predicate = Callable[[Row], bool]

TOKENS = re.compile(r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<word>[A-Za-z0-9_/.:+-]+)|(?P<sign>[(),]))")


def parse(text: str, known: Collection[str], kind: str, *, advanced: bool) -> Predicate:
    """Raises `Refusal` for what cannot be read, and for what needs an advanced query where this is none."""
    return _Parser(text, known, kind, advanced=advanced).whole()


class _Parser:
    def __init__(self, text: str, known: Collection[str], kind: str, *, advanced: bool) -> None:
        self._text = text
        self._known = known
        self._kind = kind
        self._advanced = advanced
        self._tokens: list[str] = []
        place = 0
        while place < len(text.rstrip()):
            found = TOKENS.match(text, place)
            if found is None:
                raise self._syntax(place)
            self._tokens.append(found.group(0).strip())
            place = found.end()
        self._at = 0

    def whole(self) -> Predicate:
        predicate = self._either()
        if self._at < len(self._tokens):
            raise self._syntax(self._at)
        return predicate

    def _either(self) -> Predicate:
        parts = [self._both()]
        while self._took("or"):
            parts.append(self._both())
        return lambda row: any(part(row) for part in parts)

    def _both(self) -> Predicate:
        parts = [self._one()]
        while self._took("and"):
            parts.append(self._one())
        return lambda row: all(part(row) for part in parts)

    def _one(self) -> Predicate:
        if self._took("not"):
            self._needs_advanced("Operator 'Not'")
            inner = self._one()
            return lambda row: not inner(row)
        if self._took("("):
            inner = self._either()
            self._expect(")")
            return inner
        word = self._next()
        if word.lower() in {"startswith", "endswith"}:
            return self._function(word.lower())
        if word.endswith("/any"):
            return self._any(word.removesuffix("/any"))
        return self._comparison(word)

    def _function(self, name: str) -> Predicate:
        if name == "endswith":
            self._needs_advanced("Operator 'endsWith'")
        self._expect("(")
        field = self._property(self._next())
        self._expect(",")
        wanted = str(self._value(self._next())).casefold()
        self._expect(")")
        if name == "startswith":
            return lambda row: str(row.get(field) or "").casefold().startswith(wanted)
        return lambda row: str(row.get(field) or "").casefold().endswith(wanted)

    def _any(self, name: str) -> Predicate:
        field = self._property(name)
        self._expect("(")
        self._next()  # such as `c:c`
        self._expect("eq")
        wanted = self._value(self._next())
        self._expect(")")

        def holds(row: Row) -> bool:
            listed = row.get(field)
            return isinstance(listed, list) and wanted in listed

        return holds

    def _comparison(self, name: str) -> Predicate:
        field = self._property(name)
        operator = self._next().lower()
        if operator == "in":
            return self._in(field)
        if operator not in {"eq", "ne", "ge", "le"}:
            raise self._syntax(self._at)
        wanted = self._value(self._next())
        if operator == "ne":
            self._needs_advanced("Operator 'NotEquals'")
            return lambda row: _folded(row.get(field)) != _folded(wanted)
        if operator == "eq":
            if wanted is None:
                self._needs_advanced("A comparison with null")
            return lambda row: _folded(row.get(field)) == _folded(wanted)
        if operator == "ge":
            return lambda row: str(row.get(field) or "") >= str(wanted)
        return lambda row: str(row.get(field) or "") <= str(wanted)

    def _in(self, field: str) -> Predicate:
        self._expect("(")
        values = [_folded(self._value(self._next()))]
        while self._took(","):
            values.append(_folded(self._value(self._next())))
        self._expect(")")
        return lambda row: _folded(row.get(field)) in values

    def _property(self, name: str) -> str:
        if name not in self._known:
            kind = self._kind.capitalize()
            raise unsupported(
                f"Unsupported or invalid query filter clause specified for property '{name}' of resource '{kind}'."
            )
        return name

    def _value(self, token: str) -> object:
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        literals: dict[str, object] = {"true": True, "false": False, "null": None}
        if token in literals:
            return literals[token]
        if token[:1].isdigit():
            return token
        raise self._syntax(self._at)

    def _needs_advanced(self, what: str) -> None:
        if not self._advanced:
            raise needs_advanced(what)

    def _took(self, token: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at].lower() == token:
            self._at += 1
            return True
        return False

    def _next(self) -> str:
        if self._at >= len(self._tokens):
            raise self._syntax(len(self._text))
        self._at += 1
        return self._tokens[self._at - 1]

    def _expect(self, token: str) -> None:
        if not self._took(token):
            raise self._syntax(self._at)

    def _syntax(self, place: int) -> Exception:
        return bad(f"Invalid filter clause: Syntax error at position {place} in '{self._text}'.")


def _folded(value: object) -> object:
    return value.casefold() if isinstance(value, str) else value
