"""A Ray cluster as a provider, by its Jobs REST API (docs/ray.md)."""

from actors.providers.ray.options import RayOptions
from actors.providers.ray.provider import RayProvider

__all__ = ["RayOptions", "RayProvider"]
