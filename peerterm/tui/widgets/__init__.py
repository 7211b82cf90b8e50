"""Widgets that know no pane and no engine: tables, logs, bars. Import each from its own module."""
