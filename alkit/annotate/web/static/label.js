// The labelling page and the notebook widget: one item at a time, by keyboard first, saved before it counts.
//
// All of it is one ES module, because an anywidget widget loads one; the page loads the same. From top to bottom:
//   transports     how a server, or the kernel of a notebook, is asked
//   Outbox         answers on their way
//   Labelling      what happens when: UndoHistory, Items, Stage, ProgressWatch and Keyboard are its parts
//   View           what is on the screen, and nothing else: Header, ItemPanel, AnswerPanel, SidePanel, Notices, Speaker
//
// mount(root, transport) draws into an element and talks through a transport: there is one for HTTP, one for anywidget.
//   transport.next(resume)    -> the item leased, or null when none is left
//   transport.send(event)     -> resolves once the answer is durable
//   transport.progress()      -> counts, learning curve, model
//   transport.image(itemId)   -> URL of its picture
// They reject with a Failure. A permanent one is shown, any other is tried again.
// A transport may keep unsaved answers through a reload: loadUnsaved() -> events, keepUnsaved(events).

const SEEN_MS = 250; // nobody reads and chooses faster: a key pressed sooner was meant for the item before
const TIMEOUT_MS = 15_000;
const RETRY_MS = [500, 1000, 2000, 4000, 8000];
const POLL_MS = 5000;
const UNDO_DEPTH = 100;
const DIGIT_KEYS = 9; // more classes than that have no key each: a filter finds them
const SPOKEN_LENGTH = 500; // characters of a text that are read out unasked
const SHORT_LENGTH = 160; // characters of a text that is shown in large letters
const NAMED_ITEMS = 3; // items that the model cannot read and the page names
const SVG = "http://www.w3.org/2000/svg";

export class Failure extends Error {
  constructor(message, { permanent = false, status = 0 } = {}) {
    super(message);
    this.permanent = permanent;
    this.status = status;
  }
}

// ---- transports

