"""The programs that play a stream: which are there, how they are started, steered and ended."""
