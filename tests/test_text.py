"""Text from outside is fit for a log and a ledger, however long and odd it is."""

from hypothesis import given
from hypothesis import strategies as st

from shared.errors import NbactlError
from shared.text import REASON_CHARACTERS, quote, shorten, shorten_middle

ANYTHING = st.text(st.characters(), max_size=200)


@given(ANYTHING, st.integers(10, 300))
def test_a_short_text_is_left_alone_and_a_long_one_keeps_its_beginning(text: str, limit: int) -> None:
    short = shorten(text, limit)
    assert len(short) <= limit
    assert short == text if len(text) <= limit else text.startswith(short.removesuffix("..."))


@given(ANYTHING, st.integers(10, 300))
def test_of_a_traceback_the_end_is_kept_as_well(text: str, limit: int) -> None:
    short = shorten_middle(text, limit)
    assert len(short) <= limit
    assert short[:2] == text[:2]
    assert short[-2:] == text[-2:]


@given(st.one_of(ANYTHING, st.integers(), st.floats(), st.lists(ANYTHING), st.none()))
def test_a_quotation_is_short_and_printable(value: object) -> None:
    assert len(quote(value)) <= 100
    assert quote(value).isprintable()
    if isinstance(value, str) and len(value) < 20:
        assert quote(value) == repr(value)


def test_the_sentence_of_an_error_is_what_happened_and_why_and_never_long() -> None:
    assert NbactlError("could not", why="no room").sentence == "could not: no room"
    assert NbactlError("could not").sentence == "could not"
    assert len(NbactlError("could not", why="x" * 9_000_000).sentence) == REASON_CHARACTERS
