"""
Hooks: functions of the host that workers call for what is durable, at least once.

    handlers     what `mesh.on` was given in this process
    asking       what the notifier asks of its surroundings, as values
    telling      its policy: whom to tell of what, and when again
    lateness     the same for deadlines, which nobody appends
    subscribing  the records that say who wants to be told
    notifier     a thread that does what the policy asks for (`squidmesh.aio.notifier`: a task)
    verbs        `mesh.on`, `hooks` and `forget_hook`

An append keeps a notice for every hook of its event in the same commit; a notifier
takes it for a while, calls the function, and forgets the notice.
"""
