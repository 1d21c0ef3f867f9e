"""A recording as its records lie on the raw topics, for tests that need real input without Kafka."""

from agents.recordings.envelopes import fluent_bit
from agents.recordings.recording import Recording
from agents.recordings.ship import Shipment
from agents.settings import Settings
from pipeline.replay import Arrival


def shipped(recording: Recording, settings: Settings, *, markers: bool = True) -> list[Arrival]:
    """What shipping `recording` to fresh topics writes, split lines included."""
    partitions = dict.fromkeys(settings.topics.raw, settings.topics.raw_partitions)
    shipment = Shipment(recording, fluent_bit, split=True, with_markers=markers)
    return shipment.arrivals(settings.topics, partitions, settings.rules)
