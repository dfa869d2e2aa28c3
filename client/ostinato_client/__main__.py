"""``python -m ostinato_client`` is the ``ostinato`` command."""

from ostinato_client.cli.main import main

main()
