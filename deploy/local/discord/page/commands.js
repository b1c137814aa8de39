// Slash commands: the list of them, and the line in which one is filled in, option by option.

import { combobox } from "./choosing.js";
import { openForm, toast } from "./dialogs.js";
import { announce, avatar, h, icon, iconButton } from "./dom.js";
import { expect } from "./pending.js";
import { carried, post } from "./server.js";
import { everybody, on, person, putNote, state } from "./state.js";

export const [SUBCOMMAND, GROUP, TEXT, INTEGER, BOOLEAN, USER, CHANNEL, ROLE, MENTIONABLE, NUMBER, FILE] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
const WORDS = { [TEXT]: "text", [INTEGER]: "whole number", [BOOLEAN]: "true or false", [USER]: "member", [CHANNEL]: "channel", [ROLE]: "role", [MENTIONABLE]: "member or role", [NUMBER]: "number", [FILE]: "file" };
const PAUSE_MS = 120;
const MOST = 25;
const LARGEST_FILE = 10 * 1024 * 1024;

// Subcommands are commands of two or three words.
function flat(command) {
  const nested = (command.options ?? []).filter((one) => one.type === SUBCOMMAND || one.type === GROUP);
  if (!nested.length) return [command];
  return nested.flatMap((one) => flat({ ...command, ...one, name: `${command.name} ${one.name}` }));
}

/** The commands that fit what was typed, those that begin so first. */
export function commandSuggestions(typed, direct) {
  const all = state.commands.filter((one) => (direct ? one.in_direct : one.in_guild)).flatMap(flat);
  const text = typed.toLowerCase();
  const rank = (one) => (one.name.startsWith(text) ? 0 : one.name.includes(text) ? 1 : one.description.toLowerCase().includes(text) && text.length > 2 ? 2 : 3);
  return all.filter((one) => rank(one) < 3).sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name)).slice(0, MOST)
    .map((one) => ({ value: one, label: `/${one.name}`, detail: one.description, hint: person(state.bot)?.name, emoji: null }));
}

/** One option of a command as it is filled in. */
class Field {
  constructor(option, entry) {
    Object.assign(this, { option, entry, chosen: undefined, asked: 0 });
    const about = `${option.name}${option.required ? ", required" : ", optional"}: ${option.description}`;
    this.input = option.type === FILE ? this.filePicker(about) : h("input", { type: "text", class: "option-input", ...combobox, "aria-label": about, inputmode: option.type === INTEGER ? "numeric" : undefined });
    this.element = h("span", { class: "option", data: { option: option.name } }, h("span", { class: "option-name" }, option.name), this.input);
    if (option.type === FILE) return;
    this.input.addEventListener("input", () => {
      this.chosen = undefined;
      this.fit();
      this.suggest();
    });
    this.input.addEventListener("focus", () => this.suggest());
    this.input.addEventListener("blur", () => this.judge());
    this.input.addEventListener("keydown", (event) => entry.key(event, this));
    this.fit();
  }

  filePicker(about) {
    this.picker = h("input", { type: "file", hidden: true, tabindex: "-1", on: { change: (event) => event.target.files[0] && this.take(event.target.files[0]) } });
    const button = h("button", { type: "button", class: "option-file", "aria-label": about, on: { click: () => this.picker.click(), focus: () => this.entry.explain(this), keydown: (event) => this.entry.key(event, this) } }, "Choose, paste or drop a file");
    button.append(this.picker);
    button.addEventListener("paste", (event) => event.clipboardData.files[0] && this.take(event.clipboardData.files[0]));
    return button;
  }

  /** Takes a file. */
  take(file) {
    if (file.size > LARGEST_FILE) {
      toast(`${file.name} is too large: a file may have 10 MB.`);
      return;
    }
    this.chosen = file;
    this.input.firstChild.data = file.name;
    this.input.classList.add("has-file");
    this.mark(false);
    announce(`${file.name} chosen for ${this.option.name}`);
    this.input.focus();
  }

  fit() {
    this.input.style.setProperty("--length", Math.max(4, Math.min(60, this.input.value.length + 1)));
  }

  get isEmpty() {
    return this.option.type === FILE ? this.chosen === undefined : !this.input.value.trim();
  }

