// Starts the page and draws its frame: the rail, the channels, the head of the room, the connection.

import * as composer from "./composer.js";
import { toast } from "./dialogs.js";
import { avatar, h, icon } from "./dom.js";
import * as messages from "./messages.js";
import * as people from "./people.js";
import { become, channel, DM, isDirect, me, on, open, person, readPeople, state } from "./state.js";
import { keepCounting } from "./times.js";

const byElement = (id) => document.getElementById(id);
const app = byElement("app");
const narrow = matchMedia("(max-width: 760px)");
const wide = matchMedia("(min-width: 1001px)");

const go = (name) => {
  closeDrawers();
  return open(name).catch((problem) => toast(problem.message));
};

function entry(name, label, sign) {
  const here = state.room === name;
  const unread = state.unread.has(name);
  const props = { type: "button", class: `channel${here ? " here" : ""}${unread ? " unread" : ""}`, "aria-current": here ? "page" : undefined, data: { key: name }, on: { click: () => go(name) } };
  return h("li", {}, h("button", props, sign, h("span", { class: "name" }, label), unread ? h("span", { class: "unseen" }, "unread") : null));
}

function drawChannels() {
  if (!me()) return;
  const bot = person(state.bot);
  const list = byElement("channels");
  const key = list.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  const inside = isDirect()
    ? [h("h3", {}, "Direct messages"), h("ul", {}, entry(DM, bot?.name ?? "Bot", avatar(bot, 32)))]
    : [h("h3", {}, "Text channels"), h("ul", {}, state.channels.map((one) => entry(one.name, one.name, icon(one.staff_only ? "lock" : "hash"))))];
  if (!isDirect() && !state.channels.length) inside.push(h("p", { class: "note" }, "Who left sees no channels."));
  list.replaceChildren(...inside);
  if (key) list.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
  byElement("place").textContent = isDirect() ? "Direct messages" : state.guild.name;
  const guild = byElement("guild");
  const initials = state.guild.name.split(" ").map((word) => word[0]).join("");
  guild.replaceChildren(initials);
  guild.title = state.guild.name;
  guild.setAttribute("aria-label", `${state.guild.name}${[...state.unread].some((name) => name !== DM) ? ", unread messages" : ""}`);
  byElement("home").setAttribute("aria-label", `Direct messages${state.unread.has(DM) ? ", unread" : ""}`);
  for (const [button, here, unread] of [[guild, !isDirect(), [...state.unread].some((name) => name !== DM)], [byElement("home"), isDirect(), state.unread.has(DM)]]) {
    button.classList.toggle("here", here);
    button.classList.toggle("unread", unread);
    if (here) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
  document.title = `${state.unread.size ? "● " : ""}${isDirect() ? `@${bot?.name}` : `#${state.room}`} | Local Discord`;
}

function drawHead() {
  const bot = person(state.bot);
  byElement("title").textContent = isDirect() ? bot?.name ?? "" : state.room;
  byElement("title-icon").replaceChildren(icon(isDirect() ? "at" : channel(state.room)?.staff_only ? "lock" : "hash", 22));
  byElement("topic").textContent = isDirect() ? "Only you and the bot read this" : channel(state.room)?.staff_only ? "For staff" : "";
}

function drawConnection() {
  const place = byElement("connection");
  const [text, kind] = !state.connected ? ["Connecting…", "away"] : state.botReady ? ["", ""] : ["The bot is not connected", "waiting"];
  place.textContent = text;
  place.className = kind;
}

// On narrow windows the side and the members lie over the messages.
function closeDrawers() {
  app.classList.remove("side-open");
  if (!wide.matches) app.classList.remove("members-open");
  byElement("menu").setAttribute("aria-expanded", "false");
  byElement("members-toggle").setAttribute("aria-expanded", String(app.classList.contains("members-open")));
  byElement("shade").hidden = true;
}

function toggleDrawer(name, button, covers) {
  const isOpen = app.classList.toggle(name);
  button.setAttribute("aria-expanded", String(isOpen));
  byElement("shade").hidden = !(isOpen && covers);
}

function frame() {
  byElement("home").append(icon("chat", 26));
  byElement("newcomer").append(icon("plus", 24));
  byElement("menu").append(icon("menu"));
  byElement("members-toggle").append(icon("people"));
  for (const [id, title] of [["home", "Direct messages"], ["newcomer", "Join as a new person"], ["menu", "Channels"], ["members-toggle", "Members"]]) byElement(id).title = title;
  byElement("home").addEventListener("click", () => go(DM));
  byElement("guild").addEventListener("click", () => go((channel("general") ?? state.channels[0])?.name ?? DM));
  byElement("newcomer").addEventListener("click", people.chooseWho);
  byElement("menu").addEventListener("click", (event) => toggleDrawer("side-open", event.currentTarget, true));
  byElement("members-toggle").addEventListener("click", (event) => toggleDrawer("members-open", event.currentTarget, !wide.matches));
  byElement("shade").addEventListener("click", closeDrawers);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !byElement("shade").hidden) closeDrawers();
    if (!event.altKey || !["ArrowUp", "ArrowDown"].includes(event.key) || isDirect() || document.querySelector("dialog[open]")) return;
    const at = state.channels.findIndex((one) => one.name === state.room);
    const next = state.channels[at + (event.key === "ArrowDown" ? 1 : -1)];
    if (next) go(next.name);
    event.preventDefault();
  });
  for (const query of [narrow, wide]) query.addEventListener("change", () => {
    app.classList.toggle("members-open", wide.matches);
    closeDrawers();
  });
  app.classList.toggle("members-open", wide.matches);
  closeDrawers();
  on("channels people room", drawChannels);
  on("room people channels", drawHead);
  on("connection", drawConnection);
}

async function start() {
  frame();
  messages.begun();
  composer.begun();
  people.begun();
  keepCounting();
  await readPeople();
  app.hidden = false;
  const [id, room] = decodeURIComponent(location.hash.slice(1)).split("/");
  if (person(id) && id !== state.bot) await become(id, room);
  else people.chooseWho();
}

async function untilStarted() {
  try {
    await start();
  } catch (problem) {
    app.hidden = false;
    toast(problem.message);
  }
}

untilStarted();
