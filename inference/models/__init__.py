"""What is stored about models: their cards, endpoints elsewhere, the keys of callers."""

from inference.models.api_key import KEY_HASH_HEX_DIGITS, ApiKey, BudgetPeriod
from inference.models.api_usage import ApiUsage
from inference.models.endpoint import DEFAULT_SLOTS, Endpoint, validate_endpoint_address
from inference.models.language_model import (
    NAME_MAX_CHARS,
    NAME_PATTERN,
    LanguageModel,
    validate_model_name,
)

__all__ = [
    "DEFAULT_SLOTS",
    "KEY_HASH_HEX_DIGITS",
    "NAME_MAX_CHARS",
    "NAME_PATTERN",
    "ApiKey",
    "ApiUsage",
    "BudgetPeriod",
    "Endpoint",
    "LanguageModel",
    "validate_endpoint_address",
    "validate_model_name",
]
