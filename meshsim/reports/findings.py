"""What the parts of a report found, before it is written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from meshsim.blasts.result import Blast
from meshsim.costs.result import Costs
from meshsim.errors import MeshsimError, UsageError
from meshsim.interference.result import Interference
from meshsim.planning.result import Plan
from meshsim.reports.asked import Part
from meshsim.results.comparison import Comparison
from meshsim.results.result import Result


@dataclass(frozen=True, slots=True)
class Findings:
    """Results of the parts; None where a part was left out, or could not be.

    Attributes
    ----------
    comparison
        Of all architectures; of one alone it has no differences.
    errors
        Why a part that was asked for is not there.
    """

    comparison: Comparison | None
    blast: Blast | None
    costs: Costs | None
    plan: Plan | None
    tenants: Interference | None
    errors: Mapping[Part, MeshsimError]

    @property
    def results(self) -> dict[str, Result]:
        """By architecture; empty if nothing was simulated."""
        return {} if self.comparison is None else self.comparison.results

    @property
    def failed(self) -> dict[Part, MeshsimError]:
        """Parts that failed, and not because they have nothing to say about this topology."""
        return {part: error for part, error in self.errors.items() if not isinstance(error, UsageError)}
