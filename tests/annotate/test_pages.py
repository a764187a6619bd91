"""Which page of an annotator holds which items: after reloads, beside other pages, after a restart, and how many."""

import random
import threading

import pytest

from alkit.annotate import LabelingSession
from alkit.annotate.database.leases import held_items
from alkit.annotate.pages import MAX_HELD_BY_ANNOTATOR, MAX_HELD_BY_PAGE

CLASSES = ["spam", "ham"]
TEXTS = [f"text {k}" for k in range(60)]


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still unless it is set."""

    class Clock:
        now = 1_000.0

    monkeypatch.setattr("alkit.annotate.session.time.time", lambda: Clock.now)
    return Clock


def open_session(database, texts=TEXTS, **options):
    return LabelingSession(texts, CLASSES, database, random_state=0, **options)


@pytest.fixture
def session(database, clock):
    with open_session(database) as session:
        yield session


def asks(session, page, have=(), annotator="ann"):
    """Ask for an item as a page does; return its id, or None."""
    item = session.next(annotator, page=page, have=have)
    return item and item["item"]


def load(session, page):
    """Ask as a page does that was just loaded: for the item it shows, and for the next one."""
    first = asks(session, page)
    return first, asks(session, page, [first])


def n_held(session, annotator="ann"):
    return len(held_items(session.store, annotator, 1_000.0))


def test_a_reload_gets_the_same_items_back(session):
    assert len({load(session, "p") for _ in range(20)}) == 1
    assert n_held(session) == 2


def test_an_answer_lost_on_the_way_is_given_again(session):
    lost = asks(session, "p", ["7"])
    assert asks(session, "p", ["7"]) == lost


@pytest.mark.parametrize("ask", [lambda session, page: session.next("ann"), lambda session, page: asks(session, page)])
def test_nobody_holds_the_whole_pool(session, ask):
    for number in range(200):
        ask(session, f"page {number}")
    assert n_held(session) <= MAX_HELD_BY_ANNOTATOR


def test_a_client_that_names_no_page_is_given_what_it_holds_once_that_is_enough(session):
    given = [session.next("ann")["item"] for _ in range(30)]
    assert len(set(given)) == MAX_HELD_BY_PAGE
    session.label(given[0], "spam", "ann")
    assert session.next("ann")["item"] not in given


def test_a_page_that_says_it_has_everything_is_given_no_more(session):
    have = []
    while (item := asks(session, "p", have)) is not None:
        have.append(item)
    assert len(have) == MAX_HELD_BY_PAGE
    assert session.next("bob") is not None


def test_forty_requests_at_once_hold_no_more(database):
    with open_session(database) as session:
        rng = random.Random(0)
        pages = [rng.choice([None, "p", "q", "r", "s"]) for _ in range(40)]
        threads = [threading.Thread(target=session.next, args=("ann",), kwargs={"page": page}) for page in pages]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(held_items(session.store, "ann", 0.0)) <= MAX_HELD_BY_ANNOTATOR


def test_two_pages_of_one_person_have_no_item_in_common(session):
    first, second = load(session, "p"), load(session, "q")
    assert len({*first, *second}) == 4
    assert (load(session, "p"), load(session, "q")) == (first, second)


def test_what_undo_brought_back_is_not_given_to_another_page(session):
    item = asks(session, "p")
    label = session.label(item, "spam", "ann")
    session.undo(label["uuid"], "ann")
    assert item not in load(session, "q")
    assert asks(session, "p") == item


def test_the_last_item_is_in_one_page(database):
    with open_session(database, ["one"]) as session:
        assert asks(session, "p") == "0"
        assert asks(session, "q") is None
        assert asks(session, "p") == "0"


def test_after_a_restart_the_items_go_to_who_has_them(database, clock):
    with open_session(database) as session:
        first, second = load(session, "p")
        other = asks(session, "q")
    with open_session(database) as session:
        session.renew("ann", [other], page="q")
        assert asks(session, "p") == first  # reloaded, too: it has nothing in hand
        assert asks(session, "p", [first]) not in (first, other)
        assert asks(session, "q") == other
        assert second in held_items(session.store, "ann", clock.now).values()


def test_an_item_that_is_looked_at_is_held_for_longer(session, clock):
    item = asks(session, "p")
    for _ in range(10):
        clock.now += 200
        assert session.renew("ann", [item], page="p") == [item]
    assert not session.label(item, "spam", "ann")["late"]


def test_a_lease_that_has_run_out_goes_on_if_nobody_else_has_the_item(database, clock):
    with open_session(database, ["one", "two"]) as session:
        item, other = load(session, "p")
        clock.now += 400
        taken = asks(session, "b", annotator="bob")
        kept = ({item, other} - {taken}).pop()
        assert session.renew("ann", [item, other], page="p") == [kept]
        assert session.label(taken, "spam", "ann")["late"]
        assert not session.label(kept, "spam", "ann")["late"]


def test_what_is_not_held_is_not_renewed(session):
    mine, foreign, answered = asks(session, "p"), asks(session, "q"), asks(session, "p", ["x"])
    answered = asks(session, "r")
    session.label(answered, "spam", "ann")
    skipped = asks(session, "s")
    session.skip(skipped, "ann")
    never_given = next(str(k) for k in range(60) if str(k) not in (mine, foreign, answered, skipped))
    have = [mine, foreign, answered, skipped, "nobody's", never_given, mine]
    assert session.renew("ann", have, page="p") == [mine]
    assert session.renew("bob", have, page="p") == []
    assert session.renew("ann", [], page="p") == []


def test_shared_items_are_renewed_for_each_who_holds_them(database, clock):
    with open_session(database, ["one"], overlap=2) as session:
        for name in ("ann", "bob"):
            assert asks(session, "p", annotator=name) == "0"
        clock.now += 200
        for name in ("ann", "bob"):
            assert session.renew(name, ["0"], page="p") == ["0"]
        clock.now += 200
        assert asks(session, "p", annotator="cat") is None
