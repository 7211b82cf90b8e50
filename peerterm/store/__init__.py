"""This machine's memory: the only SQL and the only file contents."""
