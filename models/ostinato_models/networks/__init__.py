"""Recurrent stacks, attention and the three models built from them."""

from ostinato_models.networks.attention import (
    AdditiveAttention,
    DotAttention,
    GeneralAttention,
    make_attention,
    source_mask,
)
from ostinato_models.networks.char_language_model import (
    CharLanguageModel,
    CharLanguageModelConfig,
)
from ostinato_models.networks.recurrent import Recurrent
from ostinato_models.networks.sentiment_classifier import (
    SentimentClassifier,
    SentimentClassifierConfig,
)
from ostinato_models.networks.seq2seq import Memory, Seq2Seq, Seq2SeqConfig

__all__ = [
    "AdditiveAttention",
    "CharLanguageModel",
    "CharLanguageModelConfig",
    "DotAttention",
    "GeneralAttention",
    "Memory",
    "Recurrent",
    "SentimentClassifier",
    "SentimentClassifierConfig",
    "Seq2Seq",
    "Seq2SeqConfig",
    "make_attention",
    "source_mask",
]
