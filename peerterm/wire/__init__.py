"""Bytes to values and back, and the rules of one link; no sockets, no clock."""
