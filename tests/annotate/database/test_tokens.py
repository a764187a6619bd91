"""Tokens: each is known by its hash alone, until all are removed."""

from alkit.annotate.database.tokens import holder, new_token, remove_tokens


def test_a_token_names_its_holder(filled):
    store = filled()
    tokens = {name: new_token(store, name) for name in ("ann", "bob", None)}
    assert {name: holder(store, token)["name"] for name, token in tokens.items()} == {
        "ann": "ann",
        "bob": "bob",
        None: None,
    }
    assert holder(store, "wrong") is None
    remove_tokens(store)
    assert holder(store, tokens["ann"]) is None


def test_tokens_are_not_kept(filled):
    store = filled()
    token = new_token(store, "ann")
    assert token not in str([tuple(row) for row in store.query("SELECT * FROM annotator")])
    remove_tokens(store)
    assert store.query("SELECT * FROM annotator") == []


def test_those_taken_off_the_list_are_out(filled):
    store = filled()
    tokens = {name: new_token(store, name) for name in ("ann", "bob", None)}
    remove_tokens(store, keep=["ann", "cat"])
    assert {name for name, token in tokens.items() if holder(store, token)} == {"ann", None}
