"""A pane whose lines can be filtered by words that are typed below them."""

from __future__ import annotations

from abc import abstractmethod

from textual import on
from textual.widgets import Input

from peerterm.tui.panes.base import Pane


class FilteredPane(Pane):
    """The part of a pane that every list with a filter shares; a pane lays ``make_filter`` out below its lines."""

    DEFAULT_CSS = """
    FilteredPane .filter { height: 1; display: none; }
    FilteredPane .filter.-shown { display: block; }
    """

    @abstractmethod
    def filter_lines(self, words: str) -> None:
        """Show only lines that have all these words."""

    def make_filter(self) -> Input:
        """Return the input, which is hidden until it is asked for."""
        return Input(placeholder="filter", compact=True, classes="filter")

    @property
    def _filter(self) -> Input:
        return self.query_one(".filter", Input)

    @property
    def is_filtering(self) -> bool:
        """Whether lines are hidden, or about to be."""
        return self._filter.has_class("-shown")

    def back(self) -> None:
        """Show everything, and give the keys back to the lines."""
        with self.prevent(Input.Changed):
            self._filter.remove_class("-shown").value = ""
        self.filter_lines("")
        self.focus_list()

    def action_filter(self) -> None:
        """Type what the lines must have."""
        self._filter.add_class("-shown").focus()

    @on(Input.Changed, ".filter")
    def _filter_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.filter_lines(event.value)

    @on(Input.Submitted, ".filter")
    def _filter_done(self, event: Input.Submitted) -> None:
        event.stop()
        if not event.value:
            event.input.remove_class("-shown")
        self.focus_list()
