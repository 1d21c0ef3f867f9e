"""Several deployments out of one recording: the same trouble at once, under names of their own."""

from dataclasses import replace

from agents.recordings.recording import Recording

DOMAINS = ("north", "south", "west")
"""Three domains that live in three of eight partitions."""

RULES = "[" + ", ".join(f'{{"domain": "{one}", "match": {{"pod": "{one}-*"}}}}' for one in DOMAINS) + "]"
"""The setting that tells them apart."""


def crowd(recording: Recording) -> Recording:
    """`recording` once for each domain."""
    entries = tuple(
        replace(entry, instance=f"{domain}-{entry.instance}")
        for entry in recording.entries
        for domain in DOMAINS
    )
    instances = tuple(f"{domain}-{one}" for domain in DOMAINS for one in recording.instances)
    return Recording(recording.name, instances, entries, recording.notes)
