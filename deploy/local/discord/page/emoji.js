// Choosing an emoji.

import { h } from "./dom.js";

const EMOJI = [
  ["👍", "thumbs up yes good"], ["👎", "thumbs down no"], ["❤️", "heart love red"], ["🎉", "party celebrate tada"], ["🚀", "rocket launch"], ["👏", "clap applause"], ["🙌", "hands raised hooray"], ["🔥", "fire hot"],
  ["💯", "hundred perfect"], ["✅", "check done approve"], ["❌", "cross no reject"], ["⭐", "star"], ["👀", "eyes look"], ["🙏", "please thanks pray"], ["💪", "strong muscle"], ["🤝", "handshake deal"],
  ["😀", "grin happy"], ["😄", "smile happy"], ["😂", "joy tears laugh"], ["🤣", "rolling laugh"], ["😊", "blush smile"], ["😍", "heart eyes love"], ["😎", "cool sunglasses"], ["🤔", "thinking hmm"],
  ["😅", "sweat relief"], ["😢", "cry sad"], ["😭", "sob cry loud"], ["😡", "angry"], ["😱", "scream shock"], ["😴", "sleep tired"], ["🥳", "party face birthday"], ["🤯", "mind blown"],
  ["🤗", "hug"], ["🫡", "salute"], ["👋", "wave hello"], ["👌", "ok"], ["✌️", "peace victory"], ["🤞", "fingers crossed luck"], ["💡", "idea bulb"], ["📚", "books study"],
  ["🎓", "graduation cap university"], ["💼", "briefcase work job"], ["📝", "memo write note"], ["📈", "chart up growth"], ["🏆", "trophy winner"], ["🥇", "gold medal first"], ["🥈", "silver medal second"], ["🥉", "bronze medal third"],
  ["🎁", "gift present reward"], ["☕", "coffee"], ["🍕", "pizza"], ["🌟", "glowing star"], ["⏰", "alarm clock time"], ["📅", "calendar date"], ["🔔", "bell notice"], ["🎯", "target goal"],
];
const ACROSS = 8;

/** A small window at a button; resolves with an emoji, or null when it was left. */
export function pickEmoji(anchor) {
  return new Promise((resolve) => {
    const search = h("input", { class: "filter", type: "text", placeholder: "Find an emoji", "aria-label": "Find an emoji" });
    const grid = h("div", { class: "emoji-grid", role: "group", "aria-label": "Emoji" });
    const picker = h("dialog", { class: "menu emoji-picker", "aria-label": "Choose an emoji" }, search, grid);
    const end = (emoji) => {
      picker.close();
      picker.remove();
      if (anchor.isConnected) anchor.focus();
      resolve(emoji);
    };
    const draw = () => {
      const found = EMOJI.filter(([, words]) => words.includes(search.value.trim().toLowerCase()));
      grid.replaceChildren(...found.map(([emoji, words]) => h("button", { type: "button", title: words, "aria-label": `${emoji} ${words.split(" ")[0]}`, on: { click: () => end(emoji) } }, emoji)));
      if (!found.length) grid.append(h("p", { class: "note" }, "No emoji is called that"));
    };
    search.addEventListener("input", draw);
    picker.addEventListener("keydown", (event) => {
      const buttons = [...grid.querySelectorAll("button")];
      const at = buttons.indexOf(document.activeElement);
      const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: ACROSS, ArrowUp: -ACROSS }[event.key];
      if (event.key === "Enter" && at < 0) buttons[0]?.click();
      else if (step && at < 0 && event.key === "ArrowDown") buttons[0]?.focus();
      else if (step && at >= 0) (at + step < 0 ? search : buttons[Math.min(buttons.length - 1, at + step)]).focus();
      else return;
      event.preventDefault();
    });
    picker.addEventListener("cancel", (event) => {
      event.preventDefault();
      end(null);
    });
    picker.addEventListener("mousedown", (event) => event.target === picker && end(null));
    document.body.append(picker);
    draw();
    picker.showModal();
    const at = anchor.getBoundingClientRect();
    picker.style.setProperty("left", `${Math.max(8, Math.min(at.right - picker.offsetWidth, innerWidth - picker.offsetWidth - 8))}px`);
    picker.style.setProperty("top", `${at.top > picker.offsetHeight + 12 ? at.top - picker.offsetHeight - 6 : Math.min(at.bottom + 6, innerHeight - picker.offsetHeight - 8)}px`);
    search.focus();
  });
}
