// Windows over the page: the frame of each, the forms that the bot opens, questions, and passing notices.

import { announce, h, iconButton } from "./dom.js";
import { expect } from "./pending.js";
import { post } from "./server.js";
import { person, state } from "./state.js";

const FOCUSABLE = 'button:not([disabled]), input:not([disabled]), textarea:not([disabled]), select, a[href], [tabindex="0"]';

/** Opens a window. The focus stays within it and returns to where it was; Escape and the cross close it. */
export function dialog(title, content, { footer = null, closed = () => {}, kind = "", closable = true } = {}) {
  const before = document.activeElement;
  const heading = h("h2", { id: `dialog-${Date.now()}` }, title);
  const cross = closable ? iconButton("close", "Close", () => made.close()) : null;
  const made = h("dialog", { class: `window ${kind}`, "aria-labelledby": heading.id }, h("header", {}, heading, cross), h("div", { class: "window-body" }, content), footer ? h("footer", {}, footer) : null);
  made.addEventListener("keydown", (event) => {
    if (event.key !== "Tab") return;
    const stops = [...made.querySelectorAll(FOCUSABLE)].filter((one) => one.offsetParent !== null && one.tabIndex >= 0);
    const [first, last] = [stops[0], stops.at(-1)];
    const from = event.shiftKey ? first : last;
    if (document.activeElement !== from && made.contains(document.activeElement)) return;
    event.preventDefault();
    (event.shiftKey ? last : first)?.focus();
  });
  made.addEventListener("cancel", (event) => !closable && event.preventDefault());
  made.addEventListener("mousedown", (event) => closable && event.target === made && made.close());
  made.addEventListener("close", () => {
    made.remove();
    if (before?.isConnected) before.focus();
    closed();
  });
  document.body.append(made);
  made.showModal();
  (made.querySelector("[autofocus]") ?? made.querySelector(".window-body input, .window-body textarea"))?.focus();
  return made;
}

/** Asks something; resolves with true when it was confirmed. */
export function confirm(title, text, action) {
  return new Promise((resolve) => {
    let answer = false;
    const no = h("button", { type: "button", class: "button quiet" }, "Cancel");
    const yes = h("button", { type: "button", class: "button danger", autofocus: true }, action);
    const made = dialog(title, h("div", { class: "question" }, text), { footer: [no, yes], closed: () => resolve(answer) });
    no.addEventListener("click", () => made.close());
    yes.addEventListener("click", () => {
      answer = true;
      made.close();
    });
  });
}

let fading = null;

/** A sentence that passes by, for what was refused. */
export function toast(text) {
  document.querySelector(".toast")?.remove();
  clearTimeout(fading);
  const made = h("div", { class: "toast" }, text);
  (document.querySelector("dialog[open]:last-of-type") ?? document.body).append(made);
  announce(text);
  fading = setTimeout(() => made.remove(), 6000);
}

// The fields of a modal stand in rows (the older shape) or under labels (the newer).
function fieldsOf(modal) {
  return modal.components.flatMap((holder) =>
    holder.component ? [{ ...holder.component, label: holder.label ?? holder.component.label, description: holder.description }] : holder.components);
}

const PARAGRAPH = 2;
const LONGEST = 4000;

/** The form that the bot opened. */
export function openForm(modal) {
  const fields = fieldsOf(modal).map((one) => field(one));
  const problem = h("p", { class: "problem", role: "alert", hidden: true });
  const cancel = h("button", { type: "button", class: "button quiet" }, "Cancel");
  const submit = h("button", { type: "submit", class: "button primary", form: "bot-form" }, "Submit");
  const bot = person(state.bot);
  const form = h("form", { id: "bot-form", class: "form", novalidate: true }, h("p", { class: "form-note" }, `This form will be submitted to ${bot?.name ?? "the bot"}. Do not share passwords or other sensitive information.`), fields.map((one) => one.element), problem);
  const made = dialog(modal.title, form, { footer: [cancel, submit], kind: "bot-form" });
  const say = (text) => {
    problem.textContent = text;
    problem.hidden = !text;
  };
  const busy = (is) => {
    submit.classList.toggle("waiting", is);
    submit.disabled = is;
  };
  cancel.addEventListener("click", () => made.close());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const wrong = fields.filter((one) => !one.check());
    if (wrong.length) {
      wrong[0].input.focus();
      return;
    }
    say("");
    busy(true);
    try {
      const { id } = await post("modals", { user: state.me, custom_id: modal.custom_id, fields: Object.fromEntries(fields.map((one) => [one.name, one.input.value])) });
      const failed = () => {
        // The server takes a form once; what was written can still be copied out of this window.
        say("Something went wrong: the bot did not answer in time.");
        busy(false);
        submit.hidden = true;
      };
      expect(id, { answered: () => made.close(), failed });
    } catch (refusal) {
      say(refusal.message);
      busy(false);
    }
  });
}

function field(one) {
  const id = `field-${one.custom_id}`;
  const required = one.required !== false;
  const most = one.max_length ?? LONGEST;
  const least = Math.max(one.min_length ?? 0, required ? 1 : 0);
  const props = { id, placeholder: one.placeholder ?? "", maxlength: most, "aria-required": String(required), "aria-describedby": `${id}-about`, value: one.value ?? "", on: { input: () => count() } };
  const input = one.style === PARAGRAPH ? h("textarea", { rows: 4, ...props }) : h("input", { type: "text", ...props });
  const about = h("p", { class: "field-about", id: `${id}-about` });
  const counter = h("span", { class: "counter", "aria-hidden": "true" });
  const count = () => {
    counter.textContent = most < LONGEST || input.value.length > most * 0.8 ? `${input.value.length}/${most}` : "";
    if (input.getAttribute("aria-invalid")) check();
  };
  const check = () => {
    const length = input.value.length;
    const wrong = (length || required) && length < least;
    const fault = least > 1 ? `Must be ${least} characters or more.` : "This field is required.";
    about.textContent = wrong ? fault : (one.description ?? "");
    about.classList.toggle("wrong", Boolean(wrong));
    if (wrong) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
    return !wrong;
  };
  about.textContent = one.description ?? "";
  count();
  const label = h("label", { for: id }, one.label, required ? h("span", { class: "required", "aria-hidden": "true" }, " *") : null);
  return { name: one.custom_id, input, check, element: h("div", { class: "form-field" }, label, input, h("div", { class: "below" }, about, counter)) };
}
