"""Whether all engines leave the same: scalar interpreter, native engine, machine code of both back ends."""
