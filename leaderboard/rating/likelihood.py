"""The Bradley-Terry likelihood of pair counts and the Newton ascent that maximises it."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit

from leaderboard.rating.battles import Floats, Indices, PairCounts

# Newton doubles the exact digits with each step, so after a step this small (in natural log-odds,
# 2e-7 points) nothing visible is left to gain.
LAST_STEP = 1e-9
MOST_STEPS = 200


class NoConvergenceError(ArithmeticError):
    """Newton's method did not settle, which a concave likelihood with a maximum never does."""


@dataclass(frozen=True, slots=True, eq=False)
class PairLikelihood:
    """Log-likelihood of strengths (natural log-odds) given scores of P pairs among M models.

    Attributes:
        size: M.
        first: [P].
        second: [P].
        battles: weight of each pair, [P].
        scores: wins of the first, ties as halves, [P].
        ghost_ties: ties of each model with an imagined opponent of strength 0, [M]; a weak
            prior for models whose own battles do not decide their strength.
    """

    size: int
    first: Indices
    second: Indices
    battles: Floats
    scores: Floats
    ghost_ties: Floats

    @classmethod
    def of(cls, counts: PairCounts, *, ghost_ties: Floats | None = None) -> "PairLikelihood":
        """Return the likelihood of `counts`, a tie of either kind being half a win."""
        size = len(counts.models)
        return cls(
            size=size,
            first=counts.first,
            second=counts.second,
            battles=counts.battles,
            scores=counts.first_scores,
            ghost_ties=np.zeros(size) if ghost_ties is None else ghost_ties,
        )

    def value(self, strengths: Floats) -> float:
        """Return the log-likelihood, at most 0."""
        gap = strengths[self.first] - strengths[self.second]
        # log_sigmoid(-gap) is log_sigmoid(gap) - gap, which saves the second logarithm.
        played = self.battles @ log_sigmoid(gap) - (self.battles - self.scores) @ gap
        ghosts = self.ghost_ties @ (log_sigmoid(strengths) - 0.5 * strengths)
        return float(played + ghosts)

    def gradient(self, strengths: Floats) -> Floats:
        """Return the score function, [M]."""
        surprise = self.scores - self.battles * expit(
            strengths[self.first] - strengths[self.second]
        )
        slope: Floats = self.ghost_ties * (0.5 - expit(strengths))
        slope += np.bincount(self.first, surprise, self.size)
        slope -= np.bincount(self.second, surprise, self.size)
        return slope

    def information(self, strengths: Floats) -> Floats:
        """Return the negative Hessian, [M, M]: a weighted graph Laplacian plus the ghosts."""
        chance = expit(strengths[self.first] - strengths[self.second])
        ghost = expit(strengths)
        matrix = laplacian(self.first, self.second, self.battles * chance * (1 - chance), self.size)
        matrix[np.diag_indices(self.size)] += self.ghost_ties * ghost * (1 - ghost)
        return matrix


def log_sigmoid(values: Floats) -> Floats:
    """Return log(1 / (1 + exp(-values))) without overflow."""
    return -np.logaddexp(0.0, -values)


def laplacian(first: Indices, second: Indices, weights: Floats, size: int) -> Floats:
    """Return sum of w_k x_k x_k^T with x_k = e_first - e_second, [size, size]."""
    off = np.zeros((size, size))
    off[first, second] = weights
    off += off.T
    return np.diag(off.sum(axis=1)) - off


def maximise(likelihood: PairLikelihood, *, start: Floats, free: Indices) -> Floats:
    """Return the strengths of the highest likelihood when only `free` may move.

    Without ghosts and with every model free the likelihood does not change along the all-ones
    direction; the returned strengths then keep the mean of `start`.

    Args:
        likelihood: must have a finite maximum over `free`.
        start: first guess and the values of the others, [M].
        free: indices of the models to fit.

    Raises:
        NoConvergenceError: no maximum was found.
    """
    strengths = start.copy()
    if not len(free):
        return strengths
    value = likelihood.value(strengths)
    for _ in range(MOST_STEPS):
        step = _newton_step(likelihood, strengths, free)
        while True:
            candidate = strengths.copy()
            candidate[free] += step
            reached = likelihood.value(candidate)
            # Close to the top the value is flat up to rounding; a step must not be refused for it.
            if reached >= value - 1e-12 * abs(value):
                break
            step = step / 2
        strengths, value = candidate, reached
        if np.abs(step).max() <= LAST_STEP:
            return strengths
    raise NoConvergenceError(f"no maximum after {MOST_STEPS} Newton steps")


def _newton_step(likelihood: PairLikelihood, strengths: Floats, free: Indices) -> Floats:
    """Return the step of the free strengths; the all-ones direction costs, so it stays unused."""
    matrix = likelihood.information(strengths)
    if len(free) < likelihood.size:
        matrix = matrix[np.ix_(free, free)]
    elif not likelihood.ghost_ties.any():
        matrix += matrix.diagonal().mean() / likelihood.size
    step: Floats = cho_solve(cho_factor(matrix), likelihood.gradient(strengths)[free])
    return step
