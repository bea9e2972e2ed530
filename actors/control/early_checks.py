"""Checks of requests before their jobs are accepted, by the providers that can find faults in them (E6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from actors.jobs.capacity import can_ever_fit
from actors.jobs.records import Capacity
from actors.jobs.refusal import RefusalKind, Refused
from actors.ledger import Ledger, NewJob
from actors.ledger.keys import known_keys
from actors.providers.abilities import RequestFault
from actors.providers.guard import Failure, GuardedProvider
from logconf import get_logger

_logger = get_logger("actors.control")


async def early_warnings(
    ledger: Ledger, providers: Mapping[str, GuardedProvider], new: Sequence[NewJob], *, check: bool
) -> dict[int, tuple[str, ...]]:
    """Warnings about requests that are accepted all the same, by their index in ``new``.

    Raises :class:`Refused` for the first request that certainly cannot run; if ``check`` is false, that is a warning
    too. A request that can never fit its provider is always refused if the provider has no checks of its own. A request
    whose job exists already, under its key, is not checked again.
    """
    faults: dict[int, tuple[RequestFault, ...]] = {}
    refused: dict[int, RequestFault] = {}
    for name in dict.fromkeys(each.request.provider for each in new):
        indices = [index for index, each in enumerate(new) if each.request.provider == name]
        found = await providers[name].check_requests([new[index].request for index in indices])
        if isinstance(found, Failure):
            _logger.warning("Provider %s could not check requests: %s", name, found.message, extra={"provider": name})
        elif found is None:
            refused |= _never_fitting(providers[name], name, {index: new[index] for index in indices})
        else:
            faults |= {index: one for index, one in zip(indices, found, strict=True) if one}
    if check:
        sure = {index: fault for index, one in faults.items() for fault in reversed(one) if fault.sure}
        refused |= sure
    if refused:
        await _refuse(ledger, new, refused)
    return {index: tuple(fault.message for fault in one) for index, one in faults.items()}


def _never_fitting(provider: GuardedProvider, name: str, new: Mapping[int, NewJob]) -> dict[int, RequestFault]:
    capacity = provider.capacity()
    room = Capacity() if isinstance(capacity, Failure) else capacity
    misfits = {index: can_ever_fit(each.request.resources, room) for index, each in new.items()}
    return {
        index: RequestFault("resources", f"provider {name} {misfit}")
        for index, misfit in misfits.items()
        if misfit is not None
    }


async def _refuse(ledger: Ledger, new: Sequence[NewJob], refused: Mapping[int, RequestFault]) -> None:
    there = await ledger.read(known_keys, [new[index].request for index in refused])
    for index in sorted(refused):
        request, fault = new[index].request, refused[index]
        if (request.user_id, request.idempotency_key) not in there:
            raise Refused(f"{new[index].where}{fault.message}", RefusalKind.INVALID, fault.field)
