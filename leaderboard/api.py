"""The leaderboard for programs: `/api/leaderboard/` as JSON or CSV."""

import csv
import io
from collections.abc import Mapping
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from leaderboard.categories import Board
from leaderboard.exceptions import UnknownBoardError
from leaderboard.selectors import board_as_data, board_named, parse_board

CSV_COLUMNS = (
    "model",
    "rating",
    "lower",
    "upper",
    "best_rank",
    "worst_rank",
    "votes",
    "standing",
    "organisation",
    "licence",
)


class LineSerializer(serializers.Serializer[Any]):
    """One model on a board; an open end of its interval is null."""

    model = serializers.CharField()
    rating = serializers.FloatField()
    lower = serializers.FloatField(allow_null=True)
    upper = serializers.FloatField(allow_null=True)
    rank = serializers.ListField(child=serializers.IntegerField(), min_length=2, max_length=2)
    votes = serializers.IntegerField()
    standing = serializers.ChoiceField(choices=["rated", "above", "below", "apart"])
    organisation = serializers.CharField(allow_blank=True)
    licence = serializers.CharField(allow_blank=True)


class BoardSerializer(serializers.Serializer[Any]):
    """A board, best model first."""

    board = serializers.ChoiceField(choices=[board.value for board in Board])
    models = LineSerializer(many=True)


class UnknownBoardSerializer(serializers.Serializer[Any]):
    """What is said of a board or a format that does not exist."""

    detail = serializers.CharField()


class CSVRenderer(BaseRenderer):
    """Writes a board as CSV, one line a model."""

    media_type = "text/csv"
    format = "csv"
    charset = "utf-8"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,  # noqa: ARG002 - the signature is DRF's
        renderer_context: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> str:
        """Return the lines of `data`; an error has its one sentence."""
        output = io.StringIO()
        writer = csv.DictWriter(output, CSV_COLUMNS, extrasaction="ignore")
        if "models" not in data:
            return f"{data.get('detail', '')}\n"
        writer.writeheader()
        for line in data["models"]:
            best, worst = line["rank"]
            writer.writerow({**line, "best_rank": best, "worst_rank": worst})
        return output.getvalue()


class LeaderboardView(APIView):
    """The ratings of a board as they stand now."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    renderer_classes = (JSONRenderer, CSVRenderer)

    @extend_schema(
        parameters=[
            OpenApiParameter("board", enum=[board.value for board in Board], default="overall"),
            OpenApiParameter("format", enum=["json", "csv"], default="json"),
        ],
        responses={
            (200, "application/json"): BoardSerializer,
            (200, "text/csv"): OpenApiTypes.STR,
            (404, "application/json"): UnknownBoardSerializer,
            (404, "text/csv"): OpenApiTypes.STR,
        },
    )
    def get(self, request: Request) -> Response:
        """Return a board: ratings, 95% intervals, rank intervals and votes."""
        try:
            board = parse_board(request.query_params.get("board", Board.OVERALL))
        except UnknownBoardError as error:
            raise NotFound(str(error)) from error
        return Response(board_as_data(board_named(board)))
