"""Decisions without I/O: plain values and ``now`` go in, plain values and effects come out."""
