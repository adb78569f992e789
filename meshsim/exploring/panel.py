"""The widgets: controls on the left, what they do on the right."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, Final

import ipywidgets as widgets

from meshsim.architectures import NAMED
from meshsim.errors import MeshsimError
from meshsim.exploring.knobs import Group, Knob
from meshsim.exploring.latest import Latest
from meshsim.exploring.looks import Chosen, Look, Looker
from meshsim.exploring.picture import picture
from meshsim.exploring.words import sentences_html, table_html, verdict

_HEADINGS: Final[dict[Group, str]] = {
    "load": "Load (times the topology's rates)",
    "replicas": "Replicas",
    "cache": "Capacity of each cache",
    "retries": "Retries",
}
_BUSY: Final = "simulating…"
_WIDTH: Final = "330px"
_LABEL_WIDTH: Final = "145px"


class Explorer:
    """Sliders of a topology, and what a simulation of their settings finds.

    `meshsim.explore` makes it; it shows itself in Jupyter. Whoever moves a slider sees the last picture until the new
    one is there; what goes wrong is told in its place, and the settings stay.

    Attributes
    ----------
    controls
        The sliders, by path as of ``--set``; to move one from a program, set its ``value``.
    architectures
        The boxes that choose architectures, by label.
    look
        The last look, whose numbers are shown.
    error
        Why the settings of the controls could not be simulated; empty when they could.
    """

    def __init__(self, looker: Looker, architectures: Sequence[str]) -> None:
        self.looker = looker
        self.look: Look = looker.look(Chosen(tuple(architectures)))
        self.error = ""
        self._latest: Latest[Chosen, Look | str] = Latest(self._try, self._show)
        self._heard = True
        self._make_controls(architectures)
        self._make_shown()
        self._show(self.look)

    # -- what is asked -----------------------------------------------------------------------------------------

    @property
    def chosen(self) -> Chosen:
        """What the controls say now."""
        names = tuple(name for name, box in self.architectures.items() if box.value)
        knobs = self.looker.knobs
        changes = ((path, slider.value) for path, slider in self.controls.items())
        return Chosen(names, tuple((path, value) for path, value in changes if value != knobs[path].written))

    def reset(self, *_: Any) -> None:
        """Set all sliders to what the topology says."""
        self._heard = False
        for path, slider in self.controls.items():
            slider.value = self.looker.knobs[path].written
        self._heard = True
        self._moved()

    async def done(self) -> None:
        """Wait until what the controls say is shown."""
        await self._latest.done()

    def _moved(self, *_: Any) -> None:
        if not self._heard:
            return
        changed = {path for path, _ in self.chosen.changes}
        for path, slider in self.controls.items():
            slider.description = ("• " if path in changed else "") + self.looker.knobs[path].label
        self.status.value = f"<i>{_BUSY}</i>"
        self._latest.ask(self.chosen)

    def _try(self, chosen: Chosen) -> Look | str:
        """Look, or why that is not possible."""
        if not chosen.architectures:
            return "choose an architecture: no box is ticked"
        try:
            return self.looker.look(chosen)
        except MeshsimError as error:
            return str(error)
        except Exception as error:  # the loop would swallow it, and the panel say that it simulates for ever
            return f"{type(error).__name__}: {error}. This is a bug of meshsim; the settings above lead to it"

    # -- what is shown -----------------------------------------------------------------------------------------

    def _show(self, found: Look | str) -> None:
        if isinstance(found, str):
            self.error = found
            self.status.value = f'<pre style="color:#b3261e;white-space:pre-wrap">{escape(found)}</pre>'
            return
        self.look, self.error = found, ""
        self.image.value = picture(found)
        self.told.value = sentences_html(found)
        self.table.value = table_html(found)
        self.command.value = found.command
        manifest = next(iter(found.results.values())).manifest
        self.status.value = (
            f"<i>a quick look: {manifest.replications} × {manifest.duration_s:g} s of traffic under each architecture, "
            f"seed {manifest.seed}</i>"
        )

    def summary(self) -> str:
        """What is shown, as text."""
        changes = ", ".join(self.look.changes) or "as written"
        head = f"{self.looker.topology.name} · {' | '.join(self.look.results)} · {changes}"
        return "\n".join([head, *verdict(self.look), *([self.error] if self.error else []), self.look.command])

    def __repr__(self) -> str:
        return self.summary()

    def _repr_mimebundle_(self, **words: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = self.panel._repr_mimebundle_(**words) or {}
        return {**bundle, "text/plain": self.summary()}

    # -- widgets -----------------------------------------------------------------------------------------------

    def _make_controls(self, architectures: Sequence[str]) -> None:
        names = dict.fromkeys((*NAMED, *architectures))
        self.architectures: dict[str, Any] = {
            name: widgets.Checkbox(
                value=name in architectures, description=name, indent=False, layout=widgets.Layout(width="145px")
            )
            for name in names
        }
        self.controls: dict[str, Any] = {path: _slider(knob) for path, knob in self.looker.knobs.items()}
        for control in (*self.architectures.values(), *self.controls.values()):
            control.observe(self._moved, "value")

    def _make_shown(self) -> None:
        text = {"layout": widgets.Layout(width="98%", overflow="auto")}
        self.status, self.told, self.table = (widgets.HTML(**text) for _ in range(3))
        self.image = widgets.Image(format="png", layout=widgets.Layout(max_width="100%", object_fit="contain"))
        self.command = widgets.Textarea(disabled=True, layout=widgets.Layout(width="98%", height="64px"))
        as_written = widgets.Button(description="as written", tooltip="set all sliders to what the topology says")
        as_written.on_click(self.reset)
        boxes = widgets.HBox(list(self.architectures.values()), layout=widgets.Layout(flex_flow="row wrap"))
        left = [_heading(f"{self.looker.topology.name}: architectures"), boxes, *self._groups(), as_written]
        shown = [self.status, self.told, self.table, self.image, _heading("To repeat this"), self.command]
        self.panel = widgets.HBox(
            [
                widgets.VBox(left, layout=widgets.Layout(width=_WIDTH, flex="0 0 auto")),
                widgets.VBox(shown, layout=widgets.Layout(flex="1 1 480px", min_width="0")),
            ],
            layout=widgets.Layout(flex_flow="row wrap", align_items="flex-start"),
        )

    def _groups(self) -> list[Any]:
        found: list[Any] = []
        for group, heading in _HEADINGS.items():
            sliders = [self.controls[path] for path, knob in self.looker.knobs.items() if knob.group == group]
            found += [_heading(heading), *sliders] if sliders else []
        return found


def _heading(text: str) -> Any:
    return widgets.HTML(f"<b>{escape(text)}</b>")


def _slider(knob: Knob) -> Any:
    return widgets.SelectionSlider(
        options=[(knob.text(value), value) for value in knob.choices],
        value=knob.written,
        description=knob.label,
        tooltip=f"--set {knob.override(knob.written)}",
        continuous_update=True,
        style={"description_width": _LABEL_WIDTH},
        layout=widgets.Layout(width="98%"),
    )
