"""What Faust only warns of while it recovers state is acted upon."""

import asyncio
import logging

import pytest
from faust.tables.recovery import RebalanceAgain

from agents.faustapp import RECOVERY_SECONDS, FaustApp, LostStateError, RecoveryWatch, faust_options
from agents.settings import Settings


def watched(app: FaustApp) -> tuple[logging.Logger, list[BaseException]]:
    """A logger that only the watch listens to, and what it has ended the worker for."""
    failures: list[BaseException] = []
    logger = logging.Logger("recovery")
    logger.addHandler(RecoveryWatch(failures.append, app.recover_again))
    return logger, failures


@pytest.fixture
async def app() -> FaustApp:
    return FaustApp("recovery", **faust_options(Settings(brokers="127.0.0.1:1")))


async def test_a_recovery_of_which_nothing_comes_begins_anew(app: FaustApp) -> None:
    """Faust's own wait for the end of a recovery is left by the way a rebalance takes."""
    await app.on_first_start()
    recovery = app.tables.recovery
    assert recovery.event_timeout_secs == RECOVERY_SECONDS
    recovery.in_recovery = True
    waiting = asyncio.ensure_future(recovery._wait(recovery.signal_recovery_end.wait()))
    await asyncio.sleep(0)
    logger, failures = watched(app)
    logger.warning(
        "[^--Recovery]: No event received for active tp %r since recovery start (started 33 s ago)", "t/1"
    )
    with pytest.raises(RebalanceAgain):
        await asyncio.wait_for(waiting, 5)
    assert not failures


async def test_a_late_warning_starts_no_recovery(app: FaustApp) -> None:
    """What is over by then need not begin anew."""
    logger, _ = watched(app)
    logger.warning("[^--Recovery]: No event received for active tp %r in the last 10 seconds", "t/1")
    assert not app.tables.recovery.signal_recovery_start.is_set()


async def test_a_state_record_that_cannot_be_read_ends_the_worker(app: FaustApp) -> None:
    """Faust would go on without it."""
    logger, failures = watched(app)
    logger.warning("Error in recovery: %r", ValueError("no state"))
    assert [type(one) for one in failures] == [LostStateError]
