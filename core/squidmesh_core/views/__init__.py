"""
What one can ask of a run: the index rows it implies, its snapshot, its graph.

Views only read.  `index` is what adapters store beside a journal, `inspection`
what people and programs see, `diff` how two of those differ.
"""
