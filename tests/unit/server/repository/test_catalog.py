from dataclasses import dataclass
from types import SimpleNamespace
from typing import cast

import pytest

from ostinato_server.errors import InvalidArgument, ModelNotFound, WrongTask
from ostinato_server.repository.catalog import Catalog
from ostinato_server.repository.model import LoadedModel


@dataclass
class Model:
    name: str
    version: int
    task: str = "generation"

    @property
    def manifest(self) -> SimpleNamespace:
        return SimpleNamespace(task=self.task)

    def __str__(self) -> str:
        return f"{self.name} version {self.version}"


def catalog(*models: Model) -> Catalog:
    return Catalog(cast("list[LoadedModel]", models))


def test_newest_version_answers_when_none_is_named() -> None:
    models = catalog(Model("a", 2), Model("a", 10), Model("a", 9))
    assert models.get("a", None).version == 10
    assert models.get("a", 9).version == 9


def test_models_are_sorted_by_name_then_version() -> None:
    models = catalog(Model("b", 1), Model("a", 10), Model("a", 2))
    assert [(model.name, model.version) for model in models.all()] == [("a", 2), ("a", 10), ("b", 1)]


@pytest.mark.parametrize(
    ("name", "version", "told"),
    [
        ("b", None, "no model 'b'; loaded: a, c"),
        ("A", 1, "no model 'A' version 1; loaded: a, c"),
        ("a", 3, "no model 'a' version 3; loaded: a version 1, a version 2"),
    ],
)
def test_unknown_name_or_version_is_not_found_and_told_what_there_is(name: str, version: int | None, told: str) -> None:
    with pytest.raises(ModelNotFound, match=f"^{told}$"):
        catalog(Model("c", 1), Model("a", 1), Model("a", 2)).get(name, version)


def test_replaced_models_answer_at_once() -> None:
    models = catalog(Model("a", 1))
    models.replace(cast("list[LoadedModel]", [Model("a", 2)]))
    assert models.get("a", None).version == 2
    with pytest.raises(ModelNotFound, match="loaded: a version 2"):
        models.get("a", 1)


def test_empty_name_is_an_invalid_argument() -> None:
    with pytest.raises(InvalidArgument, match="model: must name a model"):
        catalog(Model("a", 1)).get("", None)


def test_model_of_another_task_is_told_apart_from_a_missing_one() -> None:
    with pytest.raises(WrongTask, match="model a does generation, not sentiment"):
        catalog(Model("a", 1)).get_as(LoadedModel, "sentiment", "a", None)
