"""The models that are served, by name and version."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from ostinato_server.errors import InvalidArgument, ModelNotFound, WrongTask
from ostinato_server.repository.model import LoadedModel

MAX_NAME_CHARACTERS = 64
"""No bundle may have a longer name; a status could not even repeat a very long one."""

M = TypeVar("M", bound=LoadedModel)


def check_name(name: str) -> None:
    """Checks that a request names a model.

    Raises:
        InvalidArgument: The name is empty or too long.
    """
    if not name:
        raise InvalidArgument("model", "must name a model; ListModels tells which there are")
    if len(name) > MAX_NAME_CHARACTERS:
        raise InvalidArgument("model", f"must have at most {MAX_NAME_CHARACTERS} characters, not {len(name)}")


class Catalog:
    """Looks models up.

    Args:
        models: The models; of several versions of one name, the highest answers requests that name none.
    """

    def __init__(self, models: Iterable[LoadedModel] = ()) -> None:
        self._models: tuple[LoadedModel, ...] = ()
        self.replace(models)

    def replace(self, models: Iterable[LoadedModel]) -> None:
        """Serves these from now on, in one assignment: a request finds what there was or what there is."""
        self._models = tuple(sorted(models, key=lambda model: (model.name, model.version)))

    def all(self) -> list[LoadedModel]:
        """Every model, sorted by name, then version."""
        return list(self._models)

    def get(self, name: str, version: int | None) -> LoadedModel:
        """The model of that name, in that version or else the newest.

        Raises:
            InvalidArgument: The name is empty or too long.
            ModelNotFound: No such model is loaded.
        """
        check_name(name)
        models = self._models
        versions = [model for model in models if model.name == name]
        found = [model for model in versions if version in (None, model.version)]
        if not found:
            there = map(str, versions) if versions else sorted({model.name for model in models})
            raise ModelNotFound(name, version, tuple(there))
        return found[-1]

    def get_as(self, kind: type[M], task: str, name: str, version: int | None) -> M:
        """The model of that name, for a task.

        Raises:
            InvalidArgument: The name is empty or too long.
            ModelNotFound: No such model is loaded.
            WrongTask: It does something else.
        """
        model = self.get(name, version)
        if model.manifest.task != task or not isinstance(model, kind):
            raise WrongTask(name, model.manifest.task, task)
        return model
