"""What commands share that announce what they wrote."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from nbactl.render import messages
from nbactl.session import Session
from shared.errors import NbactlError, PartlyFailed, PreconditionFailed

if TYPE_CHECKING:
    from processors.book import Key
    from shared.warehouse.base import Warehouse


def publish_owed(session: Session, warehouse: Warehouse, keys: Collection[Key] | None = None) -> NbactlError | None:
    """Publish what is owed, of some table-dates or of all; the error where something stays owed."""
    from processors import outbox

    try:
        pubsub = session.pubsub()
    except PreconditionFailed as error:  # nowhere to publish to, and what is written stays
        return error
    sent = outbox.send_all(warehouse, pubsub.publish, keys)
    failed = [one for one in sent if one.error]
    if len(sent) > len(failed):
        messages.note(f"{len(sent) - len(failed)} announcements published", quiet=session.quiet)
    if not failed:
        return None
    first = failed[0].error
    said = f"{len(failed)} announcements are owed: what they announce is written, and nobody knows yet"
    return PartlyFailed(said, why=f"{first.message}: {first.why}" if first else None, hint="nbactl reconcile")
