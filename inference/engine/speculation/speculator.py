"""The speculator: who gets a draft in the next step, and what is left of it afterwards."""

from collections.abc import Sequence as Items
from itertools import accumulate

from torch import Tensor

from inference.engine.sampler import NO_SCORES, Sampled, Sampler
from inference.engine.sampling_state import SamplingState
from inference.engine.sequence import Sequence
from inference.engine.speculation.acceptance import accept_drawn, keep_equal
from inference.engine.speculation.pace import Pace
from inference.engine.speculation.proposer import Draft, DraftRequest, Proposer
from inference.engine.truncation import Truncation


class Speculator:
    """Lets sequences run ahead on guesses and keeps what the model would have said itself.

    A greedy request, one with a seed and one whose guesses are copied from its text get the very
    tokens they would get alone. A sampled request without a seed may have its guesses drawn by
    the proposer, of which more are accepted; its tokens follow the same distribution. A request
    whose scores are edited (penalties, biases, constraints) runs without drafts, as each of its
    tokens may change the scores of the next.

    Args:
        proposer: where guesses come from.
        sampler: chooses the model's own tokens.
        most_tokens: longest draft.

    Attributes:
        drafted_tokens: guesses checked so far.
        accepted_tokens: how many of them were right.
    """

    def __init__(self, proposer: Proposer, sampler: Sampler, *, most_tokens: int) -> None:
        self._proposer = proposer
        self._sampler = sampler
        self._most_tokens = most_tokens
        self._paces: dict[Sequence, Pace] = {}
        self._drafts: dict[Sequence, Draft] = {}
        self.drafted_tokens = 0
        self.accepted_tokens = 0

    def plan(self, candidates: Items[tuple[Sequence, SamplingState]], *, room: int) -> None:
        """Give sequences that decode their drafts.

        Args:
            candidates: sequences whose last token alone is unread, and how they are sampled.
            room: tokens that the next step has left for all drafts together.
        """
        self._drafts.clear()
        requests = self._requests(candidates, room)
        if not requests:
            return
        for request, draft in zip(requests, self._proposer.propose(requests), strict=True):
            request.sequence.draft[:] = draft.tokens
            self._drafts[request.sequence] = draft

    def choose(
        self, logits: Tensor, pairs: Items[tuple[Sequence, SamplingState]]
    ) -> list[list[Sampled]]:
        """Choose the next tokens of every sequence and take its draft away.

        Args:
            logits: the scores after each sequence's last token and after those of its draft, one
                sequence after the other, [sum of (1 + len(draft)), V].
            pairs: the sequences, and how they are sampled.

        Returns:
            For each sequence at least one result: the accepted guesses and the one after them.
            Only the last may be a failure.
        """
        counts = [1 + len(sequence.draft) for sequence, _ in pairs]
        firsts = list(accumulate(counts, initial=0))
        rows_of = [list(range(firsts[at], firsts[at] + count)) for at, count in enumerate(counts)]
        drawn = [at for at, (sequence, _) in enumerate(pairs) if self._is_drawn(sequence)]
        others = sorted(set(range(len(pairs))) - set(drawn))
        tokens: dict[int, list[Sampled]] = {}
        for choose, group in ((self._choose_drawn, drawn), (self._choose_equal, others)):
            if group:
                rows = logits[[row for at in group for row in rows_of[at]]]
                tokens.update(zip(group, choose(rows, [pairs[at] for at in group]), strict=True))
        for at, (sequence, _) in enumerate(pairs):
            self._learn(sequence, accepted=len(tokens[at]) - 1)
        return [tokens[at] for at in range(len(pairs))]

    def forget(self, sequence: Sequence) -> None:
        """Drop what was kept for a sequence that ended."""
        self._paces.pop(sequence, None)
        self._drafts.pop(sequence, None)
        self._proposer.forget(sequence)

    def _requests(
        self, candidates: Items[tuple[Sequence, SamplingState]], room: int
    ) -> list[DraftRequest]:
        """Say how far each sequence may be guessed ahead; the room is shared evenly."""
        requests = []
        able = [
            (sequence, sampling)
            for sequence, sampling in candidates
            # The end of a prompt may be scored for several answers, which share no draft.
            if sequence.completion_tokens and not sampling.is_edited
        ]
        for sequence, sampling in able:
            pace = self._paces.setdefault(sequence, Pace(self._most_tokens))
            # One token follows the draft and must still fit.
            left = sequence.max_tokens - sequence.completion_tokens - 1
            limit = min(pace.next_length(), left, room // len(able))
            if limit > 0:
                requests.append(DraftRequest(sequence, sampling, limit, may_be_drawn(sampling)))
        return requests

    def _is_drawn(self, sequence: Sequence) -> bool:
        """Whether the sequence has a draft and the distributions it came from."""
        draft = self._drafts.get(sequence)
        return bool(sequence.draft) and draft is not None and draft.probabilities is not None

    def _choose_drawn(
        self, logits: Tensor, pairs: Items[tuple[Sequence, SamplingState]]
    ) -> list[list[Sampled]]:
        """Accept by rejection sampling."""
        counts = [1 + len(sequence.draft) for sequence, _ in pairs]
        params = [
            state.params
            for (_, state), count in zip(pairs, counts, strict=True)
            for _ in range(count)
        ]
        truncation = Truncation(params, device=logits.device, vocabulary=logits.shape[-1])
        chosen = accept_drawn(
            truncation.probabilities(logits.float()),
            [self._checked_draft(sequence) for sequence, _ in pairs],
            [
                [state.rng.random() for _ in range(count)]
                for (_, state), count in zip(pairs, counts, strict=True)
            ],
        )
        return [
            [Sampled(failure=NO_SCORES) if token is None else Sampled(token) for token in tokens]
            for tokens in chosen
        ]

    def _checked_draft(self, sequence: Sequence) -> Draft:
        """Return the part of the draft that the step had room for."""
        weights = self._drafts[sequence].probabilities
        assert weights is not None
        return Draft(list(sequence.draft), weights[: len(sequence.draft)])

    def _choose_equal(
        self, logits: Tensor, pairs: Items[tuple[Sequence, SamplingState]]
    ) -> list[list[Sampled]]:
        """Let the model choose everywhere and keep what the drafts foresaw."""
        states = [state for sequence, state in pairs for _ in range(1 + len(sequence.draft))]
        before = {
            sequence: state.rng.getstate()
            for sequence, state in pairs
            if sequence.draft and not state.params.is_greedy
        }
        results = iter(self._sampler.sample(logits, states))
        chosen = []
        for sequence, state in pairs:
            own = [next(results) for _ in range(1 + len(sequence.draft))]
            kept = keep_equal(sequence.draft, [result.token for result in own])
            chosen.append(own[: len(kept)])
            if sequence in before and len(kept) < len(own):
                # A number a token: the answer to a seed does not tell of drafts.
                state.rng.setstate(before[sequence])
                for _ in kept:
                    state.rng.random()
        return chosen

    def _learn(self, sequence: Sequence, *, accepted: int) -> None:
        """Count a checked draft and take it away."""
        drafted = len(sequence.draft)
        if drafted:
            self._paces[sequence].learn(drafted=drafted, accepted=accepted)
            self.drafted_tokens += drafted
            self.accepted_tokens += accepted
            sequence.draft.clear()


def may_be_drawn(sampling: SamplingState) -> bool:
    """Whether another answer of the same distribution will do: no seed, no log-probabilities."""
    params = sampling.params
    return not params.is_greedy and params.seed is None and sampling.logprobs is None
