// Lists to choose from: below a text field while one types, and as the menu of a select.

import { avatar, h } from "./dom.js";

let number = 0;

/** One line of a list: `{value, label, detail, hint, emoji, person}`. */
function line(option, id, mark) {
  return h("li", { id, role: "option", "aria-selected": "false" },
    mark ?? null,
    option.person ? avatar(option.person, 24) : option.emoji ? h("span", { class: "emoji" }, option.emoji) : null,
    h("span", { class: "option-text" }, h("span", { class: "option-label" }, option.label), option.detail ? h("span", { class: "option-detail" }, option.detail) : null),
    option.hint ? h("span", { class: "option-hint" }, option.hint) : null);
}

/** Suggestions for a text field, which stays focused: arrows move, Enter and Tab take, Escape closes. */
export class Suggestions {
  constructor(place) {
    this.id = `list-${(number += 1)}`;
    this.title = h("p", { class: "list-title", id: `${this.id}-title` });
    this.list = h("ul", { role: "listbox", id: this.id, "aria-labelledby": `${this.id}-title` });
    this.box = h("div", { class: "suggestions", hidden: true }, this.title, this.list);
    // Pressing a line must not take the focus away from the field.
    this.box.addEventListener("mousedown", (event) => event.preventDefault());
    place.prepend(this.box);
    this.options = [];
    this.active = -1;
  }

  get isOpen() {
    return !this.box.hidden;
  }

  /** Shows options for a field. `take(option, key)` is called with the chosen one; `note` stands where there are none. */
  show(field, title, options, take, { active = 0, note } = {}) {
    if (!options.length && !note) return this.hide();
    Object.assign(this, { field, options, take });
    this.title.textContent = title;
    this.list.replaceChildren(...options.map((option, index) => {
      const made = line(option, `${this.id}-${index}`);
      made.addEventListener("click", () => this.take(option, "Click"));
      made.addEventListener("mousemove", () => this.mark(index));
      return made;
    }));
    if (!options.length) this.list.append(h("li", { class: "note", role: "presentation" }, note));
    this.box.hidden = false;
    field.setAttribute("aria-expanded", "true");
    field.setAttribute("aria-controls", this.id);
    this.mark(options.length ? active : -1);
    return undefined;
  }

  mark(index) {
    this.active = index;
    [...this.list.children].forEach((one, at) => one.role === "option" && one.setAttribute("aria-selected", String(at === index)));
    if (index < 0) {
      this.field.removeAttribute("aria-activedescendant");
      return;
    }
    this.list.children[index].scrollIntoView({ block: "nearest" });
    this.field.setAttribute("aria-activedescendant", `${this.id}-${index}`);
  }

  hide() {
    if (this.box.hidden) return;
    this.box.hidden = true;
    this.field.setAttribute("aria-expanded", "false");
    this.field.removeAttribute("aria-activedescendant");
  }

  /** True when a key was for the list. */
  key(event) {
    if (!this.isOpen || event.isComposing) return false;
    const count = this.options.length;
    if (event.key === "Escape") this.hide();
    else if (count && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      const step = event.key === "ArrowDown" ? 1 : -1;
      this.mark(this.active < 0 ? (step > 0 ? 0 : count - 1) : (this.active + step + count) % count);
    } else if (this.active >= 0 && ((event.key === "Enter" && !event.shiftKey) || (event.key === "Tab" && !event.shiftKey))) this.take(this.options[this.active], event.key);
    else return false;
    event.preventDefault();
    return true;
  }
}

/** Text fields get what a list of suggestions needs to be understood by those who cannot see it. */
export const combobox = { role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", autocomplete: "off", spellcheck: "false" };

const fits = (option, text) => `${option.label} ${option.detail ?? ""}`.toLocaleLowerCase().includes(text.toLocaleLowerCase());

/** A menu at a button, with a filter when it is long. Resolves with the chosen values, or null when it was left. */
export function choose(anchor, options, { least, most, label }) {
  return new Promise((resolve) => {
    const chosen = new Set(options.filter((one) => one.chosen).map((one) => one.value));
    const several = most > 1 || least === 0;
    let shown = options;
    let active = Math.max(0, options.findIndex((one) => one.chosen));
    const list = h("ul", { role: "listbox", tabindex: "0", "aria-label": label, "aria-multiselectable": several ? "true" : undefined });
    const filter = options.length > 10 ? h("input", { class: "filter", type: "text", placeholder: "Search", "aria-label": "Search" }) : null;
    const done = several ? h("button", { type: "button", class: "button primary" }, "Done") : null;
    const menu = h("dialog", { class: "menu", "aria-label": label }, filter, list, done);
    const draw = () => {
      list.replaceChildren(...shown.map((option, index) => {
        const made = line(option, `menu-${index}`, several ? h("span", { class: "tick", "aria-hidden": "true" }, chosen.has(option.value) ? "☑" : "☐") : null);
        made.setAttribute("aria-selected", String(several ? chosen.has(option.value) : index === active));
        made.classList.toggle("active", index === active);
        made.addEventListener("click", () => take(index));
        return made;
      }));
      if (!shown.length) list.append(h("li", { class: "note", role: "presentation" }, "Nothing fits"));
      (filter ?? list).setAttribute("aria-activedescendant", `menu-${active}`);
      list.children[active]?.scrollIntoView({ block: "nearest" });
      if (done) done.disabled = chosen.size < least || chosen.size > most;
    };
    const end = (values) => {
      menu.close();
      menu.remove();
      if (anchor.isConnected) anchor.focus();
      resolve(values);
    };
    const take = (index) => {
      const option = shown[index];
      if (!option) return;
      active = index;
      if (!several) return end([option.value]);
      if (!chosen.delete(option.value) && chosen.size < most) chosen.add(option.value);
      return draw();
    };
    menu.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step && shown.length) active = (active + step + shown.length) % shown.length;
      else if (event.key === "Home" && event.target === list) active = 0;
      else if (event.key === "End" && event.target === list) active = shown.length - 1;
      else if (event.target !== done && (event.key === "Enter" || (event.key === " " && event.target === list))) take(active);
      else return;
      event.preventDefault();
      if (menu.isConnected) draw();
    });
    menu.addEventListener("cancel", (event) => {
      event.preventDefault();
      end(null);
    });
    menu.addEventListener("mousedown", (event) => event.target === menu && end(null));
    filter?.addEventListener("input", () => {
      shown = options.filter((one) => fits(one, filter.value));
      active = 0;
      draw();
    });
    done?.addEventListener("click", () => end([...chosen]));
    document.body.append(menu);
    draw();
    menu.showModal();
    const at = anchor.getBoundingClientRect();
    const width = Math.max(240, Math.min(at.width, innerWidth - 16));
    const below = innerHeight - at.bottom > Math.min(320, menu.offsetHeight) + 8;
    menu.style.setProperty("width", `${width}px`);
    menu.style.setProperty("left", `${Math.max(8, Math.min(at.left, innerWidth - width - 8))}px`);
    menu.style.setProperty("top", below ? `${at.bottom + 4}px` : `${Math.max(8, at.top - menu.offsetHeight - 4)}px`);
    (filter ?? list).focus();
  });
}
