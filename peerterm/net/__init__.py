"""Sockets: identity and TLS, beacons, control links and data lanes."""
