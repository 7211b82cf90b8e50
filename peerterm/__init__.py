"""Share, search, fetch and stream files between the machines of one network."""

__version__ = "0.1.0"
