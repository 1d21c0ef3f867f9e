"""The subcommands of `undercurrent`, one file each."""
