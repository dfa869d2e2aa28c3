"""Recurrent networks for Ostinato: definition, data, tokenization, training and presets."""
