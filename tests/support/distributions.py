"""How well counted outcomes fit an exact distribution."""

from collections.abc import Hashable, Mapping

from scipy.stats import chisquare

FEWEST_EXPECTED = 5.0
"""The chi-square test wants so many expected in every cell; rarer outcomes share one."""


def misfit(seen: Mapping[Hashable, int], exact: Mapping[Hashable, float]) -> float:
    """Return the chi-square p-value of outcomes; near 0 they are of another distribution.

    Args:
        seen: how often each outcome came.
        exact: its probability; outcomes not named here are impossible, and one of them gives 0.
    """
    total = sum(seen.values())
    if any(not exact.get(outcome) for outcome in seen):
        return 0.0
    likely = [outcome for outcome, mass in exact.items() if mass * total >= FEWEST_EXPECTED]
    observed = [float(seen.get(outcome, 0)) for outcome in likely]
    predicted = [exact[outcome] * total for outcome in likely]
    if total - sum(predicted) > 1e-3 * total:
        observed.append(total - sum(observed))
        predicted.append(total - sum(predicted))
    assert len(observed) > 3, "too few outcomes to tell distributions apart"
    factor = sum(observed) / sum(predicted)
    return float(chisquare(observed, [count * factor for count in predicted]).pvalue)
