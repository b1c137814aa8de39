// Building what is seen. Text goes in as text nodes only: nothing here, and nothing on this page, parses HTML.

const SVG = "http://www.w3.org/2000/svg";

/** An element. `props` are attributes; `on` holds listeners, `style` custom properties, `data` data-attributes. */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") for (const [event, heard] of Object.entries(value)) element.addEventListener(event, heard);
    else if (name === "style") for (const [key, one] of Object.entries(value)) element.style.setProperty(key, one);
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const PATHS = {
  hash: "M9 4 7.5 20M16.5 4 15 20M4.5 9h16M3.5 15h16",
  lock: "M7 11V8a5 5 0 0 1 10 0v3M6 11h12v9H6z",
  at: "M16 12a4 4 0 1 1-8 0 4 4 0 0 1 8 0zm0 0v1.5a2.5 2.5 0 0 0 5 0V12a9 9 0 1 0-4 7.5",
  people: "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 20c0-3.5 3-6 6.5-6s6.5 2.5 6.5 6M16 4.5a3.5 3.5 0 0 1 0 6.5M18 14.5c2.200.8 3.5 2.900 3.5 5.5",
  menu: "M4 6h16M4 12h16M4 18h16",
  plus: "M12 5v14M5 12h14",
  gear: "M12 15.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM12 2.5v3M12 18.5v3M2.5 12h3M18.5 12h3M5.300 5.300l2.100 2.100M16.600 16.600l2.100 2.100M5.300 18.700l2.100-2.100M16.600 7.400l2.100-2.100",
  swap: "M4 8h14l-3.5-3.5M20 16H6l3.5 3.5",
  face: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM8.5 14.5c1 1.5 2.200 2 3.5 2s2.5-.5 3.5-2M9 9.5v.5M15 9.5v.5",
  reply: "M9 6 4 11l5 5M4 11h9c4 0 7 2 7 7",
  pencil: "M4 20l1-4L16 5l3 3L8 19zM14 7l3 3",
  bin: "M5 7h14M9 7V4.5h6V7M7 7l1 13h8l1-13M10.5 10.5v6M13.5 10.5v6",
  file: "M6 3h8l4 4v14H6zM14 3v4h4",
  send: "M4 4l17 8-17 8 2.5-8zM6.5 12H13",
  eye: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6z",
  close: "M6 6l12 12M18 6 6 18",
  down: "M6 9l6 6 6-6",
  chat: "M4 5h16v11H10l-4.5 4v-4H4z",
  slash: "M15.5 4l-7 16",
  link: "M14 5h5v5M19 5l-8 8M17 14v5H5V7h5",
};

/** A line drawing in the colour of the text around it. */
export function icon(name, size = 20) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  for (const [key, value] of Object.entries({ viewBox: "0 0 24 24", width: size, height: size, "aria-hidden": "true" })) svg.setAttribute(key, value);
  path.setAttribute("d", PATHS[name]);
  svg.classList.add("icon");
  svg.append(path);
  return svg;
}

/** A button with a drawing instead of words; `label` is its name for those who cannot see it, and its tooltip. */
export function iconButton(name, label, press, props = {}) {
  const { class: more = "", ...rest } = props;
  return h("button", { type: "button", class: `icon-button ${more}`, "aria-label": label, title: label, on: { click: press }, ...rest }, icon(name));
}

const graphemes = new Intl.Segmenter();

function initials(name) {
  const words = name.split(/\s+/u).filter((word) => /[\p{L}\p{N}]/u.test(word));
  const first = (word) => [...graphemes.segment(word)].map((one) => one.segment).find((one) => /[\p{L}\p{N}]/u.test(one));
  const chosen = words.length > 1 ? [words[0], words.at(-1)] : words;
  return chosen.map(first).join("").toLocaleUpperCase() || [...graphemes.segment(name)][0]?.segment || "?";
}

/** A drawn picture of a person: their initials on a colour that is always theirs; the bot has the rocket. */
export function avatar(person, size = 40) {
  if (person?.bot) return h("img", { class: "avatar", src: "/page/icon.svg", alt: "", width: size, height: size });
  const hue = [...(person?.id ?? "0")].reduce((sum, digit) => (sum * 31 + Number(digit)) % 360, 7);
  const style = { "--hue": hue, "--size": `${size}px` };
  return h("span", { class: "avatar drawn", "aria-hidden": "true", style }, initials(person?.name ?? "?"));
}

/** Says something to those who listen to the page. */
export function announce(text) {
  document.getElementById("announcer").textContent = text;
}

/** A size in the units people use. */
export function bytes(count) {
  if (count < 1024) return `${count} bytes`;
  return count < 1024 * 1024 ? `${(count / 1024).toFixed(1)} KB` : `${(count / 1024 / 1024).toFixed(1)} MB`;
}

/** Ids as numbers too long for numbers: shorter is smaller. */
export const byId = (a, b) => a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
