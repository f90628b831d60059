"""Distinguished names (RFC 4514), as far as two of them must be known to be one."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["canonical", "is_under"]

_LOOSE: Final = re.compile(r"\s[,=]|[,=]\s|\s\s|[^\S ]|^\s|\s$")
_PLAIN_SPACES: Final = re.compile(r"\s*([,=])\s*")
_SPACES: Final = re.compile(r"\s+")
_ESCAPED: Final = re.compile(rb"\\([0-9A-Fa-f]{2}|.)", re.DOTALL)
_PIECES: Final = re.compile(r"(?:\\.|[^\\,+])+|[,+]", re.DOTALL)


def canonical(dn: str) -> str:
    """The same text for the same name, whatever its case, spaces and escapes. For comparing alone."""
    if "\\" not in dn and "+" not in dn and dn.count("=") == dn.count(",") + 1:
        if _LOOSE.search(dn) is None:
            return dn.lower()
        return _SPACES.sub(" ", _PLAIN_SPACES.sub(r"\1", dn.strip())).lower()
    names: list[list[str]] = [[]]
    for piece in _PIECES.findall(dn):
        if piece == ",":
            names.append([])
        elif piece != "+":
            kind, _, value = piece.partition("=")
            names[-1].append(f"{kind.strip().lower()}={_value(value)}")
    return ",".join("+".join(sorted(parts)) for parts in names)


def is_under(dn: str, base: str) -> bool:
    """Whether a name is below another, or is it."""
    inner, outer = canonical(dn), canonical(base)
    return inner == outer or not outer or inner.endswith(f",{outer}")


def _value(text: str) -> str:
    """Without its escapes; what would part names is written in one way."""
    stripped = re.sub(r"^\s+|(?<!\\)\s+$", "", text)
    plain = _ESCAPED.sub(_unescaped, stripped.encode()).decode(errors="replace")
    return re.sub(r"[\\,+=]", lambda found: f"\\{ord(found[0]):02x}", _SPACES.sub(" ", plain).lower())


def _unescaped(found: re.Match[bytes]) -> bytes:
    what = found[1]
    return bytes.fromhex(what.decode()) if len(what) == 2 and what != b"\\" else what
