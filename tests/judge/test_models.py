import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from inference.models import LanguageModel
from judge.models import Answer, Judgment, Question

pytestmark = pytest.mark.django_db
KEY = "0123456789abcdef" * 4


def answer_of(name: str) -> Answer:
    question, _ = Question.objects.get_or_create(
        bench="mt_bench",
        number=81,
        defaults={"category": "writing", "turns": ["Write a travel post.", "Rewrite it."]},
    )
    model = LanguageModel.objects.create(name=name)
    return Answer.objects.create(question=question, model=model, turns=["…", "…"])


def judgment(**changes: object) -> Judgment:
    values = {
        "key": KEY,
        "answer": answer_of("A"),
        "turn": 1,
        "judge": "gpt-4",
        "prompt_name": "single-v1",
        "user_text": "Judge this.",
        "text": "Rating: [[8]]",
        "outcome": Judgment.Outcome.EXACT,
    }
    return Judgment(**(values | changes))


def test_a_single_judgment_has_a_score():
    judgment(score=8).save()

    assert str(Judgment.objects.get()) == "gpt-4: A – mt_bench 81 (exact)"


def test_a_pairwise_judgment_has_a_verdict():
    judgment(opponent=answer_of("B"), verdict="opponent", is_answer_first=False).save()

    assert Judgment.objects.get().opponent.model.name == "B"


@pytest.mark.parametrize(
    "changes",
    [
        {"score": 72.4},
        {"score": 0},
        {"turn": 0},
        {"verdict": "tie"},
        {"score": 8, "outcome": "unparsable"},
    ],
)
def test_the_database_refuses_a_judgment_that_makes_no_sense(changes):
    with pytest.raises(IntegrityError), transaction.atomic():
        judgment(**changes).save()


def test_the_database_refuses_an_answer_beside_itself():
    stored = answer_of("B")

    with pytest.raises(IntegrityError), transaction.atomic():
        judgment(answer=stored, opponent=stored, verdict="tie").save()


def test_a_score_and_an_opponent_exclude_each_other():
    with pytest.raises(IntegrityError), transaction.atomic():
        judgment(opponent=answer_of("B"), score=8).save()


def test_the_same_judgment_is_stored_once():
    judgment(score=8).save()

    with pytest.raises(IntegrityError), transaction.atomic():
        judgment(answer=Answer.objects.get(), score=7).save()


def test_a_question_and_an_answer_stand_once():
    stored = answer_of("A")

    with pytest.raises(IntegrityError), transaction.atomic():
        Answer.objects.create(question=stored.question, model=stored.model, turns=[])
    with pytest.raises(IntegrityError), transaction.atomic():
        Question.objects.create(bench="mt_bench", number=81, category="math", turns=[])


def test_a_key_that_is_no_hash_is_refused():
    with pytest.raises(ValidationError, match="64 hexadecimal digits"):
        judgment(key="short", score=8).full_clean()
