"""The command line of the model side: `ostinato train` and `ostinato data`."""
