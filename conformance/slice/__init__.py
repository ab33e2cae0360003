"""The slice: models whose answers on the card are those of an independent implementation."""
