"""What was learned, in the admin: models and their cards, runs and what they say, segments found, one person."""

from mlengine.admin import clusters, exports, figures, offers, runs, versions

__all__ = ["clusters", "exports", "figures", "offers", "runs", "versions"]
