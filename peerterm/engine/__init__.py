"""The services that run the machines of ``core`` and perform what they decide."""
