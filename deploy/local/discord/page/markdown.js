// Discord's markdown, made into nodes. Whatever it does not understand stays the text it was.

import { h } from "./dom.js";
import { styled, whole } from "./times.js";

const DEEPEST = 10;
const FENCE = /```(?:([\w+#.-]*)\n)?\n*([\s\S]*?)\n*```/g;
const URL_TEXT = "https?:\\/\\/[^\\s<>]+[^\\s<>.,:;\"')\\]]";

// In the order in which they are tried where the text stands; each makes a node of what it matched.
const INLINE = [
  [/\\([^\p{L}\p{N}\s])/uy, (m) => m[1]],
  [/(`+)([\s\S]*?[^`])\1(?!`)/y, (m) => h("code", {}, m[2].replace(/^ (.+) $/, "$1"))],
  [/<@!?(\d{1,20})>/y, (m, look) => personMention(m[1], look)],
  [/<@&(\d{1,20})>/y, (m, look) => h("span", { class: "mention" }, `@${look.role(m[1])?.name ?? "unknown role"}`)],
  [/<#(\d{1,20})>/y, (m, look) => channelMention(m[1], look)],
  [/<t:(-?\d{1,13})(?::([tTdDfFRsS]))?>/y, (m) => time(m)],
  [/<\/([-\w ]{1,100}):\d{1,20}>/y, (m, look) => h("button", { type: "button", class: "mention", on: { click: () => look.useCommand(m[1]) } }, `/${m[1]}`)],
  [/<a?:(\w{2,32}):\d{1,20}>/y, (m) => `:${m[1]}:`],
  [new RegExp(`\\[([^\\]\\n]{1,400})\\]\\(<?(${URL_TEXT}|https?:\\/\\/[^\\s)]+)>?\\)`, "y"), (m, look, inner) => link(m[2], inner(m[1]))],
  [new RegExp(`<(${URL_TEXT})>`, "y"), (m) => link(m[1], m[1])],
  [new RegExp(URL_TEXT, "y"), (m) => link(m[0], m[0])],
  [/\*\*\*([\s\S]+?)\*\*\*(?!\*)/y, (m, _, inner) => h("strong", {}, h("em", {}, inner(m[1])))],
  [/\*\*([\s\S]+?)\*\*(?!\*)/y, (m, _, inner) => h("strong", {}, inner(m[1]))],
  [/__([\s\S]+?)__(?!_)/y, (m, _, inner) => h("u", {}, inner(m[1]))],
  [/~~([\s\S]+?)~~/y, (m, _, inner) => h("s", {}, inner(m[1]))],
  [/\|\|([\s\S]+?)\|\|/y, (m, _, inner) => spoiler(inner(m[1]))],
  [/\*(?=\S)((?:\*\*|[^*])+?)(?<!\s)\*(?!\*)/y, (m, _, inner) => h("em", {}, inner(m[1]))],
  [/(?<!\w)_((?:__|[^_])+?)_(?!\w)/y, (m, _, inner) => h("em", {}, inner(m[1]))],
  [/@(?:everyone|here)\b/y, (m) => h("span", { class: "mention" }, m[0])],
];
const SPECIAL = /[\\`<[h*_~|@]/g;

function personMention(id, look) {
  const person = look.person(id);
  if (!person) return h("span", { class: "mention" }, "@unknown user");
  const mine = look.isMe(id) ? " me" : "";
  return h("button", { type: "button", class: `mention${mine}`, on: { click: () => look.showPerson(id) } }, `@${person.name}`);
}

function channelMention(id, look) {
  const channel = look.channel(id);
  if (!channel) return h("span", { class: "mention" }, "#No Access");
  return h("button", { type: "button", class: "mention", on: { click: () => look.openChannel(channel.name) } }, `#${channel.name}`);
}

function time(match) {
  const moment = new Date(Number(match[1]) * 1000);
  if (Number.isNaN(moment.getTime())) return match[0];
  const counts = match[2] === "R" ? { fromNow: "" } : {};
  return h("time", { datetime: moment.toISOString(), title: whole(moment), tabindex: "0", data: counts }, styled(moment, match[2]));
}

