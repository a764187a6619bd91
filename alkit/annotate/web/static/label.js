// The labelling page and the notebook widget: one item at a time, by keyboard first, saved before it counts.
//
// All of it is one ES module, because an anywidget widget loads one; the page loads the same. From top to bottom:
//   transports     how a server, or the kernel of a notebook, is asked
//   Outbox         answers on their way
//   Labelling      what happens when: UndoHistory, Items, Heartbeat, Stage, Attention, ProgressWatch, LookBack and
//                  Keyboard
//   Reviewing      the same of the owner's page: Review, ReviewKeyboard
//   View           what is on the screen, and nothing else: Screen, Header, ItemPanel, PictureFrame, AnswerPanel,
//                  ClassPicker, PastPanel, SidePanel, Help, Notices, Speaker; of the owner, ReviewView: ReviewPanel,
//                  TeamPanel
//
// Where items may have several labels, a label is a list of classes in place of one: each class is on or off, and all of
// them are saved together.
//
// mount(root, transport) draws into an element and talks through a transport: there is one for HTTP, one for anywidget.
//   transport.next(have)      -> an item leased that is not among those the page has, or null when none is left
//   transport.renew(have)     -> ids of the items that are still leased, now for longer
//   transport.send(event)     -> resolves once the answer is durable
//   transport.answers(wanted) -> one's own answers, the latest first, by page and filter
//   transport.progress()      -> counts, learning curve, model
//   transport.image(itemId)   -> URL of its picture
//   transport.guidelines()    -> what people are told about the classes
// mountReview(root, transport) draws the owner's page. Its transport sends decisions, its answers are items with
// everybody's answers, and it has one request more:
//   transport.team()          -> how people label, and how much is left to decide
// They reject with a Failure. A permanent one is shown, any other is tried again.
// A transport may keep unsaved answers through a reload: loadUnsaved() -> events, keepUnsaved(events).

const SEEN_MS = 250; // nobody reads and chooses faster: a key pressed sooner was meant for the item before
const TIMEOUT_MS = 15_000;
const RETRY_MS = [500, 1000, 2000, 4000, 8000];
const POLL_MS = 5000;
const BEATS_PER_LEASE = 3; // so that one lost on the way does not end a lease
const UNDO_DEPTH = 100;
const PAST_PAGE = 50; // answers that looking back asks for at once
const TYPING_MS = 250; // after the last key, before a search begins
const PAST_FILTERS = {
  // which answers, as the server names them
  disagrees: "Model disagrees",
  skip: "Skipped",
  flag: "Flagged",
  note: "With a note",
  changed: "Changed since",
};
const REVIEW_FILTERS = {
  // which items, as the server names them
  disputed: "People disagree",
  flag: "Flagged",
  decided: "Decided",
  since: "Answered since",
  gold: "Gold, got wrong",
  all: "All answered",
};
const KEYS = {
  "1 to 9": "label by the class with this number",
  Space: "accept the suggestion",
  X: "skip: others get the item, and you at the end",
  F: "flag: put the item aside for review",
  Backspace: "take the last answer back",
  B: "look back at your answers, and change them",
  "/": "find a class by its name, where there are more than nine",
  "Z, +, -": "see more of a picture",
  "?": "guidelines and keys",
};
const REVIEW_KEYS = {
  "Up, Down": "go through the items",
  "1 to 9": "decide that the item has this class",
  X: "leave the item out",
  R: "have it asked again",
  N: "write a note",
  Backspace: "take the last decision back",
  P: "the people, and back",
  "/": "search",
  "Z, +, -": "see more of a picture",
  "?": "guidelines and keys",
};
const ARROWS = ["ArrowUp", "ArrowDown"];
const DIGIT_KEYS = 9; // more classes than that have no key each: a filter finds them
const COMMAND_LETTERS = "bfnxz";
const TOGGLE_KEYS = [..."1234567890abcdefghijklmnopqrstuvwxyz"].filter((sign) => !COMMAND_LETTERS.includes(sign));
const FEW_TOGGLES = 12; // more of several labels than that are also found by a filter
const NAMED_LABELS = 3; // of those suggested, or about to be saved; they are marked in any case
const UNSURE = [0.25, 0.75]; // the model is, of a label whose probability is between these
const SPOKEN_LENGTH = 500; // characters of a text that are read out unasked
const SHORT_LENGTH = 160; // characters of a text that is shown in large letters
const NAMED_ITEMS = 3; // items that the model cannot read and the page names
const CLOSE_UP = 2; // times the size at which the whole picture is seen
const ZOOMS = [1, 1.5, 2, 3, 4, 6, 8];
const TINY = 100; // pixels: a picture of fewer is enlarged with sharp edges
const SVG = "http://www.w3.org/2000/svg";

export class Failure extends Error {
  constructor(message, { permanent = false, status = 0 } = {}) {
    super(message);
    this.permanent = permanent;
    this.status = status;
  }
}

// ---- transports

export function httpTransport(token, { owner = false } = {}) {
  const paths = owner
    ? { send: "api/review/decisions", answers: "api/review/items" }
    : { send: "api/events", answers: "api/answers" };
  const authorization = token ? { Authorization: `Bearer ${token}` } : {};
  const unsaved = `alkit-unsaved-${token}`;
  let tab = null; // its name

  function ask(path, options = {}) {
    return request(path, { ...options, headers: { ...authorization, ...options.headers } });
  }

  async function json(path, options) {
    const response = await ask(path, options);
    return response.status === 204 ? null : response.json();
  }

  function inHand(have) {
    tab ??= tabName();
    return new URLSearchParams([["page", tab], ...have.map((item) => ["have", item])]);
  }

  return {
    next: (have) => json(`api/next?${inHand(have)}`),
    renew: async (have) => (await json(`api/renew?${inHand(have)}`, { method: "POST" })).held,
    send: (event) =>
      json(paths.send, {
        method: "POST",
        body: JSON.stringify(event),
        headers: { "Content-Type": "application/json" },
      }),
    answers: (wanted) => json(`${paths.answers}?${new URLSearchParams(wanted)}`),
    progress: () => json("api/progress"),
    guidelines: () => json("api/guidelines"),
    team: () => json("api/review/team"),
    image: async (item) => {
      const response = await ask(`api/image/${encodeURIComponent(item)}`);
      return URL.createObjectURL(await response.blob());
    },
    // answers not yet acknowledged outlive a reload of the page
    loadUnsaved: () => JSON.parse(sessionStorage.getItem(unsaved) ?? "[]"),
    keepUnsaved: (events) => sessionStorage.setItem(unsaved, JSON.stringify(events)),
  };
}

async function request(path, options) {
  let response;
  try {
    response = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS), ...options });
  } catch {
    throw new Failure("no connection to the server");
  }
  if (response.ok) return response;
  const body = await response.json().catch(() => ({}));
  const permanent = [400, 404, 409, 413].includes(response.status);
  throw new Failure(body.error ?? `the server answered ${response.status}`, { permanent, status: response.status });
}

// The name of this tab, by which the server knows after a reload what it held. It is not in the storage while the page
// is open: who duplicates a tab copies its storage, and two tabs must not be one for the server.
function tabName() {
  const place = "alkit-tab";
  const name = sessionStorage.getItem(place) || uuid();
  const take = () => sessionStorage.setItem(place, "");
  window.addEventListener("pagehide", () => sessionStorage.setItem(place, name));
  window.addEventListener("pageshow", take);
  take();
  return name;
}

export function widgetTransport(model) {
  const waiting = new Map();
  const view = new NumberedView();

  function receive(message, buffers) {
    const call = waiting.get(message.id);
    if (!call) return; // of another view of the same widget, or too late
    waiting.delete(message.id);
    clearTimeout(call.timer);
    if ("error" in message) call.reject(new Failure(message.error, { permanent: message.permanent }));
    else call.resolve({ result: message.result, buffers });
  }

  function call(method, ...args) {
    const id = uuid();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.delete(id);
        reject(new Failure("the notebook does not answer: its kernel is busy or gone"));
      }, TIMEOUT_MS);
      waiting.set(id, { resolve, reject, timer });
      model.send({ id, method, args });
    });
  }

  model.on("msg:custom", receive);
  return {
    next: async (have) => (await call("next", view.name, have)).result,
    renew: async (have) => (await call("renew", view.name, have)).result,
    send: async (event) => (await call("send", event)).result,
    answers: async (wanted) => (await call("answers", wanted)).result,
    progress: async () => (await call("progress")).result,
    guidelines: async () => (await call("guidelines")).result,
    image: async (item) => {
      const { result, buffers } = await call("image", item);
      return URL.createObjectURL(new Blob(buffers, { type: result.type }));
    },
    close: () => {
      model.off("msg:custom", receive);
      view.close();
    },
  };
}

// One of the views in a notebook: the numbers of those that are gone are used again, also after a reload, and with them
// what they held.
class NumberedView {
  constructor() {
    this.open = globalThis.alkitViews ??= new Set(); // each widget loads a module of its own
    this.number = 1;
    while (this.open.has(this.number)) this.number += 1;
    this.open.add(this.number);
  }

  get name() {
    return `view ${this.number} of a notebook`;
  }

  close() {
    this.open.delete(this.number);
  }
}

// ---- answers on their way

// Answers that the server has neither acknowledged nor refused, sent one after the other in the order they were given:
// an undo must not overtake the answer that it takes back. Each keeps its UUID through every try and every reload, so
// that the server knows an answer again whose acknowledgement was lost, and does not count it twice.
export class Outbox {
  constructor(transport, { saved, refused, changed, signal }) {
    this.transport = transport;
    this.saved = saved; // called with the answer, and what the server says of it
    this.refused = refused; // called with the answer and the Failure
    this.changed = changed; // called when events or failure changed
    this.signal = signal; // ends the sending; what is unsaved stays with the transport
    this.events = transport.loadUnsaved?.() ?? [];
    this.failure = null; // why the first of the events is not saved yet
    this.sending = false;
    this.waiting = []; // called once, when nothing is on its way any more
  }

  // Resolves when nothing is on its way: what the server then tells of answers takes them all into account.
  emptied() {
    if (!this.events.length) return Promise.resolve();
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  push(event) {
    this.events.push(event);
    this.send();
  }

  async send() {
    this.keep();
    if (this.sending) return; // the loop that runs already comes to the new answer in its turn
    this.sending = true;
    let failures = 0; // since the last acknowledgement
    while (this.events.length && !this.signal.aborted) {
      const event = this.events[0];
      try {
        const told = await this.transport.send(event);
        this.remove(event);
        this.saved(event, told);
        failures = 0;
      } catch (failure) {
        if (failure.permanent) {
          this.giveUp(event, failure);
        } else {
          await this.waitAfter(failure, failures);
          failures += 1;
        }
      }
    }
    this.sending = false;
    if (!this.events.length) this.waiting.splice(0).forEach((resolve) => resolve());
  }

  giveUp(event, failure) {
    // an undo of it that waits has nothing to take back
    this.events = this.events.filter((other) => other.value !== event.uuid);
    this.remove(event);
    this.refused(event, failure);
  }

  waitAfter(failure, failuresBefore) {
    this.failure = failure;
    this.changed();
    const longest = RETRY_MS.length - 1;
    return pause(RETRY_MS[Math.min(failuresBefore, longest)], this.signal);
  }

  remove(event) {
    this.events = this.events.filter((other) => other !== event);
    this.failure = null;
    this.keep();
  }

  keep() {
    this.transport.keepUnsaved?.(this.events);
    this.changed();
  }
}

// ---- labelling

export function mount(root, transport) {
  const labelling = new Labelling(root, transport);
  labelling.start();
  return { destroy: () => labelling.destroy() };
}

// What happens when: an answer goes to the outbox and the next item to the screen; undo or a refusal brings one back.
class Labelling {
  constructor(root, transport) {
    this.root = root;
    this.transport = transport;
    this.inPage = root.hasAttribute("data-alkit-page");
    this.controller = new AbortController();
    const { signal } = this.controller;
    this.signal = signal;
    const actions = this.actions();
    this.view = new View(root, actions, this.inPage);
    this.guidelines = new GuidelinesWatch(transport, this.view);
    this.progress = new ProgressWatch(transport, this.view, signal, (found) => this.guidelines.follow(found));
    this.attention = new Attention(() => this.progress.latest?.idle_after ?? Infinity);
    this.stage = new Stage(root, this.view, transport, this.attention, this.inPage);
    this.history = new UndoHistory();
    this.outbox = new Outbox(transport, {
      saved: () => this.saved(),
      refused: (event, failure) => this.refused(event, failure),
      changed: () => this.showSaving(),
      signal,
    });
    this.items = new Items(this.stage, this.view, transport, {
      progress: this.progress,
      unsaved: () => this.outbox.events,
      locked: (failure) => this.locked(failure),
      signal,
    });
    this.heartbeat = new Heartbeat(this.items, transport, this.attention, this.progress, signal);
    this.lookBack = new LookBack(this.view, transport, this.outbox, {
      changed: (answer, event) => this.history.add(answer, event, { replaces: true }),
      closed: () => this.resume(),
      attention: this.attention,
      signal,
    });
    this.keyboard = new Keyboard(this.view, actions, this.lookBack);
  }