  /** The value as the server wants it; undefined when what stands there is none. */
  value() {
    const { type, choices } = this.option;
    if (type === FILE || this.chosen !== undefined) return this.chosen;
    const text = this.input.value.trim();
    if (choices?.length || ![TEXT, INTEGER, NUMBER].includes(type)) {
      const exact = this.options().find((one) => one.label.replace(/^[@#]/, "").toLocaleLowerCase() === text.replace(/^[@#]/, "").toLocaleLowerCase() || String(one.value) === text);
      return exact?.value;
    }
    if (type === TEXT) return text;
    const number = Number(text.replace(",", "."));
    return text && Number.isFinite(number) && (type === NUMBER || Number.isInteger(number)) ? number : undefined;
  }

  /** What is wrong with it, as a sentence; empty when nothing is. */
  fault() {
    const { type, required, min_value: low, max_value: high, min_length: shortest, max_length: longest } = this.option;
    if (this.isEmpty) return required ? "This option is required." : "";
    const value = this.value();
    if (value === undefined) return this.option.choices?.length || ![INTEGER, NUMBER].includes(type) ? "Choose one of the list." : `This must be a ${WORDS[type]}.`;
    if (low !== undefined && value < low) return `This must be ${low} or more.`;
    if (high !== undefined && value > high) return `This must be ${high} or less.`;
    if (shortest !== undefined && value.length < shortest) return `This must have ${shortest} characters or more.`;
    return longest !== undefined && value.length > longest ? `This must have ${longest} characters or fewer.` : "";
  }

  judge() {
    this.mark(Boolean(!this.isEmpty && this.fault()));
  }

  mark(wrong) {
    this.element.classList.toggle("wrong", wrong);
    if (wrong) this.input.setAttribute("aria-invalid", "true");
    else this.input.removeAttribute("aria-invalid");
  }

  options() {
    const { type, choices } = this.option;
    if (choices?.length) return choices.map((one) => ({ value: one.value, label: one.name }));
    const people = () => everybody().filter((one) => one.in_guild).map((one) => ({ value: one.id, label: one.name, detail: one.username, person: one }));
    const roles = () => state.roles.map((one) => ({ value: one.id, label: one.name.startsWith("@") ? one.name : `@${one.name}` }));
    if (type === BOOLEAN) return [{ value: true, label: "True" }, { value: false, label: "False" }];
    if (type === USER) return people();
    if (type === ROLE) return roles();
    if (type === MENTIONABLE) return [...people(), ...roles()];
    return type === CHANNEL ? state.channels.map((one) => ({ value: one.id, label: `#${one.name}` })) : [];
  }

  async suggest() {
    this.entry.explain(this);
    const asked = (this.asked += 1);
    const text = this.input.value.trim().replace(/^[@#]/, "").toLocaleLowerCase();
    let found = [];
    let note;
    if (this.option.autocomplete) {
      if (!this.entry.suggestions.isOpen) this.show([], "Asking the bot…");
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      if (asked !== this.asked || document.activeElement !== this.input) return;
      try {
        const { choices } = await post("autocomplete", { user: state.me, channel: state.room, name: this.entry.command.name, option: this.option.name, options: await this.entry.given(this) });
        found = choices.map((one) => ({ value: one.value, label: one.name }));
        note = "Nothing fits what you typed";
      } catch (problem) {
        note = problem.message;
      }
      // What was typed meanwhile has asked again, and its answer may have overtaken this one.
      if (asked !== this.asked || document.activeElement !== this.input) return;
    } else {
      const all = this.options();
      found = all.filter((one) => this.chosen !== undefined || `${one.label} ${one.detail ?? ""}`.toLocaleLowerCase().includes(text)).slice(0, MOST);
      if (all.length) note = "Nothing in the list fits";
    }
    this.show(found, note);
  }

  show(found, note) {
    this.entry.suggestions.show(this.input, `${this.option.name}: ${this.option.description}`, found, (option) => this.pick(option), { note, active: this.chosen === undefined || !found.length ? 0 : Math.max(0, found.findIndex((one) => one.value === this.chosen)) });
    if (!found.length && !note) this.entry.explain(this);
  }

  pick(option) {
    this.input.value = option.label;
    this.chosen = option.value;
    this.asked += 1;
    this.fit();
    this.mark(false);
    this.entry.suggestions.hide();
    this.entry.forward(this, { always: false });
  }
}

/** The line for one command. `leave(text)` goes back to plain writing, `sent()` after it was used. */
export class CommandEntry {
  constructor(command, { suggestions, leave, sent }) {
    Object.assign(this, { command, suggestions, leave, sent });
    const options = command.options ?? [];
    this.fields = options.filter((one) => one.required).map((one) => new Field(one, this));
    this.optional = options.filter((one) => !one.required);
    this.explanation = h("p", { class: "explanation", "aria-live": "polite" });
    this.more = h("span", { class: "more-options" });
    this.chip = h("button", { type: "button", class: "command-chip", "aria-label": `Command ${command.name}; Enter sends it, Escape leaves it`, on: { keydown: (event) => this.key(event, null), focus: () => this.explain(null) } }, avatar(person(state.bot), 20), `/${command.name}`);
    this.body = h("div", { class: "command-body" });
    this.element = h("div", { class: "command-entry", role: "group", "aria-label": `Command ${command.name}` }, this.explanation,
      h("div", { class: "composer-line" }, this.body, iconButton("close", "Leave the command", () => leave()), iconButton("send", "Send the command", () => this.send(), { class: "always" })));
    this.draw();
  }

  draw() {
    const missing = this.optional.filter((one) => !this.fields.some((field) => field.option === one));
    this.more.replaceChildren(...missing.map((one) => h("button", { type: "button", class: "add-option", title: one.description, "aria-label": `Add option ${one.name}: ${one.description}`, on: { click: () => this.add(one) } }, icon("plus", 14), one.name)));
    this.body.replaceChildren(this.chip, ...this.fields.map((field) => field.element), this.more);
  }

  start() {
    (this.first() ?? this.chip).focus();
    this.explain(this.fields[0] ?? null);
  }

  first() {
    return this.fields[0]?.input;
  }

  add(option) {
    const field = new Field(option, this);
    this.fields.push(field);
    this.draw();
    field.input.focus();
  }

  remove(field) {
    const index = this.fields.indexOf(field);
    this.fields.splice(index, 1);
    this.draw();
    (this.fields[Math.max(0, index - 1)]?.input ?? this.chip).focus();
  }

  explain(field) {
    const text = field ? [h("strong", {}, field.option.name), ` ${field.option.description}`, h("span", { class: "kind" }, `${WORDS[field.option.type]}${field.option.required ? "" : ", optional"}`)] : [this.command.description, this.optional.length || this.fields.length ? null : h("span", { class: "kind" }, "Enter sends it")];
    this.explanation.replaceChildren(...text.filter(Boolean));
    if (!field || field.option.type === FILE) this.suggestions.hide();
  }

  /** To the next option; to a new optional one when `always`. False when there is none. */
  forward(field, { always }) {
    const next = this.fields[this.fields.indexOf(field) + 1];
    const missing = this.optional.find((one) => !this.fields.some((each) => each.option === one));
    if (next) next.input.focus();
    else if (always && missing) this.add(missing);
    else return false;
    return true;
  }

  key(event, field) {
    if (event.isComposing) return;
    if (field && field.option.type !== FILE && this.suggestions.isOpen) {
      // Enter on a whole value means "send", also when the list still shows it.
      const ready = event.key === "Enter" && (field.chosen !== undefined || (field.option.autocomplete && !this.suggestions.options.length));
      if (!ready && !(event.key === "Tab" && field.isEmpty && !field.option.required) && this.suggestions.key(event)) return;
    }
    if (event.key === "Escape") this.leave();
    else if (event.key === "Enter" && !(field?.option.type === FILE && field.isEmpty)) this.send();
    else if (event.key === "Tab" && !event.shiftKey && this.forward(field, { always: true })) this.suggestions.isOpen && !this.suggestions.options.length && this.suggestions.hide();
    else if (event.key === "Backspace" && (!field || (field.isEmpty && field.option.type !== FILE))) {
      if (field && !field.option.required) this.remove(field);
      else if (!field || field === this.fields[0]) this.leave(`/${this.command.name}`);
      else this.fields[this.fields.indexOf(field) - 1].input.focus();
    } else return;
    event.preventDefault();
  }

  drop(files) {
    const field = this.fields.find((one) => one.option.type === FILE && one.isEmpty) ?? this.fields.find((one) => one.option.type === FILE);
    const missing = this.optional.find((one) => one.type === FILE);
    if (!field && missing) {
      this.add(missing);
      this.fields.at(-1).take(files[0]);
    } else if (field) field.take(files[0]);
    else toast(`/${this.command.name} takes no file.`);
  }

  /** The values given; while one is being completed it goes as it stands, and what is not right yet is left out. */
  async given(focused = null) {
    const values = {};
    for (const field of this.fields) {
      const { name, type } = field.option;
      if (field === focused) values[name] = field.input.value;
      else if (!field.isEmpty && (!focused || (!field.fault() && type !== FILE))) values[name] = type === FILE ? await carried(field.value()) : field.value();
    }
    return values;
  }

  async send() {
    if (this.sending) return;
    const wrong = this.fields.find((one) => one.fault());
    if (wrong) {
      wrong.mark(true);
      wrong.input.focus();
      const fault = wrong.fault();
      this.explanation.replaceChildren(h("strong", {}, wrong.option.name), h("span", { class: "wrong" }, ` ${fault}`));
      announce(`${wrong.option.name}: ${fault}`);
      return;
    }
    this.sending = true;
    const { me: user, room: channel } = state;
    try {
      const { id } = await post("commands", { user, channel, name: this.command.name, options: await this.given() });
      const failed = () => putNote(unanswered(id, user, channel, this.command.name));
      expect(id, { failed });
      this.sent();
    } catch (problem) {
      toast(problem.message);
      this.sending = false;
    }
  }
}

function unanswered(id, user, channel, name) {
  const empty = { embeds: [], components: [], attachments: [], reactions: [], flags: 0 };
  return { ...empty, id, channel, author: state.bot, content: "⚠️ The application did not respond", timestamp: new Date().toISOString(), ephemeral_to: user, used: { user, name }, local: true };
}

on("interaction", ({ modal }) => modal && openForm(modal));
