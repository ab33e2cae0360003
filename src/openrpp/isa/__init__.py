"""The instruction set: table, assembler, printer, program objects."""
