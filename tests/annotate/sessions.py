"""The texts and classes of sessions in tests, and a ranking made by hand."""

from alkit.annotate.database.ranking import Ranked, put_ranking

TEXTS = [f"text {k}" for k in range(20)]
CLASSES = ["spam", "ham"]
# the state of a model that nothing is the matter with; without version and number of labels: of none
CALM = {
    "version": None, "n_labels": None, "training": False, "error": None,
    "waiting": None, "slow": None, "unreadable": {"n": 0, "items": []}, "chosen": None,
}  # fmt: skip


def rank(session, keys, prediction="spam"):
    ids = {row["key"]: row["id"] for row in session.store.query("SELECT key, id FROM item")}
    rows = [Ranked(ids[key], place, 1.0, prediction, 0.9) for place, key in enumerate(keys)]
    return put_ranking(session.store, rows, 4, 0.0)
