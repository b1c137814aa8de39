// The people: who one is, who there is, what they may do; joining, leaving, direct messages.

import { confirm, dialog, toast } from "./dialogs.js";
import { avatar, h, icon, iconButton } from "./dom.js";
import { become, change, DM, everybody, isDirect, join, look, me, on, open, person, readPeople, state } from "./state.js";
import { day } from "./times.js";

const LONGEST_NAME = 32;
const rail = document.getElementById("self");
const members = document.getElementById("members");

async function attempt(deed) {
  try {
    return await deed();
  } catch (problem) {
    toast(problem.message);
    return null;
  }
}

/** Says in the address who looks, so that a reload and another tab know. */
export function remember() {
  history.replaceState(null, "", `#${state.me}/${state.room}`);
}

async function be(id, room) {
  await attempt(() => become(id, room));
}

// The panel of the person one is

function drawSelf() {
  const self = me();
  if (!self) return;
  const what = !self.in_guild ? "Left the server" : self.staff ? "Staff" : self.manager ? "Manage Server" : "Member";
  rail.replaceChildren(
    h("button", { type: "button", class: "self-name", title: "Act as somebody else", "aria-label": `Acting as ${self.name}, ${what}. Act as somebody else`, on: { click: chooseWho } }, avatar(self, 32), h("span", {}, h("span", { class: "name" }, self.name), h("span", { class: "what" }, what))),
    iconButton("swap", "Act as somebody else", chooseWho),
    iconButton("gear", "What this person may do", () => showPerson(state.me)));
}

// The list of members

function row(one) {
  const notes = [one.bot ? h("span", { class: "tag" }, "APP") : null, one.id === state.me ? h("span", { class: "you" }, "you") : null];
  return h("li", {}, h("button", { type: "button", class: one.staff ? "member staff" : "member", data: { key: `member ${one.id}` }, on: { click: () => showPerson(one.id) } }, avatar(one, 32), h("span", { class: "name" }, one.name), notes));
}

function drawMembers() {
  const there = everybody().filter((one) => one.in_guild).sort((a, b) => a.name.localeCompare(b.name));
  const groups = [["Bots", there.filter((one) => one.bot)], ["Staff", there.filter((one) => one.staff && !one.bot)], ["Members", there.filter((one) => !one.staff && !one.bot)]];
  const key = members.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  members.replaceChildren(...groups.filter(([, found]) => found.length).map(([name, found]) => h("section", {}, h("h3", {}, `${name} — ${found.length}`), h("ul", {}, found.map(row)))));
  if (key) members.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
}

// One person

function toggle(label, about, isOn, press, disabled = false) {
  return h("label", { class: "toggle" }, h("span", {}, h("strong", {}, label), h("span", { class: "about" }, about)), h("input", { type: "checkbox", role: "switch", checked: isOn, disabled, on: { change: (event) => press(event.target.checked, event.target) } }));
}

let shown = null;

/** A window about a person, in which what they may do can be changed. */
export function showPerson(id) {
  const one = person(id);
  if (!one) return;
  shown?.window.close();
  const content = h("div", { class: "profile" });
  const made = dialog(one.name, content, { kind: "profile-window", closed: () => (shown = null) });
  shown = { id, window: made, content };
  drawPerson();
  content.querySelector("button, input")?.focus();
}

function drawPerson() {
  if (!shown) return;
  const one = person(shown.id);
  const focused = [...shown.content.querySelectorAll("input, button")].indexOf(document.activeElement);
  const set = (what) => async (value, box) => {
    if ((await attempt(() => change(one.id, { [what]: value }))) === null) box.checked = !value;
  };
  const joined = one.in_guild ? `Member since ${day(new Date(one.joined_at))}` : "Not in the server";
  const roles = [one.staff ? "Staff" : null, one.manager ? "Manager" : null].filter(Boolean);
  const parts = [h("div", { class: "profile-head" }, avatar(one, 72), h("div", {}, h("p", { class: "profile-name" }, one.name, " ", one.bot ? h("span", { class: "tag" }, "APP") : null), h("p", { class: "about" }, one.username), h("p", { class: "about" }, joined), roles.length ? h("p", { class: "roles" }, roles.map((name) => h("span", { class: "role" }, name))) : null))];
  if (one.id === state.bot) {
    parts.push(h("p", { class: "about" }, "The bot you are talking to. Type / in a channel to see what it can do, or write to it directly."), h("div", { class: "actions" }, h("button", { type: "button", class: "button primary", on: { click: () => { shown.window.close(); open(DM); } } }, icon("chat", 18), "Direct messages")));
  } else {
    parts.push(h("fieldset", {}, h("legend", {}, "What this person may do"),
      toggle("Staff", "The Staff role, which may do everything here and sees #staff", one.staff, set("staff")),
      toggle("Manage Server", one.staff ? "Staff have this already" : "The permission that setting up the bot asks for, without being staff", one.staff || one.manager, set("manager"), one.staff),
      toggle("Takes direct messages", "When off, the bot cannot write to this person", one.dms_open, set("dms_open"))));
    parts.push(h("div", { class: "actions" },
      one.id === state.me || one.bot ? null : h("button", { type: "button", class: "button primary", on: { click: async () => { shown.window.close(); await be(one.id, state.room); } } }, icon("swap", 18), "Act as this person"),
      one.in_guild
        ? h("button", { type: "button", class: "button danger", on: { click: () => leaveServer(one) } }, "Leave the server")
        : h("button", { type: "button", class: "button success", on: { click: () => attempt(() => change(one.id, { joins: true })) } }, "Join again")));
  }
  shown.content.replaceChildren(...parts);
  if (focused >= 0) shown.content.querySelectorAll("input, button")[focused]?.focus();
}

