"""What a workflow is: the normalised spec and everything that can be asked of it."""
