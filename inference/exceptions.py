"""What can go wrong when a model is asked.

    InferenceError
    ├── InvalidRequestError            the request itself is wrong
    │   ├── ContextLengthExceededError
    │   └── UnsatisfiableGrammarError
    ├── InvalidFamilyError             a file of template families is wrong
    ├── ModelNotFoundError             nobody knows this model
    ├── ModelUnavailableError          known, but no worker serves it now
    ├── ModelLoadError                 its files cannot be used, or the device cannot take it
    ├── ConversionError                weights cannot be turned into other ones
    ├── QueueFullError                 served, but too many wait
    ├── EngineLostError                a process or device of the engine is gone; restart it
    ├── BusUnavailableError            Redis or the broker does not answer
    ├── RequestExpiredError            the answer's log is gone (or never was)
    └── GenerationFailedError          the answer began and broke; the code says how
        └── ProviderError              a server elsewhere refused, failed or broke off

`code` is stable and goes to programs; the message goes to people.
"""


class InferenceError(Exception):
    """Anything that keeps a model from answering."""

    code = "inference_error"


class InvalidRequestError(InferenceError):
    """The request can never succeed as it is."""

    code = "invalid_request"

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class ContextLengthExceededError(InvalidRequestError):
    """The prompt does not fit into the model's window."""

    code = "context_length_exceeded"

    def __init__(self, *, prompt_tokens: int, limit_tokens: int) -> None:
        super().__init__(
            f"the prompt has {prompt_tokens} tokens, the model takes {limit_tokens}",
            param="messages",
        )
        self.prompt_tokens = prompt_tokens
        self.limit_tokens = limit_tokens


class UnsatisfiableGrammarError(InvalidRequestError):
    """No token, or no text at all, fits the grammar the answer must follow."""

    code = "grammar_error"


class InvalidFamilyError(InferenceError):
    """A file of template families cannot be used as it is."""

    code = "invalid_family"

    def __init__(self, path: object, reason: str) -> None:
        super().__init__(f"{path} {reason}")


class ModelNotFoundError(InferenceError):
    """No model is registered or served under this name."""

    code = "model_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(f"the model {name!r} does not exist")
        self.name = name


class ModelUnavailableError(InferenceError):
    """The model is known, but nothing serves it at the moment."""

    code = "no_worker"

    def __init__(self, name: str) -> None:
        super().__init__(f"the model {name!r} has no worker at the moment")
        self.name = name


class ModelLoadError(InferenceError):
    """A model cannot be loaded; the message says what to do."""

    code = "model_load_failed"


class ConversionError(InferenceError):
    """Weights cannot be merged, subtracted or cast as asked; the message says what to do."""

    code = "conversion_failed"


class QueueFullError(InferenceError):
    """Too many requests wait for this model already."""

    code = "queue_full"

    def __init__(self, name: str, *, retry_after_s: int) -> None:
        super().__init__(f"the model {name!r} is busy; try again in {retry_after_s} s")
        self.name = name
        self.retry_after_s = retry_after_s


class EngineLostError(InferenceError):
    """The engine lost something it computes with; only a new start helps."""

    code = "engine_lost"


class BusUnavailableError(InferenceError):
    """Redis or the broker does not answer in time."""

    code = "bus_unavailable"


class RequestExpiredError(InferenceError):
    """Nothing is known (any more) about this answer."""

    code = "request_expired"

    def __init__(self, request_id: str) -> None:
        super().__init__(f"nothing is known about the request {request_id!r} any more")
        self.request_id = request_id


class GenerationFailedError(InferenceError):
    """The answer began and could not be finished."""

    def __init__(self, *, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ProviderError(GenerationFailedError):
    """A server elsewhere did not give the answer.

    The message goes to visitors: it names neither addresses nor keys.

    Attributes:
        retry_after_s: when the server wants to be asked again, where it says so.
        detail: what only the log should hold.
    """

    def __init__(
        self, code: str, message: str, *, retry_after_s: float | None = None, detail: str = ""
    ) -> None:
        super().__init__(code=code, message=message)
        self.retry_after_s = retry_after_s
        self.detail = detail
