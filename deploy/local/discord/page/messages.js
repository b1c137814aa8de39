// The list of messages of the open room: kept in order, drawn anew where something changed, scrolled with care.

import { h } from "./dom.js";
import { draw } from "./message.js";
import { DM, messagesOf, on, person, readOlder, room, state } from "./state.js";
import { day, sameDay } from "./times.js";

const TOGETHER_MS = 7 * 60_000;
const NEAR_END = 60;
const NEAR_BEGINNING = 200;

const reading = document.getElementById("reading");
const list = document.getElementById("messages");
const beginning = document.getElementById("beginning");
const jump = document.getElementById("jump");
// What each element shows, so that it is only made again when that changed.
const drawn = new Map();
const days = new Map();
let atEnd = true;
let planned = false;

const isAtEnd = () => reading.scrollHeight - reading.scrollTop - reading.clientHeight < NEAR_END;

export function toEnd() {
  reading.scrollTop = reading.scrollHeight;
  atEnd = true;
  jump.hidden = true;
}

function isCompact(before, message) {
  return Boolean(before) && before.author === message.author && !message.reply_to && !message.used && Boolean(before.ephemeral_to) === Boolean(message.ephemeral_to)
    && new Date(message.timestamp) - new Date(before.timestamp) < TOGETHER_MS && sameDay(new Date(before.timestamp), new Date(message.timestamp));
}

function divider(moment) {
  const name = day(moment);
  if (!days.has(name)) days.set(name, h("li", { class: "day", role: "separator" }, h("span", {}, name)));
  return days.get(name);
}

/** The element for a message, the one from before when it still shows the truth. */
function elementOf(message, compact, fresh) {
  const known = drawn.get(message.id);
  if (known && known.message === message && known.compact === compact && !fresh) return known.element;
  const element = draw(message, compact);
  if (known?.element.contains(document.activeElement)) keepFocus(known.element, element);
  drawn.set(message.id, { message, compact, element });
  return element;
}

function keepFocus(before, after) {
  const key = document.activeElement.dataset.key;
  requestAnimationFrame(() => {
    const same = key && [...after.querySelectorAll("[data-key]")].find((one) => one.dataset.key === key && !one.disabled);
    (same ?? (before === document.activeElement ? after : after.querySelector("[data-key]:not([disabled])") ?? after)).focus();
  });
}

function render({ fresh = () => false, hold = null } = {}) {
  const messages = messagesOf(state.room);
  const heightBefore = reading.scrollHeight;
  const wanted = [];
  let before = null;
  for (const message of messages) {
    const moment = new Date(message.timestamp);
    if (!before || !sameDay(new Date(before.timestamp), moment)) wanted.push(divider(moment));
    wanted.push(elementOf(message, isCompact(before, message), fresh(message)));
    before = message;
  }
  place(wanted);
  const there = new Set(messages.map((one) => one.id));
  for (const id of drawn.keys()) if (!there.has(id)) drawn.delete(id);
  begin();
  if (hold === "older") reading.scrollTop += reading.scrollHeight - heightBefore;
  else if (atEnd) toEnd();
}

// Only what is new is put in: moving an element would take focus and selection from it.
function place(wanted) {
  const kept = new Set(wanted);
  for (const one of [...list.children]) if (!kept.has(one)) one.remove();
  let next = list.firstChild;
  for (const element of wanted) {
    if (element === next) next = next.nextSibling;
    else list.insertBefore(element, next);
  }
}

function begin() {
  const there = room(state.room);
  if (there.more || !there.loaded) {
    beginning.replaceChildren(h("p", { class: "reading-more" }, there.loaded ? "Earlier messages are read as you scroll up" : "Reading…"));
    return;
  }
  const direct = state.room === DM;
  const bot = person(state.bot);
  const title = direct ? bot?.name ?? "" : `Welcome to #${state.room}!`;
  const text = direct
    ? `This is the beginning of your direct messages with ${bot?.name}. Type !help to see what it can do here.`
    : `This is the beginning of #${state.room}. Write something, or type / to see what the bot can do.`;
  beginning.replaceChildren(h("div", { class: "welcome" }, h("span", { class: "welcome-sign", "aria-hidden": "true" }, direct ? "@" : "#"), h("p", { class: "welcome-title" }, title), h("p", {}, text)));
}

function plan(what) {
  plan.what = plan.what ?? { redraw: new Set(), older: false, all: false };
  if (what?.redraw) plan.what.redraw.add(what.redraw);
  if (what?.older) plan.what.older = true;
  if (what?.all) plan.what.all = true;
  if (what?.messages?.some((one) => one.channel === state.room) && !atEnd) jump.hidden = false;
  if (planned) return;
  planned = true;
  // A frame is not to be had while the page is in the background; the list must still be right when it comes back.
  const now = () => {
    planned = false;
    const { redraw, older, all } = plan.what;
    plan.what = null;
    render({ fresh: (message) => all || redraw.has(message.id), hold: older ? "older" : null });
  };
  if (document.hidden) setTimeout(now, 50);
  else requestAnimationFrame(now);
}

function move(event) {
  const items = [...list.querySelectorAll("li.message")];
  const current = event.target.closest("li.message");
  if (!items.length || event.target.closest("input, textarea")) return;
  if (event.target !== current && event.target !== reading && event.key !== "Escape") return;
  const at = items.indexOf(current);
  const next = { ArrowUp: at < 0 ? items.at(-1) : items[Math.max(0, at - 1)], ArrowDown: items[Math.min(items.length - 1, at + 1)], Home: items[0], End: items.at(-1), Escape: document.getElementById("composer-input") }[event.key];
  if (!next) return;
  event.preventDefault();
  next.focus();
}

export function begun() {
  reading.tabIndex = 0;
  reading.setAttribute("aria-label", "Messages; arrow keys move between them");
  reading.addEventListener("scroll", () => {
    atEnd = isAtEnd();
    if (atEnd) jump.hidden = true;
    if (reading.scrollTop < NEAR_BEGINNING) readOlder().catch(() => {});
  });
  reading.addEventListener("keydown", move);
  jump.addEventListener("click", toEnd);
  // Pictures arrive after their message and push it up.
  new ResizeObserver(() => atEnd && toEnd()).observe(list);
  new ResizeObserver(() => atEnd && toEnd()).observe(reading);
  on("messages", plan);
  on("people", () => plan({ all: true }));
  on("room", ({ loading, afresh }) => {
    if (!afresh) {
      drawn.clear();
      list.replaceChildren();
      atEnd = true;
    }
    list.setAttribute("aria-label", `Messages in ${state.room === DM ? "direct messages" : state.room}`);
    list.setAttribute("aria-busy", String(Boolean(loading)));
    render({ fresh: () => Boolean(afresh) });
  });
}
