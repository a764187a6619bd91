// The owner's review without a browser: test_module.py runs it by `node --test`.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Failure, Outbox, Review, settled, timers } from "./no_browser.mjs";

beforeEach(() => {
  timers.length = 0;
});

const PANEL = ["clear", "add", "showState", "select", "showAnswer", "renewLine", "focusList"];

function item(n, more = {}) {
  return { item: `i${n}`, votes: [], decision: null, seen: null, last_event: n, since: false, ...more };
}

function open(pages, send = async () => ({ newer: [] })) {
  const panel = { wanted: () => ({}), isFiltered: () => false, noteField: { value: "" } };
  const states = [];
  for (const name of PANEL) panel[name] = () => {};
  panel.showState = (text) => states.push(text);
  const view = { past: panel, showPast: () => {}, speaker: { say: () => {} } };
  const sent = [];
  const asked = [];
  const transport = {
    answers: async (wanted) => {
      asked.push(wanted);
      return pages.shift();
    },
    send: async (event) => {
      sent.push(event);
      return send(event);
    },
  };
  const { signal } = new AbortController();
  let review = null;
  const refused = (event) => {
    review.forget(event);
    review.load(event.item);
  };
  const outbox = new Outbox(transport, { saved: () => {}, refused, changed: () => {}, signal });
  review = new Review(view, transport, outbox, { signal });
  return { review, panel, states, sent, asked, outbox };
}

function told({ uuid, ...event }) {
  return event;
}

test("a decision says what was seen, and leads to the next item", async () => {
  const { review, panel, sent } = open([{ answers: [item(1), item(2, { seen: "other" })], before: null }]);
  await review.open();
  panel.noteField.value = " why not ";
  review.change("label", "ham");
  panel.noteField.value = "";
  review.change("exclude");
  await settled();
  assert.deepEqual(sent.map(told), [
    { item: "i1", kind: "label", value: "ham", note: "why not", seen: null, last_event: 1 },
    { item: "i2", kind: "exclude", value: null, note: null, seen: "other", last_event: 2 },
  ]);
  assert.equal(review.place, 1); // there is no next one
});

test("the same decision twice is sent once, another one says that the first was seen", async () => {
  const { review, sent } = open([{ answers: [item(1)], before: null }]);
  await review.open();
  for (const name of ["ham", "ham", "spam"]) review.change("label", name);
  await settled();
  assert.deepEqual(sent.map(({ value, seen }) => [value, seen]), [["ham", null], ["spam", sent[0].uuid]]);
});

test("what is taken back is as it was before, the latest first", async () => {
  const { review, sent } = open([{ answers: [item(1), item(2)], before: null }]);
  await review.open();
  review.change("label", "ham");
  review.select(0);
  review.change("label", "spam");
  review.undo();
  assert.equal(review.answers[0].decision.value, "ham");
  assert.equal(review.place, 0);
  review.undo();
  review.undo(); // nothing is left to take back
  await settled();
  assert.equal(review.answers[0].decision, null);
  const [first, second, ...undone] = sent;
  assert.deepEqual(undone.map(({ kind, value, seen }) => [kind, value, seen]), [
    ["undo", second.uuid, second.uuid],
    ["undo", first.uuid, undone[0].uuid],
  ]);
});

test("a note is kept until there is a decision, and then sent with it at once", async () => {
  const { review, sent } = open([{ answers: [item(1)], before: null }]);
  await review.open();
  review.note("unsure");
  assert.equal(review.selected().draft, "unsure");
  review.change("label", "ham");
  review.note("sure");
  review.note("sure");
  await settled();
  assert.deepEqual(sent.map(({ value, note }) => [value, note]), [["ham", null], ["ham", "sure"]]);
});

test("a decision that is refused cannot be taken back, and the items are looked at anew", async () => {
  const conflict = async () => {
    throw new Failure("somebody else decided", { permanent: true });
  };
  const { review, asked } = open([{ answers: [item(1)], before: null }, { answers: [], before: null }], conflict);
  await review.open();
  review.change("label", "ham");
  await settled();
  await settled();
  assert.equal(asked.length, 2);
  assert.deepEqual(review.made, []);
  assert.equal(review.seen.size, 0);
});

test("once all is decided, what is open by now is loaded", async () => {
  const { review, asked, states } = open([
    { answers: [item(1)], before: null },
    { answers: [item(2)], before: null },
    { answers: [], before: null },
  ]);
  await review.open();
  review.knowsOfOpen(5);
  assert.equal(asked.length, 1); // item 1 is not decided yet
  review.change("label", "ham");
  await settled();
  review.knowsOfOpen(0);
  assert.equal(asked.length, 1);
  review.knowsOfOpen(1);
  review.knowsOfOpen(1);
  await settled();
  assert.equal(asked.length, 2);
  assert.deepEqual(review.answers.map((one) => one.item), ["i2"]);
  assert.equal(states.at(-1), "1 item");
});