  // What a person can do, by a button or by a key.
  actions() {
    return {
      choose: (name) => this.choose(name),
      save: () => this.save(),
      skip: () => this.answer("skip"),
      flag: () => this.answer("flag"),
      undo: () => this.undo(),
      accept: () => this.acceptSuggestion(),
      closeUp: () => this.view.closeUp(),
      zoom: (step) => this.view.zoom(step),
      lookBack: () => this.lookBack.toggle(),
      help: () => this.view.help.toggle(),
      past: {
        choose: (name) => this.lookBack.choose(name),
        skip: () => this.lookBack.change("skip"),
        flag: () => this.lookBack.change("flag"),
        note: (text) => this.lookBack.note(text),
        select: (place) => this.lookBack.select(place),
        find: () => this.lookBack.find(),
        more: () => this.lookBack.more(),
      },
    };
  }

  start() {
    this.listen();
    this.outbox.send(); // what was unsaved before a reload
    this.items.fill();
    this.recall();
    this.poll();
    this.heartbeat.run();
  }

  // Undo reaches answers of before a reload, too.
  async recall() {
    await this.outbox.emptied();
    try {
      this.history.recall((await this.transport.answers({ limit: PAST_PAGE })).answers);
      this.showSaving();
    } catch (failure) {
      if (failure.permanent || this.signal.aborted) return; // of no use to try again
      await pause(POLL_MS, this.signal);
      if (!this.signal.aborted) this.recall();
    }
  }

  // Back from looking back: the time on the item begins anew.
  resume() {
    if (this.stage.item) this.stage.show(this.stage.item);
    this.items.fill();
  }

  listen() {
    const { signal } = this;
    const listenTo = this.inPage ? document : this.root; // a notebook has other cells, which need their keys
    listenTo.addEventListener("keydown", (event) => this.keyboard.pressed(event), { signal });
    for (const type of ["keydown", "pointerdown", "pointermove", "touchmove", "wheel", "scroll"]) {
      listenTo.addEventListener(type, () => this.active(), { signal, capture: true, passive: true });
    }
    document.addEventListener("visibilitychange", () => this.returned(), { signal });
    const askBeforeLeaving = (event) => this.outbox.events.length && event.preventDefault();
    window.addEventListener("beforeunload", askBeforeLeaving, { signal });
  }

  async poll() {
    while (!this.signal.aborted) {
      await pause(POLL_MS, this.signal);
      if (document.hidden) continue;
      this.progress.refresh();
      this.items.fill();
    }
  }

  active() {
    const wasAway = this.attention.isAway();
    this.attention.noted();
    if (wasAway) this.heartbeat.beat(); // someone else may have the item by now
  }

  returned() {
    this.attention.hide(document.hidden);
    if (document.hidden) return;
    this.heartbeat.beat();
    this.progress.refresh();
  }

  destroy() {
    this.controller.abort();
    this.transport.close?.();
    [...this.items.held(), ...this.history.items()].forEach(release);
    this.root.replaceChildren();
  }

  // -- answers

  // One class answers; of several labels, each is on or off until all are saved.
  choose(name) {
    if (!this.view.picker.isSeveral) return this.answer("label", name);
    if (!this.stage.takes("label")) return;
    this.view.toggle(name);
  }

  save() {
    const { picker } = this.view;
    if (picker.isSeveral) this.answer("label", picker.given());
  }

  answer(kind, value = null) {
    if (!this.stage.takes(kind)) return;
    this.stage.keepFocus();
    const { item } = this.stage;
    const { item: id, version } = item;
    const event = { uuid: uuid(), item: id, kind, value, seconds: this.stage.seconds(), version };
    this.history.add(item, event);
    this.view.answered(answerName(event));
    this.view.notice("refused", null);
    this.outbox.push(event);
    this.items.advance();
  }

  acceptSuggestion() {
    const suggestion = this.stage.item?.suggestion;
    if (!suggestion) return;
    if (!this.view.picker.isSeveral) this.answer("label", suggestion.value);
    else if (this.stage.takes("label")) this.view.takeSuggestion(suggestion.value);
  }

  undo() {
    const last = this.history.takeLast();
    if (!last) return;
    this.outbox.push({ uuid: uuid(), item: last.item.item, kind: "undo", value: last.uuid, seconds: null });
    this.view.answered("Taken back");
    this.bringBack(last);
  }

  // A change that is no more leaves an answer, which is seen among the others; else the item is to be answered again.
  bringBack({ item, replaces }) {
    if (replaces) return this.lookBack.open();
    this.lookBack.leave();
    this.items.showAgain(item);
  }

  // -- what became of them

  saved() {
    this.progress.refresh();
    this.items.fill();
  }

  refused(event, failure) {
    this.view.notice("refused", `Not saved: ${sentence(failure.message)}`);
    const entry = this.history.remove(event); // none if it was taken back, or given before a reload
    if (entry) this.bringBack(entry);
    else if (this.lookBack.isOpen) this.lookBack.load(); // a note
    this.items.fill();
  }

  locked(failure) {
    this.controller.abort();
    this.history.clear();
    this.showSaving();
    const remedy = "Use the whole address that alkit label printed for you, token included.";
    this.view.showEmpty("This link does not open", remedy);
    this.view.notice("locked", sentence(failure.message));
  }

  showSaving() {
    const { events, failure } = this.outbox;
    this.view.showSaving(events.length, failure);
    this.view.canUndo(!this.history.isEmpty());
    if (failure && !this.stage.item) {
      this.view.showEmpty("One moment", "The next item comes once your answers are saved.");
    }
  }
}

// Answers that undo can take back, the latest last, each with its item: those of the page, and earlier ones.
export class UndoHistory {
  constructor() {
    this.entries = [];
    this.given = new Set(); // UUIDs of this page's answers, those taken back included
  }

  // `replaces`: whether an earlier answer to the item counts again once this one is taken back
  add(item, event, { replaces = false } = {}) {
    this.given.add(event.uuid);
    this.entries.push({ item, uuid: event.uuid, replaces });
    if (this.entries.length > UNDO_DEPTH) release(this.entries.shift().item);
  }

  // adds answers of before this page, the latest first, below those of this page
  recall(answers) {
    const earlier = answers.filter(({ uuid }) => !this.given.has(uuid));
    const entries = earlier.map((answer) => ({ item: answer, uuid: answer.uuid, replaces: answer.replaces }));
    this.entries = [...entries.reverse(), ...this.entries].slice(-UNDO_DEPTH);
  }

  takeLast() {
    return this.entries.pop();
  }

  remove(event) {
    const entry = this.entries.find((past) => past.uuid === event.uuid);
    this.entries = this.entries.filter((past) => past !== entry);
    return entry;
  }

  clear() {
    this.entries = [];
  }

  isEmpty() {
    return this.entries.length === 0;
  }

  items() {
    return this.entries.map((past) => past.item);
  }
}

// ---- items

// Which item comes next. One is fetched ahead, picture included, so that nobody waits for it.
// To what the server sends of an item are added `heldSince`, `isBack` (whether undo brought it), and `picture`, a promise
// of its URL.
class Items {
  constructor(stage, view, transport, { progress, unsaved, locked, signal }) {
    this.stage = stage;
    this.view = view;
    this.transport = transport;
    this.progress = progress;
    this.unsaved = unsaved; // gives the answers that are on their way
    this.locked = locked; // called with the Failure when the token opens nothing
    this.signal = signal;
    this.queue = []; // leased, the next one first
    this.fetching = false;
  }

  held() {
    return [this.stage.item, ...this.queue].filter(Boolean);
  }

  heldIds() {
    return this.held().map((item) => item.item);
  }

  async fill() {
    if (this.fetching || this.signal.aborted || this.queue.length) return;
    const nothingShown = !this.stage.item;
    if (nothingShown && this.unsaved().length) return; // whether anything is left is known once they are saved
    this.fetching = true;
    let item = null;
    try {
      item = await this.fetchNext();
    } catch (failure) {
      return this.notFetched(failure);
    }
    this.fetching = false;
    if (item) this.receive(item);
    else if (!this.stage.item) await this.finished();
  }

  async fetchNext() {
    if (!this.progress.latest) this.progress.show(await this.transport.progress()); // an item needs its classes
    return this.transport.next([...this.heldIds(), ...this.unsaved().map((event) => event.item)]);
  }

  async notFetched(failure) {
    if ([401, 403].includes(failure.status)) return this.locked(failure);
    if (!this.stage.item) {
      this.view.showEmpty("One moment", `No new item: ${sentence(failure.message)} Trying again.`);
    }
    await pause(RETRY_MS[2], this.signal);
    this.fetching = false;
    return this.fill();
  }

  receive(item) {
    const held = [...this.held(), ...this.unsaved()];
    if (held.some((other) => other?.item === item.item)) return; // undo brought it back meanwhile
    item.heldSince = now();
    item.picture = item.image ? fetchPicture(this.transport, item) : null;
    this.queue.push(item);
    if (!this.stage.item) this.advance();
  }

  advance() {
    let item = this.queue.shift() ?? null;
    if (item && this.isOver(item)) {
      release(item); // someone else may have it by now: ask anew
      item = null;
    }
    this.stage.item = item;
    if (item) this.stage.show(item);
    else this.view.showEmpty("One moment", "The next item is on its way.");
    this.fill();
  }

  isOver(item) {
    return !item.isBack && now() - item.heldSince > this.progress.latest.lease_seconds;
  }

  showAgain(item) {
    if (this.stage.item) this.queue.unshift(this.stage.item);
    item.picture ??= item.image ? fetchPicture(this.transport, item) : null; // of before a reload
    item.isBack = true; // it stays, whoever has it by now: somebody wants to answer it again
    this.stage.show(item);
  }

  renewed(asked, held) {
    const isLost = (item) => !item.isBack && asked.includes(item.item) && !held.includes(item.item);
    for (const item of this.held()) {
      if (held.includes(item.item)) item.heldSince = now();
      if (isLost(item)) release(item);
    }
    this.queue = this.queue.filter((item) => !isLost(item));
    if (this.stage.item && isLost(this.stage.item)) this.advance();
  }

  async finished() {
    await this.progress.refresh();
    if (this.stage.item || this.signal.aborted) return;
    const { n_items: total, n_done: done, n_flagged: flagged = 0 } = this.progress.latest;
    const left = total - done - flagged;
    if (left > 0) {
      this.view.showEmpty(
        "Nothing for you right now",
        `${count(left, "item")} left, skipped or with others. This page looks for more every few seconds.`,
      );
      return;
    }
    const aside = flagged ? `, ${flagged.toLocaleString()} flagged` : "";
    this.view.showEmpty("All done", `${count(done, "item")} labelled${aside}. Thank you.`);
  }
}

// Keeps the items of the page leased while somebody looks at it.
class Heartbeat {
  constructor(items, transport, attention, progress, signal) {
    this.items = items;
    this.transport = transport;
    this.attention = attention;
    this.progress = progress;
    this.signal = signal;
  }

