// Undo and looking back without a browser: test_module.py runs it by `node --test`.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Failure, LookBack, Outbox, UndoHistory, settled, timers } from "./no_browser.mjs";

beforeEach(() => {
  timers.length = 0;
});

// ---- undo

const NEW = (uuid) => ({ uuid });
const OLD = (uuid, replaces = false) => ({ uuid, item: `item of ${uuid}`, replaces });

test("undo goes on with answers of before a reload, and takes none twice", () => {
  const history = new UndoHistory();
  history.add({ item: "1" }, NEW("c"));
  history.add({ item: "2" }, NEW("d"));
  history.takeLast();
  history.recall([OLD("d"), OLD("c"), OLD("b", true), OLD("a")]); // as the server has them, the latest first
  const taken = [];
  while (!history.isEmpty()) taken.push(history.takeLast());
  assert.deepEqual(
    taken.map(({ uuid, replaces }) => [uuid, replaces]),
    [["c", false], ["b", true], ["a", false]],
  );
});

test("no more than a hundred answers are kept for undo", () => {
  const history = new UndoHistory();
  for (let n = 0; n < 80; n += 1) history.add({}, NEW(`new ${n}`));
  history.recall(Array.from({ length: 50 }, (_, n) => OLD(`old ${n}`)));
  assert.equal(history.entries.length, 100);
  assert.equal(history.entries[0].uuid, "old 19");
});

// ---- looking back

const PANEL = ["clear", "add", "showState", "select", "renew"];

function answer(n, more = {}) {
  const expected = { value: "ham", confidence: 0.8 };
  return { uuid: `u${n}`, item: `i${n}`, kind: "label", value: "spam", note: null, version: 2, expected, ...more };
}

function open(pages) {
  const calls = [];
  const panel = { wanted: () => ({}), isFiltered: () => false };
  for (const name of PANEL) panel[name] = (...given) => calls.push([name, ...given]);
  const view = { past: panel, showPast: (shown) => calls.push(["shown", shown]), speaker: { say: () => {} } };
  const asked = [];
  const sent = [];
  const transport = {
    answers: async (wanted) => {
      asked.push(wanted);
      const page = pages.shift();
      if (page instanceof Failure) throw page;
      return page;
    },
    send: async (event) => sent.push(event),
  };
  const controller = new AbortController();
  const { signal } = controller;
  const outbox = new Outbox(transport, { saved: () => {}, refused: () => {}, changed: () => {}, signal });
  const changed = [];
  const lookBack = new LookBack(view, transport, outbox, {
    changed: (one, event) => changed.push([one.item, event.uuid]),
    closed: () => calls.push(["closed"]),
    attention: { restart: () => {}, seconds: () => 1.5 },
    signal,
  });
  return { lookBack, panel, calls, asked, sent, changed, outbox };
}

test("pages follow one another, and those that hold nothing are passed over", async () => {
  const { lookBack, asked, calls } = open([
    { answers: [answer(1), answer(2)], before: 7 },
    { answers: [], before: 5 },
    { answers: [answer(3)], before: null },
  ]);
  await lookBack.open();
  assert.deepEqual(calls.at(-2), ["showState", "The latest 2 answers", "Show more"]);
  await lookBack.more();
  assert.deepEqual(asked, [{ limit: 50 }, { limit: 50, before: 7 }, { limit: 50, before: 5 }]);
  assert.deepEqual(lookBack.answers.map((one) => one.item), ["i1", "i2", "i3"]);
  assert.deepEqual(calls.at(-1), ["showState", "3 answers", null]);
  await lookBack.more();
  assert.equal(asked.length, 3);
});

test("a change keeps its place, is sent as an answer, and can be taken back", async () => {
  const { lookBack, sent, changed } = open([{ answers: [answer(1), answer(2)], before: null }]);
  await lookBack.open();
  lookBack.move(1);
  lookBack.change("label", "spam"); // as it was: nothing to send
  lookBack.change("label", "ham");
  await settled();
  const { uuid, ...event } = sent[0];
  assert.deepEqual(event, { item: "i2", kind: "label", value: "ham", seconds: 1.5, version: 2 });
  assert.equal(sent.length, 1);
  assert.deepEqual(changed, [["i2", uuid]]);
  const { value, disagrees, replaces } = lookBack.answers[1];
  assert.deepEqual([value, disagrees, replaces], ["ham", false, true]);
  lookBack.change("skip");
  assert.equal(lookBack.answers[1].disagrees, false);
});

test("of several labels one more or less is sent with the others, in any order", async () => {
  const expected = { value: ["eggs", "spam"], confidence: 0.8 };
  const { lookBack, panel, sent } = open([{ answers: [answer(1, { value: ["spam"], expected })], before: null }]);
  await lookBack.open();
  panel.picker = { isSeveral: true, toggled: (name) => ["spam", name] };
  lookBack.choose("eggs");
  lookBack.change("label", ["eggs", "spam"]); // as it was: nothing to send
  await settled();
  assert.deepEqual(sent.map(({ value }) => value), [["spam", "eggs"]]);
  assert.equal(lookBack.answers[0].disagrees, false);
  lookBack.change("label", []);
  assert.equal(lookBack.answers[0].disagrees, true);
});

test("a note is sent once", async () => {
  const { lookBack, sent } = open([{ answers: [answer(1)], before: null }]);
  await lookBack.open();
  for (const text of ["", " why? ", "why?", ""]) lookBack.note(text);
  await settled();
  assert.deepEqual(
    sent.map(({ kind, item, value }) => [kind, item, value]),
    [["note", "i1", "why?"], ["note", "i1", ""]],
  );
});

test("what is asked for waits for the answers on their way", async () => {
  const { lookBack, asked, outbox } = open([{ answers: [], before: null }]);
  outbox.events.push({ uuid: "a" });
  const opened = lookBack.open();
  await settled();
  assert.equal(asked.length, 0);
  outbox.send();
  await opened;
  assert.equal(asked.length, 1);
});

test("an answer of the server that comes too late is passed over", async () => {
  const { lookBack, calls } = open([{ answers: [answer(1)], before: null }]);
  const opened = lookBack.open();
  lookBack.close();
  await opened;
  assert.deepEqual(lookBack.answers, []);
  assert.deepEqual(calls.at(-1), ["closed"]);
});

test("what went wrong is told, and can be tried again", async () => {
  const { lookBack, calls } = open([new Failure("no connection to the server"), { answers: [answer(1)], before: null }]);
  await lookBack.open();
  assert.deepEqual(calls.at(-1), ["showState", "Not found: no connection to the server.", "Try again"]);
  await lookBack.more();
  assert.equal(lookBack.selected().item, "i1");
});
