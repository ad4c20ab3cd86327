"""Questions of a bench, answers of models to them, and what judges said of the answers."""

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from inference.models import LanguageModel

LOWEST_SCORE, HIGHEST_SCORE = 1, 10
validate_key = RegexValidator(r"^[0-9a-f]{64}\Z", _("Use 64 hexadecimal digits."))


class Question(models.Model):
    """One question of a bench, asked over one or more turns."""

    bench = models.SlugField(_("bench"), max_length=32)
    number = models.PositiveIntegerField(_("number"))
    category = models.SlugField(_("category"), max_length=32)
    turns = models.JSONField(_("turns"), help_text=_("What is asked, a text a turn."))
    references = models.JSONField(
        _("references"),
        default=dict,
        blank=True,
        help_text=_("Reference answers by the name of their set, a text a turn."),
    )

    class Meta:
        """In the order of the bench; a number stands once."""

        verbose_name = _("question")
        verbose_name_plural = _("questions")
        ordering = ["bench", "number"]
        constraints = [
            models.UniqueConstraint(fields=["bench", "number"], name="question_once_a_bench")
        ]

    def __str__(self) -> str:
        return f"{self.bench} {self.number}"


class Answer(models.Model):
    """What a model answered to a question; asked several times, it has several choices."""

    question = models.ForeignKey(
        Question, on_delete=models.PROTECT, related_name="answers", verbose_name=_("question")
    )
    model = models.ForeignKey(
        LanguageModel, on_delete=models.PROTECT, related_name="+", verbose_name=_("language model")
    )
    choice = models.PositiveSmallIntegerField(_("choice"), default=0)
    turns = models.JSONField(_("turns"), help_text=_("What was answered, a text a turn."))
    sampling = models.JSONField(_("sampling parameters"), default=dict, blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    class Meta:
        """One answer for a question, model and choice."""

        verbose_name = _("answer")
        verbose_name_plural = _("answers")
        ordering = ["question", "model", "choice"]
        constraints = [
            models.UniqueConstraint(
                fields=["question", "model", "choice"], name="answer_once_a_choice"
            )
        ]

    def __str__(self) -> str:
        return f"{self.model} – {self.question}"


class Judgment(models.Model):
    """What a judge said of an answer, or of an answer beside an opponent's.

    `key` is the hash of everything that shapes the judgment: judge, sampling, prompt and rendered
    messages. The same judgment is therefore asked for once, and a changed prompt is a new one.
    """

    class Outcome(models.TextChoices):
        """How the judge's text could be read; only exact and repaired ones count."""

        EXACT = "exact", _("exact")
        REPAIRED = "repaired", _("repaired")
        AMBIGUOUS = "ambiguous", _("ambiguous")
        OUT_OF_RANGE = "out_of_range", _("out of range")
        UNPARSABLE = "unparsable", _("unparsable")
        EMPTY = "empty", _("empty")
        API_ERROR = "api_error", _("API error")

    class Verdict(models.TextChoices):
        """Who answered better: the answer, its opponent or neither."""

        ANSWER = "answer", _("the answer")
        OPPONENT = "opponent", _("its opponent")
        TIE = "tie", _("tie")

    key = models.CharField(_("key"), max_length=64, unique=True, validators=[validate_key])
    answer = models.ForeignKey(
        Answer, on_delete=models.PROTECT, related_name="judgments", verbose_name=_("answer")
    )
    opponent = models.ForeignKey(
        Answer,
        on_delete=models.PROTECT,
        related_name="judgments_as_opponent",
        null=True,
        blank=True,
        verbose_name=_("opponent"),
    )
    is_answer_first = models.BooleanField(
        _("answer first"), default=True, help_text=_("Which of the two the judge read first.")
    )
    turn = models.PositiveSmallIntegerField(_("turn"), help_text=_("Counted from 1."))
    judge = models.CharField(_("judge"), max_length=128)
    prompt_name = models.SlugField(_("prompt"), max_length=64)
    user_text = models.TextField(_("what the judge was asked"))
    text = models.TextField(_("what the judge said"), blank=True)
    outcome = models.CharField(_("outcome"), max_length=12, choices=Outcome)
    score = models.FloatField(_("score"), null=True, blank=True)
    verdict = models.CharField(_("verdict"), max_length=8, choices=Verdict, blank=True)
    prompt_tokens = models.PositiveIntegerField(_("prompt tokens"), null=True, blank=True)
    completion_tokens = models.PositiveIntegerField(_("completion tokens"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    class Meta:
        """A score for one answer, a verdict for two, neither where the text gives none."""

        verbose_name = _("judgment")
        verbose_name_plural = _("judgments")
        ordering = ["answer", "turn", "pk"]
        constraints = [
            models.CheckConstraint(condition=Q(turn__gte=1), name="judgment_turn_from_one"),
            models.CheckConstraint(
                condition=Q(score__isnull=True)
                | Q(score__gte=LOWEST_SCORE, score__lte=HIGHEST_SCORE, opponent__isnull=True),
                name="judgment_score_in_range",
            ),
            models.CheckConstraint(
                condition=Q(verdict="") | Q(opponent__isnull=False),
                name="judgment_verdict_needs_opponent",
            ),
            models.CheckConstraint(
                condition=Q(opponent__isnull=True) | ~Q(opponent=F("answer")),
                name="judgment_of_two_answers",
            ),
            models.CheckConstraint(
                condition=Q(outcome__in=["exact", "repaired", "ambiguous"])
                | Q(score__isnull=True, verdict=""),
                name="judgment_unread_says_nothing",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.judge}: {self.answer} ({self.outcome})"
