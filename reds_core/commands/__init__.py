"""The commands of the command line, one module each; a command imports what it needs only when it runs."""
