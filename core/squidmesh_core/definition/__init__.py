"""
What a workflow is: the normalised spec and everything that can be asked of it.

    spec         the records
    form         dict and text to Spec and back    reading, writing
    validate     every problem at once             problem, graph, certainty
    support      what this release cannot run yet
    fingerprint  the content address
    payload      what a start, a form or a message must bring
    diff         what changed between two specs
    mermaid      a spec as a drawing

Open `spec` first, then `form`.
"""
