"""Personal values at rest: each sealed with the key of its person, found by keyed hashes, unreadable when erased."""

from crm.encryption.fields import EncryptedBytesField, EncryptedDateField, EncryptedJSONField, EncryptedTextField
from crm.encryption.people import Keys
from crm.encryption.rows import SealedModel, SealedQuerySet, ids_of, share_keys, was_set
from crm.encryption.values import (
    Shredded,
    Tampered,
    aad,
    blind_index,
    blind_indexes,
    indexes_by_generation,
    open_,
    open_for_house,
    possible_indexes,
    pseudonym,
    seal,
    seal_for_house,
    suppression_key,
    suppression_keys,
    suppression_keys_by_generation,
)

__all__ = [
    "EncryptedBytesField",
    "EncryptedDateField",
    "EncryptedJSONField",
    "EncryptedTextField",
    "Keys",
    "SealedModel",
    "SealedQuerySet",
    "Shredded",
    "Tampered",
    "aad",
    "blind_index",
    "blind_indexes",
    "ids_of",
    "indexes_by_generation",
    "open_",
    "open_for_house",
    "possible_indexes",
    "pseudonym",
    "seal",
    "seal_for_house",
    "share_keys",
    "suppression_key",
    "suppression_keys",
    "suppression_keys_by_generation",
    "was_set",
]
