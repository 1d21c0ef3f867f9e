"""How long the laws are searched for a counterexample.

The suite looks at the same examples every time, so that a red build is red again on the next machine.
`UNDERCURRENT_LAWS_EXAMPLES=2000 pytest tests/laws` looks at that many new ones per law instead, and
prints how to reproduce what it finds. `UNDERCURRENT_LAWS_HURRY=1` shows a counterexample as it was
found: making it small can take minutes.
"""

import os

from hypothesis import HealthCheck, Phase, settings

WANTED = int(os.environ.get("UNDERCURRENT_LAWS_EXAMPLES", "0"))
HURRY = bool(os.environ.get("UNDERCURRENT_LAWS_HURRY"))


def searched(examples: int) -> settings:
    """Settings for a law that deserves so many examples in the suite."""
    return settings(
        max_examples=WANTED or examples,
        derandomize=not WANTED,
        deadline=None,
        database=None,
        print_blob=True,
        phases=(Phase.generate,) if HURRY else (Phase.generate, Phase.shrink),
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.large_base_example,
        ],
    )