  async run() {
    while (!this.signal.aborted) {
      const lease = this.progress.latest?.lease_seconds;
      await pause(lease ? (lease * 1000) / BEATS_PER_LEASE : RETRY_MS[0], this.signal); // its length comes with the items
      if (!this.attention.isAway()) await this.beat();
    }
  }

  async beat() {
    const asked = this.items.heldIds();
    if (!asked.length || this.signal.aborted) return;
    const held = await this.transport.renew(asked).catch(() => asked); // that there is no connection, answers say
    if (!this.signal.aborted) this.items.renewed(asked, held);
  }
}

async function loadPicture({ item: id }, url) {
  const picture = h("img", { alt: `Picture of item ${id}` });
  picture.src = url;
  await picture.decode().catch(() => {
    throw new Failure("it is not a picture this browser can read");
  });
  return picture;
}

// The item on the screen, and since when a person can have seen it: before that no answer counts.
class Stage {
  constructor(root, view, transport, attention, inPage) {
    this.root = root;
    this.view = view;
    this.transport = transport;
    this.attention = attention;
    this.inPage = inPage;
    this.item = null;
    this.shownAt = Infinity;
    this.turn = 0; // counts the showings: one that waits for its picture finds out that another has begun
  }

  async show(item) {
    this.turn += 1;
    const { turn } = this;
    this.item = item;
    item.unseen = false; // true once its picture failed to load
    this.shownAt = Infinity;
    this.root.dataset.item = "";
    this.keepFocus();
    this.view.showItem(item);
    if (item.picture) await this.showPicture(item, turn);
    await painted();
    if (turn !== this.turn) return;
    this.shownAt = performance.now();
    this.attention.restart();
    this.root.dataset.item = item.item;
  }

  async showPicture(item, turn) {
    try {
      const picture = await loadPicture(item, await item.picture);
      // while it loaded, an undo may have brought another item back: nobody may see this picture beside that one
      if (turn === this.turn) this.view.showPicture(picture);
    } catch (failure) {
      if (turn === this.turn) this.pictureFailed(item, failure);
    }
  }

  pictureFailed(item, failure) {
    item.unseen = true;
    this.view.pictureFailed(failure, () => {
      item.picture = fetchPicture(this.transport, item);
      this.show(item);
    });
  }

  keepFocus() {
    // on what stays: with the button that was clicked the focus would go, and with it, in a notebook, the keys
    const focused = this.root.getRootNode().activeElement;
    if (this.inPage || this.root.contains(focused)) this.view.focusItem({ preventScroll: true });
  }

  takes(kind) {
    if (!this.item || performance.now() - this.shownAt < SEEN_MS) return false;
    return kind !== "label" || !this.item.unseen; // what cannot be seen can still be skipped or flagged
  }

  seconds() {
    return this.attention.seconds();
  }
}

// How long somebody has looked at an item. Of a pause without a key or a movement only the first `idleAfter` seconds
// count, of a hidden page none.
class Attention {
  constructor(idleAfter) {
    this.idleAfter = idleAfter; // gives the seconds
    this.hidden = document.hidden;
    this.restart();
  }

  restart() {
    this.counted = 0;
    this.last = performance.now(); // when somebody was seen to be there
  }

  noted() {
    this.counted += this.sinceLast();
    this.last = performance.now();
  }

  hide(hidden) {
    this.noted();
    this.hidden = hidden;
  }

  sinceLast() {
    return this.hidden ? 0 : Math.min(this.pause(), this.idleAfter());
  }

  pause() {
    return (performance.now() - this.last) / 1000;
  }

  isAway() {
    return this.hidden || this.pause() > this.idleAfter();
  }

  seconds() {
    return this.counted + this.sinceLast();
  }
}

function fetchPicture(transport, item) {
  const url = transport.image(item.item);
  url.catch(() => {}); // shown when the item's turn comes
  return url;
}

function release(item) {
  item?.picture?.then(URL.revokeObjectURL, () => {});
}

function now() {
  return Date.now() / 1000; // seconds, as the server counts them
}

// ---- progress

// The latest progress, asked for by one request at a time. What a request under way brings may be older than the label
// that asked for a refresh meanwhile, so one more request follows it.
class ProgressWatch {
  constructor(transport, view, signal, shown = () => {}) {
    this.transport = transport;
    this.view = view;
    this.signal = signal;
    this.shown = shown; // called with what is shown
    this.latest = null;
    this.refreshing = null; // the promise of the requests under way
    this.outdated = false;
  }

  refresh() {
    this.outdated = true;
    this.refreshing ??= this.ask();
    return this.refreshing;
  }

  async ask() {
    while (this.outdated && !this.signal.aborted) {
      this.outdated = false;
      const ignore = () => {}; // that there is no connection, answers and items say
      await this.transport.progress().then((found) => this.show(found), ignore);
    }
    this.refreshing = null;
  }

  show(found) {
    this.latest = found;
    if (this.signal.aborted) return;
    this.view.showProgress(found);
    this.shown(found);
  }
}

// What people are told about the classes, asked for when it, or a class, is new.
class GuidelinesWatch {
  constructor(transport, view) {
    this.transport = transport;
    this.view = view;
    this.known = null; // what the last ones were asked for by
  }

  async follow({ guidelines: version = null, classes }) {
    const wanted = JSON.stringify([version, classes]);
    if (wanted === this.known || (version === null && this.known === null)) return;
    this.known = wanted;
    try {
      this.view.showGuidelines(await this.transport.guidelines());
    } catch {
      this.known = ""; // asked for again with the next progress
    }
  }
}

// ---- looking back

// One's own answers, the latest first: found, seen again, changed and noted, while the item to label waits. A change is
// an answer like any other, so that those after it stay as they are.
export class LookBack {
  constructor(view, transport, outbox, { changed, closed, attention, signal }) {
    this.view = view;
    this.panel = view.past;
    this.transport = transport;
    this.outbox = outbox;
    this.changed = changed; // called with the answer that was changed, and the event
    this.closed = closed;
    this.attention = attention;
    this.signal = signal;
    this.isOpen = false;
    this.answers = []; // found so far
    this.before = null; // where those begin that were not looked at yet
    this.place = null; // of the selected answer
    this.turn = 0; // counts the searches: one that waits for the server finds out that another has begun
  }

  toggle() {
    if (this.isOpen) this.close();
    else this.open();
  }

  open() {
    this.isOpen = true;
    this.view.showPast(true);
    return this.load();
  }

  close() {
    this.leave();
    this.closed();
  }

  leave() {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.turn += 1;
    this.view.showPast(false);
  }

  // -- finding

  async find() {
    this.turn += 1;
    const { turn } = this;
    await pause(TYPING_MS, this.signal);
    if (turn === this.turn) this.load();
  }

  async load() {
    this.answers = [];
    this.before = null;
    this.place = null;
    this.panel.clear();
    await this.fetch();
  }

  async more() {
    if (this.before !== null || !this.answers.length) await this.fetch();
  }

  async fetch() {
    this.turn += 1;
    const { turn } = this;
    this.panel.showState("Looking ...");
    try {
      await this.outbox.emptied();
      const found = await this.fetchSome(turn);
      if (turn === this.turn) this.show(found);
    } catch (failure) {
      if (turn === this.turn) this.panel.showState(`Not found: ${sentence(failure.message)}`, "Try again");
    }
  }

  // a page may hold nothing that was looked for, and yet be followed by others
  async fetchSome(turn) {
    let { before } = this;
    let answers = [];
    do {
      const since = before === null ? {} : { before };
      ({ answers, before } = await this.transport.answers({ limit: PAST_PAGE, ...this.panel.wanted(), ...since }));
    } while (!answers.length && before !== null && turn === this.turn);
    return { answers, before };
  }

  show({ answers, before }) {
    const last = answers.filter((answer) => !this.answers.some((other) => other.item === answer.item));
    this.answers.push(...last);
    this.before = before;
    this.panel.add(last);
    this.panel.showState(this.summary(), before === null ? null : "Show more");
    if (this.place === null) this.select(this.answers.length ? 0 : null);
  }

  summary() {
    if (!this.answers.length) return this.panel.isFiltered() ? "Nothing found" : "No answers yet";
    return this.before === null ? count(this.answers.length, "answer") : `The latest ${this.answers.length} answers`;
  }

  // -- one of them

  selected() {
    return this.answers[this.place];
  }

  select(place) {
    this.place = place;
    this.attention.restart();
    this.panel.select(place, this.selected());
    this.showPicture(this.selected());
  }

  move(step) {
    if (this.place === null) return;
    const place = this.place + step;
    if (place >= this.answers.length) this.more();
    this.select(Math.min(Math.max(place, 0), this.answers.length - 1));
  }

  async showPicture(answer) {
    if (!answer?.image) return;
    answer.picture ??= fetchPicture(this.transport, answer);
    try {
      const picture = await loadPicture(answer, await answer.picture);
      if (answer === this.selected()) this.panel.item.showPicture(picture);
    } catch (failure) {
      answer.picture = null;
      if (answer === this.selected()) this.panel.item.pictureFailed(failure, () => this.select(this.place));
    }
  }

  // a class; of several labels, one of them more or less
  choose(name) {
    const { picker } = this.panel;
    this.change("label", picker.isSeveral ? picker.toggled(name) : name);
  }

  change(kind, value = null) {
    const answer = this.selected();
    if (!answer || (answer.kind === kind && (kind !== "label" || isSameLabel(answer.value, value)))) return;
    const { item, version } = answer;
    const event = { uuid: uuid(), item, kind, value, seconds: this.attention.seconds(), version };
    const disagrees = kind === "label" && Boolean(answer.expected) && !isSameLabel(answer.expected.value, value);
    Object.assign(answer, { uuid: event.uuid, kind, value, disagrees, replaces: true, earlier: null });
    this.attention.restart();
    this.changed(answer, event);
    this.panel.renew(this.place, answer);
    this.view.speaker.say(`Changed: ${answerName(answer)}`);
    this.outbox.push(event);
  }

  note(text) {
    const answer = this.selected();
    if (!answer || text.trim() === (answer.note ?? "")) return;
    answer.note = text.trim() || null;
    this.panel.renew(this.place, answer);
    this.outbox.push({ uuid: uuid(), item: answer.item, kind: "note", value: text.trim(), seconds: null });
  }
}

// ---- keys

// What a key does. An action needs a press of its own: a key that is held down repeats nothing, but goes on through the
// classes found.
class Keyboard {
  constructor(view, actions, lookBack) {
    this.view = view;
    this.actions = actions;
    this.lookBack = lookBack;
  }

  pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const action = this.view.help.isOpen() ? this.actionInHelp(event) : this.actionOf(event);
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    if (!event.repeat || ARROWS.includes(event.key)) action();
  }

  actionInHelp({ key }) {
    return key === "?" ? this.actions.help : null; // the browser does the rest
  }

  actionOf(event) {
    if (this.lookBack.isOpen) return this.actionInPast(event);
    if (event.target === this.view.filter) return this.actionInFilter(event.key);
    if (event.key === "?") return this.actions.help; // before digits, whose place it has on some keyboards
    if (pressesButton(event)) {
      return event.repeat ? () => {} : null; // the browser clicks the button itself, again and again while it is held
    }
    const toggle = this.toggleOf(event, this.view.picker);
    if (toggle) return toggle;
    const digit = digitOf(event);
    if (digit) return () => this.chooseNumber(digit);
    return this.actionOfLetter(letterOf(event));
  }

  actionInFilter(key, picker = this.view.picker) {
    const actions = {
      Enter: () => this.chooseHighlighted(picker),
      Escape: () => this.leaveFilter(picker),
      ArrowDown: () => picker.moveHighlight(1),
      ArrowUp: () => picker.moveHighlight(-1),
    };
    return actions[key]; // any other is being typed
  }

