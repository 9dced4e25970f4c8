"""The page with the states is the table's own picture, and not an older one."""

from tests.domain.diagram import PAGE, draw


def test_the_page_shows_the_table() -> None:
    drawn = draw()
    assert PAGE.read_text(encoding="utf-8") == drawn, "run: python -m tests.domain.diagram"
