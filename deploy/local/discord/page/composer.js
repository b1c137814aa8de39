// Where one writes: plain messages with mentions, files and replies; a `/` opens the commands.

import { combobox, Suggestions } from "./choosing.js";
import { CommandEntry, commandSuggestions } from "./commands.js";
import { toast } from "./dialogs.js";
import { bytes, h, icon, iconButton } from "./dom.js";
import { pickEmoji } from "./emoji.js";
import { writing } from "./message.js";
import { toEnd } from "./messages.js";
import { call, carried, post } from "./server.js";
import { DM, change, everybody, isDirect, look, mayWrite, me, messagesOf, on, person, state } from "./state.js";

const LONGEST = 2000;
const MOST_FILES = 10;
export const LARGEST_FILE = 10 * 1024 * 1024;

const place = document.getElementById("writing");
const box = h("div", { id: "composer" });
const suggestions = new Suggestions(box);
const input = h("textarea", { id: "composer-input", rows: 1, maxlength: 4000, ...combobox, "aria-multiline": "true" });
const counter = h("span", { class: "counter", "aria-live": "polite" });
const above = h("div", { class: "above-composer" });
const picker = h("input", { type: "file", multiple: true, hidden: true, "aria-hidden": "true", tabindex: "-1" });
const line = h("div", { class: "composer-line" });

const drafts = new Map();
let files = [];
let replying = null;
let editing = null;
let entry = null;
let sending = Promise.resolve();
// Names that were put in from the list, for turning them into mentions when the message is sent.
let mentions = new Map();

function send() {
  const content = withMentions(input.value.trim());
  if (editing) {
    saveEdit(content);
    return;
  }
  if (!content && !files.length) return;
  if (content.length > LONGEST) {
    toast(`A message may have ${LONGEST} characters; this one has ${content.length}.`);
    return;
  }
  const message = { user: state.me, channel: state.room, content, files, reply_to: replying?.id };
  input.value = "";
  files = [];
  mentions = new Map();
  settle();
  toEnd();
  // One after the other, as written, however long the files of one take to read.
  sending = sending.then(() => deliver(message));
}

async function deliver({ files: carriedFiles, ...message }) {
  try {
    const attachments = await Promise.all(carriedFiles.map(carried));
    await post("messages", { ...message, ...(attachments.length ? { attachments } : {}) });
  } catch (problem) {
    toast(problem.message);
    // What could not be sent is not lost.
    if (state.room === message.channel && !input.value) {
      input.value = message.content;
      files = carriedFiles;
      settle();
    } else drafts.set(`${message.user} ${message.channel}`, message.content);
  }
}

async function saveEdit(content) {
  const message = editing;
  if (content && content !== message.content) {
    try {
      await call("PATCH", `messages/${message.id}`, { user: state.me, content });
    } catch (problem) {
      toast(problem.message);
      return;
    }
  }
  input.value = "";
  settle();
}

function withMentions(text) {
  const names = [...mentions.keys()].sort((a, b) => b.length - a.length);
  return names.reduce((whole, name) => whole.replaceAll(name, mentions.get(name)), text);
}

/** Leaves replying and editing, and draws what is above the line. */
function settle({ keep = false } = {}) {
  if (!keep) replying = editing = null;
  drawAbove();
  grow();
  suggest();
}

function grow() {
  input.style.height = "auto";
  input.style.height = `${Math.min(input.scrollHeight, innerHeight * 0.4)}px`;
  const left = LONGEST - input.value.length;
  counter.textContent = left < 200 ? String(left) : "";
  counter.classList.toggle("wrong", left < 0);
}

function drawAbove() {
  const parts = [];
  const strip = (text, stop) => h("div", { class: "strip" }, h("span", {}, text), iconButton("close", "Stop", stop));
  const stop = () => {
    if (editing) input.value = "";
    settle();
    input.focus();
  };
  if (replying) parts.push(strip(["Replying to ", h("strong", {}, person(replying.author)?.name ?? "somebody")], stop));
  if (editing) parts.push(strip("Editing your message: Enter saves, Escape leaves it as it was", stop));
  if (files.length) parts.push(h("ul", { class: "picked", "aria-label": "Files to send" }, files.map(chosenFile)));
  above.replaceChildren(...parts);
}

