"""Questions, answers and judgments, to search and read."""

from django.contrib import admin
from django.http import HttpRequest

from judge.models import Answer, Judgment, Question


@admin.register(Question)
class QuestionAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # no generics at run time
    """The questions of all benches."""

    list_display = ("bench", "number", "category")
    list_filter = ("bench", "category")
    search_fields = ("number", "turns")


class RecordAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # no generics at run time
    """What a run has written: people look, runs write."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse."""
        del request
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Refuse."""
        del request, obj
        return False


@admin.register(Answer)
class AnswerAdmin(RecordAdmin):
    """What models answered."""

    list_display = ("question", "model", "choice", "created_at")
    list_filter = ("question__bench", "question__category")
    list_select_related = ("question", "model")
    search_fields = ("model__name", "turns")


@admin.register(Judgment)
class JudgmentAdmin(RecordAdmin):
    """What judges said."""

    list_display = ("answer", "opponent", "turn", "judge", "outcome", "score", "verdict")
    list_filter = ("outcome", "judge", "turn")
    list_select_related = (
        "answer__question",
        "answer__model",
        "opponent__question",
        "opponent__model",
    )
    search_fields = ("key", "judge", "text", "answer__model__name")
