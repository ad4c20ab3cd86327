"""Between the bus and an engine: what a claimed request asks of it, what its steps mean outside."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from inference.bus.events import Claim
from inference.bus.outbox import Output
from inference.exceptions import InvalidRequestError
from inference.generation import FinishReason, GenerationRequest, SamplingParams, TokenScore, Usage
from inference.messages import Message, Role
from inference.requests import EmbeddingRequest, TokensRequest
from inference.worker.engine_protocol import Engine, StepOutput
from inference.worker.vector_jobs import VectorJobs

UNSERVED = ("n", "best_of")
"""Several answers are several requests here; these parameters must have their defaults."""


def check_carried(params: SamplingParams) -> None:
    """Accept parameters whose whole result can travel over the bus.

    Raises:
        InvalidRequestError: one asks for more than one answer.
    """
    default = SamplingParams()
    for name in UNSERVED:
        if getattr(params, name) != getattr(default, name):
            raise InvalidRequestError(f"{name} is not served over the bus", param=name)


@dataclass(slots=True)
class Ticket:
    """What is remembered of an answer under way.

    Attributes:
        prefix_tokens: tokens that an earlier worker sent.
        prompt_scores: how likely the prompt's tokens were, as plain data.
    """

    prefix_tokens: int = 0
    prompt_scores: list[Any] | None = None


class RequestDesk:
    """Gives requests to an engine and translates its outputs.

    Args:
        engine: the engine; `output` is called from its thread, the rest from any.
        adapters: the engine's adapters by the names they answer to.
    """

    def __init__(self, engine: Engine, adapters: Mapping[str, str]) -> None:
        self._engine = engine
        self._adapters = adapters
        self._vectors = VectorJobs(engine, adapters)
        self._tickets: dict[str, Ticket] = {}

    def take(self, claim: Claim) -> Output | None:
        """Begin a claimed request; return its end where there is nothing to compute.

        Raises:
            InferenceError: it cannot be begun.
        """
        request = claim.request
        match request:
            case GenerationRequest():
                return self._answer(request, claim.prefix)
            case EmbeddingRequest():
                self._vectors.begin(request)
                return None
            case TokensRequest():
                return self._tokens(request)

    def cancel(self, request_id: str) -> None:
        """Have the engine end a request."""
        self._vectors.cancel(request_id)
        self._engine.cancel(request_id)

    def forget(self, request_id: str) -> None:
        """Drop what is remembered of a request that ended elsewhere."""
        self._tickets.pop(request_id, None)
        self._vectors.cancel(request_id)

    def _answer(self, request: GenerationRequest, prefix: tuple[str, ...]) -> Output | None:
        """Have a conversation answered; after a lost worker, from the text it had sent."""
        params = request.params
        check_carried(params)
        if prefix:
            if params.max_tokens is not None and len(prefix) >= params.max_tokens:
                return Output(request.request_id, finish_reason=FinishReason.LENGTH)
            params = _rest_of(params, len(prefix))
        said, adapter = "".join(prefix), self._adapters.get(request.model, "")
        constraint = None
        if params.grammar is not None:
            constraint = self._engine.compile(params.grammar, said=said, adapter=adapter)
        messages, text, tokens = self._subject(request, said)
        self._tickets[request.request_id] = Ticket(prefix_tokens=len(prefix))
        self._engine.submit(
            request.request_id,
            messages=messages,
            prompt=text,
            prompt_token_ids=tokens,
            params=params,
            constraint=constraint,
            adapter=adapter,
            tools=request.tools,
            template_options=request.template_options,
        )
        return None

    def _subject(
        self, request: GenerationRequest, said: str
    ) -> tuple[list[Message] | None, str | None, list[int] | None]:
        """Return what is answered or continued: messages, a text, or tokens."""
        prompt = request.prompt
        if prompt is None:
            begun = [Message(Role.ASSISTANT, said)] if said else []
            return [*request.messages, *begun], None, None
        if said and request.params.echo:  # it began with the prompt
            return None, said, None
        if isinstance(prompt, str):
            return None, prompt + said, None
        return None, None, [*prompt, *(self._engine.tokens.encode(said) if said else ())]

    def _tokens(self, request: TokensRequest) -> Output:
        """Return the tokens of a text or a conversation, or the text of tokens."""
        tokens = self._engine.tokens
        if request.messages:
            adapter = self._adapters.get(request.model, "")
            ids = self._engine.prompt_tokens(request.messages, adapter=adapter)
        elif request.text is not None:
            ids = tokens.encode(request.text, is_dressed=request.adds_special_tokens)
        else:
            ids = list(request.tokens)
        result = {
            "tokens": ids,
            "text": tokens.decode(ids),
            "texts": [tokens.texts.written(token)[0] for token in ids],
            "context_length": self._engine.context_length,
        }
        usage = Usage(len(ids), 0)
        return Output(
            request.request_id, finish_reason=FinishReason.STOP, usage=usage, result=result
        )

    def output(self, step: StepOutput) -> Output | None:
        """Return what a step did to a request, for its readers; None where that is nothing yet."""
        if self._vectors.owns(step):
            return self._vectors.output(step)
        ticket = self._tickets.get(step.request_id) or Ticket()
        if step.prompt_logprobs is not None:
            score = self._engine.tokens.texts.score
            ticket.prompt_scores = [
                entry and score(entry).as_list() for entry in step.prompt_logprobs
            ]
        # An answer that was cancelled or broke ends without a token.
        pieces = () if step.token is None else (step.piece,)
        scored: tuple[TokenScore, ...] = ()
        if step.logprobs is not None and pieces:
            scored = (self._engine.tokens.texts.score(step.logprobs),)
        if step.finish_reason is None:
            return Output(step.request_id, (step.piece,), scores=scored)
        self._tickets.pop(step.request_id, None)
        result = None
        if ticket.prompt_scores is not None:
            result = {"prompt_scores": ticket.prompt_scores}
        return Output(
            step.request_id,
            pieces,
            step.finish_reason,
            _whole_usage(step.usage, ticket.prefix_tokens),
            step.failure,
            scored,
            result,
        )


def _rest_of(params: SamplingParams, said_tokens: int) -> SamplingParams:
    """Return the parameters of an answer of which so many tokens were sent."""
    left = None if params.max_tokens is None else params.max_tokens - said_tokens
    return replace(
        params, max_tokens=left, min_tokens=max(0, params.min_tokens - said_tokens), echo=False
    )


def _whole_usage(usage: Usage | None, prefix_tokens: int) -> Usage | None:
    """Count the tokens of an earlier worker to the answer, no longer to the prompt."""
    if usage is None or not prefix_tokens:
        return usage
    return replace(
        usage,
        prompt_tokens=max(0, usage.prompt_tokens - prefix_tokens),
        completion_tokens=usage.completion_tokens + prefix_tokens,
    )
