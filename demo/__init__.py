"""The main job, played to a spectator: real switches, real clients, every step through the REST API."""
