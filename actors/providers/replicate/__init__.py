"""The provider `replicate`: predictions and trainings at https://replicate.com, or at another server with its API."""

from actors.providers.replicate.options import ReplicateOptions
from actors.providers.replicate.provider import ReplicateProvider

__all__ = ["ReplicateOptions", "ReplicateProvider"]
