"""The registry of actions: no key means two things, and keys are told as people read them."""

from __future__ import annotations

from itertools import chain

import pytest

from peerterm.tui.keys import (
    ACTIONS,
    PANES,
    TITLES,
    Action,
    actions_in,
    actions_of,
    bindings_of,
    clashes,
    hints_of,
    keys_of,
    spelled,
)

AVOIDED = {"ctrl+i", "ctrl+m", "ctrl+h", "ctrl+enter", "f10", "f11"}
"""They arrive as other keys, or the terminal takes them."""


@pytest.mark.parametrize("pane", PANES)
def test_no_key_means_two_things_in_a_pane(pane: str) -> None:
    """Of its own keys, those of its list and those of everywhere none is the same as another."""
    keys = list(chain.from_iterable(action.keys for action in actions_in(pane)))

    assert len(keys) == len(set(keys))


def test_program_itself_has_no_clash() -> None:
    """What is said of a user's keymap holds for ours."""
    assert clashes({}) == []


def test_ids_are_unique_and_belong_to_a_scope() -> None:
    """A user keymap names actions by id."""
    ids = [action.id for action in ACTIONS]

    assert len(ids) == len(set(ids))
    assert {action.scope for action in ACTIONS} <= {"anywhere", "global", "list", *PANES}
    assert set(TITLES) == set(PANES)


def test_one_letter_means_one_verb_in_all_panes() -> None:
    """A letter that removes here does not do something else there."""
    verbs: dict[str, set[str]] = {}
    for action in ACTIONS:
        if action.scope in PANES:
            for key in action.keys:
                if len(key) == 1:
                    verbs.setdefault(key, set()).add(action.method.partition("_")[0])

    assert {key: names for key, names in verbs.items() if len(names) > 1} == {
        "a": {"add", "send"},
        "e": {"edit", "level"},
        "l": {"browse", "open"},
        "r": {"retry", "rescan"},
        "x": {"cancel", "remove"},
    }


def test_keys_reach_a_program_in_every_terminal() -> None:
    """No Alt, nothing that arrives as another key, nothing that a keyboard layout hides."""
    keys = set(chain.from_iterable(action.keys for action in ACTIONS))

    assert not keys & AVOIDED
    assert not [key for key in keys if key.startswith("alt+")]
    assert not keys & {"left_square_bracket", "right_square_bracket", "at", "backslash", "left_curly_bracket"}


def test_only_ctrl_and_function_keys_fire_while_typing() -> None:
    """A letter is text in an input; Ctrl+c and Ctrl+z leave what an input does with them."""
    priority = {binding.key for binding in bindings_of("anywhere", "global", "list", *PANES) if binding.priority}

    assert priority == {"f1", "f2", "ctrl+p", "ctrl+o", "ctrl+g", "ctrl+l", "ctrl+q"}


def test_panes_without_marks_offer_no_keys_for_them() -> None:
    """What help lists works: lines of text have no marks."""
    ids = {pane: {action.id for action in actions_in(pane)} for pane in PANES}

    for pane in ("chat", "log"):
        assert "list.down" in ids[pane]
        assert not ids[pane] & {"list.mark", "list.mark_all"}
    assert {"list.mark", "list.mark_all"} <= ids["transfers"]


@pytest.mark.parametrize("pane", PANES)
def test_hints_begin_with_what_is_wanted_here(pane: str) -> None:
    """First the pane's own actions by rank, then those of everywhere; none that does not work."""
    hints = hints_of(pane)
    own = [action.hint for action in hints if action.scope == pane]

    assert own == sorted(set(own))
    assert [action.scope == pane for action in hints] == [True] * len(own) + [False] * (len(hints) - len(own))
    assert set(hints) <= set(actions_in(pane))


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
def test_action_says_what_it_does(action: Action) -> None:
    """Help is a sentence without a full stop, and a label fits the row."""
    assert action.help[0].isupper()
    assert not action.help.endswith(".")
    assert 0 < len(action.label) <= 9


def test_user_keys_take_the_place_of_ours() -> None:
    """Spaces around a comma do not matter."""
    cancel = next(action for action in ACTIONS if action.id == "transfers.cancel")

    assert keys_of(cancel, {}) == ["x"]
    assert keys_of(cancel, {"transfers.cancel": "ctrl+x , delete"}) == ["ctrl+x", "delete"]


def test_clashes_of_a_user_keymap_are_named() -> None:
    """An unknown action, and a key that is taken in some pane; once each."""
    faults = clashes({"transfers.cancle": "x", "shares.add": "x", "global.quit": "Q, p"})

    assert faults == [
        "there is no action transfers.cancle",
        "p means both transfers.pause and global.quit",
        "x means both shares.add and shares.remove",
        "p means both stream.pause and global.quit",
    ]


def test_same_key_in_two_panes_is_no_clash() -> None:
    """Only one pane hears it at a time."""
    assert clashes({"log.follow": "x"}) == []


@pytest.mark.parametrize(
    ("key", "text", "plain"),
    [
        ("question_mark", "?", "?"), ("slash", "/", "/"), ("comma", ",", ","), ("colon", ":", ":"),
        ("escape", "Esc", "Esc"), ("enter", "Enter", "Enter"), ("space", "Space", "Space"),
        ("pagedown", "PgDn", "PgDn"), ("up", "↑", "Up"), ("left", "←", "Left"), ("f1", "F1", "F1"),
        ("f", "f", "f"), ("X", "X", "X"), ("ctrl+p", "Ctrl+p", "Ctrl+p"), ("ctrl+left", "Ctrl+←", "Ctrl+Left"),
    ],
)  # fmt: skip
def test_key_is_spelled_as_people_read_it(key: str, text: str, plain: str) -> None:
    """Names as on a keyboard; arrows in words where the terminal cannot draw them."""
    assert spelled(key) == text
    assert spelled(key, ascii_only=True) == plain


def test_actions_come_in_the_order_of_the_scopes_asked() -> None:
    """Nothing else comes with them."""
    assert [action.scope for action in actions_of("log", "anywhere")] == ["log"] * 4 + ["anywhere"] * 9


def test_key_that_no_terminal_sends_is_named() -> None:
    """Else an action would be dead without a word."""
    assert clashes({"files.get": "foo"}) == ["files.get: there is no key foo"]
    assert clashes({"files.get": "ctrl+x, delete, plus, f7, ctrl+left, Z"}) == []
