"""The definitions, word for word: loops and fractions, no cleverness, nothing from facebench."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

from hypothesis import strategies as st

INF = math.inf


# --- definitions -------------------------------------------------------------------------------


def accepts(score: float, threshold: float) -> bool:
    return score != -INF and score >= threshold


def candidates(training: list[float]) -> list[float]:
    """Ascending: below the lowest, midpoints of neighbouring distinct scores, above the highest."""
    distinct = sorted({s for s in training if s != -INF})
    out = [math.nextafter(distinct[0], -INF)]
    for low, high in pairwise(distinct):
        middle = float((Fraction(low) + Fraction(high)) / 2)
        out.append(high if middle <= low else middle)
    out.append(math.nextafter(distinct[-1], INF))
    return out


def k_fold(scores, mated, folds):
    """(thresholds, per fold accuracies, decisions), or None where no threshold can be learned."""
    rows = list(zip(scores, mated, folds, strict=True))
    labels = sorted(set(folds))
    decisions = [False] * len(rows)
    thresholds, accuracies = [], []
    for label in labels:
        training = [(s, m) for s, m, f in rows if f != label]
        kinds = {m for _, m in training}
        if kinds != {True, False} or all(s == -INF for s, _ in training):
            return None
        best, tied = -1, []
        for t in candidates([s for s, _ in training]):
            right = sum(accepts(s, t) == m for s, m in training)
            if right > best:
                best, tied = right, [t]
            elif right == best:
                tied.append(t)
        threshold = tied[(len(tied) - 1) // 2]
        thresholds.append(threshold)
        right = total = 0
        for i, (s, m, f) in enumerate(rows):
            if f == label:
                decisions[i] = accepts(s, threshold)
                right += decisions[i] == m
                total += 1
        accuracies.append(right / total)
    return thresholds, accuracies, decisions


def facenet_grid(cosines, mated, folds):
    """The grid rule, in the order that its authors loop."""
    distances = [max(2 - 2 * c, 0.0) for c in cosines]
    rows = list(zip(distances, mated, folds, strict=True))
    out = []
    for label in sorted(set(folds)):
        best, best_t = -1, None
        for i in range(400):
            t = i * 0.01
            right = sum((d < t) == m for d, m, f in rows if f != label)
            if right > best:
                best, best_t = right, t
        test = [(d < best_t) == m for d, m, f in rows if f == label]
        out.append((best_t, sum(test) / len(test)))
    return out


def operating_points(scores, mated):
    """(threshold, false accepts, true accepts) for no accept at all and each distinct score."""
    acquired = sorted({s for s in scores if s != -INF}, reverse=True)
    points = [(math.nextafter(max(scores), INF), 0, 0)]
    for t in acquired:
        taken = [m for s, m in zip(scores, mated, strict=True) if accepts(s, t)]
        points.append((t, taken.count(False), taken.count(True)))
    return points


def auc(scores, mated) -> Fraction:
    wins, pairs = Fraction(0), 0
    for s, m in zip(scores, mated, strict=True):
        for other, other_mated in zip(scores, mated, strict=True):
            if m and not other_mated:
                pairs += 1
                wins += 1 if s > other else Fraction(1, 2) if s == other else 0
    return wins / pairs


def eer(scores, mated) -> Fraction:
    """Walk the polyline and solve FAR = 1 - TAR on the one segment that contains it."""
    n_mated, n_nonmated = list(mated).count(True), list(mated).count(False)
    line = [
        (Fraction(f, n_nonmated), Fraction(t, n_mated))
        for _, f, t in operating_points(scores, mated)
    ]
    line.append((Fraction(1), Fraction(1)))
    for (x0, y0), (x1, y1) in pairwise(line):
        if (x0, y0) == (x1, y1):
            continue
        # x0 + u (x1 - x0) = 1 - y0 - u (y1 - y0)
        u = (1 - y0 - x0) / ((x1 - x0) + (y1 - y0))
        if 0 <= u <= 1:
            return x0 + u * (x1 - x0)
    raise AssertionError("the polyline from (0, 0) to (1, 1) must cross")


def tar_at_far(scores, mated, target):
    """(threshold, false accepts, true accepts) of the last point whose FAR is at most target."""
    n_nonmated = list(mated).count(False)
    best = None
    for point in operating_points(scores, mated):
        if Fraction(point[1], n_nonmated) <= Fraction(str(target)):
            best = point
    return best


def shared_variance(influence, people):
    """Sum of u u' over all ordered pairs of comparisons (also with itself) that share people."""
    sets = [set(pair) for pair in people]
    return math.fsum(
        u * v
        for u, one in zip(influence, sets, strict=True)
        for v, other in zip(influence, sets, strict=True)
        if one & other
    )


def freedom(influence, people, *, by_weight):
    """Degrees of freedom: by the comparisons of each person, and by what each person weighs."""
    number, weight = {}, {}
    for u, pair in zip(influence, people, strict=True):
        for person in set(pair):
            number[person] = number.get(person, 0) + (u != 0)
            weight[person] = weight.get(person, 0.0) + u
    by_number = sum(number.values()) ** 2 / sum(m * m for m in number.values()) - 1
    squares = [w * w for w in weight.values()]
    carried = 2 * sum(squares) ** 2 / sum(s * s for s in squares)
    return max(1.0, min(by_number, carried) if by_weight else by_number)


def carriers(influence, people):
    """How many people of equal weight have the same squared sum of squares over fourth powers."""
    weight = {}
    for u, pair in zip(influence, people, strict=True):
        for person in set(pair):
            weight[person] = weight.get(person, 0.0) + u
    squares = [w * w for w in weight.values()]
    return sum(squares) ** 2 / sum(s * s for s in squares)


# --- cases -------------------------------------------------------------------------------------

HALF_UP = [0.5]
for _ in range(5):
    HALF_UP.append(math.nextafter(HALF_UP[-1], INF))

TIES = [-INF, -2.0, -1.0, 0.0, 1.0, 2.0]
NEIGHBOURS = [-INF, *HALF_UP]
EXTREMES = [-INF, -1.7e308, -5e-324, -0.0, 0.0, 5e-324, 1e-323, 1.5e-323, 1.7e308]
COSINES = [-INF, -1.0, -0.25, 0.0, 0.25, 0.3, 0.70001, 0.70002, 0.745, 0.75, 0.7501, 1.0]

score_lists = st.one_of(
    st.lists(st.sampled_from(TIES), min_size=2, max_size=24),
    st.lists(st.sampled_from(NEIGHBOURS), min_size=2, max_size=16),
    st.lists(st.sampled_from(EXTREMES), min_size=2, max_size=16),
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=16),
)


@st.composite
def comparisons(draw, scores=score_lists):
    """(scores, mated) with both kinds."""
    values = draw(scores)
    n = len(values)
    mated = draw(st.lists(st.booleans(), min_size=n, max_size=n))
    if all(mated) or not any(mated):
        mated[draw(st.integers(0, n - 1))] ^= True
    return values, mated


@st.composite
def folded(draw, scores=score_lists):
    """(scores, mated, folds) with at least two folds, whose labels need not be 0..k-1."""
    values, mated = draw(comparisons(scores))
    n = len(values)
    k = draw(st.integers(2, 4))
    folds = draw(st.lists(st.integers(0, k - 1), min_size=n, max_size=n))
    if len(set(folds)) == 1:
        folds[0] = folds[0] + 1
    return values, mated, [3 * f - 2 for f in folds]


def excludes_zero(found) -> bool:
    """Whether the interval of a difference leaves zero out."""
    return found.interval.low > 0 or found.interval.high < 0