export function httpTransport(token) {
  const authorization = token ? { Authorization: `Bearer ${token}` } : {};
  const unsaved = `alkit-unsaved-${token}`;

  function ask(path, options = {}) {
    return request(path, { ...options, headers: { ...authorization, ...options.headers } });
  }

  async function json(path, options) {
    const response = await ask(path, options);
    return response.status === 204 ? null : response.json();
  }

  return {
    next: (resume) => json(resume ? "api/next?resume=1" : "api/next"),
    send: (event) =>
      json("api/events", {
        method: "POST",
        body: JSON.stringify(event),
        headers: { "Content-Type": "application/json" },
      }),
    progress: () => json("api/progress"),
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

export function widgetTransport(model) {
  const waiting = new Map();

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
    next: async (resume) => (await call("next", resume)).result,
    send: async (event) => (await call("send", event)).result,
    progress: async () => (await call("progress")).result,
    image: async (item) => {
      const { result, buffers } = await call("image", item);
      return URL.createObjectURL(new Blob(buffers, { type: result.type }));
    },
    close: () => model.off("msg:custom", receive),
  };
}

// ---- answers on their way

// Answers that the server has neither acknowledged nor refused, sent one after the other in the order they were given:
// an undo must not overtake the answer that it takes back. Each keeps its UUID through every try and every reload, so
// that the server knows an answer again whose acknowledgement was lost, and does not count it twice.
export class Outbox {
  constructor(transport, { saved, refused, changed, signal }) {
    this.transport = transport;
    this.saved = saved; // called with the answer
    this.refused = refused; // called with the answer and the Failure
    this.changed = changed; // called when events or failure changed
    this.signal = signal; // ends the sending; what is unsaved stays with the transport
    this.events = transport.loadUnsaved?.() ?? [];
    this.failure = null; // why the first of the events is not saved yet
    this.sending = false;
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
        await this.transport.send(event);
        this.remove(event);
        this.saved(event);
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
    this.keyboard = new Keyboard(this.view, actions);
    this.progress = new ProgressWatch(transport, this.view, signal);
    this.stage = new Stage(root, this.view, transport, this.inPage);
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
  }

  // What a person can do, by a button or by a key.
  actions() {
    return {
      choose: (name) => this.answer("label", name),
      skip: () => this.answer("skip"),
      flag: () => this.answer("flag"),
      undo: () => this.undo(),
      accept: () => this.acceptSuggestion(),
    };
  }

  start() {
    this.listen();
    this.outbox.send(); // what was unsaved before a reload
    this.items.fill();
    this.poll();
  }

  listen() {
    const { signal } = this;
    const listenTo = this.inPage ? document : this.root; // a notebook has other cells, which need their keys
    listenTo.addEventListener("keydown", (event) => this.keyboard.pressed(event), { signal });
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

  returned() {
    if (document.hidden) return;
    this.items.replaceEnded();
    this.progress.refresh();
  }

  destroy() {
    this.controller.abort();
    this.transport.close?.();
    [...this.items.held(), ...this.history.items()].forEach(release);
    this.root.replaceChildren();
  }

  // -- answers

  answer(kind, value = null) {
    if (!this.stage.takes(kind)) return;
    this.stage.keepFocus();
    const { item } = this.stage;
    const event = { uuid: uuid(), item: item.item, kind, value, seconds: this.stage.seconds() };
    this.history.add(item, event);
    this.view.answered({ label: value, skip: "Skipped", flag: "Flagged" }[kind]);
    this.view.notice("refused", null);
    this.outbox.push(event);
    this.items.advance();
  }

  acceptSuggestion() {
    const suggestion = this.stage.item?.suggestion;
    if (suggestion) this.answer("label", suggestion.value);
  }

  undo() {
    const last = this.history.takeLast();
    if (!last) return;
    this.outbox.push({ uuid: uuid(), item: last.item.item, kind: "undo", value: last.uuid, seconds: null });
    this.view.answered("Taken back");
    this.items.showAgain(last.item);
  }

  // -- what became of them

  saved() {
    this.progress.refresh();
    this.items.fill();
  }

  refused(event, failure) {
    this.view.notice("refused", `Not saved: ${sentence(failure.message)}`);
    const entry = this.history.remove(event); // none if it was taken back, or given before a reload
    if (entry) this.items.showAgain(entry.item);
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

// Answers that undo can take back, the latest last, each with its item.
class UndoHistory {
  constructor() {
    this.entries = [];
  }

  add(item, event) {
    this.entries.push({ item, uuid: event.uuid });
    if (this.entries.length > UNDO_DEPTH) release(this.entries.shift().item);
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
// To what the server sends of an item are added `received`, when it came, and `picture`, a promise of its URL.
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
    return [this.stage.item, ...this.queue];
  }

  async fill() {
    if (this.fetching || this.signal.aborted || this.queue.length) return;
    const nothingShown = !this.stage.item;
    if (nothingShown && this.unsaved().length) return; // the server would offer what has just been answered
    this.fetching = true;
    let item = null;
    try {
      item = await this.fetchNext(nothingShown);
    } catch (failure) {
      return this.notFetched(failure);
    }
    this.fetching = false;
    if (item) this.receive(item);
    else if (!this.stage.item) await this.finished();
  }

  async fetchNext(resume) {
    if (!this.progress.latest) this.progress.show(await this.transport.progress()); // an item needs its classes
    return this.transport.next(resume); // to resume is to be given first what was held before a reload
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
    item.received = now();
    item.picture = item.image ? fetchPicture(this.transport, item) : null;
    this.queue.push(item);
    if (!this.stage.item) this.advance();
  }

  advance() {
    let item = this.queue.shift() ?? null;
    if (item && leaseEnded(item)) {
      release(item); // someone else may have it by now: ask anew
      item = null;
    }
    this.stage.item = item;
    if (item) this.stage.show(item);
    else this.view.showEmpty("One moment", "The next item is on its way.");
    this.fill();
  }

  replaceEnded() {
    const { item } = this.stage;
    if (!item || !leaseEnded(item)) return;
    release(item);
    this.advance();
  }

  showAgain(item) {
    if (this.stage.item) this.queue.unshift(this.stage.item);
    item.received = now();
    this.stage.show(item);
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
  constructor(root, view, transport, inPage) {
    this.root = root;
    this.view = view;
    this.transport = transport;
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
    return (performance.now() - this.shownAt) / 1000;
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

function leaseEnded(item) {
  // by the time since it came, so that the two clocks need not agree; an item of the past is with us already
  const lease = item.expires - item.received;
  return lease > 0 && now() - item.received > lease;
}

function now() {
  return Date.now() / 1000; // seconds, as the server counts them
}

// ---- progress

// The latest progress, asked for by one request at a time. What a request under way brings may be older than the label
// that asked for a refresh meanwhile, so one more request follows it.
class ProgressWatch {
  constructor(transport, view, signal) {
    this.transport = transport;
    this.view = view;
    this.signal = signal;
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
    if (!this.signal.aborted) this.view.showProgress(found);
  }
}

// ---- keys

// What a key does. An action needs a press of its own: a key that is held down repeats nothing.
class Keyboard {
  constructor(view, actions) {
    this.view = view;
    this.actions = actions;
  }

  pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const action = this.actionOf(event);
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    if (!event.repeat) action();
  }

  actionOf(event) {
    if (event.target === this.view.filter) return this.actionInFilter(event.key);
    if (pressesButton(event)) {
      return event.repeat ? () => {} : null; // the browser clicks the button itself, again and again while it is held
    }
    const digit = digitOf(event);
    if (digit) return () => this.chooseNumber(digit);
    return this.actionOfLetter(letterOf(event));
  }

  actionInFilter(key) {
    if (key === "Enter") return () => this.chooseFirstFound();
    if (key === "Escape") return () => this.leaveFilter();
    return null; // it is being typed
  }

  actionOfLetter(letter) {
    const { accept, skip, flag, undo } = this.actions;
    const { filter } = this.view;
    const find = filter.hidden ? null : () => filter.focus();
    return { " ": accept, x: skip, f: flag, Backspace: undo, "/": find }[letter];
  }

  chooseNumber(number) {
    const name = this.view.shownClasses()[number - 1];
    if (name !== undefined) this.actions.choose(name);
  }

  chooseFirstFound() {
    if (this.view.filter.value.trim()) this.chooseNumber(1); // where nothing was typed, nothing was looked for
  }

  leaveFilter() {
    this.view.clearFilter();
    this.view.focusItem();
  }
}

function pressesButton(event) {
  const onButton = event.target.closest?.("button, summary");
  return onButton && (event.key === "Enter" || event.key === " ");
}

function digitOf({ key, code }) {
  if (/^[1-9]$/.test(key)) return Number(key);
  return /^Digit[1-9]$/.test(code) ? Number(code.at(-1)) : null; // where digits need the shift key, or are not 1 to 9
}

function letterOf({ key, code }) {
  if (key.length > 1) return key; // a name, such as Backspace
  if (/^[\x20-\x7f]$/.test(key)) return key.toLowerCase();
  return { KeyX: "x", KeyF: "f", Slash: "/" }[code]; // the same place on a keyboard without Latin letters
}

// ---- what is on the screen

// The whole of it: it is told what to show, and tells what a person chose.
class View {
  constructor(root, actions, inPage) {
    this.inPage = inPage;
    this.header = new Header();
    this.notices = new Notices();
    this.item = new ItemPanel();
    this.answers = new AnswerPanel(actions);
    this.side = new SidePanel();
    this.speaker = new Speaker();
    const work = h("div", { class: "alkit-work" }, this.item.element, this.answers.element);
    const columns = h("div", { class: "alkit-columns" }, work, this.side.element);
    root.classList.add("alkit");
    root.replaceChildren(this.header.element, this.notices.element, columns, this.speaker.element);
  }

  get filter() {
    return this.answers.filter;
  }

  shownClasses() {
    return this.answers.shownClasses();
  }

  clearFilter() {
    this.answers.clearFilter();
  }

  focusItem(options) {
    this.item.element.focus(options);
  }

  notice(key, text) {
    this.notices.tell(key, text);
  }

  answered(what) {
    this.speaker.sayBeforeItem(what);
  }

  canUndo(can) {
    this.answers.undo.disabled = !can;
  }

  showItem(item) {
    this.item.show(item);
    this.speaker.sayItem(item);
    this.answers.idle(false);
    this.answers.suggest(item);
  }

  showPicture(picture) {
    this.item.showPicture(picture);
  }

  pictureFailed(failure, again) {
    this.item.pictureFailed(failure, again);
    this.answers.disableClasses();
    this.speaker.say("The picture did not load. Skip or flag the item, or try again.");
  }

  showEmpty(heading, line) {
    if (this.item.isEmptyWith(heading, line)) return; // read out once
    this.item.showEmpty(heading, line);
    this.answers.idle(true);
    this.speaker.say(`${heading}. ${line}`);
  }

  showSaving(waiting, failure) {
    this.header.showSaving(waiting, failure);
    const trouble = failure && `Not saved yet: ${sentence(failure.message)} Trying again; leave this page open.`;
    this.notice("saving", waiting ? trouble : null);
  }

  showProgress(progress) {
    this.header.showProgress(progress);
    if (this.inPage) document.title = `${progress.n_done}/${progress.n_items} · ${this.header.title.textContent}`;
    this.side.show(progress);
    const { error } = progress.model;
    this.notice("model", error && `The model could not be trained: ${sentence(error)} Labelling goes on.`);
    this.answers.setClasses(progress.classes);
  }
}

// The line on top: what is labelled, how much of it is done, and whether all of it is saved.
class Header {
  constructor() {
    this.title = h("h1", { class: "alkit-title", dir: "auto" }, "alkit");
    this.counted = h("p", { class: "alkit-counted" });
    this.saving = h("p", { class: "alkit-saving" });
    this.bar = h("progress", { class: "alkit-progress", "aria-label": "Items done", value: 0, max: 1 });
    const line = h("div", { class: "alkit-line" }, this.title, this.counted, this.saving);
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
  constructor() {
    this.element = h("article", { class: "alkit-item", tabindex: 0, "aria-label": "Item to label" });
  }

  show(item) {
    const { element } = this;
    const parts = itemParts(item);
    element.replaceChildren(...parts);
    element.classList.toggle("has-both", item.image && parts.length > 1);
    element.classList.remove("is-empty", "is-new");
    void element.offsetWidth; // lets the animation start anew
    element.classList.add("is-new");
    element.scrollTop = 0;
  }

  showPicture(picture) {
    this.fillFrame(picture);
  }

  pictureFailed(failure, again) {
    const retry = h("button", { type: "button", class: "alkit-tool" }, "Try again");
    retry.addEventListener("click", again);
    const reason = h("p", {}, `The picture did not load: ${sentence(failure.message)}`);
    this.fillFrame(h("div", { class: "alkit-broken" }, reason, retry));
  }

  fillFrame(content) {
    const frame = this.element.querySelector(".alkit-picture");
    frame.classList.remove("is-loading");
    frame.replaceChildren(content);
  }

  showEmpty(heading, line) {
    this.element.replaceChildren(h("h2", {}, heading), h("p", {}, line));
    this.element.classList.add("is-empty");
    this.element.classList.remove("has-both");
  }

  isEmptyWith(heading, line) {
    return this.element.classList.contains("is-empty") && this.element.textContent === heading + line;
  }
}

function itemParts({ text, row, image }) {
  const parts = [];
  if (image) parts.push(h("div", { class: "alkit-picture is-loading" }));
  if (text !== null) parts.push(textPart(text, !image && !row));
  if (row) parts.push(table(row));
  return parts;
}

function textPart(text, alone) {
  const part = h("p", { class: "alkit-text", dir: "auto" }, text);
  if (alone && text.length < SHORT_LENGTH) part.classList.add("is-short");
  return part;
}

// What an item can be answered by: the suggestion, a button per class, and undo, flag, skip.
class AnswerPanel {
  constructor({ choose, skip, flag, undo }) {
    this.choose = choose;
    this.names = []; // of all classes
    this.suggested = null;
    this.unsuggested = ""; // said where there is no suggestion
    this.suggestion = h("p", { class: "alkit-suggestion" });
    this.filter = classFilter();
    this.filter.addEventListener("input", () => this.showClasses());
    this.classes = h("div", { class: "alkit-classes", role: "group", "aria-label": "Classes" });
    this.undo = tool("Undo", "⌫", "Backspace", undo);
    this.passing = [tool("Flag", "F", "f", flag), tool("Skip", "X", "x", skip)];
    const tools = h("div", { class: "alkit-tools" }, this.undo, ...this.passing);
    const parts = [this.suggestion, this.filter, this.classes, tools];
    this.element = h("section", { class: "alkit-answers", "aria-label": "Answer" }, ...parts);
  }

  setClasses(names) {
    if (names.join("\n") === this.names.join("\n")) return; // a button that is drawn anew loses the focus
    this.names = names;
    this.filter.hidden = !this.areMany();
    this.showClasses();
  }

  areMany() {
    return this.names.length > DIGIT_KEYS;
  }

  suggest({ suggestion, model_version: version }) {
    this.suggested = suggestion;
    this.unsuggested = version === null ? "No suggestion yet" : "No suggestion: a random item, to test the model";
    this.clearFilter();
  }

  clearFilter() {
    this.filter.value = "";
    this.showClasses();
  }

  showClasses() {
    const wanted = this.filter.value.trim().toLowerCase();
    const shown = this.names.filter((name) => name.toLowerCase().includes(wanted));
    this.classes.classList.toggle("is-many", this.areMany());
    this.classes.replaceChildren(...shown.map((name, place) => this.classButton(name, place)));
    this.suggestion.replaceChildren(...this.suggestionLine());
  }

  suggestionLine() {
    if (!this.suggested) return [h("span", { class: "alkit-quiet" }, this.unsuggested)];
    const { value, confidence } = this.suggested;
    const sure = confidence === null ? "" : ` ${percent(confidence)}`; // some models have no probabilities
    return ["Suggested: ", h("b", { dir: "auto" }, value), sure, key("Space")];
  }

  classButton(name, place) {
    const isSuggested = name === this.suggested?.value;
    const digit = place < DIGIT_KEYS ? String(place + 1) : "";
    const button = h("button", { type: "button", class: "alkit-class", "data-class": name });
    if (digit) button.setAttribute("aria-keyshortcuts", isSuggested ? `${digit} Space` : digit);
    button.append(key(digit), h("span", { class: "alkit-name", dir: "auto" }, name));
    button.classList.toggle("is-suggested", isSuggested);
    button.addEventListener("click", () => this.choose(name));
    return button;
  }

  shownClasses() {
    return [...this.classes.children].map((button) => button.dataset.class);
  }

  disableClasses() {
    for (const button of this.classes.children) button.disabled = true;
  }

  idle(nothingToAnswer) {
    for (const part of [this.suggestion, this.classes, ...this.passing]) part.hidden = nothingToAnswer;
    this.filter.hidden = nothingToAnswer || !this.areMany();
  }
}

function classFilter() {
  const filter = h("input", { class: "alkit-filter", type: "search", "aria-label": "Filter classes", hidden: "" });
  filter.placeholder = "Find a class ( / ), Enter takes the first";
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

// What labels have given so far: the learning curve, the model, and how many labels each class has.
class SidePanel {
  constructor() {
    this.curve = h("figure", { class: "alkit-curve" });
    this.model = h("p", { class: "alkit-model" });
    this.trouble = h("div", { class: "alkit-model" });
    this.counts = h("ul", { class: "alkit-counts" });
    const learning = [h("h2", {}, "Learning curve"), this.curve, this.model, this.trouble];
    const labels = [h("h2", {}, "Labels"), this.counts];
    this.element = h("aside", { class: "alkit-side", "aria-label": "Progress" }, ...learning, ...labels);
  }

  show({ curve, model, classes, counts }) {
    this.curve.replaceChildren(...learningCurve(curve));
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
  const { version, n_labels: labels, waiting } = model;
  let state = "There is no model yet";
  if (version !== null && labels > 0) state = `Model ${version}, from ${count(labels, "label")}`;
  else if (waiting) state = sentence(capitalised(waiting));
  return isFitting(model) ? `${state} · training` : state;
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

function learningCurve(points) {
  if (points.length < 2) {
    return [h("p", { class: "alkit-quiet" }, "Appears once the model has been tested on new labels.")];
  }
  const [left, right, top, bottom] = [30, 232, 8, 96];
  const last = points.at(-1);
  const x = (labels) => left + ((right - left) * labels) / last.n_labels;
  const y = (score) => bottom - (bottom - top) * score;
  const line = points.map((point) => `${x(point.n_labels).toFixed(1)},${y(point.score).toFixed(1)}`).join(" ");
  const label = `Accuracy on random items: ${percent(last.score)} with ${count(last.n_labels, "label")}`;
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
  const caption = ` right of the last ${count(last.n_scored, "random item")}`;
  return [h("figcaption", {}, h("b", {}, percent(last.score)), caption), drawing];
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
  const token = new URLSearchParams(location.search).get("token") ?? sessionStorage.getItem("alkit-token");
  if (token) sessionStorage.setItem("alkit-token", token);
  history.replaceState(null, "", location.pathname);
  mount(root, httpTransport(token));
}

const page = document.querySelector("[data-alkit-page]");
if (page) openPage(page);
