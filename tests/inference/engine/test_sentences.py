import pytest

from inference.engine.sentences import Sentences


@pytest.mark.parametrize(
    ("pieces", "shown", "left", "left_when_cut"),
    [
        (["One. ", "Two"], "One.", " Two", ""),
        (["One", ". T", "wo!"], "One. Two!", "", ""),
        (["你好。再", "见"], "你好。", "再见", ""),
        (["no end", " at all"], "", "no end at all", "no end at all"),
        (['He said "yes', '"'], 'He said "yes"', "", ""),
        ([], "", "", ""),
    ],
)
def test_text_is_shown_up_to_its_last_sentence_end(pieces, shown, left, left_when_cut):
    for is_cut, rest in ((False, left), (True, left_when_cut)):
        sentences = Sentences()

        assert "".join(sentences.feed(piece) for piece in pieces) == shown
        assert sentences.flush(is_cut=is_cut) == rest


@pytest.mark.parametrize(
    ("pieces", "is_complete"),
    [([], False), (["Hi"], False), (["Hi", "."], True), (["Hi.", ""], True), (["Hi.", " "], False)],
)
def test_a_text_is_complete_where_it_ends_with_a_sentence(pieces, is_complete):
    sentences = Sentences()
    for piece in pieces:
        sentences.feed(piece)

    assert sentences.is_complete is is_complete