/** A link to elsewhere. Anything but http(s), which the patterns never let through, stays text. */
export function link(address, content) {
  let url;
  try {
    url = new URL(address);
  } catch {
    return content;
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") return content;
  return h("a", { href: url.href, target: "_blank", rel: "noopener noreferrer", title: url.href }, content);
}

function spoiler(content) {
  const show = (event) => {
    const place = event.currentTarget;
    if (place.getAttribute("aria-expanded") === "true") return;
    event.preventDefault();
    place.setAttribute("aria-expanded", "true");
    place.removeAttribute("aria-label");
  };
  const keys = (event) => (event.key === "Enter" || event.key === " ") && show(event);
  const props = { class: "spoiler", role: "button", tabindex: "0", "aria-expanded": "false", "aria-label": "Spoiler, press to show" };
  return h("span", { ...props, on: { click: show, keydown: keys } }, h("span", {}, content));
}

/** Text with markdown within a line, as nodes and texts. */
export function inline(text, look, depth = 0) {
  const nodes = [];
  let plain = "";
  let at = 0;
  const inner = (part) => (depth < DEEPEST ? inline(part, look, depth + 1) : [part]);
  outer: while (at < text.length) {
    SPECIAL.lastIndex = at;
    const next = SPECIAL.exec(text)?.index ?? text.length;
    plain += text.slice(at, next);
    at = next;
    if (at === text.length) break;
    for (const [pattern, make] of INLINE) {
      pattern.lastIndex = at;
      const match = pattern.exec(text);
      if (!match) continue;
      const made = make(match, look, inner);
      if (typeof made === "string") plain += made;
      else {
        if (plain) nodes.push(plain);
        plain = "";
        nodes.push(made);
      }
      at += match[0].length;
      continue outer;
    }
    plain += text[at];
    at += 1;
  }
  if (plain) nodes.push(plain);
  return nodes.flat();
}

const LINE = [
  [/^(#{1,3})\s+(.+)$/, "heading"],
  [/^-#\s+(.+)$/, "small"],
  [/^(\s*)[-*]\s+(.+)$/, "bullet"],
  [/^(\s*)(\d{1,9})\.\s+(.+)$/, "number"],
];

function blocks(text, look, depth) {
  const nodes = [];
  const lines = text.split("\n");
  let plain = [];
  const flush = () => {
    if (plain.length) nodes.push(...inline(plain.join("\n"), look));
    plain = [];
  };
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index];
    if (depth === 0 && line.startsWith(">>> ")) {
      flush();
      nodes.push(h("blockquote", {}, blocks([line.slice(4), ...lines.slice(index + 1)].join("\n"), look, 1)));
      return nodes;
    }
    if (depth === 0 && line.startsWith("> ")) {
      flush();
      const quoted = [];
      while (index < lines.length && lines[index].startsWith("> ")) quoted.push(lines[index++].slice(2));
      index -= 1;
      nodes.push(h("blockquote", {}, blocks(quoted.join("\n"), look, 1)));
      continue;
    }
    const [match, kind] = LINE.map(([pattern, name]) => [pattern.exec(line), name]).find(([found]) => found) ?? [];
    if (!match) {
      plain.push(line);
      continue;
    }
    flush();
    if (kind === "heading") nodes.push(h("p", { class: `h${match[1].length}`, role: "heading", "aria-level": match[1].length + 2 }, inline(match[2], look)));
    else if (kind === "small") nodes.push(h("p", { class: "subtext" }, inline(match[1], look)));
    else nodes.push(item(kind, match, look, nodes.at(-1)));
  }
  flush();
  return nodes.filter((node, index) => nodes.indexOf(node) === index || typeof node === "string");
}

// A list goes on in the element before when that is a list of the same kind; otherwise it begins one.
function item(kind, match, look, before) {
  const tag = kind === "bullet" ? "ul" : "ol";
  const list = before instanceof HTMLElement && before.localName === tag ? before : h(tag, kind === "number" ? { start: match[2] } : {});
  const deep = Math.min(3, Math.floor(match[1].length / 2));
  list.append(h("li", { class: deep ? `deep${deep}` : undefined }, inline(match.at(-1), look)));
  return list;
}

/** A whole text as a fragment of nodes: code blocks, quotes, headings, lists, and what is within lines. */
export function markdown(text, look) {
  const whole = document.createDocumentFragment();
  let at = 0;
  for (const match of text.matchAll(FENCE)) {
    if (!match[2].trim()) continue;
    if (match.index > at) whole.append(...blocks(text.slice(at, match.index).replace(/\n$/, ""), look, 0));
    whole.append(h("pre", { tabindex: "0" }, h("code", { data: match[1] ? { language: match[1] } : {} }, match[2])));
    at = match.index + match[0].length;
    if (text[at] === "\n") at += 1;
  }
  if (at < text.length) whole.append(...blocks(text.slice(at), look, 0));
  return whole;
}

const EMOJI_ONLY = /^(?:\s*(?:\p{Extended_Pictographic}|\p{Regional_Indicator}{2}|[\u200d\ufe0f\p{Emoji_Modifier}]))+\s*$/u;

/** Whether a text is a few emoji and nothing else, which Discord shows large. */
export const isLarge = (text) => text.length <= 60 && EMOJI_ONLY.test(text);
