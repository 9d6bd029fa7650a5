"""Checks of what stands: this computer, a model on every machine, a board."""
