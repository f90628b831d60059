"""Aligned columns and hanging paragraphs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from rich.cells import cell_len
from rich.text import Text

__all__ = ["grid", "hanging", "labelled", "safe", "wrapped"]

GAP = 2
_NARROWEST = 8
_JOINERS = "\u200c\u200d"
"""They do not print, and names in Persian and Hindi need them."""

LABEL_WIDTH = 10


def safe(text: object) -> str:
    """Text that came from a directory, without characters that would move the cursor or turn the line around."""
    return "".join(
        char if char.isprintable() or char in _JOINERS else "\N{REPLACEMENT CHARACTER}" for char in str(text)
    )


def grid(
    rows: Sequence[Sequence[str]],
    *,
    width: int | None,
    right: Collection[int] = (),
    whole: Collection[int] = (),
    styles: Mapping[int, str] | None = None,
    indent: int = 2,
) -> Iterator[Text]:
    """Rows as aligned lines without trailing blanks. Where they are too wide, the widest columns are cut with `…`.

    `right` are the columns that are aligned to the right, `whole` those that are never cut, `styles` a style a column.
    """
    if not rows:
        return
    cells = [[safe(cell) for cell in row] for row in rows]
    widths = [max(cell_len(row[column]) for row in cells) for column in range(len(cells[0]))]
    _shrink(widths, width, indent, [number for number in range(len(widths)) if number not in whole])
    for row in cells:
        line = Text(" " * indent)
        for column, cell in enumerate(row):
            if not widths[column]:
                continue
            piece = Text(cell, style=(styles or {}).get(column, ""))
            piece.truncate(widths[column], overflow="ellipsis")
            blanks = widths[column] - piece.cell_len
            if column in right:
                line.append(" " * blanks)
            line.append_text(piece)
            if column not in right:
                line.append(" " * blanks)
            line.append(" " * GAP)
        line.rstrip()
        yield line


def _shrink(widths: list[int], width: int | None, indent: int, soft: list[int]) -> None:
    """Take from the widest of the columns in `soft`, until all fit or none is wider than can be read."""
    if width is None:
        return
    excess = sum(widths) + GAP * (sum(1 for one in widths if one) - 1) + indent - width
    while excess > 0 and soft:
        widest = max(soft, key=lambda column: widths[column])
        if widths[widest] <= _NARROWEST:
            return
        widths[widest] -= 1
        excess -= 1


def labelled(
    label: str, text: str, *, width: int | None, style: str = "", indent: int = 2, margin: int = LABEL_WIDTH
) -> Iterator[Text]:
    """`  label     text`, further lines below the text."""
    margin += indent
    lines = [safe(part) for part in text.split("\n")]
    if width is not None:
        room = max(width - margin, 20)
        lines = [piece for line in lines for piece in wrapped(line, room)]
    for number, line in enumerate(lines):
        head = f"{' ' * indent}{label}" if number == 0 else ""
        yield Text.assemble((head.ljust(margin), "dim"), (line, style))


def hanging(text: str, *, width: int | None, indent: int = 2) -> Iterator[Text]:
    """A paragraph whose further lines are indented."""
    for part in text.split("\n"):
        lines = [safe(part)] if width is None else wrapped(safe(part), max(width - indent, 20))
        for number, line in enumerate(lines):
            yield Text(f"{' ' * indent if number else ''}{line}")


def wrapped(line: str, room: int) -> list[str]:
    """Broken between words; some letters take two columns, and words that are too long stay whole."""
    lines: list[str] = []
    for word in line.split():
        if lines and cell_len(lines[-1]) + 1 + cell_len(word) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines or [""]