  actionOfLetter(letter) {
    const { accept, save, skip, flag, undo, closeUp, zoom, lookBack } = this.actions;
    const { filter, picker } = this.view;
    const find = filter.hidden ? null : () => filter.focus();
    const answers = { " ": accept, x: skip, f: flag, Backspace: undo, "/": find, b: lookBack };
    const looks = { z: closeUp, "+": () => zoom(1), "=": () => zoom(1), "-": () => zoom(-1) };
    return { ...answers, ...looks, Enter: picker.isSeveral ? save : null }[letter];
  }

  // Of several labels, each has a key of its own, whatever a search has found.
  toggleOf(event, picker) {
    const name = picker.classOfKey(String(digitOf(event) ?? letterOf(event)));
    return name === undefined ? null : () => picker.choose(name);
  }

  actionInPast(event) {
    const { target, key } = event;
    const { past } = this.view;
    if (target === past.picker.filter) return this.actionInFilter(key, past.picker);
    if (past.isTyping(target)) return this.actionInPastField(event);
    if (key === "?") return this.actions.help;
    if (pressesButton(event)) return event.repeat ? () => {} : null;
    const toggle = this.toggleOf(event, past.picker);
    if (toggle) return toggle;
    const digit = digitOf(event);
    if (digit) return () => this.chooseNumber(digit, past.picker);
    if (past.isReading(target)) return this.actionInPastItem(event);
    return this.actionInPastList(event);
  }

  actionInPastField({ target, key, shiftKey }) {
    const { past } = this.view;
    const leave = () => past.focusList();
    if (key === "Escape") return leave;
    if (key === "Enter" && !shiftKey && target !== past.filter) return leave; // Shift and Enter begin a line of a note
    return key === "ArrowDown" && target === past.search ? leave : null; // any other is being typed
  }

  actionInPastItem(event) {
    if (event.key === "Escape") return () => this.view.past.focusList();
    return ARROWS.includes(event.key) ? null : this.actionOfLetterInPast(letterOf(event)); // arrows scroll
  }

  actionInPastList(event) {
    const { lookBack } = this;
    const moves = {
      ArrowDown: () => lookBack.move(1),
      ArrowUp: () => lookBack.move(-1),
      Home: () => lookBack.move(-Infinity),
      End: () => lookBack.move(Infinity),
      Enter: () => this.view.past.focusItem(),
      Escape: () => lookBack.close(),
    };
    return moves[event.key] ?? this.actionOfLetterInPast(letterOf(event));
  }

  actionOfLetterInPast(letter) {
    const { past, undo, closeUp, zoom, lookBack } = this.actions;
    const panel = this.view.past;
    const answers = { x: past.skip, f: past.flag, n: () => panel.focusNote(), Backspace: undo };
    const looks = { z: closeUp, "+": () => zoom(1), "=": () => zoom(1), "-": () => zoom(-1) };
    return { ...answers, ...looks, "/": () => panel.focusSearch(), b: lookBack }[letter];
  }

  chooseNumber(number, picker = this.view.picker) {
    const name = picker.shown()[number - 1];
    if (name !== undefined) picker.choose(name);
  }

  chooseHighlighted(picker) {
    const name = picker.highlighted();
    if (name === undefined) return;
    picker.choose(name);
    if (picker.isSeveral) picker.clear(); // for the next one
  }

  leaveFilter(picker) {
    picker.clear();
    if (this.lookBack.isOpen) this.view.past.focusList();
    else this.view.focusItem();
  }
}

function pressesButton(event) {
  const onButton = event.target.closest?.("button, summary");
  if (onButton?.getAttribute("role") === "checkbox") return event.key === " "; // Enter saves what is checked
  return onButton && (event.key === "Enter" || event.key === " ");
}

function digitOf({ key, code }) {
  if (/^[1-9]$/.test(key)) return Number(key);
  return /^Digit[1-9]$/.test(code) ? Number(code.at(-1)) : null; // where digits need the shift key, or are not 1 to 9
}

function letterOf({ key, code }) {
  if (key.length > 1) return key; // a name, such as Backspace
  if (/^[\x20-\x7f]$/.test(key)) return key.toLowerCase();
  // the same place on a keyboard without Latin letters
  return /^Key[A-Z]$/.test(code) ? code.at(-1).toLowerCase() : { Slash: "/", Digit0: "0" }[code];
}

// ---- what is on the screen

// What the labelling page and the owner's have alike: a header, what went wrong, columns, help, and a picture to zoom.
class Screen {
  constructor(header, keys) {
    this.header = header;
    this.help = new Help(keys);
    this.notices = new Notices();
    this.speaker = new Speaker();
    this.columns = h("div", { class: "alkit-columns" });
  }

  drawInto(root) {
    root.classList.add("alkit");
    const parts = [this.header, this.notices, { element: this.columns }, this.speaker, this.help];
    root.replaceChildren(...parts.map((part) => part.element));
  }

  closeUp() {
    if (!this.seen.frame) return;
    this.seen.frame.toggle();
    this.focusPicture();
  }

  zoom(step) {
    if (!this.seen.frame) return;
    this.seen.frame.step(step);
    this.focusPicture();
  }

  focusPicture() {
    const { frame, element } = this.seen;
    const scrolling = frame.isZoomed() ? frame.element : element; // arrow keys move what has the focus
    scrolling.focus({ preventScroll: true });
  }

  notice(key, text) {
    this.notices.tell(key, text);
  }

  showSaving(waiting, failure) {
    this.header.showSaving(waiting, failure);
    const trouble = failure && `Not saved yet: ${sentence(failure.message)} Trying again; leave this page open.`;
    this.notice("saving", waiting ? trouble : null);
  }
}

// The whole of it: it is told what to show, and tells what a person chose.
class View extends Screen {
  constructor(root, actions, inPage) {
    super(new Header(actions.help), KEYS);
    this.inPage = inPage;
    this.item = new ItemPanel();
    this.answers = new AnswerPanel(actions);
    this.past = new PastPanel(actions);
    this.side = new SidePanel();
    this.work = h("div", { class: "alkit-work" }, this.item.element, this.answers.element);
    this.columns.replaceChildren(this.work, this.side.element);
    this.drawInto(root);
  }

  get picker() {
    return this.answers.picker;
  }

  get filter() {
    return this.picker.filter;
  }

  // The item that is seen: the one to label, or one that was answered.
  get seen() {
    return this.past.element.isConnected ? this.past.item : this.item;
  }

  showPast(open) {
    const columns = open ? [this.past.element] : [this.work, this.side.element];
    this.columns.replaceChildren(...columns);
    if (open) this.past.focusList();
    else this.focusItem();
  }

  focusItem(options) {
    this.item.element.focus(options);
  }

  answered(what) {
    this.speaker.sayBeforeItem(what);
  }

  toggle(name) {
    this.picker.toggle(name);
    this.speaker.say(`${name}: ${this.picker.on.has(name) ? "on" : "off"}`);
  }

  takeSuggestion(names) {
    this.picker.turnOn([...this.picker.on, ...names]);
    this.speaker.say(`On: ${labelText(this.picker.given())}`);
  }

  canUndo(can) {
    this.answers.undo.disabled = !can;
  }

  showItem(item) {
    this.item.show(item);
    this.speaker.sayItem(item);
    this.answers.idle(false);
    this.answers.show(item);
  }

  showPicture(picture) {
    this.item.showPicture(picture);
  }

  pictureFailed(failure, again) {
    this.item.pictureFailed(failure, again);
    this.answers.disable();
    this.speaker.say("The picture did not load. Skip or flag the item, or try again.");
  }

  showEmpty(heading, line) {
    if (this.item.isEmptyWith(heading, line)) return; // read out once
    this.item.showEmpty(heading, line);
    this.answers.idle(true);
    this.speaker.say(`${heading}. ${line}`);
  }

  showProgress(progress) {
    this.header.showProgress(progress);
    if (this.inPage) document.title = `${progress.n_done}/${progress.n_items} · ${this.header.title.textContent}`;
    this.side.show(progress);
    const { error } = progress.model;
    this.notice("model", error && `The model could not be trained: ${sentence(error)} Labelling goes on.`);
    this.answers.picker.setNames(progress.classes, progress.multi);
    this.past.setNames(progress.classes, progress.multi);
  }

  showGuidelines(guidelines) {
    this.side.showGuidelines(guidelines);
    this.help.showGuidelines(guidelines);
    for (const picker of [this.picker, this.past.picker]) picker.describe(guidelines.classes);
  }
}

// The line on top: what is labelled, how much of it is done, and whether all of it is saved.
class Header {
  constructor(help) {
    this.title = h("h1", { class: "alkit-title", dir: "auto" }, "alkit");
    this.counted = h("p", { class: "alkit-counted" });
    this.saving = h("p", { class: "alkit-saving" });
    this.bar = h("progress", { class: "alkit-progress", "aria-label": "Items done", value: 0, max: 1 });
    this.help = tool("Help", "?", "?", help);
    this.help.title = "Guidelines and keys";
    const line = h("div", { class: "alkit-line" }, this.title, this.counted, this.saving, this.help);
    this.element = h("header", { class: "alkit-head" }, line, this.bar);
  }

  showProgress({ title, annotator, mine, n_items: total, n_done: done }) {
    this.title.textContent = title ?? "Labels";
    const you = annotator ? `you (${annotator})` : "you";
    const share = `${done.toLocaleString()} of ${total.toLocaleString()} done`;
    this.counted.textContent = `${share} · ${mine.toLocaleString()} by ${you}`;
    this.bar.max = Math.max(total, 1);
    this.bar.value = done;
  }

  showSaving(waiting, failure) {
    this.saving.textContent = savingLine(waiting, failure);
    this.saving.classList.toggle("is-busy", waiting > 0);
    this.saving.classList.toggle("is-failing", Boolean(failure));
  }
}

function savingLine(waiting, failure) {
  if (!waiting) return "All saved";
  return failure ? `Not saved yet: ${count(waiting, "answer")}` : "Saving";
}

// What went wrong, one line per key until it is told that it went right. A screen reader reads out what changes here.
class Notices {
  constructor() {
    this.element = h("div", { class: "alkit-notices", role: "alert" });
    this.told = new Map();
  }

  tell(key, text) {
    if ((this.told.get(key) ?? null) === text) return; // what is said again would be read out again
    if (text) this.told.set(key, text);
    else this.told.delete(key);
    this.element.replaceChildren(...[...this.told.values()].map((line) => h("p", {}, line)));
  }
}

// What a screen reader reads out and nobody sees.
class Speaker {
  constructor() {
    this.element = h("p", { class: "alkit-spoken", "aria-live": "polite" });
    this.before = "";
  }

  say(text) {
    this.element.textContent = text;
  }

  sayBeforeItem(text) {
    this.before = text; // said at once, it would be cut short by the item
  }

  sayItem({ item: id, text }) {
    const about = text?.slice(0, SPOKEN_LENGTH) ?? `Item ${id}`;
    this.say([this.before, about].filter(Boolean).join(". "));
    this.before = "";
  }
}

// The item to label, or why there is none.
class ItemPanel {
  constructor(label = "Item to label") {
    this.element = h("article", { class: "alkit-item", tabindex: 0, "aria-label": label });
    this.frame = null; // of its picture, if it has one
  }

  show({ text, row, image }) {
    const { element } = this;
    this.frame = image ? new PictureFrame() : null;
    const parts = [];
    if (image) parts.push(this.frame.element);
    if (text !== null) parts.push(textPart(text, !image && !row));
    if (row) parts.push(table(row));
    element.replaceChildren(...parts);
    element.classList.toggle("has-both", image && parts.length > 1);
    element.classList.remove("is-empty", "is-new");
    void element.offsetWidth; // lets the animation start anew
    element.classList.add("is-new");
    element.scrollTop = 0;
  }

  showPicture(picture) {
    this.frame.show(picture);
  }

  pictureFailed(failure, again) {
    const retry = h("button", { type: "button", class: "alkit-tool" }, "Try again");
    retry.addEventListener("click", again);
    const reason = h("p", {}, `The picture did not load: ${sentence(failure.message)}`);
    this.frame.fill(h("div", { class: "alkit-broken" }, reason, retry));
  }

