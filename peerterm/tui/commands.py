"""The palette: every action that can be done now, found by its name."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from peerterm.tui.keys import Action, actions_in, keys_of, spelled

if TYPE_CHECKING:
    from peerterm.tui.app import PeertermApp


NAMED_SCORE = 1000.0
"""What the name that the screen uses counts more than any letters of the explanation."""


class ActionProvider(Provider):
    """Offers the actions of the present pane, then those that work everywhere."""

    @property
    def _program(self) -> PeertermApp:
        return cast("PeertermApp", self.app)

    def _actions(self) -> list[Action]:
        """Return each action once, though some have keys in two scopes."""
        found: dict[str, Action] = {}
        for action in actions_in(self._program.pane.SCOPE):
            found.setdefault(action.help, action)
        return list(found.values())

    def _name(self, action: Action) -> str:
        keys = keys_of(action, self._program.user_keymap)
        return f"{action.label}: {action.help}  ({spelled(keys[0], ascii_only=self._program.terminal.is_ascii)})"

    async def discover(self) -> Hits:
        """Offer everything before anything is typed."""
        for action in self._actions():
            yield DiscoveryHit(Content(self._name(action)), partial(self._program.perform, action), action.help)

    async def search(self, query: str) -> Hits:
        """Offer what fits."""
        matcher = self.matcher(query)
        for action in self._actions():
            name = self._name(action)
            if (score := matcher.match(name)) > 0:
                is_named = action.label.startswith(query.strip().casefold())
                yield Hit(
                    score + NAMED_SCORE * is_named,
                    matcher.highlight(name),
                    partial(self._program.perform, action),
                    name,
                )
