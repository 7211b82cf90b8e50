"""Dialogs: they ask one thing, over the screen, and go away."""
