"""What commands share that announce what they wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbactl.render import messages
from nbactl.session import Session
from shared.errors import NbactlError, PartlyFailed, PreconditionFailed

if TYPE_CHECKING:
    from shared.warehouse.base import Warehouse


def publish_owed(session: Session, warehouse: Warehouse, request_id: str | None = None) -> NbactlError | None:
    """Publish what is owed, of a request or of all; the error where something stays owed."""
    from processors import outbox

    try:
        pubsub = session.pubsub()
    except PreconditionFailed as error:  # nowhere to publish to, and what is written stays
        return error
    sent = outbox.send_all(warehouse, pubsub.publish, request_id)
    failed = [one for one in sent if one.error]
    if len(sent) > len(failed):
        messages.note(f"{len(sent) - len(failed)} announcements published", quiet=session.quiet)
    if not failed:
        return None
    first = failed[0].error
    said = f"{len(failed)} announcements are owed: what they announce is written, and nobody knows yet"
    return PartlyFailed(said, why=f"{first.message}: {first.why}" if first else None, hint="nbactl reconcile")
