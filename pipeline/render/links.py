"""Links of an incident: templates from the settings, filled in with what the incident says."""

import string
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from schemas import Incident

FIELDS = ("incident", "domain", "cause", "instance", "since", "until", "since_ms", "until_ms")
"""What a template may name; times are event time in whole unix seconds, or milliseconds."""

LEAD_SECONDS = 300
"""A dashboard is shown from so long before the first symptom to as long after the last change."""


@dataclass(frozen=True, slots=True)
class Link:
    """Where something about the incident is to be found."""

    label: str
    url: str


def filled(template: str, incident: Incident, until: float) -> str:
    """The address that `template` gives for `incident`; every value is percent-encoded.

    Raises:
        ValueError: the template is not one (see `checked`).
    """
    since = int(incident.first_symptom_at) - LEAD_SECONDS
    end = int(until) + LEAD_SECONDS
    instance = incident.instances[0] if incident.instances else ""
    names = (incident.id, incident.domain, str(incident.cause), instance)
    values = (*names, since, end, since * 1000, end * 1000)
    return template.format(
        **{name: quote(str(value), safe="") for name, value in zip(FIELDS, values, strict=True)}
    )


def checked(template: str) -> str:
    """`template` itself, if it is one.

    Raises:
        ValueError: it is no http address, names an unknown field, or holds what would end a link.
    """
    if not template.startswith(("http://", "https://")):
        raise ValueError("a link begins with http:// or https://")
    if any(character in "<>|" or not character.isprintable() or character == " " for character in template):
        raise ValueError("a link holds no spaces and none of < > |")
    names = [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]
    unknown = sorted(set(names) - set(FIELDS))
    if unknown:
        known = ", ".join(f"{{{name}}}" for name in FIELDS)
        raise ValueError(f"unknown field {{{unknown[0]}}} in a link; there are {known}")
    return template


def links_of(templates: Mapping[str, str], incident: Incident, until: float) -> tuple[Link, ...]:
    """The links of `incident` by label, in the order of `templates`."""
    return tuple(Link(label, filled(template, incident, until)) for label, template in templates.items())
