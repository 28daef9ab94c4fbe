"""By which recipe a model is made: the one in code, unless a search found a better one for the champion."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from mlengine.cards import as_json, parameters_of, recipe
from mlengine.models import ModelVersion
from mlengine.specs import SPECS, Spec

TUNED = "tuned"  # the key of a card: what a search changed, and in which recipe


class NoSuchChoice(ValueError):
    """What a person wants to train with is none of what a search may try."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a search found: the spec with other parameters, those, what it searched from, and which trial it was.

    Without a trial it is what a person asked for.
    """

    recipe: Spec
    parameters: Mapping[str, Any]
    base: Spec
    trial: int | None

    def told(self) -> dict[str, Any]:
        """Return what a card keeps of it."""
        return dict(as_json({"parameters": self.parameters, "base": recipe(self.base), "trial": self.trial}))


def made_by(version: ModelVersion, spec: Spec | None = None) -> Spec:
    """Return the spec as a version was made by it, so that it is asked as it was taught.

    A version whose class this release no longer has is loaded by the present one, as far as that understands it.
    """
    asked, made = spec or SPECS[version.spec], version.card.get("recipe")
    if not made or made == recipe(asked):
        return asked
    former = replace(asked, task=made["task"], parameters=parameters_of(made))
    return former if is_known(former) else asked


def asked_for(spec: Spec, champion: ModelVersion | None, wanted: Mapping[str, Any]) -> Found | None:
    """Return the recipe in use with what a person wants in place of some of it; None where nothing is wanted.

    Who wants what is in use chose it all the same: it answers in the shadow, as she was told.
    """
    if not wanted:
        return None
    used = adopted(spec, champion)
    changed = {name: used.parameters[name] for name in spec.search if name in used.parameters} | dict(wanted)
    return Found(recipe=with_parameters(used, changed), parameters=changed, base=spec, trial=None)


def adopted(spec: Spec, champion: ModelVersion | None) -> Spec:
    """Return the recipe to train by: what a search found and a champion proved, until the code's own recipe changes."""
    found = in_use(spec, champion)
    return found if found == spec or is_known(found) else spec


def in_use(spec: Spec, champion: ModelVersion | None) -> Spec:
    """Return the same without asking whether this release still knows it, which would import the science."""
    tuned = champion.card.get(TUNED) if champion else None
    if not tuned or tuned.get("base") != recipe(spec):
        return spec
    return with_parameters(spec, parameters_of(tuned))


def with_parameters(spec: Spec, changed: dict[str, Any]) -> Spec:
    return replace(spec, parameters={**spec.parameters, **changed})


def is_known(spec: Spec) -> bool:
    """Return whether this release has what a recipe names."""
    try:
        return spec.verbs is not None
    except (ImportError, AttributeError, TypeError):
        return False
