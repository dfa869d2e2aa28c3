"""What stops an evaluation."""

from ostinato_models.errors import ModelsError


class EvaluationError(ModelsError):
    """A bundle cannot be measured as asked."""
