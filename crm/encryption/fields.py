"""Model fields whose values are sealed with a person's key, and read as if they were plain.

The value is sealed when its row is saved and opened when it is first read. A row that was never read is saved as it
came. Where the person's key was destroyed, the value reads as empty; where the value was moved here from another row,
field or person, reading raises ``Tampered``. To look for one, ask for its blind index.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import orjson
from django import forms
from django.core.exceptions import FieldError
from django.db import models
from django.db.models.query_utils import DeferredAttribute

from crm.encryption.people import Keys
from crm.encryption.values import Shredded, aad, open_, open_for_house, seal, seal_for_house

KEYS = "_keys_of_people"  # where a row holds the keys that it shares with the rows that were read with it
AT_HAND: ContextVar[Keys | None] = ContextVar("keys_at_hand", default=None)

SetType = TypeVar("SetType")
GetType = TypeVar("GetType")

if TYPE_CHECKING:
    from django.db.models import Field as BaseField
else:

    class BaseField(models.Field):
        """Django's field, with the parameters that its types have."""

        def __class_getitem__(cls, _parameters: object) -> type:
            return cls


@contextmanager
def keys_at_hand(keys: Keys) -> Iterator[None]:
    """Let the rows that are saved in the block seal with these keys, which are of the same transaction."""
    before = AT_HAND.set(keys)
    try:
        yield
    finally:
        AT_HAND.reset(before)


class Sealed:
    """A sealed value as it came from the database; it shows nothing, wherever it is printed."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __repr__(self) -> str:
        return "<sealed>"


class SealedAttribute(DeferredAttribute):
    """Opens a value when it is first read."""

    field: "EncryptedField[Any, Any]"

    def __get__(self, instance: models.Model | None, cls: type[models.Model] | None = None) -> Any:
        if instance is None:
            return self
        name = self.field.attname
        value = instance.__dict__[name] if name in instance.__dict__ else super().__get__(instance, cls)
        if isinstance(value, Sealed):
            value = self.field.opened(instance, value.data)
        if value is None:
            value = self.field.nothing()
        instance.__dict__[name] = value
        return value

    def __set__(self, instance: models.Model, value: Any) -> None:
        instance.__dict__[self.field.attname] = value


class EncryptedField(BaseField[SetType, GetType]):
    """A sealed value; ``person`` names the attribute with the profile's id, ``row`` what tells the row from others.

    Without a person (``person=None``) the ring itself seals it, for what belongs to nobody known. A row that is told
    by an automatic primary key must be a :class:`crm.encryption.SealedModel`, which knows its id before it is written.
    """

    descriptor_class = SealedAttribute
    nothing: Any = str

    def __init__(
        self, *args: Any, person: str | None = "profile_id", row: str | Sequence[str] = "pk", **kwargs: Any
    ) -> None:
        self.person, self.row = person, (row,) if isinstance(row, str) else tuple(row)
        super().__init__(*args, **{"null": True, "blank": True} | kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        return name, path, args, kwargs | {"person": self.person, "row": self.row}

    def get_internal_type(self) -> str:
        return "BinaryField"

    def pack(self, value: Any) -> bytes:
        return str(value).encode()

    def unpack(self, plain: bytes) -> Any:
        return plain.decode()

    def opened(self, instance: models.Model, data: bytes) -> Any:
        """Return the plain value of a row; empty where its key was destroyed."""
        context = self.context(instance)
        if self.person is None:
            return self.unpack(open_for_house(data, context))
        keys: Keys = instance.__dict__.get(KEYS) or Keys()
        try:
            return self.unpack(open_(keys.of(getattr(instance, self.person)), data, context))
        except Shredded:
            return None

    def context(self, instance: models.Model) -> bytes:
        """Return what the value is bound to."""
        parts = [getattr(instance, name) for name in self.row]
        if None in parts:
            raise TypeError(f"{instance._meta.label} must know its {self.row} before {self.name} can be sealed.")
        return aad(instance._meta.label_lower, self.attname, *parts)

    def is_told(self, instance: models.Model) -> bool:
        """Return whether there is a value to be sealed when the row is saved."""
        value = instance.__dict__.get(self.attname)
        return not (isinstance(value, Sealed) or value is None or value in ("", {}, []))

    def pre_save(self, instance: models.Model, add: bool) -> bytes | None:
        value = instance.__dict__.get(self.attname)
        if isinstance(value, Sealed):
            self.opened(instance, value.data)  # or it belongs to another person or row by now
            return value.data
        if not self.is_told(instance):
            return None
        if self.person is None:
            return seal_for_house(self.pack(value), self.context(instance))
        keys, person = AT_HAND.get() or Keys(), getattr(instance, self.person)
        keys.make([person])
        return seal(keys.of(person), self.pack(value), self.context(instance))

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Sealed | None:
        return None if value is None else Sealed(bytes(value))

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if value is None:
            return None
        if not isinstance(value, bytes):
            raise TypeError(f"{self.name} is sealed row by row: set it and save(), update() cannot.")
        return connection.Database.Binary(value)

    def get_lookup(self, lookup_name: str) -> Any:
        return super().get_lookup(lookup_name) if lookup_name == "isnull" else self._refuse(lookup_name)

    def get_transform(self, lookup_name: str) -> Any:
        return self._refuse(lookup_name)

    def value_to_string(self, obj: models.Model) -> NoReturn:
        raise TypeError(f"{self.name} is sealed and not written to files.")

    def _refuse(self, lookup_name: str) -> NoReturn:
        raise FieldError(f"{self.name} is sealed: ask for its blind index, not for {self.name}__{lookup_name}.")


class EncryptedTextField(EncryptedField[str, str]):
    """A sealed text."""

    def formfield(self, **kwargs: Any) -> Any:
        return super().formfield(**{"form_class": forms.CharField, "max_length": self.max_length} | kwargs)


class EncryptedJSONField(EncryptedField[Any, Any]):
    """A sealed JSON value, an object unless something else was stored."""

    nothing = dict

    def pack(self, value: Any) -> bytes:
        return orjson.dumps(value)

    def unpack(self, plain: bytes) -> Any:
        return orjson.loads(plain)


class EncryptedBytesField(EncryptedField[bytes, bytes]):
    """Sealed bytes, such as a picture."""

    nothing = bytes

    def is_told(self, instance: models.Model) -> bool:
        return super().is_told(instance) and instance.__dict__[self.attname] != b""

    def pack(self, value: bytes) -> bytes:
        return value

    def unpack(self, plain: bytes) -> bytes:
        return plain


class EncryptedDateField(EncryptedField[date | None, date | None]):
    """A sealed date."""

    def nothing(self) -> None:
        return None

    def pack(self, value: date) -> bytes:
        return value.isoformat().encode()

    def unpack(self, plain: bytes) -> date:
        return date.fromisoformat(plain.decode())

    def formfield(self, **kwargs: Any) -> Any:
        return super().formfield(**{"form_class": forms.DateField} | kwargs)
