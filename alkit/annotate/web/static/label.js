// The labelling page and the notebook widget: one item at a time, by keyboard first, saved before it counts.
//
// mount(root, transport) draws into an element and talks through a transport, of which there are two: HTTP and anywidget.
//   transport.next(resume)    -> the item leased, or null when none is left
//   transport.send(event)     -> resolves once the answer is durable
//   transport.progress()      -> counts, learning curve, model
//   transport.image(itemId)   -> URL of its picture
// They reject with a Failure. A permanent one is shown, any other is tried again.

const SEEN_MS = 250; // nobody reads and chooses faster: a key pressed sooner was meant for the item before
const TIMEOUT_MS = 15_000;
const RETRY_MS = [500, 1000, 2000, 4000, 8000];
const POLL_MS = 5000;
const UNDO_DEPTH = 100;
const SPOKEN_LENGTH = 500; // characters of a text that are read out unasked
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
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const unsaved = `alkit-unsaved-${token}`;

  async function request(path, options = {}) {
    let response;
    try {
      response = await fetch(path, {
        cache: "no-store",
        signal: AbortSignal.timeout(TIMEOUT_MS),
        ...options,
        headers: { ...headers, ...options.headers },
      });
    } catch {
      throw new Failure("no connection to the server");
    }
    if (response.ok) return response;
    const body = await response.json().catch(() => ({}));
    const permanent = [400, 404, 409, 413].includes(response.status);
    throw new Failure(body.error ?? `the server answered ${response.status}`, { permanent, status: response.status });
  }

  async function json(path, options) {
    const response = await request(path, options);
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
      const response = await request(`api/image/${encodeURIComponent(item)}`);
      return URL.createObjectURL(await response.blob());
    },
    // answers not yet acknowledged outlive a reload of the page
    loadUnsaved: () => JSON.parse(sessionStorage.getItem(unsaved) ?? "[]"),
    keepUnsaved: (events) => sessionStorage.setItem(unsaved, JSON.stringify(events)),
  };
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

class Outbox {
  // Sends answers one after the other, in order, each with its UUID until it is acknowledged or refused.
  constructor(transport, { saved, refused, changed, signal }) {
    Object.assign(this, { transport, saved, refused, changed, signal });
    this.events = transport.loadUnsaved?.() ?? [];
    this.failure = null;
    this.sending = false;
  }

  push(event) {
    this.events.push(event);
    this.send();
  }

  async send() {
    this.keep();
    if (this.sending) return;
    this.sending = true;
    for (let tries = 0; this.events.length && !this.signal.aborted; ) {
      const event = this.events[0];
      try {
        await this.transport.send(event);
        this.remove(event);
        this.saved(event);
        tries = 0;
      } catch (failure) {
        if (failure.permanent) {
          this.events = this.events.filter((other) => other.value !== event.uuid); // nothing there to undo
          this.remove(event);
          this.refused(event, failure);
        } else {
          this.failure = failure;
          this.changed();
          await pause(RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)], this.signal);
        }
      }
    }
    this.sending = false;
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

// ---- the page

