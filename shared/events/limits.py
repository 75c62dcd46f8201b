"""What Pub/Sub takes, and how long what we write into it may be.

The numbers are those of https://cloud.google.com/pubsub/quotas#resource_limits. The emulator holds to none of them, so
they are checked here, before anything is sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shared.errors import MessageRefused
from shared.events.contract import Message
from shared.text import byte_length, quote

MESSAGE_BYTES = 10_000_000
"""Data and attributes of one message together."""
ATTRIBUTES = 100
KEY_BYTES = 256
VALUE_BYTES = 1_024
ORDERING_KEY_BYTES = 1_024
RESERVED_PREFIX = "goog"
"""No key of an attribute may begin so, in capitals or not."""
REQUEST_BYTES = 10_000_000
"""All messages of one publish request together."""
REQUEST_MESSAGES = 1_000

_FRAMING_BYTES = 2_048
"""More than a request adds to one message: its topic, and a few bytes for each attribute."""
_HINT = "https://cloud.google.com/pubsub/quotas#resource_limits"


def check_message(message: Message) -> None:
    """Refuse a message that Pub/Sub would refuse.

    Raises:
        MessageRefused: it is empty, or over a limit; says which.
    """
    if problem := next(_problems(message), None):
        raise MessageRefused("Pub/Sub does not take this message", why=problem, hint=_HINT)


def message_bytes(message: Message) -> int:
    """The size of a message as Pub/Sub reckons it: data, keys and values, in bytes."""
    return len(message.data) + sum(byte_length(key) + byte_length(value) for key, value in message.attributes.items())


def split_requests(messages: Sequence[Message]) -> Iterator[Sequence[Message]]:
    """Cut messages into publish requests of a size that Pub/Sub takes, in order."""
    start, size = 0, 0
    for index, message in enumerate(messages):
        added = message_bytes(message) + _FRAMING_BYTES
        if index > start and (size + added > REQUEST_BYTES or index - start == REQUEST_MESSAGES):
            yield messages[start:index]
            start, size = index, 0
        size += added
    if messages:
        yield messages[start:]


def _problems(message: Message) -> Iterator[str]:
    if not message.data and not message.attributes:
        yield "it has neither data nor attributes"
    if len(message.attributes) > ATTRIBUTES:
        yield f"it has {len(message.attributes):,} attributes; {ATTRIBUTES} are allowed"
    for key, value in message.attributes.items():
        yield from _attribute_problems(key, value)
    if (length := byte_length(message.ordering_key)) > ORDERING_KEY_BYTES:
        yield f"its ordering key has {length:,} bytes; {ORDERING_KEY_BYTES:,} are allowed"
    if (size := message_bytes(message)) > MESSAGE_BYTES:
        yield f"it has {size:,} bytes with its attributes; {MESSAGE_BYTES:,} are allowed"


def _attribute_problems(key: str, value: str) -> Iterator[str]:
    name = quote(key)
    if not key:
        yield "the key of an attribute is empty"
    if key.lower().startswith(RESERVED_PREFIX):
        yield f"the attribute {name} begins with {RESERVED_PREFIX!r}, which is Google's own"
    if (length := byte_length(key)) > KEY_BYTES:
        yield f"the key {name} has {length:,} bytes; {KEY_BYTES} are allowed"
    if (length := byte_length(value)) > VALUE_BYTES:
        yield f"the attribute {name} has {length:,} bytes; {VALUE_BYTES:,} are allowed"
    if not (_is_text(key) and _is_text(value)):
        yield f"the attribute {name} is no text that UTF-8 can hold"


def _is_text(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)
