// The outbox without a browser: test_module.py runs it by `node --test`, with the module's path in LABEL_JS.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Failure, Outbox, httpTransport, settled, storage, timers } from "./no_browser.mjs";

beforeEach(() => {
  timers.length = 0;
  storage.clear();
});

// ---- a server, and an outbox that tells what happens to it

const NO_CONNECTION = () => new Failure("no connection to the server");
const REFUSED = () => new Failure("'spam' is no class any more", { permanent: true, status: 409 });

class Server {
  constructor() {
    this.troubles = []; // makers of the failures to come; without any, answers are acknowledged
    this.received = []; // UUIDs, in order, those of answers that fail included
    this.kept = "[]"; // what a browser keeps through a reload
  }

  transport() {
    return {
      send: async (event) => {
        this.received.push(event.uuid);
        const trouble = this.troubles.shift();
        if (trouble) throw trouble();
      },
      loadUnsaved: () => JSON.parse(this.kept),
      keepUnsaved: (events) => {
        this.kept = JSON.stringify(events);
      },
    };
  }

  keptIds() {
    return JSON.parse(this.kept).map((event) => event.uuid);
  }
}

function open(transport) {
  const controller = new AbortController();
  const told = { saved: [], refused: [], changes: 0 };
  const outbox = new Outbox(transport, {
    saved: (event) => told.saved.push(event.uuid),
    refused: (event, failure) => told.refused.push([event.uuid, failure.message]),
    changed: () => (told.changes += 1),
    signal: controller.signal,
  });
  return { outbox, told, close: () => controller.abort() };
}

function label(uuid, value = "spam") {
  return { uuid, item: `item of ${uuid}`, kind: "label", value, seconds: 1 };
}

function undo(uuid, of) {
  return { uuid, item: `item of ${of}`, kind: "undo", value: of, seconds: null };
}

async function waited() {
  timers.at(-1).ring();
  await settled();
}

// ---- in order, one at a time

test("answers are sent in the order they were given", async () => {
  const server = new Server();
  const { outbox, told } = open(server.transport());
  for (const uuid of ["a", "b", "c"]) outbox.push(label(uuid));
  await settled();
  assert.deepEqual(server.received, ["a", "b", "c"]);
  assert.deepEqual(told.saved, ["a", "b", "c"]);
  assert.deepEqual(outbox.events, []);
});

test("an answer waits until the one before is acknowledged", async () => {
  const sent = [];
  const acknowledge = [];
  const send = (event) => {
    sent.push(event.uuid);
    return new Promise((resolve) => acknowledge.push(resolve));
  };
  const { outbox, told } = open({ send }); // it keeps nothing, as in a notebook
  outbox.push(label("a"));
  outbox.push(label("b"));
  await settled();
  assert.deepEqual(sent, ["a"]);
  assert.deepEqual(told.saved, []);
  acknowledge[0]();
  await settled();
  assert.deepEqual(sent, ["a", "b"]);
  assert.deepEqual(told.saved, ["a"]);
});

test("an answer given after all others are saved is sent too", async () => {
  const server = new Server();
  const { outbox } = open(server.transport());
  outbox.push(label("a"));
  await settled();
  outbox.push(label("b"));
  await settled();
  assert.deepEqual(server.received, ["a", "b"]);
});

// ---- kept until acknowledged

test("an answer is kept before it is sent, and until it is acknowledged", async () => {
  const server = new Server();
  const transport = server.transport();
  let keptWhenSent = null;
  let acknowledge = null;
  transport.send = () => {
    keptWhenSent = server.keptIds();
    return new Promise((resolve) => (acknowledge = resolve));
  };
  const { outbox } = open(transport);
  outbox.push(label("a"));
  assert.deepEqual(keptWhenSent, ["a"]);
  await settled();
  assert.deepEqual(server.keptIds(), ["a"]);
  acknowledge();
  await settled();
  assert.deepEqual(server.keptIds(), []);
});

test("what was unsaved before a reload is sent first, unchanged", async () => {
  const server = new Server();
  server.troubles = [NO_CONNECTION];
  const before = open(server.transport());
  before.outbox.push(label("a"));
  before.outbox.push(label("b", "ham"));
  await settled();
  before.close();
  const sent = [];
  const transport = server.transport();
  transport.send = async (event) => sent.push(event);
  const after = open(transport);
  after.outbox.push(label("c"));
  await settled();
  assert.deepEqual(sent, [label("a"), label("b", "ham"), label("c")]);
  assert.deepEqual(server.keptIds(), []);
});

test("an answer whose acknowledgement is lost is sent again under its identifier, through reloads too", async () => {
  const server = new Server();
  server.troubles = [NO_CONNECTION, NO_CONNECTION, NO_CONNECTION];
  const before = open(server.transport());
  before.outbox.push(label("a"));
  await settled();
  await waited();
  before.close();
  const after = open(server.transport());
  after.outbox.send();
  await settled();
  await waited();
  assert.deepEqual(server.received, ["a", "a", "a", "a"]);
  assert.deepEqual(before.told.saved, []);
  assert.deepEqual(after.told.saved, ["a"]);
});

