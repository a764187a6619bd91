// The page's module where there is no browser: what it expects of one, and what it exports. LABEL_JS is its path.

import { pathToFileURL } from "node:url";

globalThis.document = { querySelector: () => null }; // there is no page to open
globalThis.window = new EventTarget();

export const timers = []; // that were set, the latest last
globalThis.setTimeout = (ring, milliseconds) => timers.push({ ring, milliseconds });
globalThis.clearTimeout = () => {};

export const storage = new Map();
globalThis.sessionStorage = {
  getItem: (key) => storage.get(key) ?? null,
  setItem: (key, value) => storage.set(key, value),
};

export const { Failure, LookBack, Outbox, Review, UndoHistory, httpTransport } = await import(
  pathToFileURL(process.env.LABEL_JS)
);

export function settled() {
  return new Promise((resolve) => setImmediate(resolve)); // after all promises that wait for no timer
}
