"""What tests do with a database: fill it, hand out an item, record an event."""

LEASE = 10.0


def fill(store, n, overlap):
    store.add_items([(f"i{k}", k, '{"text": "x", "row": null}') for k in range(n)], overlap, "fingerprint")
    return store


def record(store, kind, item, value, annotator, now=0.0, uuid=None):
    event = {"uuid": uuid or f"{annotator}-{now}-{kind}-{item}-{value}", "item": item, "kind": kind, "value": value}
    return store.record(event | {"seconds": None}, annotator, now=now, lease_seconds=LEASE)


def next_item(store, annotator, now=0.0, ranked=True, random_share=0.25):
    return store.next(annotator, now=now, lease_seconds=LEASE, ranked=ranked, random_share=random_share)
