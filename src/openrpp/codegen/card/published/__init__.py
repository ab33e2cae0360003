"""Programs of published instructions alone: what the chip lacks is written with what it has, or refused."""
