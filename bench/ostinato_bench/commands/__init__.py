"""The commands of ``ostinato bench``."""
