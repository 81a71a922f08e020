"""Whom a prompt is written for: a family of the catalog or one model, and whether it will think.

Says what that model can (think, read images); which texts follow from it is the template's.

    python -c "from qwen_router.prompts.target import target_of; print(target_of('Qwen3-8B', None).thinking)"
"""

from __future__ import annotations

from dataclasses import dataclass

from qwen_router.catalog import Catalog, Model
from qwen_router.errors import InvalidRequest, UnknownName
from qwen_router.request import Modality


@dataclass(frozen=True, slots=True)
class Target:
    """`name` is what the caller called it; `model` is None where a whole family was named, all but `thinking` where none
    was. `modalities` are those that any of its models reads."""

    name: str | None = None
    family: str | None = None
    model: str | None = None
    thinking: bool = False
    modalities: frozenset[Modality] | None = None

    def is_called(self, name: str) -> bool:
        """Whether a family's or model's name, known to the catalog, means this target."""
        if self.family is None:
            return False
        if name.lower() == self.family:
            return True
        return self.model is not None and models_called(name)[0].id == self.model and len(models_called(name)) == 1


def target_of(family: str | None, thinking: bool | None) -> Target:
    """The target that a family's or a model's name means.

    `thinking` None is what the model does when nobody asks: on for those that think by default, off where no family is
    named. Raises `UnknownName`, and `InvalidRequest` for a thinking that the model does not have or cannot leave, or for a
    model that does not chat.
    """
    if family is None:
        return Target(thinking=bool(thinking))
    models = models_called(family)
    chats = [model for model in models if model.kind == "chat"]
    if not chats:
        raise InvalidRequest(f"{family!r} does not chat: it is for {models[0].kind}", fix="name a family of chat models")
    behaviours = {model.thinking.behaviour for model in chats}
    if thinking and not behaviours & {"toggle", "always"}:
        raise InvalidRequest(f"{family!r} never thinks", fix="leave thinking out, or name a family that thinks")
    if thinking is False and behaviours == {"always"}:
        raise InvalidRequest(f"{family!r} always thinks", fix="leave thinking out, or name a family that can be told not to")
    return Target(
        name=family,
        family=chats[0].family,
        model=None if family.lower() == chats[0].family else chats[0].id,
        thinking=all(model.thinking.default_on for model in chats) if thinking is None else thinking,
        modalities=frozenset(modality for model in chats for modality in model.modalities),
    )


def models_called(name: str) -> tuple[Model, ...]:
    """All models of the family of that name, or the one model of that name. Raises `UnknownName`."""
    catalog = Catalog.load()
    if members := tuple(model for model in catalog.models if model.family == name.lower()):
        return members
    if (model := catalog.resolve(name)) is not None:
        return (model,)
    known = [*catalog.families(), *(m.short_name for m in catalog.models)]
    raise UnknownName.among(name, known, kind="family or model", listing="qwen-router models compare --families")
