"""Keeping journals: finished runs are pruned, stored ones verified."""