  showEmpty(heading, line) {
    this.frame = null;
    this.element.replaceChildren(h("h2", {}, heading), h("p", {}, line));
    this.element.classList.add("is-empty");
    this.element.classList.remove("has-both");
  }

  isEmptyWith(heading, line) {
    return this.element.classList.contains("is-empty") && this.element.textContent === heading + line;
  }
}

// A picture, as large as it fits; closer if somebody wants to see more of it.
class PictureFrame {
  constructor() {
    this.element = h("div", { class: "alkit-picture is-loading", tabindex: -1 }); // the focus lets arrow keys scroll it
    this.picture = null;
    this.level = 1; // times the size at which all of it is seen
  }

  show(picture) {
    const { naturalWidth: width, naturalHeight: height } = picture;
    picture.style.setProperty("--ratio", width / height);
    picture.classList.toggle("is-tiny", Math.max(width, height) < TINY);
    picture.addEventListener("click", (event) => this.toggle({ x: event.clientX, y: event.clientY }));
    this.picture = picture;
    this.fill(picture);
  }

  fill(content) {
    this.element.classList.remove("is-loading");
    this.element.replaceChildren(content);
  }

  isZoomed() {
    return this.level > 1;
  }

  toggle(point) {
    if (!this.picture) return;
    const natural = (this.picture.naturalWidth / this.picture.clientWidth) * this.level;
    this.zoomTo(this.isZoomed() ? 1 : Math.min(Math.max(CLOSE_UP, natural), ZOOMS.at(-1)), point);
  }

  step(direction) {
    if (!this.picture) return;
    const next = direction > 0 ? ZOOMS.find((zoom) => zoom > this.level) : ZOOMS.findLast((zoom) => zoom < this.level);
    this.zoomTo(next ?? this.level);
  }

  // the point of the picture that is at a point of the window stays there
  zoomTo(level, { x, y } = this.centre()) {
    const before = this.picture.getBoundingClientRect();
    this.level = level;
    this.picture.style.setProperty("--zoom", level);
    this.element.classList.toggle("is-zoomed", this.isZoomed());
    this.element.tabIndex = this.isZoomed() ? 0 : -1; // what scrolls is reached by the tabulator
    const after = this.picture.getBoundingClientRect();
    const grown = after.width / before.width;
    this.element.scrollBy(after.left - x + (x - before.left) * grown, after.top - y + (y - before.top) * grown);
  }

  centre() {
    const { left, top, width, height } = this.element.getBoundingClientRect();
    return { x: left + width / 2, y: top + height / 2 };
  }
}

function textPart(text, alone) {
  const part = h("p", { class: "alkit-text", dir: "auto" }, text);
  if (alone && text.length < SHORT_LENGTH) part.classList.add("is-short");
  return part;
}

// What an item can be answered by: the suggestion, its classes, and undo, flag, skip; of several labels, also saving.
class AnswerPanel {
  constructor({ choose, save, skip, flag, undo, closeUp, lookBack }) {
    this.suggestion = h("p", { class: "alkit-suggestion" });
    this.id = h("p", { class: "alkit-id", dir: "auto" });
    this.about = h("div", { class: "alkit-about" }, this.suggestion, this.id);
    this.picker = new ClassPicker(choose, () => this.showOn());
    this.save = h("button", { type: "button", class: "alkit-save", "aria-keyshortcuts": "Enter", hidden: "" });
    this.save.addEventListener("click", save);
    this.undo = tool("Undo", "⌫", "Backspace", undo);
    this.closeUp = tool("Zoom", "Z", "z", closeUp);
    this.passing = [tool("Flag", "F", "f", flag), tool("Skip", "X", "x", skip)];
    const past = [this.undo, tool("Look back", "B", "b", lookBack)];
    const tools = h("div", { class: "alkit-tools" }, ...past, this.closeUp, ...this.passing);
    const parts = [this.about, this.picker.filter, this.picker.classes, this.save, tools];
    this.element = h("section", { class: "alkit-answers", "aria-label": "Answer" }, ...parts);
  }

  show(item) {
    const { item: id, image, suggestion, model_version: version } = item;
    const unsuggested = version === null ? "No suggestion yet" : "No suggestion: a random item, to test the model";
    this.suggestion.replaceChildren(...suggestionLine(suggestion, unsuggested));
    this.id.textContent = id;
    this.id.title = `Item ${id}`;
    this.closeUp.hidden = !image;
    this.picker.suggest(suggestion, item);
  }

  // what would be saved
  showOn() {
    this.save.hidden = false;
    this.save.disabled = false;
    this.save.replaceChildren(h("span", { dir: "auto" }, saveText(this.picker.given())), key("Enter"));
  }

  disable() {
    this.picker.disable();
    this.save.disabled = true;
  }

  idle(nothingToAnswer) {
    if (nothingToAnswer) this.save.hidden = true;
    for (const part of [this.about, ...this.passing]) part.hidden = nothingToAnswer;
    if (nothingToAnswer) this.closeUp.hidden = true;
    this.picker.idle(nothingToAnswer);
  }
}

function saveText(names) {
  if (!names.length) return "Save without a label";
  return names.length > NAMED_LABELS ? `Save ${count(names.length, "label")}` : `Save: ${names.join(", ")}`;
}

function suggestionLine(suggestion, unsuggested) {
  if (!suggestion) return [h("span", { class: "alkit-quiet" }, unsuggested)];
  const { value, confidence } = suggestion;
  const isSeveral = Array.isArray(value); // whose probabilities stand beside them
  const sure = isSeveral || confidence === null ? "" : ` ${percent(confidence)}`; // some models have no probabilities
  const what = isSeveral && value.length > NAMED_LABELS ? count(value.length, "label") : labelText(value);
  return ["Suggested: ", h("b", { dir: "auto" }, what), sure, key("Space")];
}

// A button per class; where there are many, a search that finds them by name. While it has the focus, keys edit what is
// looked for, up and down go through what was found, and Enter takes the highlighted class. Of several labels, a checkbox
// per class, each with a key and what the model thinks of it.
class ClassPicker {
  constructor(choose, turned = () => {}) {
    this.choose = choose;
    this.turned = turned; // called when several labels were turned on or off
    this.names = []; // of all classes
    this.isSeveral = false;
    this.on = new Set(); // those of several labels
    this.shares = {}; // the model's probability of each
    this.suggested = null;
    this.chosen = null; // what an item was answered by, where it was
    this.described = {}; // what guidelines say of classes
    this.place = null; // of the highlighted class among those shown
    this.prefix = `alkit-class-${uuid()}`; // of ids, which are of the whole document
    this.filter = classFilter();
    this.filter.addEventListener("input", () => this.search());
    this.classes = h("div", { class: "alkit-classes", role: "group", "aria-label": "Classes" });
  }

  setNames(names, isSeveral = false) {
    this.isSeveral = isSeveral;
    if (names.join("\n") === this.names.join("\n")) return; // a button that is drawn anew loses the focus
    this.names = names;
    this.on.forEach((name) => names.includes(name) || this.on.delete(name)); // what is saved is what is seen
    this.classes.classList.toggle("is-many", this.areMany());
    this.filter.hidden = !this.areMany();
    this.search();
  }

  describe(described) {
    this.described = described;
    this.search();
  }

  areMany() {
    return this.names.length > (this.isSeveral ? FEW_TOGGLES : DIGIT_KEYS);
  }

  // Of several labels, those are on that were when the item was last seen, or answered.
  suggest(suggestion, item) {
    this.suggested = suggestion?.value;
    this.shares = (suggestion?.confidence !== null && suggestion?.proba) || {}; // some models have no probabilities
    if (this.isSeveral) this.on = item.on ??= new Set(Array.isArray(item.value) ? item.value : []);
    this.clear();
    if (this.isSeveral) this.turned();
  }

  mark(chosen) {
    this.chosen = chosen;
    if (this.isSeveral && !this.filter.value) return this.turnOn(chosen ?? []); // checkboxes that stay keep the focus
    this.on = new Set(this.isSeveral ? chosen : []);
    this.clear();
  }

  // -- several labels

  toggle(name) {
    if (!this.on.delete(name)) this.on.add(name);
    this.showOn();
  }

  turnOn(names) {
    this.on.clear();
    names.forEach((name) => this.on.add(name));
    this.showOn();
  }

  // those that are on, in the order of the classes
  given() {
    return this.names.filter((name) => this.on.has(name));
  }

  toggled(name) {
    return this.names.filter((other) => this.on.has(other) !== (other === name));
  }

  showOn() {
    for (const button of this.classes.children) {
      button.setAttribute("aria-checked", String(this.on.has(button.dataset.class)));
    }
    this.turned();
  }

  classOfKey(sign) {
    return this.isSeveral ? this.names[TOGGLE_KEYS.indexOf(sign)] : undefined;
  }

  checkbox(name, place) {
    const sign = TOGGLE_KEYS[this.names.indexOf(name)] ?? "";
    const attributes = { type: "button", role: "checkbox", class: "alkit-class", "data-class": name };
    const box = h("button", { ...attributes, "aria-checked": String(this.on.has(name)) });
    box.id = `${this.prefix}-${place}`;
    if (sign) box.setAttribute("aria-keyshortcuts", sign);
    box.append(key(sign.toUpperCase()), h("span", { class: "alkit-name", dir: "auto" }, name));
    box.append(...shareOf(this.shares[name]));
    box.classList.toggle("is-suggested", this.suggested?.includes(name) ?? false);
    box.addEventListener("click", () => this.choose(name));
    return box;
  }

  // -- what is looked for

  clear() {
    this.filter.value = "";
    this.search();
  }

  search() {
    const wanted = this.filter.value.trim();
    const found = namesFound(this.names, wanted);
    const draw = (name, place) => (this.isSeveral ? this.checkbox(name, place) : this.button(name, place));
    this.classes.replaceChildren(...found.map(draw));
    this.highlight(wanted && found.length ? 0 : null); // where nothing was typed, nothing was looked for
  }

  moveHighlight(step) {
    const last = this.classes.children.length - 1;
    if (last < 0) return;
    this.highlight(this.place === null ? 0 : Math.min(Math.max(this.place + step, 0), last));
  }

  highlight(place) {
    this.place = place;
    const buttons = [...this.classes.children];
    buttons.forEach((button, at) => button.classList.toggle("is-highlighted", at === place));
    buttons[place]?.scrollIntoView({ block: "nearest" });
    this.filter.setAttribute("aria-activedescendant", buttons[place]?.id ?? "");
  }

  highlighted() {
    return this.shown()[this.place];
  }

  button(name, place) {
    const isSuggested = name === this.suggested;
    const digit = place < DIGIT_KEYS ? String(place + 1) : "";
    const button = h("button", { type: "button", class: "alkit-class", "data-class": name });
    button.id = `${this.prefix}-${place}`;
    if (digit) button.setAttribute("aria-keyshortcuts", isSuggested ? `${digit} Space` : digit);
    button.append(key(digit), h("span", { class: "alkit-name", dir: "auto" }, name));
    button.classList.toggle("is-suggested", isSuggested);
    button.classList.toggle("is-chosen", name === this.chosen);
    if (name === this.chosen) button.setAttribute("aria-pressed", "true");
    if (Object.hasOwn(this.described, name)) {
      button.title = this.described[name];
      button.setAttribute("aria-description", this.described[name]);
    }
    button.addEventListener("click", () => this.choose(name));
    return button;
  }

  shown() {
    return [...this.classes.children].map((button) => button.dataset.class);
  }

  disable() {
    for (const button of this.classes.children) button.disabled = true;
  }

  idle(nothingToAnswer) {
    this.classes.hidden = nothingToAnswer;
    this.filter.hidden = nothingToAnswer || !this.areMany();
  }
}

// What the model thinks of one of several labels.
function shareOf(share) {
  if (share === undefined) return [];
  const [low, high] = UNSURE;
  if (share <= low || share >= high) return [h("span", { class: "alkit-share" }, percent(share))];
  const spoken = h("span", { class: "alkit-spoken" }, ", the model is unsure");
  return [h("span", { class: "alkit-share is-unsure", title: "The model is unsure" }, `${percent(share)}?`, spoken)];
}

