"""
The history that an old table holds, copied to the store: each row once, with its own time, whatever happens
meanwhile.

    source     rows by primary key, a chunk at a time, and what the table counts
    records    a row's event through the chain, with ids that follow from table and key
    delivery   a chunk to the store, until there is a definite answer
    stored     what the store has of a table: which keys, how many by day and action
    state      how far it is, on disk
    run        all of these, in the order that keeps every row once
    comparing  table and store, counted by day and action

Why a row is stored once. A chunk is one insert with one token, which the state has on disk before it is sent. A
process that goes on finds in the state which chunk may have been under way. It asks which of those keys are
stored, and sends the others with the same token: whichever of the two inserts comes first, the store takes one.
All other chunks were answered. Where the state is lost, or was never there, keys are asked for before anything
is sent, for every chunk in whose time the store has events of this table, and not before inserts that the store
is still working on have ended. So an import may be run again at any time, and sends what is missing.
"""
