"""The laboratory's shell: reads histories, replays them in several processes, drives a registry."""