export function mount(root, transport) {
  const controller = new AbortController();
  const { signal } = controller;
  const inPage = root.hasAttribute("data-alkit-page");
  const view = draw(root, { choose, skip: () => answer("skip"), flag: () => answer("flag"), undo });
  const queue = []; // leased and fetched ahead, the next one first
  let history = []; // {item, uuid} that undo takes back, the latest last
  let current = null;
  let shownAt = Infinity; // when the current item was on the screen
  let turn = 0;
  let fetching = false;
  let progress = null;
  let refreshing = null;
  let outdated = false;

  const outbox = new Outbox(transport, { saved, refused, changed: showSaving, signal });

  // -- items

  async function fill() {
    const bare = !current && !queue.length;
    if (fetching || signal.aborted || queue.length || (bare && outbox.events.length)) return;
    fetching = true;
    let item = null;
    try {
      if (!progress) showProgress(await transport.progress());
      item = await transport.next(bare); // what we hold from before a reload comes first
    } catch (failure) {
      if ([401, 403].includes(failure.status)) return locked(failure);
      if (!current) view.showEmpty("One moment", `No new item: ${sentence(failure.message)} Trying again.`);
      await pause(RETRY_MS[2], signal);
      fetching = false;
      return fill();
    }
    fetching = false;
    if (!item) {
      if (!current) await finished();
      return;
    }
    if ([current, ...queue, ...outbox.events].some((held) => held?.item === item.item)) return; // undone meanwhile
    item.received = Date.now() / 1000;
    item.picture = item.image ? fetchPicture(item) : null;
    queue.push(item);
    if (!current) advance();
  }

  function fetchPicture(item) {
    const url = transport.image(item.item);
    url.catch(() => {}); // shown when the item's turn comes
    return url;
  }

  function advance() {
    current = queue.shift() ?? null;
    if (current && leaseEnded(current)) {
      release(current); // someone else may have it by now: ask anew
      current = null;
    }
    if (current) show(current);
    else view.showEmpty("One moment", "The next item is on its way.");
    fill();
  }

  async function show(item) {
    const mine = ++turn;
    current = item;
    item.unseen = false;
    shownAt = Infinity;
    root.dataset.item = "";
    keepFocus();
    view.showItem(item);
    try {
      if (item.picture) await view.showPicture(item, await item.picture);
    } catch (failure) {
      if (mine !== turn) return;
      item.unseen = true;
      view.pictureFailed(failure, () => {
        item.picture = fetchPicture(item);
        show(item);
      });
    }
    await painted();
    if (mine !== turn) return;
    shownAt = performance.now();
    root.dataset.item = item.item;
  }

  function keepFocus() {
    // on what stays: with the button that was clicked the focus would go, and with it, in a notebook, the keys
    if (inPage || root.contains(root.getRootNode().activeElement)) view.item.focus({ preventScroll: true });
  }

  async function finished() {
    await refresh();
    if (current || signal.aborted) return;
    const { n_items: total, n_done: done, n_flagged: flagged = 0 } = progress;
    const aside = flagged ? `, ${flagged.toLocaleString()} flagged` : "";
    if (done + flagged < total) {
      view.showEmpty(
        "Nothing for you right now",
        `${count(total - done - flagged, "item")} left, skipped or with others. This page looks for more every few seconds.`,
      );
    } else {
      view.showEmpty("All done", `${count(done, "item")} labelled${aside}. Thank you.`);
    }
  }

  function locked(failure) {
    controller.abort();
    history = [];
    showSaving();
    view.showEmpty("This link does not open", "Use the whole address that alkit label printed for you, token included.");
    view.notice("locked", sentence(failure.message));
  }

  // -- answers

  function answer(kind, value = null) {
    if (!current || performance.now() - shownAt < SEEN_MS || (kind === "label" && current.unseen)) return;
    keepFocus();
    const item = current;
    const event = { uuid: uuid(), item: item.item, kind, value, seconds: (performance.now() - shownAt) / 1000 };
    history.push({ item, uuid: event.uuid });
    if (history.length > UNDO_DEPTH) release(history.shift().item);
    view.answered({ label: value, skip: "Skipped", flag: "Flagged" }[kind]);
    view.notice("refused", null);
    outbox.push(event);
    advance();
  }

  function undo() {
    const last = history.pop();
    if (!last) return;
    outbox.push({ uuid: uuid(), item: last.item.item, kind: "undo", value: last.uuid, seconds: null });
    view.answered("Taken back");
    showAgain(last.item);
  }

  function showAgain(item) {
    if (current) queue.unshift(current);
    item.received = Date.now() / 1000;
    show(item);
  }

  function saved() {
    refresh();
    fill();
  }

  function refused(event, failure) {
    view.notice("refused", `Not saved: ${sentence(failure.message)}`);
    const entry = history.find((past) => past.uuid === event.uuid);
    history = history.filter((past) => past !== entry);
    if (entry) showAgain(entry.item);
    fill();
  }

  function showSaving() {
    view.showSaving(outbox.events.length, outbox.failure);
    view.canUndo(history.length > 0);
    if (outbox.failure && !current) view.showEmpty("One moment", "The next item comes once your answers are saved.");
  }

  // -- progress

  function refresh() {
    outdated = true;
    refreshing ??= (async () => {
      while (outdated && !signal.aborted) {
        outdated = false;
        await transport.progress().then(showProgress, () => {}); // that there is no connection, answers and items say
      }
      refreshing = null;
    })();
    return refreshing;
  }

  function showProgress(found) {
    progress = found;
    if (!signal.aborted) view.showProgress(found, inPage);
  }

  async function poll() {
    while (!signal.aborted) {
      await pause(POLL_MS, signal);
      if (document.hidden) continue;
      refresh();
      fill();
    }
  }

  // -- keys

  function pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const action = actionOf(event);
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    if (!event.repeat) action();
  }

  function actionOf(event) {
    if (event.target === view.filter) {
      if (event.key === "Enter") return () => view.filter.value.trim() && chooseNumber(1);
      return event.key === "Escape" ? leaveFilter : null;
    }
    const onButton = event.target.closest?.("button, summary");
    if (onButton && (event.key === "Enter" || event.key === " ")) return event.repeat ? () => {} : null;
    const digit = digitOf(event);
    if (digit) return () => chooseNumber(digit);
    return {
      " ": () => current?.suggestion && choose(current.suggestion.value),
      x: () => answer("skip"),
      f: () => answer("flag"),
      Backspace: undo,
      "/": view.filter.hidden ? null : () => view.filter.focus(),
    }[letterOf(event)];
  }

  function choose(name) {
    answer("label", name);
  }

  function chooseNumber(number) {
    const name = view.shownClasses()[number - 1];
    if (name !== undefined) choose(name);
  }

  function leaveFilter() {
    view.clearFilter();
    view.item.focus();
  }

  (inPage ? document : root).addEventListener("keydown", pressed, { signal });
  document.addEventListener("visibilitychange", returned, { signal });
  window.addEventListener("beforeunload", (event) => outbox.events.length && event.preventDefault(), { signal });

  function returned() {
    if (document.hidden) return;
    if (current && leaseEnded(current)) {
      release(current);
      advance();
    }
    refresh();
  }

  outbox.send();
  fill();
  poll();
  return {
    destroy() {
      controller.abort();
      transport.close?.();
      [current, ...queue, ...history.map((past) => past.item)].forEach(release);
      root.replaceChildren();
    },
  };
}