// The names that contain what is wanted: first the name that is just that, then those that begin with it.
function namesFound(names, wanted) {
  const sought = folded(wanted);
  const rank = (name) => {
    if (name === wanted) return 0;
    const candidate = folded(name);
    if (candidate === sought) return 1;
    if (candidate.startsWith(sought)) return 2;
    return candidate.includes(sought) ? 3 : Infinity;
  };
  const ranked = names.map((name) => ({ name, rank: rank(name) })).filter((one) => one.rank < Infinity);
  ranked.sort((one, other) => one.rank - other.rank); // stable: otherwise in the order of the classes
  return ranked.map((one) => one.name);
}

function folded(name) {
  return name.normalize("NFKC").toLowerCase().trim();
}

function classFilter() {
  const filter = h("input", { class: "alkit-filter", type: "search", "aria-label": "Filter classes", hidden: "" });
  filter.placeholder = "Find a class ( / )";
  filter.autocomplete = "off";
  filter.spellcheck = false;
  return filter;
}

function tool(name, sign, shortcut, action) {
  const button = h("button", { type: "button", class: "alkit-tool", "aria-keyshortcuts": shortcut }, name, key(sign));
  button.addEventListener("click", action);
  return button;
}

function key(sign) {
  return h("kbd", { "aria-hidden": "true" }, sign);
}

function table(row) {
  const lines = Object.entries(row).map(([name, value]) =>
    h("tr", {}, h("th", { scope: "row", dir: "auto" }, name), h("td", { dir: "auto" }, cellText(value))),
  );
  return h("table", { class: "alkit-row" }, h("tbody", {}, ...lines));
}

