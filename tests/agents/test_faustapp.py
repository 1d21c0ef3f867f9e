"""Where Faust is made to do otherwise than it does: nothing that was read is thrown away unseen."""

import pytest

from agents.faustapp import FaustApp, faust_options
from agents.settings import load_settings


@pytest.fixture
def app() -> FaustApp:
    """An app as a worker has it, which never meets a broker."""
    settings = load_settings(None, {"UNDERCURRENT_BROKERS": "127.0.0.1:9", "UNDERCURRENT_APP_ID": "flow"})
    return FaustApp("flow", **faust_options(settings))


async def test_what_is_read_between_two_resumptions_reaches_its_agent(app: FaustApp) -> None:
    """Faust resumes the flow before it reads on from the committed offset, and once more behind that."""
    waiting = app.FlowControlQueue(maxsize=8, clear_on_resume=True)
    app.flow_control.resume()
    await waiting.put("the first record after a recovery")
    app.flow_control.resume()
    assert waiting.qsize() == 1


async def test_what_was_read_before_a_rebalance_is_forgotten(app: FaustApp) -> None:
    """It comes again, to whoever has its partition then."""
    waiting = app.FlowControlQueue(maxsize=8, clear_on_resume=True)
    app.flow_control.resume()
    await waiting.put("somebody else's by now")
    app.flow_control.suspend()
    app.flow_control.resume()
    assert waiting.empty()


async def test_the_queues_of_agents_and_of_recovering_tables_are_those(app: FaustApp) -> None:
    """The two ways in which records reach this program from Faust."""
    channel = app.topic("somewhere").clone(is_iterator=True)
    for queue in (channel.queue, app.tables.changelog_queue):
        app.flow_control.resume()
        queue.put_nowait("read")
        app.flow_control.resume()
        assert queue.qsize() == 1
