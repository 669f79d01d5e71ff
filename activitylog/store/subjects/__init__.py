"""
Whom rows are about: what an actor, an object or a tenant has in the store and its archives, exported or erased.

    subject -> mentions -> archives, mutations -> plan, record -> erase, proof
                                    export_formats -> export
"""