function cellText(value) {
  if (value === null) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

// One's own answers: a search and a filter, the list of what they find, and the one that is selected, with its classes
// and its note.
class PastPanel {
  constructor({ past, lookBack, undo }) {
    this.prefix = `alkit-past-${uuid()}`; // of ids, which are of the whole document
    const { words } = this;
    this.search = h("input", { class: "alkit-filter", type: "search", "aria-label": words.search });
    this.search.placeholder = "Search ( / )";
    this.search.addEventListener("input", past.find);
    this.filter = h("select", { class: "alkit-filter", "aria-label": words.which });
    this.filter.addEventListener("change", past.find);
    this.names = [];
    this.picker = new ClassPicker(past.choose);
    this.setFilter();
    this.list = h("div", { class: "alkit-list", role: "listbox", tabindex: 0, "aria-label": words.list });
    this.list.addEventListener("click", (event) => this.clicked(event, past.select));
    this.state = h("p", { class: "alkit-quiet", role: "status" });
    this.more = h("button", { type: "button", class: "alkit-tool" });
    this.more.addEventListener("click", past.more);
    this.item = new ItemPanel(words.item);
    this.about = h("div", { class: "alkit-about-past" });
    this.noteField = h("textarea", { class: "alkit-filter", rows: 1, "aria-label": words.note });
    this.noteField.placeholder = "Note ( N )";
    this.noteField.addEventListener("change", () => past.note(this.noteField.value));
    this.passing = this.passingTools(past);
    this.element = h("section", { class: "alkit-past", "aria-label": words.all });
    this.element.append(this.finder(), this.detail(this.leavingTools({ undo, lookBack })));
  }

  get words() {
    return {
      search: "Search your answers",
      which: "Which answers",
      list: "Your answers, the latest first",
      item: "Item you answered",
      note: "Note on this answer",
      all: "Your answers",
      unfiltered: "All answers",
      empty: ["Your answers", "Those you give are listed here, the latest first."],
    };
  }

  get kinds() {
    return PAST_FILTERS;
  }

  get kindsOfSeveral() {
    return { none: "Without a label" };
  }

  passingTools({ flag, skip }) {
    return [tool("Flag", "F", "f", flag), tool("Skip", "X", "x", skip)];
  }

  leavingTools({ undo, lookBack }) {
    const close = tool("Back", "Esc", "Escape", lookBack);
    close.title = "Back to labelling";
    return [tool("Undo", "⌫", "Backspace", undo), close];
  }

  finder() {
    const fields = h("div", { class: "alkit-fields" }, this.search, this.filter);
    const foot = h("div", { class: "alkit-foot" }, this.state, this.more);
    return h("div", { class: "alkit-finder" }, fields, this.list, foot);
  }

  detail(leaving) {
    const tools = h("div", { class: "alkit-tools" }, ...leaving, ...this.passing);
    const { filter, classes } = this.picker;
    this.answer = h("div", { class: "alkit-answers" }, this.about, filter, classes, this.noteField);
    return h("div", { class: "alkit-work" }, this.item.element, this.answer, tools);
  }

  // -- what is looked for

  setNames(names, isSeveral) {
    this.picker.setNames(names, isSeveral);
    if (names.join("\n") === this.names.join("\n")) return; // an open list of choices would close
    this.names = names;
    this.setFilter();
  }

  setFilter() {
    const chosen = this.filter.value;
    const filters = this.picker.isSeveral ? { ...this.kinds, ...this.kindsOfSeveral } : this.kinds;
    const kinds = Object.entries(filters).map(([only, name]) => h("option", { value: `only ${only}` }, name));
    const classes = this.names.map((name) => h("option", { value: `value ${name}` }, name));
    const all = h("option", { value: "" }, this.words.unfiltered);
    this.filter.replaceChildren(all, ...kinds, h("optgroup", { label: "Labelled" }, ...classes));
    this.filter.value = chosen;
    if (this.filter.selectedIndex < 0) this.filter.value = ""; // its class has another name now
  }

  wanted() {
    const wanted = {};
    if (this.search.value.trim()) wanted.search = this.search.value.trim();
    const [, what, name] = this.filter.value.match(/^(only|value) (.*)$/s) ?? [];
    if (what) wanted[what] = name;
    return wanted;
  }

  isFiltered() {
    return Object.keys(this.wanted()).length > 0;
  }

  // -- what was found

  clear() {
    this.list.replaceChildren();
    this.list.setAttribute("aria-activedescendant", "");
    this.select(null);
  }

  add(answers) {
    const first = this.list.children.length;
    this.list.append(...answers.map((answer, n) => this.line(answer, first + n)));
  }

  line(answer, place) {
    const line = this.lineOf(answer);
    line.id = `${this.prefix}-${place}`;
    return line;
  }

  lineOf(answer) {
    return pastLine(answer);
  }

  showState(text, button = null) {
    this.state.textContent = text;
    this.more.hidden = !button;
    this.more.textContent = button ?? "";
  }

  clicked({ target }, select) {
    const line = target.closest("[role=option]");
    if (line) select([...this.list.children].indexOf(line));
  }

  // -- the one that is selected

  select(place, answer) {
    for (const line of this.list.querySelectorAll("[aria-selected=true]")) line.setAttribute("aria-selected", "false");
    this.answer.hidden = !answer;
    for (const part of this.passing) part.hidden = !answer;
    if (!answer) return this.item.showEmpty(...this.words.empty);
    const line = this.list.children[place];
    line.setAttribute("aria-selected", "true");
    line.scrollIntoView({ block: "nearest" });
    this.list.setAttribute("aria-activedescendant", line.id);
    this.item.show(answer);
    this.showAnswer(answer);
  }

  showAnswer(answer) {
    this.about.replaceChildren(...aboutPast(answer));
    this.picker.mark(answer.kind === "label" ? answer.value : null);
    this.noteField.value = answer.note ?? "";
  }

  // shows what has become of an answer
  renew(place, answer) {
    const line = this.line(answer, place);
    line.setAttribute("aria-selected", "true");
    this.list.children[place].replaceWith(line);
    this.showAnswer(answer);
  }

  // -- the focus

  focusList() {
    this.list.focus({ preventScroll: true });
  }

  focusItem() {
    this.item.element.focus();
  }

  focusNote() {
    if (!this.answer.hidden) this.noteField.focus();
  }

  focusSearch() {
    this.search.focus();
  }

  isTyping(target) {
    return [this.search, this.filter, this.noteField].includes(target);
  }

  isReading(target) {
    return this.item.element.contains(target);
  }
}

function pastLine(answer) {
  const { text, row, item, note, disagrees, expected, earlier } = answer;
  const told = text || Object.values(row ?? {}).map(cellText).join(" · ") || `Item ${item}`;
  const given = h("b", { class: "alkit-name", dir: "auto" }, answerName(answer));
  const marks = [disagrees && `model: ${labelText(expected.value)}`, note && "note", earlier && "changed since"];
  const about = marks.filter(Boolean).map((mark) => h("span", { class: "alkit-mark", dir: "auto" }, mark));
  const attributes = { class: "alkit-line-past", role: "option", "aria-selected": "false" };
  const what = h("p", { class: "alkit-told", dir: "auto" }, told.slice(0, SHORT_LENGTH));
  return h("div", attributes, what, h("p", { class: "alkit-marks" }, given, ...about));
}

function answerName({ kind, value }) {
  return kind === "label" ? labelText(value) : { skip: "Skipped", flag: "Flagged" }[kind];
}

function labelText(value) {
  return Array.isArray(value) ? value.join(", ") || "No label" : value;
}

function isSameLabel(one, other) {
  if (!Array.isArray(one) || !Array.isArray(other)) return one === other;
  return one.length === other.length && one.every((name) => other.includes(name));
}

function aboutPast(answer) {
  const lines = [h("p", {}, "Your answer: ", named(answerName(answer)), ` · ${when(answer.time)}`)];
  if (answer.expected) {
    lines.push(h("p", {}, "The model expected ", named(labelText(answer.expected.value)), sureness(answer.expected)));
  }
  if (answer.earlier) {
    const before = answer.earlier.text ?? Object.values(answer.earlier.row ?? {}).map(cellText).join(" · ");
    lines.push(h("p", { dir: "auto" }, "When you answered, it was: ", before || "another picture"));
  }
  return lines;
}

// What labels have given so far: the learning curve, the model, and how many labels each class has.
class SidePanel {
  constructor() {
    this.curve = h("figure", { class: "alkit-curve" });
    this.model = h("p", { class: "alkit-model" });
    this.trouble = h("div", { class: "alkit-model" });
    this.counts = h("ul", { class: "alkit-counts" });
    this.guide = h("div", { class: "alkit-guide", role: "region", tabindex: 0, "aria-label": "Guidelines" });
    this.guided = h("div", { class: "alkit-guided", hidden: "" }, h("h2", {}, "Guidelines"), this.guide);
    const learning = [h("h2", {}, "Learning curve"), this.curve, this.model, this.trouble];
    const labels = [h("h2", {}, "Labels"), this.counts];
    // the focus lets keys scroll it, where there are many classes
    const attributes = { class: "alkit-side", "aria-label": "Progress", tabindex: 0 };
    this.element = h("aside", attributes, this.guided, ...learning, ...labels);
  }

  showGuidelines({ nodes }) {
    this.guided.hidden = !nodes.length;
    this.guide.replaceChildren(...nodes.map(markdown));
  }

  show({ curve, model, classes, counts, multi }) {
    this.curve.replaceChildren(...learningCurve(curve, multi));
    this.model.textContent = modelLine(model);
    this.model.classList.toggle("is-training", isFitting(model));
    const trouble = modelTrouble(model);
    this.trouble.hidden = !trouble.length;
    this.trouble.replaceChildren(...trouble.map((line) => h("p", {}, sentence(line))));
    const most = Math.max(1, ...Object.values(counts));
    this.counts.replaceChildren(...classes.map((name) => countLine(name, counts[name] ?? 0, most)));
  }
}

function countLine(name, n, most) {
  const bar = h("span", { class: "alkit-bar", "aria-hidden": "true" });
  bar.style.setProperty("--share", n / most);
  const labels = n ? h("span", {}, n.toLocaleString()) : h("span", { class: "alkit-quiet" }, "no label yet");
  return h("li", {}, h("span", { class: "alkit-name", dir: "auto" }, name), labels, bar);
}

function modelLine(model) {
  const { version, n_labels: labels, waiting, chosen } = model;
  let state = "There is no model yet";
  if (version !== null && labels > 0) state = `Model ${version}, from ${count(labels, "label")}${choice(chosen)}`;
  else if (waiting) state = sentence(capitalised(waiting));
  return isFitting(model) ? `${state} · training` : state;
}

// Which of several models it is, and how good it was when they were compared.
function choice(chosen) {
  if (!chosen) return "";
  const score = chosen.scores[chosen.name];
  return `: ${chosen.name}${score === undefined ? "" : `, macro-F1 ${percent(score)}`}`;
}

function isFitting({ training, waiting }) {
  return training && !waiting; // while it waits, a round ends at once
}

// What keeps the model from learning, or from learning from every item; labelling goes on in any case.
function modelTrouble({ slow, unreadable }) {
  const lines = [];
  if (slow) lines.push(`${capitalised(slow)}; labelling goes on`);
  if (unreadable?.n) lines.push(unreadableLine(unreadable));
  return lines;
}

function unreadableLine({ n, items }) {
  const named = items.slice(0, NAMED_ITEMS).map(({ item, reason }) => `${item} (${reason})`);
  if (n > named.length) named.push(`${(n - named.length).toLocaleString()} more`);
  return `The model learns without ${count(n, "item")} that it cannot read: ${named.join(", ")}`;
}

function learningCurve(points, isSeveral) {
  if (points.length < 2) {
    return [h("p", { class: "alkit-quiet" }, "Appears once the model has been tested on new labels.")];
  }
  const [left, right, top, bottom] = [30, 232, 8, 96];
  const last = points.at(-1);
  const x = (labels) => left + ((right - left) * labels) / last.n_labels;
  const y = (score) => bottom - (bottom - top) * score;
  const line = points.map((point) => `${x(point.n_labels).toFixed(1)},${y(point.score).toFixed(1)}`).join(" ");
  const label = `${isSeveral ? "F1 of labels" : "Accuracy"} on random items: ${percent(last.score)} with ${count(last.n_labels, "label")}`;
  const drawing = svg(
    "svg",
    { viewBox: "0 0 240 112", role: "img", "aria-label": label },
    ...[0, 0.5, 1].flatMap((score) => [
      svg("line", { class: "alkit-grid", x1: left, x2: right, y1: y(score), y2: y(score) }),
      svg("text", { x: left - 5, y: y(score) + 3, "text-anchor": "end" }, `${score * 100}`),
    ]),
    svg("polyline", { class: "alkit-scores", points: line }),
    svg("circle", { class: "alkit-latest", cx: x(last.n_labels), cy: y(last.score), r: 3.5 }),
    svg("text", { x: left, y: 109 }, "0"),
    svg("text", { x: right, y: 109, "text-anchor": "end" }, count(last.n_labels, "label")),
  );
  const what = isSeveral ? "F1 of labels on" : "right of";
  const caption = ` ${what} the last ${count(last.n_scored, "random item")}`;
  return [h("figcaption", {}, h("b", {}, percent(last.score)), caption), drawing];
}

// Guidelines and keys, above everything else until somebody closes them.
class Help {
  constructor(keys) {
    this.guide = h("div", { class: "alkit-guide" });
    const close = h("button", { type: "button", class: "alkit-tool" }, "Close", key("Esc"));
    close.addEventListener("click", () => this.element.close());
    const scrolled = { class: "alkit-help-body", tabindex: 0, role: "region", "aria-label": "Guidelines and keys" };
    const body = h("div", scrolled, this.guide, h("h2", {}, "Keys"), table(keys));
    this.element = h("dialog", { class: "alkit-help", "aria-label": "Guidelines and keys" }, body, close);
  }

  isOpen() {
    return this.element.open;
  }

  toggle() {
    if (this.isOpen()) this.element.close();
    else this.element.showModal();
  }

  showGuidelines({ nodes }) {
    this.guide.replaceChildren(...nodes.map(markdown));
  }
}

// An element of the tree that the server makes of Markdown; what is text there is text here.
function markdown(node) {
  if (typeof node === "string") return node;
  const { tag, href, children } = node;
  const attributes = href ? { href, target: "_blank", rel: "noopener noreferrer" } : {};
  return h(tag.replace(/^h[1-6]$/, belowTitle), attributes, ...children.map(markdown));
}

function belowTitle(heading) {
  return `h${Math.min(Number(heading[1]) + 1, 6)}`; // the page has a first heading already
}

// ---- the owner's page

export function mountReview(root, transport) {
  const reviewing = new Reviewing(root, transport);
  reviewing.start();
  return { destroy: () => reviewing.destroy() };
}

// What happens when: items that people disagree on, or put aside, are decided about one after the other.
class Reviewing {
  constructor(root, transport) {
    this.root = root;
    this.controller = new AbortController();
    const { signal } = this.controller;
    this.signal = signal;
    const actions = this.actions();
    this.view = new ReviewView(root, actions);
    this.guidelines = new GuidelinesWatch(transport, this.view);
    this.progress = new ProgressWatch(transport, this.view, signal, (found) => this.guidelines.follow(found));
    const overview = { progress: () => transport.team() };
    const team = { showProgress: (found) => this.view.showTeam(found) };
    const shown = (found) => this.review.knowsOfOpen(found.review.open);
    this.team = new ProgressWatch(overview, team, signal, shown);
    this.outbox = new Outbox(transport, {
      saved: (event, told) => this.saved(event, told),
      refused: (event, failure) => this.refused(event, failure),
      changed: () => this.showSaving(),
      signal,
    });
    this.review = new Review(this.view, transport, this.outbox, { signal });
    this.keyboard = new ReviewKeyboard(this.view, actions, this.review);
  }

  // What the owner can do, by a button or by a key.
  actions() {
    return {
      undo: () => this.review.undo(),
      closeUp: () => this.view.closeUp(),
      zoom: (step) => this.view.zoom(step),
      people: () => this.view.toggleTeam(),
      help: () => this.view.help.toggle(),
      past: {
        choose: (name) => this.review.choose(name),
        exclude: () => this.review.change("exclude"),
        reopen: () => this.review.change("reopen"),
        note: (text) => this.review.note(text),
        select: (place) => this.review.select(place),
        find: () => this.review.find(),
        more: () => this.review.more(),
      },
    };
  }

  start() {
    const { signal } = this;
    document.addEventListener("keydown", (event) => this.keyboard.pressed(event), { signal });
    const askBeforeLeaving = (event) => this.outbox.events.length && event.preventDefault();
    window.addEventListener("beforeunload", askBeforeLeaving, { signal });
    this.outbox.send(); // what was unsaved before a reload
    this.review.open();
    this.poll();
  }

  async poll() {
    while (!this.signal.aborted) {
      if (!document.hidden) this.refresh();
      await pause(POLL_MS, this.signal);
    }
  }

  refresh() {
    this.progress.refresh();
    this.team.refresh();
  }

  saved({ item }, { newer }) {
    const who = newer.join(", ");
    const told = `${who} answered item ${item} meanwhile. Your decision counts; see "${REVIEW_FILTERS.since}".`;
    this.view.notice("newer", newer.length ? told : null);
    this.view.notice("refused", null);
    this.refresh();
  }

  refused(event, failure) {
    this.view.notice("refused", `Not saved: ${sentence(failure.message)}`);
    this.review.forget(event);
    this.review.load(event.item);
    this.refresh();
  }

  showSaving() {
    const { events, failure } = this.outbox;
    this.view.showSaving(events.length, failure);
  }

  destroy() {
    this.controller.abort();
    this.root.replaceChildren();
  }
}

// Items with everybody's answers: found as one's own answers are, and decided about.
export class Review extends LookBack {
  constructor(view, transport, outbox, { signal }) {
    const attention = { restart: () => {} }; // decisions are not timed
    super(view, transport, outbox, { changed: () => {}, closed: () => {}, attention, signal });
    this.made = []; // decisions of this page, the latest last: the item, the UUID, and what was decided before
    this.seen = new Map(); // UUIDs of this page's last decisions, by the item
  }

  close() {} // there is nothing to go back to

  async load(item = null) {
    await super.load();
    const place = this.answers.findIndex((other) => other.item === item);
    if (place > 0) this.select(place);
  }

  // Loads what is to be decided by now, once all that was found is decided.
  knowsOfOpen(open) {
    const isDone = this.answers.every((item) => item.decision) && this.before === null;
    if (open && isDone && !this.panel.isFiltered() && !this.outbox.events.length && !this.loading) this.load();
  }

  async fetch() {
    this.loading = true;
    await super.fetch();
    this.loading = false;
  }

  show(found) {
    for (const { item } of found.answers) this.seen.delete(item); // what the server says takes them into account
    super.show(found);
  }

  summary() {
    if (this.answers.length) {
      return this.before === null ? count(this.answers.length, "item") : `The latest ${this.answers.length} items`;
    }
    return this.panel.isFiltered() ? "Nothing found" : "Nothing to decide";
  }

  change(kind, value = null) {
    const item = this.selected();
    const { decision } = item ?? {};
    if (!item || (decision?.kind === kind && isSameLabel(decision.value, value))) return;
    this.decide(item, kind, value, this.panel.noteField.value.trim() || null);
    if (!Array.isArray(value)) this.move(1); // of several labels, another one may follow
  }

  note(text) {
    const item = this.selected();
    const note = text.trim() || null;
    if (!item) return;
    const { decision } = item;
    if (!decision) item.draft = note; // kept with the decision, once there is one
    else if (note !== decision.note) this.decide(item, decision.kind, decision.value, note);
  }

  decide(item, kind, value, note) {
    const event = this.event(item, { kind, value, note });
    this.made.push({ item, uuid: event.uuid, before: item.decision });
    const { uuid: id } = event;
    this.push(item, event, { uuid: id, kind, value, note, time: now(), earlier: false });
    this.view.speaker.say(`Decided: ${decisionName(item.decision)}`);
  }

  undo() {
    const last = this.made.pop();
    if (!last) return;
    const item = this.answers.find((other) => other.item === last.item.item) ?? last.item;
    this.push(item, this.event(item, { kind: "undo", value: last.uuid, note: null }), last.before);
    this.view.speaker.say("Taken back");
    const place = this.answers.indexOf(item);
    if (place < 0) this.load(item.item);
    else this.select(place);
  }

  // a decision that the server refused
  forget({ uuid: id, item }) {
    this.made = this.made.filter((one) => one.uuid !== id);
    this.seen.delete(item);
  }

  event(item, what) {
    const seen = this.seen.has(item.item) ? this.seen.get(item.item) : item.seen;
    return { uuid: uuid(), item: item.item, ...what, seen, last_event: item.last_event };
  }

  push(item, event, decision) {
    this.seen.set(item.item, event.uuid);
    Object.assign(item, { decision, since: false, draft: null });
    const place = this.answers.indexOf(item);
    if (place >= 0) this.panel.renewLine(place, item);
    if (place === this.place) this.panel.showAnswer(item);
    this.outbox.push(event);
  }
}

class ReviewKeyboard extends Keyboard {
  actionOf(event) {
    if (this.view.isTeamShown()) return this.actionInTeam(event);
    return this.actionInPast(event);
  }

  // with more than twenty classes, two of several labels have no key here
  toggleOf(event, picker) {
    return ["p", "r"].includes(letterOf(event)) ? null : super.toggleOf(event, picker);
  }

  actionInTeam(event) {
    const { people, help } = this.actions;
    return { p: people, Escape: people, "?": help }[letterOf(event)];
  }

  actionOfLetterInPast(letter) {
    const { past, undo, closeUp, zoom, people } = this.actions;
    const panel = this.view.past;
    const decides = { x: past.exclude, r: past.reopen, n: () => panel.focusNote(), Backspace: undo };
    const looks = { z: closeUp, "+": () => zoom(1), "=": () => zoom(1), "-": () => zoom(-1) };
    return { ...decides, ...looks, "/": () => panel.focusSearch(), p: people }[letter];
  }
}

// What is on the owner's screen: the items, or the people.
class ReviewView extends Screen {
  constructor(root, actions) {
    super(new ReviewHeader(actions), REVIEW_KEYS);
    this.past = new ReviewPanel(actions);
    this.team = new TeamPanel();
    this.columns.replaceChildren(this.past.element);
    this.drawInto(root);
  }

  get seen() {
    return this.past.item;
  }

  isTeamShown() {
    return this.team.element.isConnected;
  }

  toggleTeam() {
    const shown = this.isTeamShown() ? this.past : this.team;
    this.columns.replaceChildren(shown.element);
    this.header.mark(shown === this.team);
    shown.focusList();
  }

  showPast() {
    this.past.focusList();
  }

  showProgress(progress) {
    this.header.showProgress(progress);
    this.past.setNames(progress.classes, progress.multi);
    document.title = `Review · ${this.header.title.textContent}`;
  }

  showTeam(overview) {
    this.header.showReview(overview.review);
    this.team.show(overview);
  }

  showGuidelines(guidelines) {
    this.help.showGuidelines(guidelines);
    this.past.picker.describe(guidelines.classes);
  }
}

class ReviewHeader extends Header {
  constructor({ help, people }) {
    super(help);
    this.left = h("p", { class: "alkit-counted" });
    this.people = tool("People", "P", "p", people);
    this.people.setAttribute("aria-pressed", "false");
    this.counted.after(this.left);
    this.help.before(this.people);
  }

  showProgress({ title, n_items: total, n_done: done }) {
    super.showProgress({ title, mine: 0, n_items: total, n_done: done });
    this.counted.textContent = `${done.toLocaleString()} of ${total.toLocaleString()} done`;
  }

  showReview({ open, decided, since }) {
    const parts = [`${open.toLocaleString()} to decide`, `${decided.toLocaleString()} decided`];
    if (since) parts.push(`${since.toLocaleString()} answered since`);
    this.left.textContent = parts.join(" · ");
  }

  mark(isTeamShown) {
    this.people.setAttribute("aria-pressed", String(isTeamShown));
  }
}

// Items as PastPanel has one's own answers: the one that is selected has everybody's answers, and the decision.
class ReviewPanel extends PastPanel {
  constructor(actions) {
    super(actions);
    this.element.classList.add("alkit-review");
  }

  get words() {
    return {
      search: "Search items, names and notes",
      which: "Which items",
      list: "Items, the last answered first",
      item: "Item to decide about",
      note: "Note on this decision",
      all: "Review",
      unfiltered: "To decide",
      empty: ["Nothing to decide", "Items that people disagree on, or flag, are listed here."],
    };
  }

  get kinds() {
    return REVIEW_FILTERS;
  }

  get kindsOfSeveral() {
    return {};
  }

  passingTools({ reopen, exclude }) {
    return [tool("Ask again", "R", "r", reopen), tool("Leave out", "X", "x", exclude)];
  }

  leavingTools({ undo }) {
    return [tool("Undo", "⌫", "Backspace", undo)];
  }

  lineOf(item) {
    return reviewLine(item);
  }

  showAnswer(item) {
    this.about.replaceChildren(...aboutReviewed(item));
    this.picker.mark(item.decision?.kind === "label" ? item.decision.value : null);
    this.noteField.value = item.draft ?? item.decision?.note ?? "";
  }

  renewLine(place, item) {
    const before = this.list.children[place];
    const line = this.line(item, place);
    line.setAttribute("aria-selected", before.getAttribute("aria-selected"));
    before.replaceWith(line);
  }
}

function decisionName({ kind, value }) {
  return kind === "label" ? labelText(value) : { exclude: "Left out", reopen: "Asked again" }[kind];
}

function reviewLine({ votes, decision, since, gold, ...item }) {
  const answer = { kind: "label", value: decision ? decisionName(decision) : votes.map(answerName).join(" / ") };
  const line = pastLine({ ...item, ...answer, note: null, disagrees: false, earlier: false });
  const marks = [decision && "decided", since && "answered since", gold !== null && "gold"];
  const shown = marks.filter(Boolean).map((mark) => h("span", { class: "alkit-mark" }, mark));
  line.querySelector(".alkit-marks").append(...shown);
  line.classList.toggle("is-decided", Boolean(decision));
  return line;
}

function aboutReviewed({ votes, decision, expected, gold, since }) {
  const chosen = decision?.kind === "label" ? decision.value : null;
  const cards = votes.map((vote) => voteCard(vote, chosen));
  const parts = [h("ul", { class: "alkit-votes", tabindex: 0, "aria-label": "Answers" }, ...cards)];
  const lines = [];
  if (decision) lines.push(["Decided: ", named(decisionName(decision)), ` · ${when(decision.time)}`]);
  if (decision?.earlier) lines.push(["The item has changed since it was decided about."]);
  if (since) lines.push(["Somebody has answered since."]);
  if (gold !== null) lines.push(["Known answer: ", named(labelText(gold))]);
  if (expected) lines.push(["The model expected ", named(labelText(expected.value)), sureness(expected)]);
  return [...parts, ...lines.map((line) => h("p", {}, ...line))];
}

function voteCard(vote, chosen) {
  const { annotator, kind, value, note, time, late, earlier } = vote;
  const marks = [late && "late", earlier && "earlier text"].filter(Boolean);
  const card = h(
    "li",
    { class: "alkit-vote" },
    named(answerName({ kind, value })),
    h("span", { dir: "auto" }, annotator),
    h("span", { class: "alkit-quiet" }, [when(time), ...marks].join(" · ")),
  );
  if (note) card.append(h("q", { dir: "auto" }, note));
  card.classList.toggle("is-chosen", chosen !== null && kind === "label" && isSameLabel(value, chosen));
  return card;
}

function named(name) {
  return h("b", { dir: "auto" }, name);
}

function when(time) {
  return new Date(time * 1000).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

function sureness({ value, confidence }) {
  return confidence === null || Array.isArray(value) ? "" : ` ${percent(confidence)}`;
}

// The people of a team: what each did, how far they agree, and what they mix up.
class TeamPanel {
  constructor() {
    this.element = h("section", { class: "alkit-team", tabindex: 0, "aria-label": "People" });
  }

  focusList() {
    this.element.focus({ preventScroll: true });
  }

  show({ people, alpha, n_shared: shared, pairs, confusion, several }) {
    const agreement = agreementLine(alpha, shared, several);
    const parts = [h("h2", {}, "People"), peopleTable(people), h("h2", {}, "Agreement"), agreement];
    if (pairs.length) parts.push(pairsTable(pairs));
    if (confusion.classes.length) parts.push(h("h2", {}, "What is mixed up"), ...confusionParts(confusion));
    const { scrollTop } = this.element;
    this.element.replaceChildren(...parts);
    this.element.scrollTop = scrollTop;
  }
}

const PEOPLE_COLUMNS = {
  Labels: ({ labels }) => labels.toLocaleString(),
  Skips: ({ skips }) => skips.toLocaleString(),
  Flags: ({ flags }) => flags.toLocaleString(),
  Hours: ({ seconds }) => (seconds / 3600).toFixed(2),
  "Seconds per label": ({ seconds, labels }) => (labels ? (seconds / labels).toFixed(1) : ""),
  "Right about gold": ({ gold }) => sameShare(gold),
  "As the owner": ({ owner }) => sameShare(owner),
  "As others": ({ others }) => sameShare(others),
  "Last answer": ({ last }) => when(last),
};

function peopleTable(people) {
  if (!people.length) return h("p", { class: "alkit-quiet" }, "Nobody has answered yet.");
  const columns = Object.entries(PEOPLE_COLUMNS);
  const rows = people.map((person) => [person.annotator, ...columns.map(([, cell]) => cell(person))]);
  return numbersTable(["Person", ...Object.keys(PEOPLE_COLUMNS)], rows);
}

function sameShare({ n, same }) {
  return n ? `${percent(same / n)} of ${n.toLocaleString()}` : "";
}

function agreementLine(alpha, shared, isSeveral) {
  const items = count(shared, "item");
  if (alpha === null) return h("p", { class: "alkit-quiet" }, `Not known: several people labelled ${items}.`);
  const of = isSeveral ? ", of whole sets of labels," : ""; // the report has that of each label
  const where = `${of} on ${items} that several people labelled`;
  return h("p", {}, "Krippendorff's alpha ", h("b", {}, alpha.toFixed(2)), where);
}

function pairsTable(pairs) {
  const rows = pairs.map(({ first, second, items, same, kappa }) => [
    `${first}, ${second}`,
    items.toLocaleString(),
    percent(same / items),
    kappa === null ? "" : kappa.toFixed(2),
  ]);
  return numbersTable(["Two people", "Items", "Same", "Cohen's kappa"], rows);
}

function confusionParts({ classes, counts, n_left_out: left }) {
  const others = left ? ` The ${left} classes that are mixed up least are left out.` : "";
  const text = `Rows: the label that was decided, known, or given by most. Columns: what people said.${others}`;
  const table = numbersTable(["", ...classes], counts.map((row, place) => [classes[place], ...row]));
  for (const [place, row] of [...table.querySelectorAll("tbody tr")].entries()) shade(row, counts[place], place);
  return [h("p", { class: "alkit-quiet" }, text), table];
}

function shade(row, counts, diagonal) {
  const total = Math.max(1, counts.reduce((sum, n) => sum + n, 0));
  for (const [place, cell] of [...row.querySelectorAll("td")].entries()) {
    cell.style.setProperty("--share", counts[place] / total);
    cell.classList.add(place === diagonal ? "is-right" : "is-wrong");
  }
}

function numbersTable(names, rows) {
  const head = h("tr", {}, ...names.map((name) => (name ? h("th", { scope: "col", dir: "auto" }, name) : h("td"))));
  const lines = rows.map(([name, ...cells]) =>
    h("tr", {}, h("th", { scope: "row", dir: "auto" }, name), ...cells.map((cell) => h("td", {}, String(cell)))),
  );
  const table = h("table", { class: "alkit-numbers" }, h("thead", {}, head), h("tbody", {}, ...lines));
  return h("div", { class: "alkit-scrolled", tabindex: 0, role: "region", "aria-label": names[0] || "Classes" }, table);
}

// ---- small things

function h(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children); // strings become text, never markup
  return element;
}

function percent(share) {
  return `${Math.round(share * 100)} %`;
}

function count(n, noun) {
  return `${n.toLocaleString()} ${noun}${n === 1 ? "" : "s"}`;
}

function capitalised(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function sentence(text) {
  return text.replace(/[.\s]*$/, ".");
}

function uuid() {
  // crypto.randomUUID is missing where a team reaches the server by plain HTTP
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

function painted() {
  return new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
}

function pause(milliseconds, signal) {
  // ends early when the connection is back
  return new Promise((resolve) => {
    const timer = setTimeout(done, milliseconds);
    window.addEventListener("online", done, { once: true });
    signal.addEventListener("abort", done, { once: true });

    function done() {
      clearTimeout(timer);
      window.removeEventListener("online", done);
      signal.removeEventListener("abort", done);
      resolve();
    }
  });
}

// ---- entry points

export default {
  render({ model, el }) {
    el.tabIndex = 0;
    el.setAttribute("data-lm-suppress-shortcuts", "true"); // else JupyterLab takes the keys
    const { destroy } = mount(el, widgetTransport(model));
    return destroy;
  },
};

function openPage(root) {
  const owner = location.pathname.endsWith("/review");
  const place = owner ? "alkit-owner-token" : "alkit-token";
  const token = new URLSearchParams(location.search).get("token") ?? sessionStorage.getItem(place);
  if (token) sessionStorage.setItem(place, token);
  history.replaceState(null, "", location.pathname);
  if (owner) mountReview(root, httpTransport(token, { owner }));
  else mount(root, httpTransport(token));
}

const page = document.querySelector("[data-alkit-page]");
if (page) openPage(page);
