"""The contract between the engine and its clients: commands, views and events."""
