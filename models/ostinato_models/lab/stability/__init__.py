"""Experiment stability: at which sequence lengths and learning rates RNN, LSTM, GRU and BiLSTM train stably."""
