"""Enrich: give an incident what follows from its view beside the verdict: steps, advice, curves, examples."""

from pipeline.core.curves import LEAD_SECONDS, Curves
from pipeline.core.incident import OpenIncident
from pipeline.diagnosis import View
from pipeline.diagnosis.advice import advise
from pipeline.diagnosis.timeline import steps
from schemas import REQUEST_KINDS

EXEMPLARS_MAX = 3


def enrich(incident: OpenIncident, view: View) -> None:
    """Bring timeline, curves, advice and examples up to what the view knows."""
    if incident.curves is None:
        first = int(incident.first_symptom_at) - LEAD_SECONDS
        incident.curves = Curves(view.instance, first, first)
    if incident.curves.instance == view.instance:
        incident.curves.draw(view)
    shown = incident.show()
    for step in steps(shown, view):
        incident.step(step.step, step.at, step.text, step.instance)
    incident.advice = advise(shown, view) or incident.advice
    if not incident.exemplars:
        found = view.exemplars(int(incident.first_symptom_at), REQUEST_KINDS)
        incident.exemplars = tuple(found[:EXEMPLARS_MAX])
