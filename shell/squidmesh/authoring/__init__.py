"""
The authoring half: a workflow is a class, and the class becomes a spec.

    workflow, builder              the two ways to write one
    triggers, steps, gates, nodes  what a class body is made of
    paths, conditions              `node.out.score < 30`, recorded as data
      recording, comparing         … what a path has seen, what it is compared with
    compile                        from those to the spec
      wiring, functions            … where inputs come from, what the functions are
      findings, notes, report      … every problem at once, each with its line
    contracts, records, hints      classes of hosts, as fields
      encode, decode, scalars      … and their values, as JSON and back
    signature                      how the runtime calls a step
    naming, modules                what stored definitions call functions and classes
    frames                         where the host's line is, and which names it sees

Start reading with `workflow`.
"""
