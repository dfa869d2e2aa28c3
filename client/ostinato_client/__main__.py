"""``python -m ostinato_client`` is the ``ostinato`` command."""

from ostinato_client.cli.main import main

if __name__ == "__main__":  # a process that `ostinato bench` starts imports this file again
    main()
