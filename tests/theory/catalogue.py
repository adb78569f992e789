"""All cases, in the order of the page."""

from __future__ import annotations

import coherence
import networks
import policies
import stations
from cases import Case

MODELS = (*stations.MODELS, *networks.MODELS, *policies.MODELS, *coherence.MODELS)
CASES = tuple(Case(model, utilization) for model in MODELS for utilization in model.utilizations)

assert len({case.name for case in CASES}) == len(CASES)
