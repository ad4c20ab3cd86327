import pytest

from leaderboard.categories import Board, boards_of, language_of


@pytest.mark.parametrize(
    ("prompt", "language"),
    [
        ("What is the capital of France?", "en"),
        ("hi", "en"),
        ("Fix this: def add(a, b): return a - b", "en"),
        ("法国的首都是哪里？", "zh"),
        ("用 Python 写一个快速排序函数", "zh"),
        ("請寫一首關於秋天的詩", "zh"),
        ("Explain the word 缘分 in two sentences, with an example of how it is used", "en"),
        ("フランスの首都はどこですか", "ja"),
        ("프랑스의 수도는 어디입니까", "ko"),
        ("Was ist die Hauptstadt von Frankreich?", "de"),
        ("Quelle est la capitale de la France ?", "fr"),
        ("¿Cuál es la capital de Francia?", "es"),
        ("Qual é a capital da França?", "pt"),
        ("Какая столица Франции?", "unknown"),
        ("2 + 2 = ?", "unknown"),
        ("", "unknown"),
        ("🙂🙂🙂", "unknown"),
    ],
)
def test_prompts_are_told_apart_by_language(prompt, language):
    assert language_of(prompt) == language


def test_only_the_beginning_of_a_huge_prompt_is_read():
    assert language_of("天" * 4_000 + " the" * 1_000_000) == "zh"


@pytest.mark.parametrize(
    ("language", "boards"),
    [
        ("en", (Board.OVERALL, Board.ENGLISH)),
        ("zh", (Board.OVERALL, Board.CHINESE)),
        ("de", (Board.OVERALL,)),
        ("unknown", (Board.OVERALL,)),
    ],
)
def test_every_battle_counts_overall_and_on_the_board_of_its_language(language, boards):
    assert boards_of(language) == boards
