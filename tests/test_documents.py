"""The reference pages say what the declarations say."""

from nbactl.ops.documents import pages
from tests.conftest import PROJECT


def test_the_pages_on_disk_are_those_that_the_declarations_make() -> None:
    wanted = pages()
    folder = PROJECT / "docs"
    there = {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for part in ("tables", "commands")
        for path in (folder / part).glob("*.md")
    }
    stale = sorted(path for path in {*wanted, *there} if wanted.get(path) != there.get(path))
    assert not stale, f"python -m nbactl.ops.documents writes them anew: {', '.join(stale)}"
