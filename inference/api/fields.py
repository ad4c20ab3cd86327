"""Serializer fields that take JSON at its word: "0.5" is no number, 1 is not true."""

from typing import Any

from django.core.validators import ProhibitNullCharactersValidator
from rest_framework import serializers
from rest_framework.validators import ProhibitSurrogateCharactersValidator

from inference.api.limits import RANGES, Range


class NumberField(serializers.FloatField):
    """A finite JSON number within the range its name has in the table of limits."""

    def __init__(self, range_name: str, **kwargs: Any) -> None:
        limits = RANGES[range_name]
        kwargs.setdefault("required", False)
        kwargs.setdefault("allow_null", True)
        super().__init__(min_value=limits.lowest, max_value=limits.highest, **kwargs)
        self.limits = limits

    def to_internal_value(self, data: Any) -> float:
        """Return the number; infinities and NaN lie in no range."""
        if isinstance(data, bool) or not isinstance(data, int | float):
            raise serializers.ValidationError("This must be a number.", code="invalid_type")
        return float(_within(data, self.limits))


class WholeNumberField(serializers.IntegerField):
    """A JSON integer within the range its name has in the table of limits."""

    def __init__(self, range_name: str, **kwargs: Any) -> None:
        limits = RANGES[range_name]
        kwargs.setdefault("required", False)
        kwargs.setdefault("allow_null", True)
        super().__init__(min_value=int(limits.lowest), max_value=int(limits.highest), **kwargs)
        self.limits = limits

    def to_internal_value(self, data: Any) -> int:
        """Return the number; 2.0 is not an integer here, as in OpenAI's API."""
        if isinstance(data, bool) or not isinstance(data, int):
            raise serializers.ValidationError("This must be an integer.", code="invalid_type")
        return int(_within(data, self.limits))


class FlagField(serializers.BooleanField):
    """A JSON true or false."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("required", False)
        kwargs.setdefault("allow_null", True)
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> bool:
        """Return the flag."""
        if not isinstance(data, bool):
            raise serializers.ValidationError("This must be true or false.", code="invalid_type")
        return data


class TextField(serializers.CharField):
    """A JSON string, kept as it is: blanks at its ends are part of it."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("trim_whitespace", False)
        super().__init__(**kwargs)
        # Django's own look at every character in Python, 60 ms for a prompt of 2 MB.
        slow = (ProhibitNullCharactersValidator, ProhibitSurrogateCharactersValidator)
        self.validators = [check for check in self.validators if not isinstance(check, slow)]

    def to_internal_value(self, data: Any) -> str:
        """Return the text."""
        if not isinstance(data, str):
            raise serializers.ValidationError("This must be a string.", code="invalid_type")
        if "\x00" in data or not _is_unicode(data):
            raise serializers.ValidationError(
                "This has a null character or half a surrogate pair.", code="invalid_text"
            )
        return data


class RawField(serializers.Field[Any, Any, Any, Any]):
    """Whatever came: who makes the order reads it."""

    def to_internal_value(self, data: Any) -> Any:
        """Return it as it is."""
        return data

    def to_representation(self, value: Any) -> Any:
        """Return it as it is."""
        return value


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _within(number: float, limits: Range) -> float:
    # Before any conversion: float(10**400) would overflow, and NaN passes DRF's own comparison.
    if limits.lowest <= number <= limits.highest:
        return number
    raise serializers.ValidationError(
        f"This must be between {limits.lowest:g} and {limits.highest:g}.", code="out_of_range"
    )
