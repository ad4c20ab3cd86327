"""The page of architectures says what the tests of the engine see."""

from tests.docs.test_documents import ROOT
from tests.support.architecture_table import tables


def test_the_page_of_architectures_has_the_tables_that_are_tested():
    page = (ROOT / "docs" / "reference" / "architectures.md").read_text(encoding="utf-8")

    assert all(f"\n\n{table}\n\n" in page for table in tables())
