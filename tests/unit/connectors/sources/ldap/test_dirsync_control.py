"""The control DirSync on the wire, by the rules of BER (X.690)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sources.ldap.dirsync import answered, asked
from directory.errors import SourceUnreadable


def test_a_request_is_a_sequence_of_flags_size_and_cookie():
    assert asked(1, 4096, b"ab").hex(" ") == "30 0b 02 01 01 02 02 10 00 04 02 61 62"


@pytest.mark.parametrize(
    ("flags", "encoded"),
    [
        (0, "02 01 00"),
        (127, "02 01 7f"),
        (128, "02 02 00 80"),
        (-128, "02 01 80"),
        (-129, "02 02 ff 7f"),
        (-0x8000_0000, "02 04 80 00 00 00"),
        (-0x7FFF_FFFF, "02 04 80 00 00 01"),
    ],
)
def test_flags_take_as_few_bytes_as_can_be(flags: int, encoded: str):
    request = asked(flags, 0, b"").hex(" ")
    assert encoded in request
    assert request == f"30 {len(bytes.fromhex(encoded)) + 5:02x} {encoded} 02 01 00 04 00"


@given(more=st.integers(0, 2**31 - 1), cookie=st.binary(min_size=1, max_size=70_000))
def test_an_answer_says_whether_there_is_more_and_gives_the_cookie(more: int, cookie: bytes):
    # An answer has the shape of a request, with another meaning.
    assert answered(asked(more, 0, cookie)) == (more > 0, cookie)


@pytest.mark.parametrize(
    "value",
    [b"", b"\x30", b"\x30\x05\x02\x01\x00\x02\x01", asked(0, 0, b""), asked(1, 2, b"abc")[:-1]],
    ids=["nothing", "no length", "ends early", "empty cookie", "cut cookie"],
)
def test_an_answer_without_a_cookie_is_unreadable(value: bytes):
    with pytest.raises(SourceUnreadable, match="no cookie"):
        answered(value)
