"""Non-negative least squares: costs that cannot be below zero, from sums of them.

Minimises |A x - b| over x >= 0 by sequential coordinate-wise descent on the normal equations (Franc,
Hlaváč and Navara, "Sequential Coordinate-Wise Algorithm for the Non-negative Least Squares Problem",
CAIP 2005; the problem is that of Lawson and Hanson, "Solving Least Squares Problems", 1974, ch. 23). It
is slow for thousands of unknowns and exact enough for the dozen there are here.
"""

import math
from collections.abc import Sequence

SWEEPS_MAX = 20_000
TOLERANCE = 1e-9


def nnls(rows: Sequence[Sequence[float]], targets: Sequence[float]) -> list[float]:
    """Return x >= 0 that minimises the sum over rows of (row · x - target)².

    A column that is zero throughout gets zero. Columns are scaled to length one, so that units do not
    matter to how fast it converges.
    """
    count = len(rows[0]) if rows else 0
    lengths = [math.sqrt(math.fsum(row[i] * row[i] for row in rows)) for i in range(count)]
    used = [i for i in range(count) if lengths[i] > 0]
    scaled = [[row[i] / lengths[i] for i in used] for row in rows]
    columns = list(zip(*scaled, strict=True))
    gram = [[_product(one, other) for other in columns] for one in columns]
    found = _descend(gram, [_product(column, targets) for column in columns])
    answer = [0.0] * count
    for at, i in enumerate(used):
        answer[i] = found[at] / lengths[i]
    return answer


def _product(one: Sequence[float], other: Sequence[float]) -> float:
    return math.fsum(a * b for a, b in zip(one, other, strict=True))


def _descend(gram: list[list[float]], wanted: list[float]) -> list[float]:
    """Minimise x·G·x/2 - w·x over x >= 0, one coordinate after the other; G has ones on its diagonal."""
    x = [0.0] * len(wanted)
    gradient = [-value for value in wanted]
    scale = max((abs(value) for value in wanted), default=0.0)
    for _ in range(SWEEPS_MAX):
        moved = 0.0
        for i in range(len(x)):
            step = max(0.0, x[i] - gradient[i]) - x[i]
            if step:
                x[i] += step
                moved = max(moved, abs(step))
                gradient = [value + step * across for value, across in zip(gradient, gram[i], strict=True)]
        if moved <= TOLERANCE * scale:
            break
    return x
