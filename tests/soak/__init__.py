"""Load for a while, with everything that goes wrong: nothing lost or doubled, nothing that grows."""
