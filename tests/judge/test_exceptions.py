from judge.exceptions import JudgeError, QuestionNotFoundError


def test_a_missing_question_is_named():
    error = QuestionNotFoundError(bench="mt_bench", number=7)

    assert isinstance(error, JudgeError)
    assert str(error) == "the bench 'mt_bench' has no question 7"
