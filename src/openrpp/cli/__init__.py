"""The `rpp` command. Modules here import click alone; what a command needs is imported when it runs."""
