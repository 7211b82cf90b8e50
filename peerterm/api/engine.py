"""What a client can ask of an engine. Implemented by the engine itself and by the socket client alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from peerterm.api.events import Event
    from peerterm.api.views import (
        BrowsePage,
        ChunkMapView,
        ConversationView,
        IdentityView,
        LimitsView,
        LogLine,
        MessageView,
        OfferView,
        PeerView,
        SearchHit,
        SearchQuery,
        SettingView,
        ShareView,
        StatusView,
        StreamView,
        TransferView,
    )


class EngineApi(Protocol):
    """Commands and queries of one engine. Every method may raise any ``PeertermError``."""

    async def status(self) -> StatusView:
        """Return the engine's state and counts."""
        ...

    async def stop(self) -> None:
        """Ask the engine to end. Returns at once; the engine says bye to its peers, then exits."""
        ...

    async def identity(self) -> IdentityView:
        """Return who this machine is."""
        ...

    async def share(self, path: str, name: str = "", visibility: str = "everyone") -> ShareView:
        """Offer a file or folder under its absolute path and start to index it.

        Sharing a path again returns its share and starts a rescan. Progress and the end of indexing come as
        ``ShareChanged`` events.

        Raises:
            InvalidPath: It does not exist, cannot be read, or is no regular file or folder.
            InvalidName: The name is unusable or taken by another share.
            NotSupported: A visibility other than ``everyone``.
        """
        ...

    async def shares(self) -> list[ShareView]:
        """Return all shares, by name."""
        ...

    async def unshare(self, share: str) -> ShareView:
        """Stop offering a share, given by id, unique id prefix, name or path. Cancels its indexing."""
        ...

    async def rescan(self, share: str = "") -> list[ShareView]:
        """Look for changes in one share, or in all; returns them as indexing starts."""
        ...

    async def peers(self) -> list[PeerView]:
        """Return all known peers, online ones first, then by name."""
        ...

    async def browse(self, peer: str, path: str = "", after: str = "", limit: int = 500) -> BrowsePage:
        """List a folder of a peer's shares; an empty path lists the shares.

        Args:
            peer: Name, id or unique id prefix; this machine's own name or id browses its own shares.
            path: Components joined by ``/``, the share's name first.
            after: ``next`` of the page before.
            limit: 1 to 500 entries.
        """
        ...

    def search(self, query: SearchQuery) -> AsyncIterator[SearchHit]:
        """Ask this machine and all online peers; yields hits as they come.

        A hit with a root that was yielded before replaces the earlier one (a further holder answered). Ends when
        every peer answered or the query's time is up; closing the iterator cancels the search. If anybody had more
        hits than one may give, or all together more than are listed, the last one comes again with ``more``.
        """
        ...

    async def get(self, reference: str, directory: str = "", only: list[str] | None = None) -> TransferView:
        """Queue a download of a reference into a folder (absolute path; empty is the configured one).

        ``only`` chooses files of a folder by gitignore-like patterns; ``None`` or none is all. What is being
        fetched already is that transfer, and goes on if it was paused; so does one that failed or was cancelled, if
        something of it is on disk.

        Raises:
            UsageError: The reference cannot be read, or its prefix fits several contents.
            NotFound: No peer that is online offers it.
        """
        ...

    async def transfers(self) -> list[TransferView]:
        """Return downloads that ended, oldest first, then the others in the order of the queue, then uploads."""
        ...

    async def pause(self, transfer: str) -> TransferView:
        """Stop a transfer, given by id or unique prefix, until ``resume``; what it has stays.

        This and the following raise ``UsageError`` where the transfer's state does not allow it.
        """
        ...

    async def resume(self, transfer: str) -> TransferView:
        """Let a paused transfer go on, as soon as the queue lets it run."""
        ...

    async def retry(self, transfer: str) -> TransferView:
        """Queue a transfer again that failed or was cancelled; what is still on disk counts."""
        ...

    async def prioritise(self, transfer: str, priority: int) -> TransferView:
        """Say how urgent a transfer is: higher priorities run first, equal ones in the order they were asked.

        One that is more urgent than some that run takes the place of the least urgent, which goes on after it.

        Args:
            transfer: Its id or unique prefix.
            priority: -100 to 100; 0 at first.
        """
        ...

    async def move(self, transfer: str, where: Literal["first", "up", "down", "last"]) -> TransferView:
        """Give a transfer another place in the queue, among those of the same priority; what runs goes on."""
        ...

    async def limit(self, transfer: str = "", *, down: int | None = None, up: int | None = None) -> LimitsView:
        """Set rate limits in bytes per second, at once; 0 is no limit, ``None`` leaves one as it is.

        Without a transfer the limits of the whole engine are meant, and last for later starts. One transfer has a
        limit for ``down`` only.
        """
        ...

    async def cancel(self, transfer: str, *, delete: bool = False) -> TransferView:
        """End a transfer, given by id or unique prefix; ``delete`` also removes what it has fetched."""
        ...

    async def clear(self, transfer: str = "") -> int:
        """Forget a download that ended, given by id or unique prefix, or all that ended; return how many.

        No file is touched; so one that failed or was cancelled with some of it on disk is not forgotten: ``retry``
        goes on with that, ``cancel`` can delete it.

        Raises:
            UsageError: It has not ended, or some of it is on disk.
        """
        ...

    async def chunk_map(self, transfer: str, cells: int) -> ChunkMapView:
        """Return which parts of a download are held.

        Args:
            transfer: Its id or unique prefix.
            cells: How many parts are wanted, 1 to 512; there may be fewer.
        """
        ...

    async def stream(self, reference: str) -> StreamView:
        """Let players on this machine read what a reference means while it comes in; a folder is a playlist.

        Returns once the first item can be read. The stream ends by ``close_stream``, or when nobody read of it for
        a long time.

        Raises:
            UsageError: The reference cannot be read, or there is nothing in the folder that plays.
            NotFound: Neither this machine nor any peer that is online has it.
        """
        ...

    async def streams(self) -> list[StreamView]:
        """Return the open streams, oldest first."""
        ...

    async def close_stream(self, stream: str) -> StreamView:
        """End a stream, given by id or unique prefix: its addresses lead nowhere from now on."""
        ...

    async def keep(self, stream: str, directory: str = "") -> TransferView:
        """Download the item that is read, into a folder as with ``get``; what is here already is not fetched."""
        ...

    async def say(self, conversation: str, text: str, kind: str = "text") -> MessageView:
        """Say something to a peer (name, id or unique prefix) or in a room (``#name``) we are a member of.

        Returns once it is kept: from then on it gets there by itself, also if the peer is offline now.

        Args:
            conversation: Where.
            text: At most 4,000 characters.
            kind: ``text``, or ``me``.

        Raises:
            UsageError: The text is not allowed.
            NotFound: No such peer is known, or we are not a member of the room.
            EngineBusy: Too much waits to be taken already.
        """
        ...

    async def messages(self, conversation: str, limit: int = 100, before: str = "") -> list[MessageView]:
        """Return the newest lines of a conversation, oldest first; at most 1000, or those before one's ``id``.

        None come before one that is kept no longer. A conversation in which nothing was said has none.

        Raises:
            UsageError: No line of the conversation has that id.
        """
        ...

    async def conversations(self) -> list[ConversationView]:
        """Return all conversations, the one with the newest line first."""
        ...

    async def join(self, room: str) -> ConversationView:
        """Become a member of a room, which comes to be by that."""
        ...

    async def leave(self, room: str) -> ConversationView:
        """Be a member of a room no longer; what was said stays readable."""
        ...

    async def mute(self, conversation: str, *, is_muted: bool = True) -> ConversationView:
        """Let a conversation raise no notice and count as read, or let it again."""
        ...

    async def read(self, conversation: str) -> ConversationView:
        """Note that the user has seen all of a conversation; a direct one's other side is told.

        Raises:
            NotFound: There is no such conversation.
        """
        ...

    async def send(self, peers: list[str], paths: list[str]) -> list[OfferView]:
        """Offer files and folders to some peers and nobody else; one offer of all of them for each peer.

        Returns once they are indexed and the offers are kept: from then on each gets there by itself, also if its
        peer is offline now. ``OfferIndexing`` tells how far indexing is; cancelling it leaves nothing.

        Args:
            peers: Names, ids or unique id prefixes.
            paths: At most 32, absolute.

        Raises:
            InvalidPath: One does not exist, cannot be read, or is no regular file or folder.
            InvalidName: One has a name that cannot be sent.
            NotFound, AmbiguousReference: No such peer is known, or there are several.
            EngineBusy: Too many offers to one of them are open.
        """
        ...

    async def offers(self) -> list[OfferView]:
        """Return what peers offered us and we offered them, oldest first; of what is over, the newest 500."""
        ...

    async def accept(self, offer: str, directory: str = "", items: list[int] | None = None) -> OfferView:
        """Fetch what a peer offers, given by id or unique prefix; each item is a download of its own.

        Args:
            offer: Which.
            directory: Absolute; empty is the configured one.
            items: Numbers of the items wanted, from 1; ``None`` or none is all.

        Raises:
            NotFound: There is no such offer.
            UsageError: It was answered or withdrawn already, or has no such item.
            InvalidPath: The folder cannot be used.
        """
        ...

    async def decline(self, offer: str) -> OfferView:
        """Refuse what a peer offers, or give up what was accepted of it and has not landed."""
        ...

    async def withdraw(self, offer: str) -> OfferView:
        """Take back an offer of ours: what the peer has not fetched by now, it does not get."""
        ...

    async def settings(self) -> list[SettingView]:
        """Return every setting as the running engine has it."""
        ...

    async def log(self, lines: int = 100) -> list[LogLine]:
        """Return the newest lines of the log, oldest first; at most 1000."""
        ...

    def events(self) -> AsyncIterator[Event]:
        """Yield a ``Snapshot`` and then every event, until the engine ends or the iterator is closed."""
        ...
