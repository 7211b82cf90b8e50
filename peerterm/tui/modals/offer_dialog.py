"""What dialogs about offers share: accepting, declining and taking back what is chosen, and the keys for that."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.binding import Binding

from peerterm.display import clean, counted
from peerterm.errors import PeertermError
from peerterm.tui.downloading import usual_folder
from peerterm.tui.modals.dialogs import Confirm, Dialog, Prompt
from peerterm.tui.offers import is_over, needs_answer
from peerterm.tui.paths import complete_path, expanded, fault_of_folder
from peerterm.tui.widgets.plain import Plain

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from textual.binding import BindingType

    from peerterm.api.engine import EngineApi
    from peerterm.api.views import OfferView

NAME_CELLS = 40


class OfferDialog(Dialog[None]):
    """A dialog in which offers are answered; its heirs say which are chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a,d", "accept", "Accept", show=False),
        Binding("D,o", "accept_into", "Accept into", show=False),
        Binding("x", "remove", "Decline or take back", show=False),
        Binding("4", "transfers", "Show in Transfers", show=False),
        Binding("q", "turn_away", "Close", show=False),
    ]

    # What an heir gives

    @abstractmethod
    def chosen(self) -> list[OfferView]:
        """Return the offers that a key is about; none if there is none."""

    def numbers(self) -> list[int]:
        """Return which items are wanted, all without a number."""
        return []

    def answered(self) -> None:
        """Take note that what was chosen has an answer, and that was said; it may be the end of the dialog."""

    # Keys

    @work(exclusive=True, group="dialogs")
    async def action_accept(self) -> None:
        """Accept what is chosen, into the configured folder."""
        if views := self._open("accept"):
            await self._accept(views, self.numbers(), "")

    @work(exclusive=True, group="dialogs")
    async def action_accept_into(self) -> None:
        """Accept what is chosen, into a folder that the user types."""
        if not (views := self._open("accept")):
            return
        numbers = self.numbers()
        prompt = Prompt(
            f"Accept {_named(views, numbers)} into",
            await usual_folder(self.program),
            check=fault_of_folder,
            complete=complete_path,
            note="A folder; Tab completes. One that does not exist is made.",
        )
        if folder := await self.app.push_screen_wait(prompt):
            await self._accept(views, numbers, expanded(folder))

    async def _accept(self, views: Sequence[OfferView], numbers: list[int], folder: str) -> None:
        if await self._each(views, lambda view: self.engine.accept(view.offer_id, folder, numbers or None)):
            self.program.say(f"{_named(views, numbers)} accepted; 4 shows how it comes")
            self.answered()

    @work(exclusive=True, group="dialogs")
    async def action_remove(self) -> None:
        """Decline what is chosen, give it up, or take it back."""
        if not (views := [view for view in self.chosen() if not is_over(view)]):
            self.tell("it is over" if self.chosen() else "nothing is here")
            return
        if not await self.app.push_screen_wait(_question(views)):
            return
        own = [view for view in views if view.direction == "out"]
        other = [view for view in views if view.direction == "in"]
        is_done = await self._each(own, lambda view: self.engine.withdraw(view.offer_id))
        is_done = await self._each(other, lambda view: self.engine.decline(view.offer_id)) and is_done
        if is_done:
            self.program.say(f"{_named(views)} {'declined' if other else 'taken back'}")
            self.answered()

    def action_transfers(self) -> None:
        """Show the downloads that the offer became."""
        transfers = [key for view in self.chosen() for key in view.transfer_ids]
        if not transfers:
            self.tell("nothing of it is being fetched")
            return
        program = self.program
        while len(program.screen_stack) > 1:
            program.pop_screen()
        program.show_pane("transfers").point_at(transfers[0])

    # How

    @property
    def engine(self) -> EngineApi:
        """The engine.

        Raises:
            EngineNotRunning: There is none at present.
        """
        return self.program.attachment.engine

    def _open(self, verb: str) -> list[OfferView]:
        """Return what is chosen and waits for an answer; say why there is nothing."""
        chosen = self.chosen()
        views = [view for view in chosen if needs_answer(view)]
        if not chosen:
            self.tell("nothing is here")
        elif not views:
            own = chosen[0].direction == "out"
            self.tell(f"there is nothing to {verb}: {'you offer it' if own else 'it is answered already'}")
        return views

    async def _each(self, views: Sequence[OfferView], ask: Callable[[OfferView], Awaitable[object]]) -> bool:
        """Ask the engine for one after the other; return whether all went well, else say what did not."""
        try:
            for view in views:
                await ask(view)
        except PeertermError as error:
            self.tell(error.advice)
            return False
        return True

    def tell(self, text: str = "") -> None:
        """Say what is wrong, or take that back."""
        self.query_one(".fault", Plain).say(*([text] if text else []), layout=True)


def _named(views: Sequence[OfferView], numbers: Sequence[int] = ()) -> str:
    if len(views) > 1:
        return counted(len(views), "offer")
    items = views[0].items
    if len(numbers) == 1:
        return clean(items[numbers[0] - 1].name, width=NAME_CELLS)
    if numbers and len(numbers) < len(items):
        return f"{len(numbers)} of {len(items)} items"
    return clean(views[0].name, width=NAME_CELLS)


def _question(views: Sequence[OfferView]) -> Confirm:
    """Ask before offers are declined, given up or taken back."""
    view, name = views[0], _named(views)
    peer = clean(view.peer_name, width=NAME_CELLS)
    if len(views) > 1:
        return Confirm(
            f"Decline, give up or take back {name}?", "What is on its way ends, and the others are told."
        )
    if view.direction == "out":
        return Confirm(f"Take back {name}?", f"What {peer} has not fetched by now, it does not get.")
    if needs_answer(view):
        return Confirm(f"Decline {name}?", f"{peer} is told. To have it after all, ask for it to be sent again.")
    return Confirm(f"Give up {name}?", f"What is not here yet is given up and removed, and {peer} is told.")
