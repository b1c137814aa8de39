// Embeds and attachments of a message.

import { bytes, h, icon } from "./dom.js";
import { inline, link, markdown } from "./markdown.js";
import { stamp, whole } from "./times.js";

const WIDE = 3;
const PICTURES = ["image/png", "image/jpeg", "image/gif", "image/webp"];

/** Embeds, and the attachments that none of them shows. */
export function enclosures(message, look) {
  const shown = new Set();
  const hidden = message.flags & 4;
  const embeds = hidden ? [] : message.embeds.map((one) => embed(one, message.attachments, shown, look));
  const files = message.attachments.filter((one) => !shown.has(one.id)).map(attachment);
  return [files.length ? h("div", { class: "files" }, files) : null, embeds];
}

// Where a picture is: an attachment of this message, or an address here. Nothing is loaded from anywhere else.
function source(url, attachments, shown) {
  const name = url?.startsWith("attachment://") ? url.slice("attachment://".length) : null;
  const file = attachments.find((one) => (name === null ? one.url === url : one.filename === name));
  if (file) shown.add(file.id);
  const address = file?.url ?? url;
  return address && new URL(address, location.origin).origin === location.origin ? local(address) : null;
}

const local = (url) => {
  const { pathname, search } = new URL(url, location.origin);
  return pathname + search;
};

function picture(url, attachments, shown, role) {
  if (!url) return null;
  const address = source(url, attachments, shown);
  if (!address) return h("p", { class: "elsewhere" }, icon("link", 16), link(url, `Picture at ${hostOf(url)}`));
  return h("a", { class: role, href: address, target: "_blank", rel: "noopener" }, h("img", { src: address, alt: role === "thumbnail" ? "" : "Picture", loading: "lazy" }));
}

function hostOf(url) {
  try {
    return new URL(url).host;
  } catch {
    return "another place";
  }
}

function embed(one, attachments, shown, look) {
  const colour = `#${Number(one.color ?? 0x4e5058).toString(16).padStart(6, "0").slice(-6)}`;
  const title = one.title ? inline(one.title, look) : null;
  const fields = (one.fields ?? []).map((field) =>
    h("div", { class: field.inline ? "field inline" : "field" }, h("dt", {}, inline(field.name, look)), h("dd", {}, markdown(field.value, look))),
  );
  const moment = one.timestamp ? new Date(one.timestamp) : null;
  const footer = [one.footer?.text, moment && !Number.isNaN(moment.getTime()) ? h("time", { datetime: one.timestamp, title: whole(moment) }, stamp(moment)) : null].filter(Boolean);
  return h("article", { class: one.thumbnail?.url ? "embed with-thumbnail" : "embed", style: { "--colour": colour }, "aria-label": one.title ?? "Embed" },
    h("div", { class: "embed-text" },
      one.author?.name ? h("p", { class: "embed-author" }, one.author.url ? link(one.author.url, one.author.name) : one.author.name) : null,
      title ? h("p", { class: "embed-title" }, one.url ? link(one.url, title) : title) : null,
      one.description ? h("div", { class: "embed-description" }, markdown(one.description, look)) : null,
      fields.length ? h("dl", { class: "fields" }, arranged(fields)) : null,
    ),
    picture(one.thumbnail?.url, attachments, shown, "thumbnail"),
    picture(one.image?.url, attachments, shown, "image"),
    footer.length ? h("footer", {}, footer.flatMap((part, index) => (index ? [" • ", part] : [part]))) : null,
  );
}

// Inline fields share a line, three at most; how many there are decides how wide each is.
function arranged(fields) {
  let run = [];
  const settle = () => {
    run.forEach((field, index) => {
      const row = Math.floor(index / WIDE);
      const inRow = Math.min(WIDE, run.length - row * WIDE);
      field.style.setProperty("--span", 12 / inRow);
    });
    run = [];
  };
  for (const field of fields) {
    if (field.classList.contains("inline")) run.push(field);
    else settle();
  }
  settle();
  return fields;
}

function attachment(file) {
  const address = local(file.url);
  if (PICTURES.includes(file.content_type)) {
    const shown = h("img", { src: address, alt: file.description ?? file.filename, loading: "lazy", on: { error: (event) => event.target.closest("a").replaceWith(card(file, address)) } });
    return h("a", { class: "picture", href: address, target: "_blank", rel: "noopener", title: file.filename }, shown);
  }
  return card(file, address);
}

function card(file, address) {
  return h("a", { class: "file", href: address, download: file.filename, title: file.filename },
    icon("file", 28), h("span", {}, h("span", { class: "file-name" }, file.filename), h("span", { class: "file-size" }, bytes(file.size))));
}