test("once closed it sends nothing more, and what is unsaved stays kept", async () => {
  const server = new Server();
  server.troubles = [NO_CONNECTION];
  const { outbox, close } = open(server.transport());
  outbox.push(label("a"));
  await settled();
  close();
  await settled();
  outbox.push(label("b"));
  await settled();
  assert.deepEqual(server.received, ["a"]);
  assert.deepEqual(server.keptIds(), ["a", "b"]);
});

// ---- tried again

test("an answer that fails is tried again, after longer and longer pauses, until it is saved", async () => {
  const server = new Server();
  server.troubles = Array(6).fill(NO_CONNECTION);
  const { outbox, told } = open(server.transport());
  outbox.push(label("a"));
  outbox.push(label("b"));
  await settled();
  for (let tries = 0; tries < 6; tries += 1) {
    assert.equal(outbox.failure.message, "no connection to the server");
    assert.deepEqual(told.saved, []);
    await waited();
  }
  assert.deepEqual(
    timers.map((timer) => timer.milliseconds),
    [500, 1000, 2000, 4000, 8000, 8000],
  );
  assert.deepEqual(server.received, [...Array(7).fill("a"), "b"]);
  assert.deepEqual(told.saved, ["a", "b"]);
  assert.equal(outbox.failure, null);
});

test("after an acknowledgement the pauses are short again", async () => {
  const server = new Server();
  server.troubles = [NO_CONNECTION, NO_CONNECTION, null, NO_CONNECTION];
  const { outbox } = open(server.transport());
  outbox.push(label("a"));
  outbox.push(label("b"));
  await settled();
  await waited();
  await waited();
  await waited();
  assert.deepEqual(
    timers.map((timer) => timer.milliseconds),
    [500, 1000, 500],
  );
  assert.deepEqual(outbox.events, []);
});

test("a pause ends when the connection is back", async () => {
  const server = new Server();
  server.troubles = [NO_CONNECTION];
  const { outbox, told } = open(server.transport());
  outbox.push(label("a"));
  await settled();
  window.dispatchEvent(new Event("online"));
  await settled();
  assert.deepEqual(told.saved, ["a"]);
});

test("an answer given during a pause does not cut it short", async () => {
  const server = new Server();
  server.troubles = [NO_CONNECTION];
  const { outbox } = open(server.transport());
  outbox.push(label("a"));
  await settled();
  outbox.push(label("b"));
  await settled();
  assert.deepEqual(server.received, ["a"]);
  assert.deepEqual(server.keptIds(), ["a", "b"]);
});

test("each change is told: given, failed, saved", async () => {
  const server = new Server();
  server.troubles = [NO_CONNECTION];
  const { outbox, told } = open(server.transport());
  outbox.push(label("a"));
  assert.equal(told.changes, 1);
  await settled();
  assert.equal(told.changes, 2);
  await waited();
  assert.equal(told.changes, 3);
});

// ---- refused for good

test("a refused answer is given back, and the next one is sent", async () => {
  const server = new Server();
  server.troubles = [REFUSED];
  const { outbox, told } = open(server.transport());
  outbox.push(label("a"));
  outbox.push(label("b"));
  await settled();
  assert.deepEqual(told.refused, [["a", "'spam' is no class any more"]]);
  assert.deepEqual(told.saved, ["b"]);
  assert.deepEqual(server.received, ["a", "b"]);
  assert.deepEqual(server.keptIds(), []);
  assert.equal(outbox.failure, null);
  assert.deepEqual(timers, []);
});

test("the undo of a refused answer is dropped with it, another undo is not", async () => {
  const server = new Server();
  server.troubles = [null, REFUSED];
  const { outbox, told } = open(server.transport());
  outbox.push(label("a"));
  outbox.push(label("b"));
  outbox.push(undo("undo b", "b"));
  outbox.push(undo("undo a", "a"));
  await settled();
  assert.deepEqual(server.received, ["a", "b", "undo a"]);
  assert.deepEqual(told.saved, ["a", "undo a"]);
  assert.deepEqual(server.keptIds(), []);
});

// ---- over HTTP

test("over HTTP, answers are kept per token", async () => {
  globalThis.fetch = async () => {
    throw new TypeError("Failed to fetch");
  };
  const { outbox, close } = open(httpTransport("ann"));
  outbox.push(label("a"));
  await settled();
  assert.equal(outbox.failure.message, "no connection to the server");
  close();
  assert.deepEqual(open(httpTransport("bob")).outbox.events, []);
  assert.deepEqual(open(httpTransport("ann")).outbox.events, [label("a")]);
});

test("over HTTP, a status tells whether an answer is tried again", async () => {
  const statuses = [503, 507, 401, 409, 200];
  const bodies = [];
  globalThis.fetch = async (path, { body }) => {
    bodies.push([path, JSON.parse(body).uuid]);
    const status = statuses.shift();
    return { ok: status === 200, status, json: async () => ({ error: `status ${status}` }) };
  };
  const { outbox, told } = open(httpTransport("ann"));
  outbox.push(label("a"));
  outbox.push(label("b"));
  for (const status of [503, 507, 401]) {
    await settled();
    assert.equal(outbox.failure.message, `status ${status}`);
    await waited();
  }
  assert.deepEqual(told.refused, [["a", "status 409"]]);
  assert.deepEqual(told.saved, ["b"]);
  assert.deepEqual(bodies, [...Array(4).fill(["api/events", "a"]), ["api/events", "b"]]);
});
