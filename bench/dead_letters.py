"""How fast dead letters are read and sent again, on the real emulator, and a chain is traced.

    python bench/dead_letters.py [LETTERS]

In a folder of its own, with a pipeline whose services have written down a reason for every letter. The floor of
reading is Google's client pulling as many messages and doing nothing with them.
"""

import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from events import Place, running  # the folder and its commands
from google.pubsub_v1 import types

from nbactl.ops import inspecting, letters, taking
from processors import runner
from shared import events
from shared.events import Message
from shared.ledger import DELIVERIES
from shared.pubsub import PubSub
from shared.warehouse.connect import connect

PUBLISHED = datetime(2025, 1, 16, 6, 42, 40, tzinfo=UTC)
AT_ONCE = 1000
FEW = 1000
RATE = 250.0


def main() -> None:
    """Start the pipeline, fill its dead letters, measure and print a row per figure."""
    with running() as place:
        _measure(place, int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)


def _measure(place: Place, count: int) -> None:
    local = json.loads((place.folder / ".nbactl" / "up.json").read_text())
    pubsub = PubSub(local["project"], local["emulator"])
    warehouse = connect(f"duckdb:///{place.folder / '.nbactl' / 'warehouse.duckdb'}")
    box = letters.boxes(4)[0]
    subscribed = {"name": pubsub.subscription_path("floor"), "topic": pubsub.topic_path(box.dead_letters)}
    pubsub.subscriber.create_subscription(request=types.Subscription(subscribed))
    _die(pubsub, warehouse, box, FEW)
    print(f"{'figure':<58}{'':>14}")
    took = min(place.seconds("dlq", "inspect", "-o", "json") for _ in range(5))
    print(f"{f'nbactl dlq inspect of {FEW}, whole process':<58}{took:>10.2f} s   (target 1.0)")
    _die(pubsub, warehouse, box, count - FEW)
    floor = _seconds(lambda: _pull(pubsub, count))
    ours = _seconds(lambda: _inspect(pubsub, warehouse, count))
    print(f"{f'reading {count}, decoded and with reasons':<58}{count / ours:>10.0f} /s  (target 5000)")
    print(f"{'  floor: pulling them':<58}{count / floor:>10.0f} /s")
    few = [box]
    pace = _seconds(lambda: _replay(pubsub, few, limit=FEW, rate=RATE))
    print(f"{f'replay --rate {RATE:.0f}, of {FEW}':<58}{FEW / pace:>10.0f} /s  (within 5 %)")
    rest = _seconds(lambda: _replay(pubsub, few, limit=None, rate=None))
    print(f"{f'replay of {count - FEW}':<58}{(count - FEW) / rest:>10.0f} /s  (target 2000)")
    dates = [row["game_date"] for row in json.loads(place.nbactl("show", "nbac_team_boxscore", "-o", "json"))]
    sent = json.loads(place.nbactl("publish-test", "--date", min(dates), "-o", "json", "-q"))
    time.sleep(8)
    chain = min(place.seconds("trace", sent[0]["correlation_id"]) for _ in range(5))
    print(f"{'nbactl trace, whole process':<58}{chain:>10.2f} s   (target 0.5)")
    pubsub.close()


def _die(pubsub: PubSub, warehouse: object, box: letters.Box, count: int) -> None:
    """Put letters where Pub/Sub would, and what the service said of them into the ledger."""
    dead, said = [], []
    for number in range(count):
        at = PUBLISHED + timedelta(milliseconds=number)
        body = {"analytics_table": "no_such_table", "game_date": "2025-01-15", "correlation_id": f"c-{number}"}
        data = json.dumps(body).encode()
        source = {
            "CloudPubSubDeadLetterSourceSubscription": box.source,
            "CloudPubSubDeadLetterSourceDeliveryCount": "5",
            "CloudPubSubDeadLetterSourceTopicPublishTime": at.isoformat(timespec="milliseconds"),
        }
        dead.append(Message(data, source))
        said.append(
            {
                "request_id": f"{count}-{number}",
                "received_date": at.date(),
                "received_at": at,
                "route": "/process",
                "subscription": pubsub.subscription_path(box.source),
                "publish_time": at,
                "payload_sha256": events.payload_digest(data),
                "http_status": 500,
                "decision": "failed",
                "reason": "so",
                "actor": "bench",
                "code_version": "1",
            }
        )
    for start in range(0, count, AT_ONCE):
        pubsub.publish_all(box.dead_letters, dead[start : start + AT_ONCE])
    with warehouse.writing(runner.all_tables()) as session:  # type: ignore[attr-defined]
        session.insert(DELIVERIES, said)


def _pull(pubsub: PubSub, count: int) -> None:
    left = count
    while left > 0 and (pulled := pubsub.pull("floor", AT_ONCE)):
        left -= len(pulled)


def _inspect(pubsub: PubSub, warehouse: object, count: int) -> None:
    reasons = inspecting.reasons(warehouse, PUBLISHED)  # type: ignore[arg-type]
    batches = inspecting.inspect(pubsub, letters.boxes(), reasons)
    found = sum(1 for batch in batches for one in batch if inspecting.record(one)["reason"] == "failed")
    if found != count:
        sys.exit(f"{found} letters were found, {count} were written")


def _replay(pubsub: PubSub, boxes: list[letters.Box], *, limit: int | None, rate: float | None) -> None:
    tally = taking.replay(pubsub, boxes, lambda batch: batch, limit=limit, rate=rate, watch=lambda _: None)
    if tally.error:
        raise tally.error


def _seconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
