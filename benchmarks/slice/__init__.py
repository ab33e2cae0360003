"""The mission end to end: what models take on the card, and how fast its native engine runs them on this computer."""
