"""The lab of the tests of the notifier."""

from __future__ import annotations

import pytest

from actors.kernel import VirtualClock
from actors.providers.scripted import ScriptedRemote
from tests.actors.notifier_lab import Lab
from tests.notification_fixtures import Targets


@pytest.fixture
async def lab():
    clock = VirtualClock()
    return Lab(clock, ScriptedRemote(clock.now), Targets())
