"""Tidying up never hides why it came to that."""

import pytest

from shared.cleanup import ensure_cleanup
from shared.errors import AccessDenied, NbactlError


def fails() -> None:
    raise NbactlError("could not delete", why="it is in use")


def test_the_first_error_is_raised_and_the_other_is_a_note_on_it() -> None:
    with pytest.raises(AccessDenied, match="not allowed") as caught, ensure_cleanup(fails):
        raise AccessDenied("not allowed")
    assert caught.value.__notes__ == ["tidying up failed, too: could not delete: it is in use"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit, OSError])
def test_no_error_at_all_is_hidden(error: type[BaseException]) -> None:
    with pytest.raises(error) as caught, ensure_cleanup(fails):
        raise error
    assert len(caught.value.__notes__) == 1


def test_cleanup_that_fails_alone_is_the_error() -> None:
    with pytest.raises(NbactlError, match="could not delete"), ensure_cleanup(fails):
        pass


def test_cleanup_is_done_once_however_the_block_ends() -> None:
    done: list[int] = []
    with ensure_cleanup(lambda: done.append(1)):
        assert not done
    with pytest.raises(AccessDenied) as caught, ensure_cleanup(lambda: done.append(2)):
        raise AccessDenied("no")
    assert done == [1, 2]
    assert not hasattr(caught.value, "__notes__")
