"""The command line: verbs over the engine's API, data on stdout, talk on stderr."""