function release(item) {
  item?.picture?.then(URL.revokeObjectURL, () => {});
}

function leaseEnded(item) {
  // by the time since it came, so that the two clocks need not agree; an item of the past is with us already
  const lease = item.expires - item.received;
  return lease > 0 && Date.now() / 1000 - item.received > lease;
}

function digitOf({ key, code }) {
  if (/^[1-9]$/.test(key)) return Number(key);
  return /^Digit[1-9]$/.test(code) ? Number(code.at(-1)) : null; // where digits need the shift key, or are not 1 to 9
}

function letterOf({ key, code }) {
  if (key.length > 1 || /^[\x20-\x7f]$/.test(key)) return key.length > 1 ? key : key.toLowerCase();
  return { KeyX: "x", KeyF: "f", Slash: "/" }[code]; // the same place on a keyboard without Latin letters
}

// ---- what is on the screen

function draw(root, { choose, skip, flag, undo }) {
  const title = h("h1", { class: "alkit-title", dir: "auto" }, "alkit");
  const counted = h("p", { class: "alkit-counted" });
  const saving = h("p", { class: "alkit-saving" });
  const bar = h("progress", { class: "alkit-progress", "aria-label": "Items done", value: 0, max: 1 });
  const notices = h("div", { class: "alkit-notices", role: "alert" });
  const item = h("article", { class: "alkit-item", tabindex: 0, "aria-label": "Item to label" });
  const spoken = h("p", { class: "alkit-spoken", "aria-live": "polite" });
  const suggestion = h("p", { class: "alkit-suggestion" });
  const filter = h("input", { class: "alkit-filter", type: "search", "aria-label": "Filter classes", hidden: "" });
  filter.placeholder = "Find a class ( / ), Enter takes the first";
  const classes = h("div", { class: "alkit-classes", role: "group", "aria-label": "Classes" });
  const undoing = tool("Undo", "⌫", "Backspace", undo);
  const passing = [tool("Flag", "F", "f", flag), tool("Skip", "X", "x", skip)];
  const tools = h("div", { class: "alkit-tools" }, undoing, ...passing);
  const answers = h("section", { class: "alkit-answers", "aria-label": "Answer" }, suggestion, filter, classes, tools);
  const curve = h("figure", { class: "alkit-curve" });
  const model = h("p", { class: "alkit-model" });
  const counts = h("ul", { class: "alkit-counts" });
  const side = h(
    "aside",
    { class: "alkit-side", "aria-label": "Progress" },
    h("h2", {}, "Learning curve"),
    curve,
    model,
    h("h2", {}, "Labels"),
    counts,
  );
  const head = h("header", { class: "alkit-head" }, h("div", { class: "alkit-line" }, title, counted, saving), bar);
  const work = h("div", { class: "alkit-work" }, item, answers);
  root.classList.add("alkit");
  root.replaceChildren(head, notices, h("div", { class: "alkit-columns" }, work, side), spoken);
  filter.addEventListener("input", showClasses);

  const told = new Map();
  let names = [];
  let suggested = null;
  let unsuggested = "";
  let said = ""; // read out before the next item

  function notice(key, text) {
    if ((told.get(key) ?? null) === text) return; // what is said again would be read out again
    if (text) told.set(key, text);
    else told.delete(key);
    notices.replaceChildren(...[...told.values()].map((line) => h("p", {}, line)));
  }

  function announce(text) {
    spoken.textContent = text;
  }

  function showItem({ item: id, text, row, image, suggestion: value, model_version: version }) {
    const parts = [];
    if (image) parts.push(h("div", { class: "alkit-picture is-loading" }));
    if (text !== null) parts.push(h("p", { class: "alkit-text", dir: "auto" }, text));
    if (row) parts.push(table(row));
    if (text !== null && text.length < 160 && !image && !row) parts[0].classList.add("is-short");
    item.replaceChildren(...parts);
    item.classList.toggle("has-both", image && parts.length > 1);
    item.classList.remove("is-empty", "is-new");
    void item.offsetWidth; // lets the animation start anew
    item.classList.add("is-new");
    item.scrollTop = 0;
    announce([said, text?.slice(0, SPOKEN_LENGTH) ?? `Item ${id}`].filter(Boolean).join(". "));
    said = "";
    idle(false);
    suggested = value;
    unsuggested = version === null ? "No suggestion yet" : "No suggestion: a random item, to test the model";
    clearFilter();
  }

  async function showPicture({ item: id }, url) {
    const picture = h("img", { alt: `Picture of item ${id}` });
    picture.src = url;
    await picture.decode().catch(() => {
      throw new Failure("it is not a picture this browser can read");
    });
    const frame = item.querySelector(".alkit-picture");
    frame.classList.remove("is-loading");
    frame.replaceChildren(picture);
  }

  function pictureFailed(failure, again) {
    const retry = h("button", { type: "button", class: "alkit-tool" }, "Try again");
    retry.addEventListener("click", again);
    const frame = item.querySelector(".alkit-picture");
    frame.classList.remove("is-loading");
    frame.replaceChildren(
      h("div", { class: "alkit-broken" }, h("p", {}, `The picture did not load: ${sentence(failure.message)}`), retry),
    );
    for (const button of classes.children) button.disabled = true;
    announce("The picture did not load. Skip or flag the item, or try again.");
  }

  function showEmpty(heading, line) {
    if (item.classList.contains("is-empty") && item.textContent === heading + line) return; // read out once
    item.replaceChildren(h("h2", {}, heading), h("p", {}, line));
    item.classList.add("is-empty");
    item.classList.remove("has-both");
    idle(true);
    announce(`${heading}. ${line}`);
  }

  function idle(nothingToAnswer) {
    for (const part of [suggestion, classes, ...passing]) part.hidden = nothingToAnswer;
    filter.hidden = nothingToAnswer || names.length <= 9;
  }

  function showClasses() {
    const wanted = filter.value.trim().toLowerCase();
    const shown = names.filter((name) => name.toLowerCase().includes(wanted));
    classes.classList.toggle("is-many", names.length > 9);
    classes.replaceChildren(...shown.map((name, place) => classButton(name, place)));
    suggestion.replaceChildren(
      ...(suggested
        ? ["Suggested: ", h("b", { dir: "auto" }, suggested.value), ` ${percent(suggested.confidence)}`, key("Space")]
        : [h("span", { class: "alkit-quiet" }, unsuggested)]),
    );
  }

  function classButton(name, place) {
    const isSuggested = name === suggested?.value;
    const button = h("button", { type: "button", class: "alkit-class", "data-class": name });
    const digit = place < 9 ? String(place + 1) : "";
    if (digit) button.setAttribute("aria-keyshortcuts", isSuggested ? `${digit} Space` : digit);
    button.append(key(digit), h("span", { class: "alkit-name", dir: "auto" }, name));
    button.classList.toggle("is-suggested", isSuggested);
    button.addEventListener("click", () => choose(name));
    return button;
  }

  function clearFilter() {
    filter.value = "";
    showClasses();
  }

  function answered(what) {
    said = what;
  }

  function showSaving(waiting, failure) {
    const text = waiting ? (failure ? `Not saved yet: ${count(waiting, "answer")}` : "Saving") : "All saved";
    saving.textContent = text;
    saving.classList.toggle("is-busy", waiting > 0);
    saving.classList.toggle("is-failing", Boolean(failure));
    notice("saving", failure && waiting ? `Not saved yet: ${sentence(failure.message)} Trying again; leave this page open.` : null);
  }

  function showProgress(progress, inPage) {
    const { n_items: total, n_done: done } = progress;
    title.textContent = progress.title ?? "Labels";
    const you = progress.annotator ? `you (${progress.annotator})` : "you";
    counted.textContent = `${done.toLocaleString()} of ${total.toLocaleString()} done · ${progress.mine.toLocaleString()} by ${you}`;
    bar.max = Math.max(total, 1);
    bar.value = done;
    if (inPage) document.title = `${done}/${total} · ${title.textContent}`;
    curve.replaceChildren(...learningCurve(progress.curve));
    model.textContent = modelLine(progress.model);
    model.classList.toggle("is-training", progress.model.training);
    notice("model", progress.model.error && `The model could not be trained: ${sentence(progress.model.error)} Labelling goes on.`);
    const most = Math.max(1, ...Object.values(progress.counts));
    counts.replaceChildren(...progress.classes.map((name) => countLine(name, progress.counts[name] ?? 0, most)));
    if (progress.classes.join("\n") !== names.join("\n")) {
      names = progress.classes;
      filter.hidden = names.length <= 9;
      showClasses();
    }
  }

  return {
    item,
    filter,
    notice,
    showItem,
    showPicture,
    pictureFailed,
    showEmpty,
    clearFilter,
    answered,
    showSaving,
    showProgress,
    shownClasses: () => [...classes.children].map((button) => button.dataset.class),
    canUndo: (can) => (undoing.disabled = !can),
  };
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
    h(
      "tr",
      {},
      h("th", { scope: "row", dir: "auto" }, name),
      h("td", { dir: "auto" }, value === null ? "" : typeof value === "object" ? JSON.stringify(value) : String(value)),
    ),
  );
  return h("table", { class: "alkit-row" }, h("tbody", {}, ...lines));
}

function countLine(name, n, most) {
  const bar = h("span", { class: "alkit-bar", "aria-hidden": "true" });
  bar.style.setProperty("--share", n / most);
  return h("li", {}, h("span", { class: "alkit-name", dir: "auto" }, name), h("span", {}, n.toLocaleString()), bar);
}

function modelLine({ version, n_labels: labels, training }) {
  const state = version === null ? "The model waits for its first labels" : `Model ${version}, from ${count(labels, "label")}`;
  return training ? `${state} · training` : state;
}

function learningCurve(points) {
  if (points.length < 2) return [h("p", { class: "alkit-quiet" }, "Appears once the model has been tested on new labels.")];
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
