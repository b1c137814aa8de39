// Buttons and select menus below a message, and what happens when they are used.

import { choose } from "./choosing.js";
import { h, icon } from "./dom.js";
import { link } from "./markdown.js";
import { expect, isWaiting } from "./pending.js";
import { post } from "./server.js";
import { everybody, state } from "./state.js";
import { toast } from "./dialogs.js";

const STYLES = { 1: "primary", 2: "secondary", 3: "success", 4: "danger", 5: "link" };
const [BUTTON, STRING_SELECT, USERS, ROLES, MENTIONABLES, CHANNELS] = [2, 3, 5, 6, 7, 8];
const NOTHING_CHOSEN = { [STRING_SELECT]: "Make a selection", [USERS]: "Select a user", [ROLES]: "Select a role", [MENTIONABLES]: "Select a user or role", [CHANNELS]: "Select a channel" };

/** The rows of components of a message. */
export function components(message) {
  return message.components.map((row) => h("div", { class: "row" }, (row.components ?? []).map((one) => (one.type === BUTTON ? button(message, one) : select(message, one)))));
}

const emojiOf = (one) => (one?.emoji ? h("span", { class: "emoji" }, one.emoji.id ? `:${one.emoji.name}:` : one.emoji.name) : null);

function button(message, one) {
  const content = [emojiOf(one), one.label ? h("span", {}, one.label) : null];
  if (one.style === 5) {
    const made = link(one.url, [...content, icon("link", 16)]);
    if (!(made instanceof HTMLElement)) return h("button", { type: "button", class: "button link", disabled: true }, content);
    made.classList.add("button", "link");
    return made;
  }
  const waiting = isWaiting(message.id, one.custom_id);
  return h("button", {
    type: "button",
    class: `button ${STYLES[one.style]}${waiting ? " waiting" : ""}`,
    disabled: one.disabled,
    "aria-busy": waiting ? "true" : undefined,
    "aria-label": one.label ? undefined : one.emoji?.name,
    data: { key: `press ${one.custom_id}` },
    on: { click: () => !isWaiting(message.id, one.custom_id) && use(message, one.custom_id) },
  }, content);
}

async function use(message, customId, values) {
  try {
    const { id } = await post("clicks", { user: state.me, message: message.id, custom_id: customId, ...(values ? { values } : {}) });
    expect(id, { source: message.id, customId, failed: () => toast("This interaction failed: the bot did not answer in time.") });
  } catch (problem) {
    toast(problem.message);
  }
}

function offered(one) {
  const people = () => everybody().filter((each) => each.in_guild).map((each) => ({ value: each.id, label: each.name, detail: each.username, person: each }));
  const roles = () => state.roles.map((each) => ({ value: each.id, label: each.name }));
  if (one.type === STRING_SELECT) return one.options.map((each) => ({ value: each.value, label: each.label, detail: each.description, emoji: each.emoji?.name, chosen: each.default }));
  if (one.type === USERS) return people();
  if (one.type === ROLES) return roles();
  return one.type === CHANNELS ? state.channels.map((each) => ({ value: each.id, label: `#${each.name}` })) : [...people(), ...roles()];
}

function select(message, one) {
  const options = offered(one);
  const chosen = options.filter((each) => each.chosen);
  const shown = chosen.map((each) => each.label).join(", ") || one.placeholder || NOTHING_CHOSEN[one.type];
  const waiting = isWaiting(message.id, one.custom_id);
  const open = async (event) => {
    const values = await choose(event.currentTarget, options, { least: one.min_values ?? 1, most: one.max_values ?? 1, label: one.placeholder ?? NOTHING_CHOSEN[one.type] });
    if (values) use(message, one.custom_id, values);
  };
  return h("button", {
    type: "button",
    class: `select${chosen.length ? " has-choice" : ""}${waiting ? " waiting" : ""}`,
    "aria-haspopup": "listbox",
    "aria-busy": waiting ? "true" : undefined,
    disabled: one.disabled,
    data: { key: `press ${one.custom_id}` },
    on: { click: open },
  }, h("span", { class: "select-text" }, shown), icon("down", 20));
}
