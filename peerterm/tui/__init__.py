"""The full-screen program: panes, dialogs and widgets over the ``EngineApi``; it owns no truth."""
