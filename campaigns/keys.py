"""Names that are the same however often and wherever they are computed."""

from uuid import UUID, uuid5

NAMESPACE = UUID("0a6e8d53-52c5-5d0b-8f4e-2f6d3f0f7c11")  # ours: a delivery means the same in every deployment


def run_id(campaign: int, key: str) -> UUID:
    """Return the id of a campaign's run."""
    return uuid5(NAMESPACE, f"run {campaign} {key}")


def delivery_id(occasion: UUID, profile: int, channel: str) -> UUID:
    """Return the id of the one delivery of an occasion to a profile on a channel."""
    return uuid5(NAMESPACE, f"{occasion} {profile} {channel}")
