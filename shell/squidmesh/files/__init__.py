"""Runs in files: whole journals, or one run made fit to be handed on."""
