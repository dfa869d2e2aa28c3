"""Experiment architectures: what RNN, LSTM, GRU and BiLSTM cost, and how far back they learn to look."""
