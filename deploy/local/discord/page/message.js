// One message: who, when, what, and what can be done with it.

import { components } from "./components.js";
import { confirm, toast } from "./dialogs.js";
import { avatar, h, icon, iconButton } from "./dom.js";
import { enclosures } from "./embeds.js";
import { pickEmoji } from "./emoji.js";
import { inline, isLarge, markdown } from "./markdown.js";
import { call, post } from "./server.js";
import { dismiss, isDirect, look, mayWrite, me, person, state } from "./state.js";
import { clock, stamp, whole } from "./times.js";

/** What the composer does about a message; it fills these in. */
export const writing = { reply: () => {}, edit: () => {} };

const unknown = { id: "0", name: "Unknown user", bot: false };
const who = (id) => person(id) ?? unknown;
const mentionsMe = (message) => message.author !== state.me && new RegExp(`<@!?${state.me}>|@everyone|@here`).test(message.content);

/** The element of a message; `compact` ones go on under the name of the one before. */
export function draw(message, compact) {
  const author = who(message.author);
  const moment = new Date(message.timestamp);
  const classes = ["message", compact ? "compact" : "full"];
  if (message.ephemeral_to) classes.push("ephemeral");
  if (mentionsMe(message) || who(message.reply?.author).id === state.me) classes.push("for-me");
  const content = h("div", { class: isLarge(message.content) ? "content large" : "content" }, message.loading ? thinking(author) : markdown(message.content, look));
  if (message.edited && !message.loading) content.append(h("span", { class: "edited" }, " (edited)"));
  const time = h("time", { datetime: message.timestamp, title: whole(moment) }, compact ? clock(moment) : stamp(moment));
  return h("li", { class: classes.join(" "), tabindex: "-1", data: { id: message.id }, "aria-label": `${author.name}, ${stamp(moment)}` },
    message.used ? used(message) : message.reply_to ? reply(message) : null,
    h("div", { class: "gutter" }, compact ? time : face(author)),
    h("div", { class: "body" },
      compact ? null : h("h3", { class: "head" }, name(author), tag(author), time),
      message.content || message.loading || message.edited ? content : null,
      message.local ? null : enclosures(message, look),
      message.local ? null : components(message),
      reactions(message),
      message.ephemeral_to ? onlyYou(message) : null),
    message.loading || message.local ? null : tools(message));
}

const tag = (author) => (author.bot ? h("span", { class: "tag" }, "APP") : author.staff ? h("span", { class: "tag staff" }, "STAFF") : null);
const name = (author) => h("button", { type: "button", class: author.staff ? "name staff" : "name", on: { click: () => look.showPerson(author.id) } }, author.name);
const face = (author) => h("button", { type: "button", class: "face", tabindex: "-1", "aria-hidden": "true", on: { click: () => look.showPerson(author.id) } }, avatar(author, 40));

function thinking(author) {
  return h("span", { class: "thinking" }, h("span", { class: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i")), `${author.name} is thinking…`);
}

function used(message) {
  const user = who(message.used.user);
  return h("div", { class: "above" }, avatar(user, 16), name(user), h("span", {}, " used "), h("span", { class: "mention" }, `/${message.used.name}`));
}

function reply(message) {
  if (!message.reply) return h("div", { class: "above" }, icon("reply", 16), h("em", {}, "The message this replies to was deleted."));
  const author = who(message.reply.author);
  const go = () => {
    const target = document.querySelector(`li[data-id="${message.reply.id}"]`);
    target?.scrollIntoView({ block: "center" });
    target?.focus();
  };
  const text = message.reply.content ? inline(message.reply.content.replace(/\s+/g, " "), look) : h("em", {}, "Press to see it");
  return h("div", { class: "above" }, avatar(author, 16), name(author), h("div", { class: "replied", role: "link", tabindex: "0", on: { click: go, keydown: (event) => event.key === "Enter" && go() } }, text));
}

function onlyYou(message) {
  return h("p", { class: "only-you" }, icon("eye", 16), "Only you can see this", " • ", h("button", { type: "button", class: "textual", data: { key: "dismiss" }, on: { click: () => dismiss(message.id) } }, "Dismiss message"));
}

async function attempt(deed) {
  try {
    await deed();
  } catch (problem) {
    toast(problem.message);
  }
}

const react = (message, emoji, remove) => attempt(() => post("reactions", { user: state.me, message: message.id, emoji, remove }));

function reactions(message) {
  if (!message.reactions.length) return null;
  const pills = message.reactions.map((one) => {
    const names = one.people.map((id) => (id === state.me ? "you" : who(id).name));
    const more = one.count - names.length;
    const title = `${names.join(", ")}${more > 0 ? ` and ${more} more` : ""} reacted with ${one.emoji}`;
    return h("button", { type: "button", class: "reaction", "aria-pressed": String(one.me), "aria-label": `${one.emoji} ${one.count}: ${title}`, title, disabled: !mayWrite(), data: { key: `react ${one.emoji}` }, on: { click: () => react(message, one.emoji, one.me) } },
      h("span", { class: "emoji" }, one.emoji), h("span", { class: "count" }, String(one.count)));
  });
  const add = iconButton("face", "Add reaction", (event) => addReaction(message, event.currentTarget), { class: "add-reaction", "data-key": "add" });
  return h("div", { class: "reactions" }, pills, mayWrite() ? add : null);
}

async function addReaction(message, anchor) {
  const emoji = await pickEmoji(anchor);
  if (emoji) await react(message, emoji, false);
}

function tools(message) {
  if (!mayWrite()) return null;
  const mine = message.author === state.me;
  const remove = async () => {
    const sure = await confirm("Delete message", `Delete this message of ${who(message.author).name}? It cannot be brought back.`, "Delete");
    if (sure) await attempt(() => call("DELETE", `messages/${message.id}`, { user: state.me }));
  };
  const all = [
    message.ephemeral_to ? null : iconButton("face", "Add reaction", (event) => addReaction(message, event.currentTarget), { "data-key": "tool react" }),
    message.ephemeral_to ? null : iconButton("reply", "Reply", () => writing.reply(message), { "data-key": "tool reply" }),
    mine ? iconButton("pencil", "Edit", () => writing.edit(message), { "data-key": "tool edit" }) : null,
    !message.ephemeral_to && (mine || (me().staff && !isDirect())) ? iconButton("bin", "Delete", remove, { "data-key": "tool delete" }) : null,
  ].filter(Boolean);
  return all.length ? h("div", { class: "tools", role: "group", "aria-label": "Message actions" }, all) : null;
}