function chosenFile(file, index) {
  const isPicture = /^image\/(png|jpeg|gif|webp)$/.test(file.type);
  const shown = isPicture ? h("img", { src: URL.createObjectURL(file), alt: "", on: { load: (event) => URL.revokeObjectURL(event.target.src) } }) : icon("file", 40);
  const remove = iconButton("bin", `Remove ${file.name}`, () => {
    files.splice(index, 1);
    drawAbove();
    input.focus();
  });
  return h("li", {}, remove, h("div", { class: "picked-picture" }, shown), h("span", { class: "file-name", title: file.name }, file.name), h("span", { class: "file-size" }, bytes(file.size)));
}

function addFiles(added) {
  for (const file of added) {
    if (file.size > LARGEST_FILE) toast(`${file.name} is too large: a file may have 10 MB.`);
    else if (files.length >= MOST_FILES) toast(`A message takes ${MOST_FILES} files.`);
    else files.push(file);
  }
  drawAbove();
  input.focus();
}

// Suggestions while writing

function suggest() {
  const text = input.value;
  if (!editing && /^\/[^\s/]*( [\w-]*){0,2}$/u.test(text) && document.activeElement === input) {
    const exact = text.endsWith(" ") && commandSuggestions(text.slice(1).trim(), isDirect()).find((one) => one.value.name === text.slice(1).trim());
    if (exact) {
      enter(exact.value);
      return;
    }
    suggestions.show(input, text === "/" ? "Commands" : `Commands matching ${text}`, commandSuggestions(text.slice(1), isDirect()), (option) => enter(option.value), {
      note: isDirect() ? "The bot has no slash commands in direct messages; type ! instead, as in !help." : "No command fits. The bot's commands appear here once it is connected.",
    });
    return;
  }
  const before = text.slice(0, input.selectionStart);
  const [, sign, word] = /(?:^|\s)([@#])([\p{L}\p{N}_.' -]{0,24})$/u.exec(before) ?? [];
  const found = sign === "@" ? peopleLike(word) : sign === "#" ? channelsLike(word) : [];
  if (!found.length || document.activeElement !== input) {
    suggestions.hide();
    return;
  }
  suggestions.show(input, sign === "@" ? "Members" : "Channels", found, (option) => {
    const shown = `${sign}${option.name}`;
    mentions.set(shown, option.value);
    const start = before.length - word.length - 1;
    input.setRangeText(`${shown} `, start, before.length, "end");
    settle({ keep: true });
  });
}

const begins = (text, word) => text.toLocaleLowerCase().startsWith(word.toLocaleLowerCase());

function peopleLike(word) {
  if (/\s\S*\s/.test(word)) return [];
  return everybody().filter((one) => one.in_guild && (begins(one.name, word) || begins(one.username, word) || one.name.split(" ").some((part) => begins(part, word)))).slice(0, 8)
    .map((one) => ({ value: `<@${one.id}>`, name: one.name, label: one.name, detail: one.username, person: one }));
}

const channelsLike = (word) => (isDirect() ? [] : state.channels.filter((one) => begins(one.name, word)).map((one) => ({ value: `<#${one.id}>`, name: one.name, label: `#${one.name}` })));

/** Goes from writing to filling in a command. */
function enter(command) {
  suggestions.hide();
  input.value = "";
  entry = new CommandEntry(command, { box, suggestions, leave, sent: leave });
  line.replaceWith(entry.element);
  above.hidden = true;
  entry.start();
}

function leave(text = "") {
  suggestions.hide();
  entry?.element.replaceWith(line);
  entry = null;
  above.hidden = false;
  input.value = text;
  settle();
  input.focus();
}

function key(event) {
  if (suggestions.key(event)) return;
  if (event.isComposing) return;
  const narrow = matchMedia("(pointer: coarse)").matches;
  if (event.key === "Enter" && !event.shiftKey && !narrow) {
    event.preventDefault();
    send();
  } else if (event.key === "Escape") {
    if (editing) input.value = "";
    if (editing || replying) settle();
    else toEnd();
  } else if (event.key === "ArrowUp" && !input.value) {
    const mine = messagesOf(state.room).findLast((one) => one.author === state.me && !one.ephemeral_to);
    if (mine) {
      event.preventDefault();
      edit(mine);
    }
  }
}

function edit(message) {
  if (entry) leave();
  editing = message;
  replying = null;
  input.value = message.content;
  settle({ keep: true });
  input.focus();
  input.setSelectionRange(input.value.length, input.value.length);
}

function reply(message) {
  if (entry) leave();
  replying = message;
  editing = null;
  settle({ keep: true });
  input.focus();
}

/** Draws the composer for where one is, or why one cannot write there. */
function draw() {
  if (!me()) return;
  const allowed = mayWrite();
  const away = h("div", { class: "away" }, h("span", {}, `${me().name} is not in ${state.guild.name} any more, and cannot write or read there.`), h("button", { type: "button", class: "button primary", on: { click: () => change(state.me, { joins: true }).catch((problem) => toast(problem.message)) } }, "Join again"));
  const wanted = allowed ? box : away;
  if (place.firstElementChild !== wanted && !(wanted === away && place.firstElementChild?.className === "away")) place.replaceChildren(wanted);
  const target = state.room === DM ? `@${person(state.bot)?.name ?? ""}` : `#${state.room}`;
  input.placeholder = `Message ${target}`;
  input.setAttribute("aria-label", `Message ${target}`);
}

let last = null;

function changeRoom({ loading, afresh }) {
  draw();
  if (afresh || loading) return;
  const here = `${state.me} ${state.room}`;
  if (last !== here) {
    if (last) drafts.set(last, input.value);
    if (entry) leave();
    files = [];
    input.value = drafts.get(here) ?? "";
    last = here;
    settle();
  }
  if (!matchMedia("(pointer: coarse)").matches) input.focus();
}

export function begun() {
  line.append(
    iconButton("plus", "Attach files", () => picker.click(), { id: "attach" }), picker, input, counter,
    iconButton("face", "Emoji", async (event) => {
      const emoji = await pickEmoji(event.currentTarget);
      if (emoji) input.setRangeText(emoji, input.selectionStart, input.selectionEnd, "end");
      grow();
      input.focus();
    }),
    iconButton("send", "Send", send, { class: "send" }));
  box.append(above, line);
  picker.addEventListener("change", () => {
    addFiles(picker.files);
    picker.value = "";
  });
  input.addEventListener("input", () => settle({ keep: true }));
  input.addEventListener("keydown", key);
  input.addEventListener("blur", () => !entry && suggestions.hide());
  input.addEventListener("paste", (event) => {
    if (!event.clipboardData.files.length) return;
    event.preventDefault();
    addFiles(event.clipboardData.files);
  });
  const main = document.getElementById("main");
  main.addEventListener("dragover", (event) => {
    event.preventDefault();
    main.classList.add("dropping");
  });
  main.addEventListener("dragleave", (event) => !main.contains(event.relatedTarget) && main.classList.remove("dropping"));
  main.addEventListener("drop", (event) => {
    event.preventDefault();
    main.classList.remove("dropping");
    if (!mayWrite()) return;
    if (entry) entry.drop(event.dataTransfer.files);
    else addFiles(event.dataTransfer.files);
  });
  // Whoever begins to type anywhere means the message.
  document.addEventListener("keydown", (event) => {
    const typed = event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey;
    const idle = document.activeElement === document.body || document.activeElement?.matches("#reading, li.message");
    if (typed && idle && mayWrite() && !document.querySelector("dialog[open]")) (entry?.first() ?? input).focus();
  });
  writing.reply = reply;
  writing.edit = edit;
  look.useCommand = (name) => {
    const found = commandSuggestions(name, isDirect()).find((one) => one.value.name === name);
    if (found) enter(found.value);
  };
  on("room", changeRoom);
  on("people channels", draw);
}
