"""Models that this project did not train: checked, brought to the step contract, and written as bundles."""
