"""A second process attaches here: one ``EngineApi`` over a Unix socket."""
