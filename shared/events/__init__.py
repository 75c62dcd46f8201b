"""The messages between phases: one place that writes them and one that reads them.

A publisher builds an event (`raw_data_loaded`, `analytics_complete`, `precompute_complete`, or a `Fallback`) and sends
`encode(event)`. A service hands the body of a push to `parse_push`, a reader of dead letters the data to `parse_data`.
"""

from shared.events.contract import (
    HOPS,
    REJECTS,
    Completion,
    Delivery,
    Event,
    Fallback,
    Message,
    Received,
    Rejected,
    analytics_complete,
    bare_table,
    encode,
    mint_correlation_id,
    payload_digest,
    precompute_complete,
    push_body,
    raw_data_loaded,
)
from shared.events.reading import parse_data, parse_push

__all__ = [
    "HOPS",
    "REJECTS",
    "Completion",
    "Delivery",
    "Event",
    "Fallback",
    "Message",
    "Received",
    "Rejected",
    "analytics_complete",
    "bare_table",
    "encode",
    "mint_correlation_id",
    "parse_data",
    "parse_push",
    "payload_digest",
    "precompute_complete",
    "push_body",
    "raw_data_loaded",
]