async function leaveServer(one) {
  if (await confirm("Leave the server", `${one.name} leaves ${state.guild.name}. They can join again later.`, "Leave")) await attempt(() => change(one.id, { leaves: true }));
}

// Choosing who to be

/** The window in which one joins as somebody new, or becomes somebody who is there. */
export function chooseWho() {
  const first = !me();
  const others = everybody().filter((one) => !one.bot && one.id !== state.me);
  const name = h("input", { type: "text", id: "newcomer-name", maxlength: LONGEST_NAME, placeholder: "For example Ada Lovelace", autocomplete: "off", autofocus: true });
  const problem = h("p", { class: "problem", role: "alert", hidden: true });
  const form = h("form", { class: "joining" }, h("label", { for: "newcomer-name" }, first ? `Join ${state.guild.name} as` : "Join as a new person"), h("div", { class: "together" }, name, h("button", { type: "submit", class: "button primary" }, "Join")), problem);
  const search = others.length > 8 ? h("input", { type: "text", class: "filter", placeholder: "Find somebody", "aria-label": "Find somebody", autocomplete: "off" }) : null;
  const list = h("ul", { class: "who" });
  const draw = () => {
    const text = search?.value.trim().toLocaleLowerCase() ?? "";
    const found = others.filter((one) => `${one.name} ${one.username}`.toLocaleLowerCase().includes(text)).sort((a, b) => Number(b.staff) - Number(a.staff) || a.name.localeCompare(b.name));
    list.replaceChildren(...found.map(whoRow));
    if (!found.length) list.append(h("li", { class: "note" }, "Nobody is called that"));
  };
  const whoRow = (one) => {
    const notes = [one.staff ? "Staff" : null, one.manager && !one.staff ? "Manage Server" : null, one.in_guild ? null : "left", one.dms_open ? null : "DMs closed"].filter(Boolean);
    return h("li", {}, h("button", { type: "button", on: { click: () => take(one.id) } }, avatar(one, 32), h("span", { class: "name" }, one.name), h("span", { class: "about" }, notes.join(", "))));
  };
  const take = async (id) => {
    await attempt(() => become(id, first ? undefined : state.room));
    if (state.me === id) made.close();
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await take(await join(name.value.trim()));
    } catch (refusal) {
      problem.textContent = name.value.trim() ? refusal.message : "Give a name of 1 to 32 characters.";
      problem.hidden = false;
      name.focus();
    }
  });
  search?.addEventListener("input", draw);
  list.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const buttons = [...list.querySelectorAll("button")];
    const at = buttons.indexOf(document.activeElement);
    if (!step || at < 0) return;
    event.preventDefault();
    buttons[Math.max(0, Math.min(buttons.length - 1, at + step))].focus();
  });
  draw();
  const intro = first ? h("p", { class: "about" }, "This is local Discord: a Discord server on this machine, with the real bot in it. Be anybody you like, and change at any time.") : null;
  const made = dialog(first ? "Who are you?" : "Act as", h("div", { class: "who-window" }, intro, form, others.length ? [h("h3", {}, first ? "Or act as somebody who is here" : "Or as somebody who is here"), search, list] : null), { closable: !first, kind: "who" });
}

export function begun() {
  look.showPerson = showPerson;
  on("people", () => {
    drawSelf();
    drawMembers();
    drawPerson();
  });
  on("room", () => {
    drawSelf();
    document.getElementById("app").classList.toggle("direct", isDirect());
    remember();
  });
  on("nobody", async () => {
    state.me = null;
    await attempt(readPeople);
    chooseWho();
  });
}
